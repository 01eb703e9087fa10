"""Keeps a program from outliving the one that started it.

`python leash.py COMMAND...` runs the command in a process group of its own and
ends that whole group, children of the command included, as soon as standard
input closes. Whoever starts the leash holds the other end of that pipe, so the
group ends with it, however it ends: by a signal, a crash or `kill -9`.

It needs nothing but the standard library. `Leash` is the other end.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

GRACE_SECONDS = 5


class Leash:
    """A running command that ends when this is closed, or when this process ends."""

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str], cwd: Path, log: IO[bytes]
    ) -> None:
        """Start `command` in `cwd`; what it prints goes to `log`."""
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__, *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=cwd,
            # Ctrl-C reaches every process of the terminal's group; this one
            # ends in its turn.
            start_new_session=True,
        )

    @property
    def ended(self) -> bool:
        """Whether the command has ended by itself."""
        return self._process.poll() is not None

    def close(self) -> None:
        """End the command and its children; returns when they are gone."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


def main(command: Sequence[str]) -> int:
    """Run `command` until it ends or standard input closes; its exit code."""
    process = subprocess.Popen(list(command), stdin=subprocess.DEVNULL, start_new_session=True)

    def end(_number: int, _frame: object) -> None:
        _signal(process, signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=_end_with_input, args=(process,), daemon=True).start()
    code = process.wait()
    # What the command started and did not take with it.
    deadline = time.monotonic() + GRACE_SECONDS
    while _signal(process, signal.SIGKILL) and time.monotonic() < deadline:
        time.sleep(0.01)
    return code


def _end_with_input(process: "subprocess.Popen[bytes]") -> None:
    while os.read(0, 1024):
        pass
    _signal(process, signal.SIGTERM)
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        _signal(process, signal.SIGKILL)


def _signal(process: "subprocess.Popen[bytes]", number: signal.Signals) -> bool:
    """Whether there was anyone left in the command's group to send it to."""
    try:
        # The group's id is that of the process that leads it.
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
