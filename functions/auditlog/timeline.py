"""How many events match, over time: counts per bucket, and who and what is most frequent.

Read from the newest on, in bounded work: where a filter asks for types and times
alone from the counts beside the digests, else from the events that the digests do
not rule out. What is counted is exact. Where the work would be too much, it is
exact for the newest part of the range, and says which part that is.
"""

import heapq
import json
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from auditlog import clock, digest
from auditlog.counts import Counts
from auditlog.digest import Stored
from auditlog.event import StoredEvent, first_id, id_time
from auditlog.filters import Filter
from auditlog.layout import Layout
from auditlog.plan import BUDGET, Budget
from auditlog.reads import (
    BLOCK_COUNTS,
    SEGMENT_COUNTS,
    EventsRead,
    Plan,
    Read,
    Rows,
    Shelf,
    ShelfRead,
    Standing,
    StandingRead,
    together,
)
from auditlog.sieve import Spent, laid_out
from auditlog.span import BEGIN, END, Span, position
from auditlog.walk import ROWS_PER_READ, Walk, matching

Interval = Literal["hour", "day", "week"]
INTERVALS: tuple[Interval, ...] = get_args(Interval)
MAX_BUCKETS = 1_000
#: How many types, actors and countries are named.
MOST_FREQUENT = 10

_LENGTHS: Mapping[Interval, int] = {
    "hour": clock.HOUR,
    "day": clock.DAY,
    "week": 7 * clock.DAY,
}
# The epoch was a Thursday; weeks begin on Mondays (ISO 8601).
_WEEK_SHIFT = 3 * clock.DAY
_DIGESTS_PER_READ = 1_000
_PIECES_PER_TRIP = 16


@dataclass(frozen=True, slots=True)
class Buckets:
    """The whole intervals of UTC from that of `since` to the last that begins before `until`."""

    interval: Interval
    since: int
    until: int

    def start(self, moment: int) -> int:
        """When the bucket of a moment begins."""
        length = _LENGTHS[self.interval]
        shift = _WEEK_SHIFT if self.interval == "week" else 0
        return (moment + shift) // length * length - shift

    @property
    def count(self) -> int:
        """How many there are."""
        if self.until <= self.since:
            return 0
        first, last = self.start(self.since), self.start(self.until - 1)
        return (last - first) // _LENGTHS[self.interval] + 1

    def starts(self) -> Iterable[int]:
        """When each begins, oldest first."""
        first = self.start(self.since)
        return (first + n * _LENGTHS[self.interval] for n in range(self.count))


@dataclass(frozen=True, slots=True)
class Timeline:
    """Counts of what occurred from `covered_since` on; `exact` where that is all that was asked."""

    counts: Counts
    covered_since: int
    exact: bool
    spent: Spent

    def answer(self, buckets: Buckets) -> dict[str, Any]:
        """As the API shows it. Buckets before what is covered are left out, empty ones are not."""
        covered_since = min(self.covered_since, buckets.until)
        covered = Buckets(buckets.interval, covered_since, buckets.until)
        per_bucket = Counter[int]()
        for hours in self.counts.hours.values():
            for hour, events in hours.items():
                per_bucket[buckets.start(hour * clock.HOUR)] += events
        types = Counter({kind: hours.total() for kind, hours in self.counts.hours.items()})
        actors = _sum(self.counts.actors.values())
        return {
            "interval": buckets.interval,
            "since": clock.text(buckets.since),
            "until": clock.text(buckets.until),
            "exact": self.exact,
            "covered": {
                "since": clock.text(covered_since),
                "until": clock.text(buckets.until),
            },
            "total": self.counts.total,
            "buckets": [
                {"start": clock.text(start), "events": per_bucket[start]}
                for start in covered.starts()
            ],
            "types": [{"type": kind, "events": n} for kind, n in _top(types)],
            "actors": [
                {
                    "id": actor,
                    **({"name": name} if (name := self.counts.names.get(actor)) else {}),
                    "events": n,
                }
                for actor, n in _top(actors)
            ],
            "countries": [
                {"country": code, "events": n}
                for code, n in _top(_sum(self.counts.countries.values()))
            ],
        }


@dataclass(frozen=True, slots=True)
class _Taken:
    """Counts of all matches in one partition from one microsecond on and before another."""

    since: int
    until: int
    counts: Counts


def first_event(layout: Layout, span: Span) -> Plan[int | None]:
    """When the oldest event of a span occurred; None where there is none.

    A read of one row for each partition, in a round trip for each era without events.
    """
    for era in layout.eras(span, "asc"):
        answers = yield [EventsRead(each, era.span, "asc", 1) for each in era.partitions]
        rows = [row for answer in cast("list[Rows]", answers) for row in answer.events]
        if rows:
            return min(id_time(row.id) for row in rows)
    return None


def timeline(
    layout: Layout, wanted: Filter, span: Span, *, since: int, budget: Budget = BUDGET
) -> Plan[Timeline]:
    """Counts the matches of a span, whose events occurred from `since` on.

    Costs, for types and times alone, about two read units for each 16,000 events
    that are digested, and what is not digested as it is; else what a search costs
    that is followed to its end. Within `budget`, and at most a round trip over it.
    """
    spent = Spent()
    taken: list[_Taken] = []
    for era in layout.eras(span, "desc"):
        tallies = [_tally(each, era.span, wanted, spent, taken) for each in era.partitions]
        while not all(tally.is_done for tally in tallies):
            if spent.rows and budget.is_spent(spent):
                covered = _covered_since(max(tally.bound for tally in tallies), taken)
                counts = _sum_from(covered, taken)
                return Timeline(counts, covered, exact=False, spent=spent)
            behind = [tally for tally in tallies if not tally.is_done]
            yield from together([tally.advance() for tally in behind])
    return Timeline(_sum_from(0, taken), since, exact=True, spent=spent)


def _tally(
    partition: str,
    span: Span,
    wanted: Filter,
    spent: Spent,
    taken: list[_Taken],
) -> "_Counted | _Found":
    if wanted.reads_records:
        return _Found(Walk(partition, span, "desc", wanted, spent), taken)
    return _Counted(partition, span, wanted, spent, taken)


def _covered_since(bound: str, taken: Iterable[_Taken]) -> int:
    """The first microsecond from which on all was counted, and can be told from the rest.

    Of partitions that are read side by side some are ahead; what they took across
    the bound cannot be divided any more.
    """
    moment = _whole_from(bound)
    while across := [each.until for each in taken if each.since < moment < each.until]:
        moment = max(across)
    return moment


def _sum_from(moment: int, taken: Iterable[_Taken]) -> Counts:
    total = Counts()
    for each in sorted(taken, key=lambda each: each.since, reverse=True):
        if each.since >= moment:
            total.take(each.counts)
    return total


def _whole_from(bound: str) -> int:
    """The first microsecond of which every id is at or above a bound."""
    moment = id_time(position(bound, "desc"))
    return moment + (first_id(moment) < bound)


def _counted(span: Span, events: Sequence[tuple[StoredEvent, bytes]]) -> Iterator[_Taken]:
    """Events of a span, newest first; those of a microsecond that goes on below it apart."""
    whole, until = _whole_from(span.first), _whole_from(span.end)
    counts, rest = Counts(), Counts()
    for event, record in reversed(events):
        (counts if id_time(event.id) >= whole else rest).add(event, json.loads(record))
    yield _Taken(whole, until, counts)
    yield _Taken(whole - 1, whole, rest)


@dataclass(slots=True)
class _Found:
    """Counts what a search finds."""

    walk: Walk
    taken: list[_Taken]

    @property
    def is_done(self) -> bool:
        return self.walk.is_done

    @property
    def bound(self) -> str:
        return self.walk.bound

    def advance(self) -> Plan[None]:
        before = self.bound
        yield from self.walk.advance(ROWS_PER_READ)
        found = [(one.event, one.record) for one in self.walk.found]
        self.walk.found.clear()
        self.taken += _counted(Span(self.bound, before), found)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch to be counted from counts of this kind, or from rows where there is none."""

    span: Span
    kind: str | None


@dataclass(slots=True)
class _Counted:
    """Counts by the counts that are there, and rows where there are none; newest first."""

    partition: str
    span: Span
    wanted: Filter
    spent: Spent
    taken: list[_Taken]
    _queue: deque[_Piece] = field(default_factory=deque[_Piece], init=False)
    _standing: Standing | None = field(default=None, init=False)

    @property
    def is_done(self) -> bool:
        return self._standing is not None and not self._queue

    @property
    def bound(self) -> str:
        if self._standing is None:
            return self.span.end
        return self._queue[0].span.end if self._queue else self.span.first

    def advance(self) -> Plan[None]:
        if self._standing is None:
            [standing] = yield [StandingRead(self.partition, self.span)]
            self._stand(cast("Standing", standing))
        pieces = [self._queue.popleft() for _ in range(min(len(self._queue), _PIECES_PER_TRIP))]
        answers = yield [self._read(piece) for piece in pieces]
        left: list[_Piece] = []
        for piece, answer in zip(pieces, answers, strict=True):
            left += (self._count_rows if piece.kind is None else self._count)(piece, answer)
        self._queue.extendleft(reversed(left))

    def _stand(self, standing: Standing) -> None:
        self._standing = standing
        if standing.marks is None:
            self._queue.append(_Piece(self.span, None))
            return
        sealed = max(standing.sealed, standing.segmented)
        pieces = (
            _Piece(Span(sealed, END).within(self.span), None),
            _Piece(Span(standing.segmented, sealed).within(self.span), BLOCK_COUNTS),
            _Piece(Span(BEGIN, standing.segmented).within(self.span), SEGMENT_COUNTS),
        )
        self._queue.extend(piece for piece in pieces if not piece.span.is_empty)

    def _read(self, piece: _Piece) -> Read:
        if piece.kind is None:
            return EventsRead(self.partition, piece.span, "desc", ROWS_PER_READ)
        # A digest that reaches into the span from below is of no use.
        return ShelfRead(self.partition, piece.kind, piece.span, "desc", _DIGESTS_PER_READ)

    def _count_rows(self, piece: _Piece, rows: Rows) -> list[_Piece]:
        matched = matching(rows.events, self.wanted)
        found = [(event, record) for event, record in matched if record is not None]
        self.spent.rows += len(rows.events)
        self.spent.bytes += sum(map(digest.row_bytes, rows.events))
        rest = Span(piece.span.first, piece.span.first)
        if not rows.complete:
            rest = piece.span.after(rows.events[-1].id, "desc")
        self.taken += _counted(Span(rest.end, piece.span.end), found)
        return [] if rows.complete else [_Piece(rest, None)]

    def _count(self, piece: _Piece, shelf: Shelf) -> list[_Piece]:
        self.spent.digests += len(shelf.digests)
        self.spent.bytes += sum(len(stored.data) for stored in shelf.digests)
        left: list[_Piece] = []
        reached = piece.span.first if shelf.complete else shelf.digests[-1].span.first
        below = BLOCK_COUNTS if piece.kind == SEGMENT_COUNTS else None
        for part, stored in laid_out(Span(reached, piece.span.end), shelf.digests):
            if (counts := self._usable(part, stored)) is None:
                left.append(_Piece(part, below))
            else:
                own = Counts()
                own.take(counts, self.wanted.takes_type)
                since = id_time(position(part.first, "desc"))
                self.taken.append(_Taken(since, _whole_from(part.end), own))
        rest = [] if shelf.complete else [_Piece(Span(piece.span.first, reached), piece.kind)]
        return [*reversed(left), *rest]

    def _usable(self, part: Span, stored: Stored | None) -> Counts | None:
        """The counts of exactly this part, where they can be relied on."""
        marks = self._standing.marks if self._standing else None
        if stored is None or stored.span != part or marks is None:
            return None
        return None if digest.is_stale(stored.at, part, marks) else Counts.unpack(stored.data)


def _sum(tallies: Iterable[Counter[str]]) -> Counter[str]:
    total = Counter[str]()
    for tally in tallies:
        total.update(tally)
    return total


def _top(tally: Counter[str]) -> list[tuple[str, int]]:
    """The most frequent, those that are as frequent by name."""
    return heapq.nsmallest(MOST_FREQUENT, tally.items(), key=_rank)


def _rank(counted: tuple[str, int]) -> tuple[int, str]:
    name, events = counted
    return -events, name
