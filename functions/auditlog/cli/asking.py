"""Asking whoever sits at the terminal, before something is done that nothing undoes."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from auditlog.cli import output
from auditlog.cli.failures import CommandError, UsageError

#: The answer to a question; None where nobody is there to answer.
Ask = Callable[[str], str | None]

Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking; scripts need this.")]


def at_terminal(question: str) -> str | None:
    """Asks on standard error and reads a line; None where either is no terminal.

    The end of the input counts as an empty answer.
    """
    if not (sys.stdin.isatty() and output.ERR.is_terminal):
        return None
    output.ask(question)
    return sys.stdin.readline().rstrip("\r\n")


def confirm(ask: Ask, question: str, *, yes: bool, word: str | None = None) -> None:
    """Returns where the answer is yes, or `word` where one is wanted; or `yes` was given.

    Raises `CommandError` for any other answer, and `UsageError` where nobody can answer.
    """
    if yes:
        return
    wanted = "Yes or no?" if word is None else f"Type {word} to go on:"
    answer = ask(f"{question} {wanted}")
    if answer is None:
        raise UsageError(
            "this asks before it does anything, and there is no terminal to ask at",
            hint="Give --yes if you are sure: what goes does not come back.",
        )
    given = answer.strip()
    if (given.casefold() not in {"y", "yes"}) if word is None else (given != word):
        raise CommandError("not confirmed: nothing was changed")
