"""What is printed: data on standard output, everything else on standard error.

With `--json` the data is one JSON object a line, in UTF-8, and nothing else is on standard
output. Text that came from somewhere else is shown with its control characters escaped, so
that an event's content can never move the cursor of the terminal that shows it.
"""

import json
import re
import sys
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from auditlog.cli.failures import CommandError

OUT = Console(highlight=False)
ERR = Console(stderr=True, highlight=False)

# Wider than any row; a table is only as wide as what it holds.
_PIPE_WIDTH = 100_000

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LINE = re.compile("[\t\n]+")


def harmless(text: str) -> str:
    """`text` with what a terminal would act on escaped as JSON does."""
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def json_line(value: object) -> None:
    """One JSON value on a line of standard output."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    sys.stdout.write(harmless(text) + "\n")


def json_block(value: object) -> None:
    """One JSON value, indented, for a person."""
    sys.stdout.write(harmless(json.dumps(value, ensure_ascii=False, indent=2)) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on standard output. Nothing is cut: long cells wrap, a row in a pipe is one line."""
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell(value)) for value in row))
    console = OUT if OUT.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)
    console.print(grid)


def cell(value: object) -> str:
    """A value on one line."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(cell, value))  # pyright: ignore[reportUnknownArgumentType] -- any cells
    return harmless(_LINE.sub(" ", str(value)))


def say(text: str) -> None:
    """A line of data for a person, on standard output."""
    OUT.print(Text(harmless(text)), soft_wrap=True)


def note(text: str) -> None:
    """A line on standard error."""
    ERR.print(Text(harmless(text)), soft_wrap=True)


def failure(error: CommandError) -> None:
    """What went wrong, where, and what to do next, on standard error."""
    ERR.print(Text(f"Error: {harmless(error.message)}", style="red"), soft_wrap=True)
    for place in error.places:
        note(f"  {place}")
    if error.hint:
        note(error.hint)


def progress(*, of_bytes: bool = False) -> Progress:
    """A progress bar on standard error; silent where that is no terminal."""
    amount = DownloadColumn() if of_bytes else TaskProgressColumn()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        amount,
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=ERR,
        transient=True,
        disable=not ERR.is_terminal,
    )
