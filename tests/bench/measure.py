"""How a measurement is taken and shown. Nothing here asserts a time."""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from infra.bundling import FUNCTIONS, ROOT

PACKAGES = ("boto3", "isal", "msgspec", "pydantic", "rfc8785", "aws-lambda-powertools")


def machine() -> str:
    """One line that says on what this was measured."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    load = os.getloadavg()[0]
    return (
        f"{cpu}, {os.cpu_count()} processors, load {load:.1f}; {platform.system()} "
        f"{platform.release()}; Python {platform.python_version()}; {versions}"
    )


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table under the machine and the command that made it."""
    cells = [[_text(value) for value in row] for row in rows]
    print(f"\n### {title}\n\n{machine()}\n`{' '.join(['make bench', *sys.argv[1:]])}`\n")
    print(f"| {' | '.join(columns)} |")
    print(f"|{'|'.join('---' for _ in columns)}|")
    for row in cells:
        print(f"| {' | '.join(row)} |")


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:,.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


@dataclass(frozen=True)
class Spent:
    """Seconds of one run: on the clock, and of this process's own processors."""

    wall: float
    cpu: float


def spent(work: Callable[[], object]) -> Spent:
    """Run it once."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def best(work: Callable[[], object], times: int = 5) -> Spent:
    """The least of several runs: what others on the machine took is not ours."""
    runs = [spent(work) for _ in range(times)]
    return Spent(min(run.wall for run in runs), min(run.cpu for run in runs))


def percentiles(work: Callable[[], object], times: int) -> tuple[float, float]:
    """p50 and p95 in milliseconds, after one run that is not counted."""
    work()
    walls = [spent(work).wall * 1_000 for _ in range(times)]
    cuts = statistics.quantiles(walls, n=20)
    return statistics.median(walls), cuts[18]


def of_programs(work: Callable[[], object]) -> Spent:
    """Run it once; the processors' time of the programs that it runs and waits for."""
    before, wall = _of_children(), time.perf_counter()
    work()
    return Spent(time.perf_counter() - wall, _of_children() - before)


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def in_a_process(module: str, asked: dict[str, Any], **environment: str) -> dict[str, Any]:
    """What `python -m module` says, asked in JSON on its input: it has no memory of others."""
    path = os.pathsep.join([str(ROOT), str(FUNCTIONS)])
    done = subprocess.run(
        [sys.executable, "-m", module],
        input=json.dumps(asked),
        cwd=ROOT,
        env={**os.environ, **environment, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(done.stdout)


def most_memory() -> float:
    """The most resident memory that this process has had, in MB."""
    # Not ru_maxrss, which a process inherits from the one that started it.
    lines = Path("/proc/self/status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines)
    return int(status["VmHWM"].split()[0]) * 1_024 / 1e6
