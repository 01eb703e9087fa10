"""What is printed: data on standard output, everything else on standard error.

With `--json` the data is one JSON object a line, in UTF-8, and nothing else is on standard
output. Text that came from somewhere else is shown with its control characters escaped, so
that an event's content can never move the cursor of the terminal that shows it.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
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
_FRACTION = re.compile("[.][0-9]+(?=Z$)")
# A column of sentences that is narrower than this is harder to read than no table.
_NARROWEST = 30

#: Makes of a row, by its columns, the lines that stand for it where its table is too wide; each
#: line is a list of pieces, and the empty ones are left out.
Brief = Callable[[Mapping[str, str]], Sequence[Sequence[str]]]


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


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    empty: str,
    brief: Brief,
    spare: Sequence[str] = (),
    wraps: str = "",
) -> None:
    """A table on standard output; where there is no row, `empty` on standard error.

    In a pipe it has every column, and each row is one line. A terminal may be narrower than that:
    then the column `wraps` takes several lines, or else the columns in `spare` are left out, or
    else each row is what `brief` makes of it. So nothing but a sentence is ever broken.
    """
    cells = [dict(zip(columns, map(cell, row), strict=True)) for row in rows]
    if not cells:
        note(empty)
    elif not OUT.is_terminal:
        Console(highlight=False, width=_PIPE_WIDTH).print(_grid(columns, cells))
    else:
        _fitting(columns, cells, brief, spare, wraps)


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Names and values, one below the other, on standard output.

    On a terminal a long value takes several lines; where there is no room for that beside the
    names, it stands below its own.
    """
    rows = [(name, cell(value)) for name, value in pairs]
    widest = max(cell_len(name) for name, _ in rows)
    if not OUT.is_terminal:
        for name, value in rows:
            say(f"{name:{widest}}  {value}")
    elif widest + 2 + _NARROWEST > OUT.width:
        for name, value in rows:
            _print_block([[name, value]])
    else:
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in rows:
            grid.add_row(Text(name), Text(value))
        OUT.print(grid)


def _fitting(
    columns: Sequence[str],
    cells: Sequence[Mapping[str, str]],
    brief: Brief,
    spare: Sequence[str],
    wraps: str,
) -> None:
    unbounded = OUT.options.update(width=_PIPE_WIDTH)
    for shown in (columns, [column for column in columns if column not in spare]):
        least = OUT.measure(_grid(shown, cells, {wraps: _NARROWEST}), options=unbounded)
        if least.maximum <= OUT.width:
            OUT.print(_grid(shown, cells, {wraps: None}))
            return
    for row in cells:
        _print_block(brief(row))


def _grid(
    columns: Sequence[str],
    cells: Sequence[Mapping[str, str]],
    wrapping: Mapping[str, int | None] | None = None,
) -> Table:
    """A table in which only the columns of `wrapping` may be broken, at most so wide each."""
    wrapping = wrapping or {}
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        grid.add_column(
            column,
            overflow="fold",
            no_wrap=column not in wrapping,
            max_width=wrapping.get(column),
        )
    for row in cells:
        grid.add_row(*(Text(row[column]) for column in columns))
    return grid


def _print_block(lines: Sequence[Sequence[str]]) -> None:
    """Lines of pieces, broken between two pieces where they can be; all but the first indented."""
    indent = 0
    for pieces in lines:
        line = ""
        for piece in filter(None, pieces):
            longer = f"{line}  {piece}" if line else piece
            if line and indent + cell_len(longer) > OUT.width:
                OUT.print(Padding(Text(line), (0, 0, 0, indent), expand=False))
                line, indent = piece, 2
            else:
                line = longer
        if line:
            OUT.print(Padding(Text(line), (0, 0, 0, indent), expand=False))
            indent = 2


def cell(value: object) -> str:
    """A value on one line."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(cell, value))  # pyright: ignore[reportUnknownArgumentType] -- any cells
    return harmless(_LINE.sub(" ", str(value)))


def moment(text: str | None) -> str:
    """A time to the second, which is what a person needs; `--json` has all its digits."""
    return _FRACTION.sub("", text or "")


def counted(number: int, what: str) -> str:
    """`1 event`, `2 events`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def say(text: str) -> None:
    """A line of data for a person, on standard output."""
    OUT.print(Text(harmless(text)), soft_wrap=True)


def note(text: str) -> None:
    """A line on standard error."""
    ERR.print(Text(harmless(text)), soft_wrap=True)


def ask(question: str) -> None:
    """A question on standard error, whose answer is typed on the same line."""
    ERR.print(Text(f"{harmless(question)} "), soft_wrap=True, end="")


def failure(error: CommandError) -> None:
    """What went wrong, where, and what to do next, on standard error."""
    ERR.print(Text(f"Error: {harmless(error.message)}", style="red"), soft_wrap=True)
    for place in error.places:
        note(f"  {place}")
    if error.hint:
        note(error.hint)


def progress(*, of_bytes: bool = False, endless: bool = False) -> Progress:
    """A progress bar on standard error; silent where that is no terminal.

    `endless`: how much there is to do is not known.
    """
    amount = [] if endless else [DownloadColumn() if of_bytes else TaskProgressColumn()]
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        *amount,
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=ERR,
        transient=True,
        disable=not ERR.is_terminal,
    )
