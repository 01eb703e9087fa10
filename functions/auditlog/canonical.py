"""JSON in, RFC 8785 bytes out, and the compressed form in which they are stored.

Compatibility, for ever:

- `encode` is RFC 8785 (JCS). Ids are hashes of what it returns, so a change of
  one byte for one input is a broken log. `tests/unit/golden` pins it.
- A stored record starts with one byte that says how the rest is packed:
  0x01 = raw DEFLATE (RFC 1951) with the preset dictionary `dictionary-1.txt`.
  A dictionary file, once released, is never edited: a better one gets the next
  number, `_DICTIONARIES` gains an entry, and the old ones stay readable.
"""

import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import rfc8785
from isal import isal_zlib

from auditlog.errors import DamagedRecordError, Fault, MalformedError

MAX_SAFE_INTEGER = 2**53 - 1
#: A fault deeper than a pointer of this many characters names what encloses it: a
#: long key above many faults would otherwise multiply a body by its own length.
MAX_POINTER_LENGTH = 512

_LONGEST_INTEGER = len(str(-MAX_SAFE_INTEGER))
_TOO_LARGE = "an integer beyond ±(2^53-1) would not survive; send a string"
_INTEGER = re.compile(r"-?[0-9]+")
# Where the C encoder and RFC 8785 differ: the spelling of exponents and of
# whole-valued fractions, and the order of keys beyond the basic plane. Text in
# a string that merely looks like one takes the slow way too, to the same end.
_WHOLE_FRACTIONS = (".0,", ".0}", ".0]")
_EXPONENT = re.compile(r"[0-9]e[+-][0-9]")
_ASTRAL = re.compile(r"[\ud800-\udfff\ue000-\U0010ffff]")
# Its stubs leave some types out.
_decompressobj = cast("Callable[..., Any]", isal_zlib.decompressobj)  # pyright: ignore[reportUnknownMemberType] -- as above
_IsalError = cast("type[Exception]", isal_zlib.error)  # pyright: ignore[reportUnknownMemberType] -- as above
_dumps = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode


class _Refused:
    """Stands in a parsed tree for a number that cannot be kept."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class _Doubled(dict[str, Any]):
    """An object that named these keys more than once."""

    keys_twice: tuple[str, ...]


def decode(body: bytes) -> tuple[Any, list[Fault]]:
    """The value of a JSON text, and what in it RFC 8785 could not carry.

    Raises `MalformedError` where there is no value at all: invalid UTF-8, not
    JSON, nested beyond what the parser takes. The faults name NaN and
    infinities, duplicate keys, and numbers that would not come out as they
    went in; an empty list means that `encode` takes the value, lone surrogates
    excepted (`surrogates` finds those).
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(
            f"The body is not UTF-8: invalid byte at offset {error.start}."
        ) from None
    if not text.strip():
        raise MalformedError("The body is not JSON: it is empty.")
    found: list[_Refused | _Doubled] = []
    try:
        value = _decoder(found.append).decode(text)
    except json.JSONDecodeError as error:
        raise MalformedError(
            f"The body is not JSON: {error.msg} at line {error.lineno} column {error.colno}."
        ) from None
    except RecursionError:
        raise MalformedError("The body is nested too deeply to be read.") from None
    return value, list(_faults(value)) if found else []


def encode(value: object) -> bytes:
    """The RFC 8785 form of a JSON value as `decode` returns it.

    Raises `UnicodeEncodeError` on a lone surrogate. Costs one pass of the
    standard library's C encoder; the few values that it would spell otherwise
    take the reference library, at ten times the cost.
    """
    text = _dumps(value)
    if isinstance(value, float) or _may_differ(text):
        text.encode()
        return rfc8785.dumps(cast("Any", value))
    return text.encode()


def surrogates(value: object, pointer: str = "") -> Iterator[Fault]:
    """The places of all strings and keys that hold a lone surrogate."""
    for place, child in _walk(value, _Place(pointer)):
        names = cast("dict[str, Any]", child) if isinstance(child, dict) else ()
        texts = [(place, child)] if isinstance(child, str) else [(place.at(n), n) for n in names]
        for where, text in texts:
            if not _encodable(text):
                yield Fault("a lone surrogate is not a character", pointer=_printable(where))


def depth(value: object) -> int:
    """How many arrays and objects lie around the deepest value; 0 for a scalar."""
    deepest, level = 0, _children(value)
    while level is not None:
        deepest += 1
        inside = [found for child in level if (found := _children(child)) is not None]
        level = [child for found in inside for child in found] if inside else None
    return deepest


def pack(record: bytes) -> bytes:
    """The stored form of a record. About a third of its size for a usual event."""
    packer = zlib.compressobj(6, zlib.DEFLATED, -15, 9, zdict=_dictionary(1))
    return b"\x01" + packer.compress(record) + packer.flush()


def unpack(stored: bytes) -> bytes:
    """The record's bytes, exactly as they were packed. Raises `DamagedRecordError`."""
    if not stored or stored[0] != 1:
        raise DamagedRecordError(f"no known packing: {stored[:1].hex() or 'empty'}")
    # ISA-L needs three quarters of the time that the standard library needs for the same.
    unpacker = _decompressobj(-15, _dictionary(1))
    try:
        record = unpacker.decompress(stored[1:])
    except _IsalError as error:
        raise DamagedRecordError(str(error)) from None
    if not unpacker.eof:
        raise DamagedRecordError("the stored record ends too early")
    return record


@cache
def _dictionary(number: int) -> bytes:
    return Path(__file__).with_name(f"dictionary-{number}.txt").read_bytes()


def _decoder(report: Callable[[_Refused | _Doubled], object]) -> json.JSONDecoder:
    """A decoder that leaves a mark, and reports it, where RFC 8785 would lose something."""

    def refuse(reason: str) -> _Refused:
        refused = _Refused(reason)
        report(refused)
        return refused

    def integer(literal: str) -> int | _Refused:
        if len(literal) > _LONGEST_INTEGER or abs(value := int(literal)) > MAX_SAFE_INTEGER:
            return refuse(_TOO_LARGE)
        return value

    def fraction(literal: str) -> float | _Refused:
        value = float(literal)
        if not _is_exact(value, literal):
            return refuse("a number that a double does not keep exactly; send a string")
        if abs(value) > MAX_SAFE_INTEGER and _INTEGER.fullmatch(rfc8785.dumps(value).decode()):
            return refuse(_TOO_LARGE)
        return value

    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(members)
        if len(value) == len(members):
            return value
        doubled = _Doubled(value)
        counted = Counter(name for name, _ in members)
        doubled.keys_twice = tuple(name for name, times in counted.items() if times > 1)
        report(doubled)
        return doubled

    return json.JSONDecoder(
        object_pairs_hook=pairs,
        parse_int=integer,
        parse_float=fraction,
        parse_constant=lambda literal: refuse(f"{literal} is not a JSON number"),
    )


def _is_exact(value: float, literal: str) -> bool:
    try:
        return Decimal(repr(value)) == Decimal(literal)
    except InvalidOperation:  # an exponent beyond what even Decimal takes
        return False


def _faults(value: object) -> Iterator[Fault]:
    """What the parser's hooks left in the tree, with its place."""
    for place, child in _walk(value, _Place("")):
        if isinstance(child, _Refused):
            yield Fault(child.reason, pointer=_printable(place))
        elif isinstance(child, _Doubled):
            for name in child.keys_twice:
                yield Fault("a key that stands here twice", pointer=_printable(place.at(name)))


class _Place(NamedTuple):
    """A pointer; not `whole` where it stopped at a value around the one that is meant."""

    pointer: str
    whole: bool = True

    def at(self, step: str | int) -> "_Place":
        if not self.whole or len(self.pointer) + len(str(step)) >= MAX_POINTER_LENGTH:
            return self._replace(whole=False)
        return _Place(join(self.pointer, step))


def _walk(value: object, root: _Place) -> Iterator[tuple[_Place, object]]:
    """Every value of the tree with its place, in the order of the text."""
    left: list[tuple[_Place, object]] = [(root, value)]
    while left:
        place, here = left.pop()
        yield place, here
        if isinstance(here, dict):
            members = cast("dict[str, object]", here).items()
        elif isinstance(here, list):
            members = enumerate(cast("list[object]", here))
        else:
            continue
        left.extend(reversed([(place.at(step), child) for step, child in members]))


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _may_differ(text: str) -> bool:
    # Looking for fixed text first is a tenth of the cost of the expressions.
    return (
        any(mark in text for mark in _WHOLE_FRACTIONS)
        or (("e-" in text or "e+" in text) and _EXPONENT.search(text) is not None)
        or (not text.isascii() and _ASTRAL.search(text) is not None)
    )


def _children(value: object) -> list[object] | None:
    """What an array or an object holds; None for a scalar."""
    if isinstance(value, dict):
        return list(cast("dict[str, object]", value).values())
    return cast("list[object]", value) if isinstance(value, list) else None


def join(pointer: str, step: str | int) -> str:
    """`pointer` one step deeper, escaped as RFC 6901 section 3 says."""
    return f"{pointer}/{str(step).replace('~', '~0').replace('/', '~1')}"


def _printable(place: _Place) -> str:
    return place.pointer.encode("utf-8", "replace").decode()
