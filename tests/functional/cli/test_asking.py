"""Asking at a terminal, and a service that nobody sits at."""

import os
import pty
import select
import subprocess
import sys

import pytest

from auditlog.cli import asking, output
from auditlog.cli.failures import CommandError, UsageError

PROGRAM = """
from auditlog.cli.asking import at_terminal
answer = at_terminal("Go \\x1b[2J on?")
print(f"answer={answer!r}")
"""


def test_a_question_is_answered_on_the_terminal() -> None:
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        os.close(theirs)
        said = b""
        while b"on? " not in said:
            ready, _, _ = select.select([ours], [], [], 60)
            assert ready, said
            said += os.read(ours, 1_000)
        os.write(ours, b"acme\n")
        stdout, _ = process.communicate(timeout=60)
    finally:
        os.close(ours)
    # Nothing that the question holds reaches the terminal as a command, and none of it is data.
    assert b"Go \\u001b[2J on? " in said
    assert stdout == "answer='acme'\n"


def test_without_a_terminal_nobody_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input="yes\n", capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("answer=None\n", "")


def test_what_counts_as_a_yes() -> None:
    for answer in ("y", "Yes", "YES ", " y"):
        asking.confirm(lambda _, given=answer: given, "Really?", yes=False)
    asking.confirm(lambda _: pytest.fail("it asked"), "Really?", yes=True)
    for answer in ("", "n", "yes please", "ja"):
        with pytest.raises(CommandError, match="nothing was changed"):
            asking.confirm(lambda _, given=answer: given, "Really?", yes=False)
    with pytest.raises(UsageError) as refused:
        asking.confirm(lambda _: None, "Really?", yes=False)
    assert "--yes" in refused.value.hint


def test_a_word_is_taken_only_as_it_is() -> None:
    asking.confirm(lambda _: "acme\t", "Really?", yes=False, word="acme")
    for answer in ("", "y", "yes", "Acme", "acme."):
        with pytest.raises(CommandError):
            asking.confirm(lambda _, given=answer: given, "Really?", yes=False, word="acme")


def test_facts_in_a_pipe_are_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    output.facts([("Name", "x" * 300), ("Longer name", "a\nb\x1b")])
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"Name         {'x' * 300}"
    assert second == "Longer name  a b\\u001b"
