"""What DynamoDB counts and bills: bytes of an item, read units, write units.

Of the DynamoDB developer guide (docs.aws.amazon.com/amazondynamodb/latest/developerguide):

- "DynamoDB item sizes and formats" (CapacityUnitCalculations): an item is the sum of its
  attributes' names (UTF-8) and values. Text is its UTF-8, binary its raw bytes; a number
  is about one byte for each two significant digits, zeros at both ends trimmed, and one
  more; true, false and null are one byte; a list or a map is three bytes, and one for each
  element beside its name and value. Of sets it says nothing: what they hold is counted.
- "DynamoDB read and write operations" (read-write-operations): a Query is one read of all
  its items together, rounded up to 4 KB; BatchGetItem is one read for each item. A block
  of 4 KB is one read unit, half of one where the read is eventually consistent, and
  reading what is not there costs a block. A write unit is 1 KB of one item, rounded up,
  also where a condition has failed; a transaction costs twice that.

"About" is theirs. That a minus sign is one byte more, and zero one byte in all, is what
the engine of our tests counts; it also pairs the digits before and behind a decimal point
by themselves, so that 1.5 has one byte more there than here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

KB = 1_024
READ_BLOCK = 4 * KB
WRITE_BLOCK = KB

_NESTING_BYTES = 3
_ELEMENT_BYTES = 1


def item_size(item: Mapping[str, Any]) -> int:
    """Bytes of an item, or of a key, in DynamoDB's form: `{"pk": {"S": "x"}}`.

    Binary values are bytes, as boto3 takes and gives them. Raises `ValueError` where a
    value has no type that DynamoDB knows.
    """
    return sum(_text(name) + _value(value) for name, value in item.items())


def write_units(size: int) -> int:
    """Of writing, replacing or removing one item; of the larger one where both are there."""
    return max(1, _blocks(size, WRITE_BLOCK))


def read_units(size: int, *, consistent: bool = False) -> float:
    """Of reading so many bytes in one go: all items of a Query, one item of a BatchGetItem."""
    return max(1, _blocks(size, READ_BLOCK)) / (1 if consistent else 2)


def _blocks(size: int, block: int) -> int:
    return -(-size // block)


def _value(value: Mapping[str, Any]) -> int:
    if len(value) == 1:
        [(kind, content)] = value.items()
        if kind in _SIZES:
            return _SIZES[kind](content)
    raise ValueError(f"no value of DynamoDB: {', '.join(value) or 'empty'}")


def _map(members: Mapping[str, Any]) -> int:
    return _NESTING_BYTES + item_size(members) + _ELEMENT_BYTES * len(members)


def _list(elements: Sequence[Mapping[str, Any]]) -> int:
    return _NESTING_BYTES + sum(map(_value, elements)) + _ELEMENT_BYTES * len(elements)


def _text(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _number(number: str) -> int:
    mantissa = number.lower().partition("e")[0]
    digits = len(mantissa.lstrip("+-").replace(".", "").strip("0"))
    if not digits:
        return 1
    return -(-digits // 2) + 1 + mantissa.startswith("-")


def _byte(_value: bool) -> int:  # noqa: FBT001 -- what DynamoDB has there
    return 1


_SIZES: Mapping[str, Callable[[Any], int]] = {
    "S": _text,
    "N": _number,
    "B": len,
    "BOOL": _byte,
    "NULL": _byte,
    "M": _map,
    "L": _list,
    "SS": lambda texts: sum(map(_text, texts)),
    "NS": lambda numbers: sum(map(_number, numbers)),
    "BS": lambda blobs: sum(map(len, blobs)),
}
