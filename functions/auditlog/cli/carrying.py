"""Values of another log's JSON, in a form that an event keeps exactly.

An event takes only numbers that canonical JSON keeps (`canonical.py`). A number beyond ±(2^53-1),
or with more digits than a double keeps, is carried as a string of its digits, and what is nested
too deeply for its place as JSON text. This is part of how imported records map to events, and so
of those events' ids: it never changes.
"""

import json
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from auditlog.canonical import MAX_SAFE_INTEGER


def decode(text: str) -> object:
    """A JSON value with every digit of its numbers: fractions come as `Decimal`.

    Raises `ValueError` where the text is not JSON, and where an object names a key twice,
    since one of the two would be lost.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply to be read") from None
    except InvalidOperation:
        raise ValueError("a number with an exponent beyond what can be read") from None


def carried(value: object, levels: int) -> object:
    """`value` in a form that an event keeps exactly, in at most so many more levels."""
    if isinstance(value, (dict, list)) and levels == 0:
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {name: carried(child, levels - 1) for name, child in members.items()}
    if isinstance(value, list):
        return [carried(child, levels - 1) for child in cast("list[object]", value)]
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return value
    if isinstance(value, int):
        return value if abs(value) <= MAX_SAFE_INTEGER else str(value)
    return _fraction(value)


def _pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(members)
    if len(value) < len(members):
        raise ValueError("an object names a key twice")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=Decimal, parse_constant=Decimal)


def _fraction(value: float | Decimal) -> float | str:
    near = float(value)
    kept = Decimal(repr(near)) == (value if isinstance(value, Decimal) else Decimal(repr(value)))
    return near if kept and abs(near) <= MAX_SAFE_INTEGER else str(value)
