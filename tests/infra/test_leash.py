import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from infra import leash
from infra.leash import Leash

# Starts a child, says both numbers, and waits; the child heeds no request to end.
STUBBORN = """
import os, signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('x', flush=True);"
    "time.sleep(60)"], stdout=subprocess.PIPE)
child.stdout.readline()
print(os.getpid(), child.pid, flush=True)
time.sleep(60)
"""


def test_closing_ends_the_command_and_its_children(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log:
        held = Leash(
            [sys.executable, "-c", STUBBORN], environment=dict(os.environ), cwd=tmp_path, log=log
        )
        pids = _pids(tmp_path / "log")
        assert all(_alive(pid) for pid in pids)
        assert not held.ended

        held.close()

    assert held.ended
    assert not [pid for pid in pids if _alive(pid)]


def test_what_starts_it_may_be_killed_and_everything_ends(tmp_path: Path) -> None:
    program = f"""
import os, sys, time
sys.path.insert(0, {str(Path(leash.__file__).parent.parent)!r})
from pathlib import Path
from infra.leash import Leash
log = open("log", "wb")
held = Leash([sys.executable, "-c", {STUBBORN!r}], environment=dict(os.environ),
             cwd=Path("."), log=log)
time.sleep(60)
"""
    starter = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path)
    try:
        pids = _pids(tmp_path / "log")
    finally:
        starter.send_signal(signal.SIGKILL)
        starter.wait()

    assert _eventually(lambda: not [pid for pid in pids if _alive(pid)])


def test_it_ends_with_what_the_command_ended_with(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, leash.__file__, sys.executable, "-c", "raise SystemExit(7)"],
        stdin=subprocess.PIPE,
        cwd=tmp_path,
    ) as running:
        assert running.wait(timeout=20) == 7


def _pids(log: Path) -> list[int]:
    assert _eventually(lambda: log.exists() and log.read_text().endswith("\n"))
    return [int(pid) for pid in log.read_text().split()]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A process that ended and that nobody asked about is no longer there.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or ") Z " not in status.read_text()


def _eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return False
