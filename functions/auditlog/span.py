"""Stretches of a log: everything between two bounds, in the order of ids.

A bound is a string that ids are compared with: a whole id, or the beginning of
one. An id is on the far side of a bound that it equals or begins with.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from auditlog.event import first_id

Order = Literal["asc", "desc"]

#: At or below every id: their first digit is 0 until the year 38,500.
BEGIN = "0"
#: Above every id.
END = "w"

_POSITION_LENGTH = 39
_POSITION_BYTES = 24
_SPARE_BITS = 5 * (_POSITION_LENGTH + 1) - 8 * _POSITION_BYTES


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The ids from `first` (inclusive) up to `end` (exclusive)."""

    first: str
    end: str

    @classmethod
    def between(cls, since: int, until: int | None) -> "Span":
        """All ids of events that occurred from `since` on and before `until`."""
        return cls(first_id(since), END if until is None else first_id(until))

    def after(self, position: str, order: Order) -> "Span":
        """What is left of the span behind `position`, read in `order`."""
        if order == "asc":
            return Span(max(self.first, just_above(position)), self.end)
        return Span(self.first, min(self.end, position))

    def within(self, other: "Span") -> "Span":
        """What both have in common."""
        return Span(max(self.first, other.first), min(self.end, other.end))

    def meets(self, other: "Span") -> bool:
        """Whether they have anything in common."""
        return max(self.first, other.first) < min(self.end, other.end)

    @property
    def is_empty(self) -> bool:
        """Whether no id can be in it."""
        return self.first >= self.end


EVERYTHING = Span(BEGIN, END)


def just_above(event_id: str) -> str:
    """The bound right behind an id: no id lies between it and one more character."""
    return event_id + "0"


def separator(before: str, after: str) -> str:
    """The shortest bound that has the id `before` below it and the id `after` not."""
    return after[: _shared(before, after) + 1]


def position(bound: str, order: Order) -> str:
    """The position of 39 characters, as an id has, behind which `order` goes on at `bound`.

    `Span(...).after` of it is what was left at the bound, to the last id.
    """
    if bound == END:
        return "v" * (_POSITION_LENGTH - 1) + "o"
    number = int((bound + "0" * _POSITION_LENGTH)[:_POSITION_LENGTH] + "0", 32) >> _SPARE_BITS
    if len(bound) > _POSITION_LENGTH:  # right behind an id
        number += order == "desc"
    else:
        number -= order == "asc" and number > 0
    data = number.to_bytes(_POSITION_BYTES, "big")
    return base64.b32hexencode(data).decode().rstrip("=").lower()


def fold(bounds: Sequence[str]) -> str:
    """Ascending bounds as one short text; `unfold` reads it.

    Each is written as the number of characters that it shares with the one
    before it (as a character, `0` for none) and the rest; commas between.
    """
    parts: list[str] = []
    before = ""
    for bound in bounds:
        shared = _shared(before, bound)
        parts.append(chr(_SHARED_ZERO + shared) + bound[shared:])
        before = bound
    return ",".join(parts)


def unfold(folded: str) -> list[str]:
    """The bounds that `fold` wrote. Raises `ValueError` or `IndexError` on any other text."""
    bounds: list[str] = []
    before = ""
    for part in folded.split(",") if folded else ():
        shared = ord(part[0]) - _SHARED_ZERO
        if not 0 <= shared <= len(before):
            raise ValueError("no bounds")
        before = before[:shared] + part[1:]
        bounds.append(before)
    return bounds


def _shared(one: str, two: str) -> int:
    """How many characters two texts begin with alike."""
    pairs = zip(one, two, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(two)))


_SHARED_ZERO = ord("0")
