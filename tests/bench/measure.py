"""How a measurement is taken and shown. Nothing here asserts a time."""

import os
import platform
import statistics
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("boto3", "pydantic", "rfc8785", "aws-lambda-powertools")


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


@dataclass
class Peak:
    """The most resident memory of this process while it was watched, in MB, and before."""

    before: float
    highest: float

    @property
    def grown(self) -> float:
        """How much more than before."""
        return self.highest - self.before


@contextmanager
def watching_memory() -> Generator[Peak]:
    """Watch this process's resident memory, 200 times a second."""
    peak = Peak(_resident(), 0.0)
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak.highest = max(peak.highest, _resident())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
        peak.highest = max(peak.highest, _resident())


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6
