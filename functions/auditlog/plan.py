"""Filter -> what to read: one page of a search, in bounded work.

The log of an org is one sequence of ids, in one partition or in several. A page
goes on from where the last one stopped, and stops at whichever comes first: the
events asked for, the bytes that an answer may have, or what one request may
read. In all of these it says where it stopped.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from auditlog.event import StoredEvent
from auditlog.filters import Filter
from auditlog.layout import Layout
from auditlog.reads import Plan, together
from auditlog.sieve import Found, Spent
from auditlog.span import Order, Span, position
from auditlog.walk import Walk

#: The id, `recorded_at`, and a sentence of the catalog before it is filled in.
_ADDED_BYTES = 256
#: Of a smaller share, more than an even one would be a large part.
_LARGE_SHARE = 64


@dataclass(frozen=True, slots=True)
class Budget:
    """What one page may cost, at the most; a round trip may go over it."""

    rows: int = 20_000
    """Rows read."""
    bytes_read: int = 16_000_000
    """Bytes read as they are stored: 2,000 read units, a second or two of unpacking."""
    answer_bytes: int = 5_000_000
    """Lambda answers with 6 MB; this leaves room for the envelope."""
    give_up: Callable[[], bool] = lambda: False
    """Asked between two round trips, so that a page comes before its caller's patience ends."""

    def is_spent(self, spent: Spent) -> bool:
        """Whether a page should answer with what it has."""
        return spent.rows >= self.rows or spent.bytes >= self.bytes_read or self.give_up()


BUDGET = Budget()


@dataclass(frozen=True, slots=True)
class Page:
    """The events of a page, and the position behind which the next starts; None at the end."""

    found: list[Found]
    position: str | None
    spent: Spent


def span_of(wanted: Filter, oldest: int) -> Span:
    """What a filter may show: its own bounds, and nothing that is past its time."""
    return Span.between(max(wanted.since, oldest), wanted.until)


def page(
    layout: Layout,
    wanted: Filter,
    span: Span,
    *,
    order: Order,
    limit: int,
    budget: Budget = BUDGET,
) -> Plan[Page]:
    """The next at most `limit` matching events of `span`, each of them once.

    Reads what the digests do not rule out, within `budget` and at most a round
    trip over it. Without a filter that is the events and one more.
    """
    answer = _Answer(limit, budget.answer_bytes)
    spent, start = Spent(), ""
    for era in layout.eras(span, order):
        many = len(era.partitions) > 1
        walks = [Walk(each, era.span, order, wanted, spent, many) for each in era.partitions]
        start = start or position(_bound(walks, order), order)
        while True:
            answer.take(merged(walks, order))
            if answer.is_full:
                return Page(answer.found, answer.position, spent)
            if all(walk.is_done for walk in walks):
                break
            at = position(_bound(walks, order), order)
            if budget.is_spent(spent) and (answer.found or at != start):
                return Page(answer.found, at, spent)
            missing = limit + 1 - len(answer.found)
            yield from together([w.advance(n) for w, n in _shares(walks, missing)])
    return Page(answer.found, None, spent)


def merged(walks: Sequence[Walk], order: Order) -> Iterator[Found]:
    """Takes from walks, in order, what no walk can still find an earlier event than.

    Equal ids are one event.
    """
    last = ""
    while True:
        ready = [walk for walk in walks if walk.found]
        if not ready:
            return
        pick = min if order == "asc" else max
        ahead = pick(ready, key=lambda walk: walk.found[0].event.id)
        event_id = ahead.found[0].event.id
        if not all(walk.found or walk.has_passed(event_id) for walk in walks):
            return
        found = ahead.found.popleft()
        if event_id != last:
            yield found
        last = event_id


def _shares(walks: Sequence[Walk], missing: int) -> list[tuple[Walk, int]]:
    """Which walks go on, and how many matches each of them should look for.

    A walk that has none holds up the others; one that has half of an even share
    can wait, since it may turn out to be enough. Where shares are large, a little
    more than an even one spares most round trips, and costs little.
    """
    share = math.ceil(missing / len(walks))
    if len(walks) > 1 and share >= _LARGE_SHARE:
        share += 2 * math.isqrt(share)
    return [
        (walk, share - len(walk.found))
        for walk in walks
        if not walk.is_done and len(walk.found) * 2 < share
    ]


def _bound(walks: Sequence[Walk], order: Order) -> str:
    """How far all of them have read."""
    bounds = [walk.bound for walk in walks]
    return min(bounds) if order == "asc" else max(bounds)


@dataclass(slots=True)
class _Answer:
    """What a page shows. Full once there is an event that it has no room for."""

    limit: int
    bytes: int
    found: list[Found] = field(default_factory=list[Found])
    is_full: bool = False
    _size: int = 0

    def take(self, more: Iterator[Found]) -> None:
        """Takes as many as there is room for; of the rest, none."""
        for one in more:
            self._size += answer_bytes(one.event, one.record)
            if len(self.found) == self.limit or (self.found and self._size > self.bytes):
                self.is_full = True
                return
            self.found.append(one)

    @property
    def position(self) -> str:
        """The last event that is shown."""
        return self.found[-1].event.id


def answer_bytes(event: StoredEvent, record: bytes) -> int:
    """The most that an event takes in a Lambda answer, whose body is a string within JSON.

    A summary repeats names of the record: it is at most as long once more.
    """
    own = len(record) + record.count(b'"') + record.count(b"\\")
    return _ADDED_BYTES + (own if event.described else 2 * own)
