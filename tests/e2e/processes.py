"""The processes of this machine, as `/proc` shows them."""

import os
import signal
from pathlib import Path


def within(folder: Path, word: str = "") -> list[int]:
    """The live processes with `word` in their command that run, or were found, in `folder`."""
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            working = (process / "cwd").readlink()
            command = (process / "cmdline").read_bytes().decode(errors="replace")
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        own = working.is_relative_to(folder) or str(folder) in command
        if own and word in command and state != "Z":
            found.append(int(process.name))
    return sorted(found)


def descendants(pid: int) -> set[int]:
    """The live processes that `pid` has started, directly or not."""
    children: dict[int, list[int]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            children.setdefault(int(fields[1]), []).append(int(process.name))
    found: set[int] = set()
    left = [pid]
    while left:
        own = children.get(left.pop(), [])
        found.update(own)
        left += own
    return found


def alive(pid: int) -> bool:
    """Whether a process is there and not just waiting to be collected."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def send(number: signal.Signals, pids: list[int]) -> None:
    """Signal processes that a test has found to be the stack's own."""
    for pid in pids:
        os.kill(pid, number)
