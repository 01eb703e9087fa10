"""How many events a file holds, read to its end.

Memory holds a piece of the file, or one event of it, whatever the size of the file.
"""

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from auditlog.cli.members import BrokenJsonError, members
from auditlog.formats import Compression, Format

_CHUNK = 1 << 20
# An event has at most 256 KiB, which quoting makes longer: what has no end by then is broken,
# and is not read further.
_LONGEST = 8 << 20


class BrokenFileError(ValueError):
    """The file is not what its format and its packing say."""


def count(file: BinaryIO, form: Format, compression: Compression) -> int:
    """How many events stand in `file` from where it is open to its end.

    Raises `BrokenFileError` where it is not whole: half an event, a missing bracket, a row with
    other cells than the header, a gzip member that breaks off.
    """
    packed = compression is Compression.GZIP
    plain: io.BufferedIOBase | BinaryIO = gzip.GzipFile(fileobj=file) if packed else file
    try:
        match form:
            case Format.JSON:
                return sum(1 for _ in members(_pieces(plain)))
            case Format.NDJSON:
                return sum(1 for _ in _events(plain))
            case Format.CSV:
                return sum(1 for _ in _rows(plain))
    except (
        BrokenJsonError, EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError, csv.Error,
    ) as error:  # fmt: skip
        raise BrokenFileError(str(error)) from None


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


def _rows(plain: io.BufferedIOBase | BinaryIO) -> Iterator[list[str]]:
    """Every row but the header. A cell may hold line ends, so that rows are not lines.

    A byte order mark is taken as part of the header's first cell, which nobody looks at.
    """
    # One limit for the whole process; the usual one is less than an event may have.
    csv.field_size_limit(_LONGEST)
    rows = csv.reader(_lines(plain), strict=True)
    header = next(rows, None)
    if not header:
        raise BrokenFileError("there is no header")
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise BrokenFileError(
                f"row {number} has {len(row)} cells, but the header has {len(header)}"
            )
        yield row


def _lines(plain: io.BufferedIOBase | BinaryIO) -> Iterator[str]:
    r"""Each line with its end, which is \n alone: a cell may hold a lone \r."""
    while line := plain.readline(_LONGEST):
        if not line.endswith(b"\n"):
            raise BrokenFileError("a line does not end")
        yield line.decode()
