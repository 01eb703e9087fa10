"""Events from a file or standard input, as the JSON text that stands there.

Text is passed on as it is, not parsed and written again: the service judges what somebody
wrote, with every digit of a number and every key that stands there twice.

Taken are NDJSON (one object a line), one JSON array, `{"events": [...]}`, CloudTrail's
`{"Records": [...]}`, and one object over several lines; each plain or gzip. Memory holds a
line of NDJSON, or a few events of an array, whatever the size of the file. What cannot be
read in a line of NDJSON spoils that line only. In an array there is no telling where the next
event begins, so that ends the reading.
"""

import codecs
import gzip
import io
import json
import re
import sys
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from auditlog.cli.failures import CommandError, UsageError
from auditlog.cli.members import BrokenJsonError, members

_CHUNK = 1 << 16
_ARRAY = re.compile(r"\s*\[")
_WRAPPED = re.compile(r'\s*\{\s*"(?:events|Records)"\s*:\s*(?=\[)')


@dataclass(frozen=True, slots=True)
class Item:
    """The JSON text of one event, and the line that it begins in, from 1."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is no JSON."""

    line: int
    reason: str


class Source:
    """An open file or standard input. `size` is None where it cannot be known."""

    def __init__(self, raw: BinaryIO, size: int | None) -> None:
        self.size = size
        self._raw = raw
        buffered = io.BufferedReader(raw)  # pyright: ignore[reportArgumentType] -- any binary stream has readinto
        packed = buffered.peek(2)[:2] == b"\x1f\x8b"
        self._stream: io.BufferedIOBase = gzip.GzipFile(fileobj=buffered) if packed else buffered

    @property
    def position(self) -> int:
        """Bytes of the file that have been read so far."""
        return self._raw.tell() if self.size is not None else 0

    def items(self) -> Iterator[Item | Unreadable]:
        """Every event, or the line where there should be one. Raises `CommandError`."""
        try:
            yield from self._items()
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise CommandError(f"the gzip file is damaged: {error}") from None
        except BrokenJsonError as error:
            raise CommandError(
                f"not JSON in line {error.line}: {error}", hint="Nothing after it was read."
            ) from None

    def _items(self) -> Iterator[Item | Unreadable]:
        line = self._stream.readline(_CHUNK).removeprefix(codecs.BOM_UTF8)
        blank = b""
        while line and not line.strip():
            blank, line = blank + line, self._stream.readline(_CHUNK)
        head = blank + line
        start = head.decode("utf-8", "replace")
        wrapped = _WRAPPED.match(start)
        if wrapped or _ARRAY.match(start):
            skipped = wrapped.end() if wrapped else 0
            closing = "}" if wrapped else ""
            for line, text in members(_decoded(head, self._stream), skipped, closing):
                yield Item(line, text)
        elif _goes_on(line.decode("utf-8", "replace")):
            yield from self._rest_as_document(head)
        else:
            yield from _lines(line, 1 + blank.count(b"\n"), self._stream)

    def _rest_as_document(self, head: bytes) -> Iterator[Item | Unreadable]:
        """A document whose first line does not say what it is: one object, or one of the lists."""
        text = "".join(_decoded(head, self._stream))
        wrapped = _WRAPPED.match(text)
        if wrapped:
            for line, member in members(iter([text]), wrapped.end(), "}"):
                yield Item(line, member)
            return
        try:
            json.loads(text)
        except json.JSONDecodeError as error:
            raise BrokenJsonError(error.msg, error.lineno) from None
        yield Item(1, text.strip())


@contextmanager
def opened(name: str) -> Generator[Source]:
    """The file `name`, or standard input for `-`."""
    if name == "-":
        yield Source(sys.stdin.buffer, None)
        return
    try:
        raw = Path(name).open("rb")  # noqa: SIM115 -- entered below, past the handler
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from None
    with raw:
        yield Source(raw, Path(name).stat().st_size)


def _goes_on(line: str) -> bool:
    """Whether a first line is the beginning of a JSON value that later lines complete."""
    if not line.endswith("\n") or not line.lstrip().startswith("{"):
        return False
    try:
        json.loads(line)
    except json.JSONDecodeError as error:
        return error.pos >= len(line.rstrip())
    except RecursionError:
        return False
    return False


def _lines(line: bytes, number: int, stream: io.BufferedIOBase) -> Iterator[Item | Unreadable]:
    while line:
        if not line.endswith(b"\n"):
            line += stream.readline()
        if line.strip():
            yield _line(line.strip(), number)
        line, number = stream.readline(), number + 1


def _line(line: bytes, number: int) -> Item | Unreadable:
    try:
        text = line.decode()
        json.loads(text)
    except UnicodeDecodeError as error:
        return Unreadable(number, f"not UTF-8: invalid byte at offset {error.start}")
    except json.JSONDecodeError as error:
        return Unreadable(number, f"not JSON: {error.msg} at column {error.colno}")
    except (RecursionError, ValueError):
        return Unreadable(number, "JSON that is nested too deeply, or a number of too many digits")
    return Item(number, text)


def _decoded(head: bytes, stream: io.BufferedIOBase) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    chunk = head
    while chunk:
        try:
            yield decoder.decode(chunk)
        except UnicodeDecodeError as error:
            raise CommandError(
                f"not UTF-8: {error.reason}", hint="Nothing after it was read."
            ) from None
        chunk = stream.read(_CHUNK)
