"""How many events a file holds, read to its end, and how many of them were erased.

Of an event that was erased its id is checked: it is made of its time and of the hash that
its record had, both of which are still there.

Memory holds a piece of the file, or one event of it, whatever the size of the file.
"""

import codecs
import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from auditlog.cli.members import BrokenJsonError, members
from auditlog.formats import Compression, Format

_CHUNK = 1 << 20
# An event has at most 256 KiB, which quoting makes longer: what has no end by then is broken,
# and is not read further.
_LONGEST = 8 << 20


# How one begins that was erased. No other has a field of that name.
_ERASED = re.compile(rb'\{"id":"[^"]*","recorded_at":"[^"]*","erased_at":')
# As long as those are: an event's text may be far longer.
_START = 200


class BrokenFileError(ValueError):
    """The file is not what its format and its packing say, or an id does not fit."""


@dataclass(slots=True)
class Counted:
    """Events, those that were erased included."""

    events: int = 0
    erased: int = 0

    def text(self, event: str | bytes) -> None:
        """Counts an event that is written as JSON."""
        self.events += 1
        start = event[:_START]
        if _ERASED.match(start if isinstance(start, bytes) else start.encode(errors="replace")):
            try:
                self._check(json.loads(event))
            except ValueError as error:
                raise BrokenFileError(str(error)) from None

    def cells(self, header: Sequence[str], row: Sequence[str]) -> None:
        """Counts an event that is a row. A file from before there were erasures says of none."""
        self.events += 1
        if "erased_at" in header and row[header.index("erased_at")]:
            self._check(dict(zip(header, row, strict=True)))

    def _check(self, event: Mapping[str, Any]) -> None:
        from auditlog import erasures  # noqa: PLC0415 -- a file without one does without pydantic

        self.erased += 1
        if not erasures.is_intact(str(event["id"]), event):
            raise BrokenFileError(f"the erased event {event['id']} has another id than its hash")


def count(file: BinaryIO, form: Format, compression: Compression) -> Counted:
    """How many events stand in `file` from where it is open to its end.

    Raises `BrokenFileError` where it is not whole: half an event, a missing bracket, a row with
    other cells than the header, a gzip member that breaks off; and where the id of an erased
    event does not fit its time and its hash.
    """
    counted = Counted()
    packed = compression is Compression.GZIP
    plain: io.BufferedIOBase | BinaryIO = gzip.GzipFile(fileobj=file) if packed else file
    try:
        match form:
            case Format.JSON:
                for _, event in members(_pieces(plain)):
                    counted.text(event)
            case Format.NDJSON:
                for line in _events(plain):
                    counted.text(line)
            case Format.CSV:
                for header, row in _rows(plain):
                    counted.cells(header, row)
    except (
        BrokenJsonError, EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError, csv.Error,
    ) as error:  # fmt: skip
        raise BrokenFileError(str(error)) from None
    return counted


def _pieces(plain: io.BufferedIOBase | BinaryIO) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    while chunk := plain.read(_CHUNK):
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def _events(plain: io.BufferedIOBase | BinaryIO) -> Iterator[bytes]:
    while line := plain.readline(_LONGEST):
        if not line.endswith(b"}\n"):
            raise BrokenFileError("a line is not one whole event")
        yield line


def _rows(plain: io.BufferedIOBase | BinaryIO) -> Iterator[tuple[list[str], list[str]]]:
    """Every row behind the header, with it. A cell may hold line ends: rows are not lines.

    A byte order mark before the header is passed over.
    """
    # One limit for the whole process; the usual one is less than an event may have.
    csv.field_size_limit(_LONGEST)
    rows = csv.reader(_lines(plain), strict=True)
    header = next(rows, None)
    if not header:
        raise BrokenFileError("there is no header")
    header[0] = header[0].removeprefix("\ufeff")
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise BrokenFileError(
                f"row {number} has {len(row)} cells, but the header has {len(header)}"
            )
        yield header, row


def _lines(plain: io.BufferedIOBase | BinaryIO) -> Iterator[str]:
    r"""Each line with its end, which is \n alone: a cell may hold a lone \r."""
    while line := plain.readline(_LONGEST):
        if not line.endswith(b"\n"):
            raise BrokenFileError("a line does not end")
        yield line.decode()
