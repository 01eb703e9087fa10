"""Filter -> what to read: one page of a search, in bounded work.

The log of an org is one sequence of ids. A page walks it from where the last
one stopped, and stops at whichever comes first: the events asked for, the
bytes that an answer may have, or the rows that one request may read. In the
last two cases, and in the first, it says where it stopped.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from auditlog import canonical
from auditlog.event import StoredEvent, first_id
from auditlog.filters import Filter

Order = Literal["asc", "desc"]

_ROWS_PER_READ = 1_000
#: The id, `recorded_at`, and a sentence of the catalog before it is filled in.
_ADDED_BYTES = 256

_ABOVE_ALL_IDS = "w"


@dataclass(frozen=True, slots=True)
class Span:
    """The ids from `first` (inclusive) up to `end` (exclusive)."""

    first: str
    end: str

    @classmethod
    def between(cls, since: int, until: int | None) -> "Span":
        """All ids of events that occurred from `since` on and before `until`."""
        return cls(first_id(since), _ABOVE_ALL_IDS if until is None else first_id(until))

    def after(self, position: str, order: Order) -> "Span":
        """What is left of the span behind `position`, read in `order`."""
        if order == "asc":
            # No id lies between an id and the same id with one more character.
            return Span(max(self.first, position + "0"), self.end)
        return Span(self.first, min(self.end, position))

    @property
    def is_empty(self) -> bool:
        """Whether no id can be in it."""
        return self.first >= self.end


@dataclass(frozen=True, slots=True)
class Rows:
    """What one read gave; `complete` where nothing of the span is left behind it.

    A read that is not complete gave at least one event.
    """

    events: list[StoredEvent]
    complete: bool


@dataclass(frozen=True, slots=True)
class Budget:
    """What one page may cost, at the most."""

    rows: int = 20_000
    """Rows read."""
    bytes_read: int = 16_000_000
    """Bytes read as they are stored: 2,000 read units, a second or two of unpacking."""
    answer_bytes: int = 5_000_000
    """Lambda answers with 6 MB; this leaves room for the envelope."""
    give_up: Callable[[], bool] = lambda: False
    """Asked between two reads, so that a page comes before its caller's patience ends."""


BUDGET = Budget()

#: Reads up to so many rows of a span, from its start in the given order.
Read = Callable[[Span, Order, int], Rows]


@dataclass(frozen=True, slots=True)
class Found:
    """An event that matched, with its record's bytes."""

    event: StoredEvent
    record: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """The events of a page, and the id after which the next starts; None at the end."""

    found: list[Found]
    position: str | None
    rows_read: int


def span_of(wanted: Filter, oldest: int) -> Span:
    """What a filter may show: its own bounds, and nothing that is past its time."""
    return Span.between(max(wanted.since, oldest), wanted.until)


def matching(
    events: list[StoredEvent], wanted: Filter
) -> Iterator[tuple[StoredEvent, bytes | None]]:
    """Each event in turn, with its record's bytes where it matches, else None.

    Unpacks only what the type does not decide already.
    """
    for event in events:
        if not wanted.takes_type(event.type):
            yield event, None
            continue
        record = canonical.unpack(event.packed)
        if wanted.reads_records and not wanted.takes_record(json.loads(record)):
            yield event, None
        else:
            yield event, record


def page(
    read: Read,
    wanted: Filter,
    span: Span,
    *,
    order: Order,
    limit: int,
    budget: Budget = BUDGET,
) -> Page:
    """The next at most `limit` matching events of `span`.

    Costs one read for each 1,000 rows that are passed over, within `budget` and
    at most one read over it; unpacks what the types do not exclude.
    """
    found: list[Found] = []
    position: str | None = None
    rows_read = bytes_read = size = 0
    while not span.is_empty and rows_read < budget.rows and bytes_read < budget.bytes_read:
        if rows_read and budget.give_up():
            break
        # A filter passes many rows over. Without one nearly every row is shown, and
        # where it is not, the next read is as large as all before it.
        needed = _ROWS_PER_READ if wanted.clauses else max(limit - len(found) + 1, rows_read)
        rows = read(span, order, min(needed, _ROWS_PER_READ, budget.rows - rows_read))
        for event, record in matching(rows.events, wanted):
            if record is not None:
                size += _answer_bytes(event, record)
                if len(found) == limit or (found and size > budget.answer_bytes):
                    return Page(found, found[-1].event.id, rows_read)
                found.append(Found(event, record))
            position = event.id
            rows_read += 1
            bytes_read += len(event.packed)
        if rows.complete or position is None:
            return Page(found, None, rows_read)
        span = span.after(position, order)
    return Page(found, None if span.is_empty else position, rows_read)


def _answer_bytes(event: StoredEvent, record: bytes) -> int:
    """The most that an event takes in a Lambda answer, whose body is a string within JSON.

    A summary repeats names of the record: it is at most as long once more.
    """
    own = len(record) + record.count(b'"') + record.count(b"\\")
    return _ADDED_BYTES + (own if event.described else 2 * own)
