"""`make dev` as a person meets it: what it prints works, and Ctrl-C ends all of it."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from infra.bundling import ROOT
from infra.emulator import free_port
from tests.e2e import processes

SAMPLES = 150

# `make dev` with another home: the one of this tree may be in use.
PROGRAM = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from infra import local
local.HOME = Path.cwd() / ".local"
sys.argv = ["make dev", "--port", sys.argv[1], "--samples", "{SAMPLES}"]
sys.exit(local.main())
"""


@dataclass
class Running:
    """A `make dev`, and what it has printed."""

    process: "subprocess.Popen[str]"
    home: Path
    lines: list[str] = field(default_factory=list[str])

    @property
    def said(self) -> str:
        """All of it."""
        return "".join(self.lines)

    def read(self) -> None:
        """Reads to the end."""
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory, stack: dict[str, Any]) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("dev")
    (home / ".venv").symlink_to(ROOT / ".venv")
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(free_port())],
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    running = Running(process, home)
    reader = threading.Thread(target=running.read)
    reader.start()
    try:
        deadline = time.monotonic() + 120
        while "Ctrl-C" not in running.said:
            assert process.poll() is None, running.said
            assert time.monotonic() < deadline, running.said
            time.sleep(0.1)
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(60)
        reader.join()


def _run(dev: Running, script: str) -> "subprocess.CompletedProcess[str]":
    """Run it as a person would: in bash, where `make dev` was called."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=dev.home,
        env={"PATH": os.environ["PATH"], "HOME": str(dev.home), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def _blocks(dev: Running) -> tuple[str, dict[str, str]]:
    """The exports that are printed, and the commands under each comment."""
    text = dev.said.partition("In another terminal:\n")[2].partition("Ctrl-C")[0]
    head, *rest = re.split(r"(?m)^  # (.*)$", text)
    # A here-document ends at its word in the first column, as it is printed.
    return head, dict(zip(rest[::2], rest[1::2], strict=True))


def test_what_is_printed_works_as_it_is_printed(dev: Running) -> None:
    exports, blocks = _blocks(dev)
    assert exports.count("export AUDITLOG_") == 3
    assert len(blocks) == 3

    said = {title: _run(dev, exports + commands) for title, commands in blocks.items()}

    for title, done in said.items():
        assert done.returncode == 0, (title, done.stderr)
    newest, published, commands = (done.stdout for done in said.values())
    assert len(json.loads(newest)["events"]) == 5
    assert json.loads(published)["recorded"] == 1
    assert "repo." in commands
    assert "both checked" in commands


def test_the_same_commands_need_no_variables_beside_the_stack(dev: Running) -> None:
    done = _run(dev, ".venv/bin/auditlog search --all --json --include-hidden")

    assert done.returncode == 0, done.stderr
    # Those of the test before are there too, or not.
    assert len(done.stdout.splitlines()) >= SAMPLES


def test_the_curl_lines_of_the_readme_work_as_they_are_printed(dev: Running) -> None:
    exports, _ = _blocks(dev)
    printed = re.findall(r"(?ms)^```sh\n(.*?)^```", (ROOT / "README.md").read_text())
    with_curl = [block for block in printed if "curl " in block]
    assert with_curl

    for block in with_curl:
        done = _run(dev, exports + block)
        assert done.returncode == 0, (block, done.stderr)
        assert "urn:auditlog:problem" not in done.stdout, (block, done.stdout)


def test_stack_json_says_where_everything_is(dev: Running, stack: dict[str, Any]) -> None:
    path = dev.home / ".local" / "stack.json"
    said = json.loads(path.read_text())

    assert set(said) == set(stack) - {"home"}
    assert said["org"] == "acme"
    assert said["admin_key"] in dev.said
    assert said["api_url"] in dev.said
    assert path.stat().st_mode & 0o077 == 0


def test_an_interrupt_ends_everything_that_was_started(dev: Running) -> None:
    path = dev.home / ".local" / "stack.json"
    port = json.loads(path.read_text())["endpoint_url"].rpartition(":")[2]
    started = processes.descendants(dev.process.pid)
    own = set(processes.within(dev.home))
    # The leash, the emulator, and functions that have run: nothing else would show anything.
    assert len(started | own) >= 5
    assert path.exists()

    # As a terminal does it: every process of the group gets it.
    os.killpg(dev.process.pid, signal.SIGINT)
    began = time.monotonic()
    assert dev.process.wait(60) == 0

    assert time.monotonic() - began < 30
    assert [pid for pid in started | own if processes.alive(pid)] == []
    assert processes.within(dev.home) == []
    assert not path.exists()
    assert "stopped" in dev.said
    listening = Path("/proc/net/tcp").read_text()
    assert not re.search(rf"0100007F:{int(port):04X} 00000000:0000 0A", listening)
