"""Where the range of an export is cut, so that its slices are about as large as one another.

Where the log is digested, its digests are of some 16,000 or 500 events each; where
it is not, a few rows are looked at in many places. Both need only be about right: a slice
that turns out too large is parted by whoever writes it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import nlargest
from itertools import pairwise
from math import inf
from typing import NamedTuple, cast

from auditlog.digest import BLOCK_EVENTS, SEGMENT_BLOCKS
from auditlog.event import first_id, id_time
from auditlog.exports import Cuts
from auditlog.layout import Layout
from auditlog.reads import (
    BLOCK_COUNTS,
    SEGMENT,
    EventsRead,
    Plan,
    Rows,
    Shelf,
    ShelfRead,
    Standing,
    StandingRead,
    together,
)
from auditlog.span import BEGIN, END, Span, position
from auditlog.walk import ROWS_PER_READ

#: Of one slice: eight segments of digests. Packed it is larger than the 5 MiB under
#: which S3 does not copy, and written in some ten seconds.
SLICE_EVENTS = 8 * SEGMENT_BLOCKS * BLOCK_EVENTS
#: S3 joins at most 10,000 parts.
MOST_SLICES = 8_000
#: A slice that turns out so many times as large is parted.
_TOO_LARGE = 4
#: Slices that are written at the same time, for each partition that they are read from:
#: together they read as fast as they may, with one to write while another reads.
_AT_ONCE = 2
_MOST_AT_ONCE = 16
#: In so many places at most a stretch is looked at that is not digested; so many rows in each.
_LOOKS = 512
_ROWS = 11
#: What seems to be more is looked at in so many parts.
_FINE = SLICE_EVENTS / 2
_PARTS = 8
_DIGESTS_PER_READ = 1_000


class Stretch(NamedTuple):
    """A stretch of time of one partition, and about how many events are in it."""

    since: int
    until: int
    events: float

    @property
    def length(self) -> int:
        """In microseconds."""
        return self.until - self.since

    @property
    def within(self) -> int:
        """A place that is in none of its halves, thirds and so on."""
        return self.since + round(0.382 * self.length)

    def parts(self) -> Iterator[tuple[int, int]]:
        """The same in parts of one length."""
        return pairwise(self.since + self.length * part // _PARTS for part in range(_PARTS + 1))


def cut(layout: Layout, span: Span) -> Plan[Cuts]:
    """Where a span is cut into slices, and how those are to be written.

    Costs half a read unit for each 4 KB of digests, one for some 100,000 events, and
    up to 600 for a partition of which much is not digested.
    """
    eras = layout.eras(span, "asc")
    plans = [_stretches(each, era.span) for era in eras for each in era.partitions]
    found = yield from together(plans)
    stretches = [each for part in found for each in part]
    size = max(SLICE_EVENTS, sum(each.events for each in stretches) / MOST_SLICES)
    widest = max((len(era.partitions) for era in eras), default=1)
    return Cuts(
        tuple(_bounds(stretches, size, span)),
        at_once=min(_MOST_AT_ONCE, _AT_ONCE * widest),
        most_events=round(_TOO_LARGE * size),
    )


def _bounds(stretches: Sequence[Stretch], size: float, span: Span) -> list[str]:
    """A bound wherever about another `size` events have passed, each stretch evenly in time."""
    total = sum(each.events for each in stretches)
    slices = max(1, round(total / size))
    changes: Counter[int] = Counter()
    for each in stretches:
        rate = each.events / (each.until - each.since)
        changes[each.since] += rate  # pyright: ignore[reportArgumentType] -- a counter adds floats too
        changes[each.until] -= rate  # pyright: ignore[reportArgumentType] -- as above
    found: set[str] = set()
    passed, rate, goal = 0.0, 0.0, 1
    for since, until in pairwise(sorted(changes)):
        rate += changes[since]
        end = passed + rate * (until - since)
        while goal < slices and rate > 0 and (wanted := goal * total / slices) <= end:
            found.add(first_id(since + round((wanted - passed) / rate)))
            goal += 1
        passed = end
    return sorted(bound for bound in found if span.first < bound < span.end)


def _stretches(partition: str, span: Span) -> Plan[list[Stretch]]:
    """What is in a span of a partition, by its digests, and where there are none by a look."""
    standing_, oldest = yield [
        StandingRead(partition, span),
        EventsRead(partition, span, "asc", 1),
    ]
    standing, rows = cast("Standing", standing_), cast("Rows", oldest)
    if not rows.events:
        return []
    # The first digest begins where time does.
    begin = id_time(rows.events[0].id)
    sealed = max(standing.segmented, standing.sealed)
    found: list[Stretch] = []
    for kind, events, part in (
        (SEGMENT, SEGMENT_BLOCKS * BLOCK_EVENTS, Span(BEGIN, standing.segmented).within(span)),
        (BLOCK_COUNTS, BLOCK_EVENTS, Span(standing.segmented, sealed).within(span)),
    ):
        if not part.is_empty:
            for each in (yield from _digested(partition, kind, part)):
                since, until = max(begin, _time(each.first)), _time(each.end)
                found.append(Stretch(since, max(until, since + 1), events))
    # Without a digest where there should be some, all of it is looked at.
    rest = Span(sealed, END).within(span) if found else span
    if not rest.is_empty:
        found += yield from _sampled(partition, rest)
    return found


def _digested(partition: str, kind: str, span: Span) -> Plan[list[Span]]:
    """The spans of the digests of a kind, of which each summarises as much as the others."""
    # A shelf has what begins in a span; what reaches into it begins before.
    [answer] = yield [ShelfRead(partition, kind, Span(BEGIN, span.first), "desc", 1)]
    found = [each.span for each in cast("Shelf", answer).digests if each.span.end > span.first]
    while True:
        [answer] = yield [ShelfRead(partition, kind, span, "asc", _DIGESTS_PER_READ)]
        shelf = cast("Shelf", answer)
        found += [each.span for each in shelf.digests]
        if shelf.complete:
            return found
        span = Span(max(shelf.digests[-1].span.end, span.first), span.end)


def _sampled(partition: str, span: Span) -> Plan[list[Stretch]]:
    """A look at the rows of a span: at all where they are few, else at some in many places.

    Where much seems to lie it looks closer, again and again: what comes in bursts
    looks like very much more than it is from a few rows of it.
    """

    def read(since: int, until: int) -> EventsRead:
        part = Span(first_id(since), first_id(until)).within(span)
        return EventsRead(partition, part, "asc", _ROWS)

    [answer] = yield [EventsRead(partition, span, "asc", ROWS_PER_READ)]
    rows = cast("Rows", answer)
    if rows.complete:
        times = [id_time(row.id) for row in rows.events]
        return [Stretch(at, at + 1, 1) for at in times]
    [answer] = yield [EventsRead(partition, span, "desc", 1)]
    first, last = id_time(rows.events[0].id), id_time(cast("Rows", answer).events[0].id)
    cells, looks = [Stretch(first, last + 1, inf)], 0
    while large := nlargest(
        (_LOOKS - looks) // _PARTS,
        [cell for cell in cells if cell.events > _FINE and cell.length >= _PARTS],
        key=lambda cell: cell.events,
    ):
        looks += len(large) * _PARTS
        parts = [part for cell in large for part in cell.parts()]
        answers = yield [read(*part) for part in parts]
        seen = [
            Stretch(*part, _estimate(cast("Rows", found), *part))
            for part, found in zip(parts, answers, strict=True)
        ]
        cells = [*(cell for cell in cells if cell not in large), *seen]
    # What still seems large is looked at once more from a place within, where a burst
    # does not happen to begin.
    large = [cell for cell in cells if cell.events > _FINE]
    answers = yield [read(cell.within, cell.until) for cell in large]
    cells = [cell for cell in cells if cell not in large]
    for cell, found in zip(large, answers, strict=True):
        events = max(_ROWS, _from(cast("Rows", found), cell))
        cells.append(Stretch(cell.since, cell.until, events))
    return cells


def _estimate(rows: Rows, _since: int, until: int) -> float:
    """How many events there are up to a time, if all lie as close as those that were seen."""
    seen = [at for row in rows.events if (at := id_time(row.id)) < until]
    if len(seen) < len(rows.events) or rows.complete or not seen:
        return len(seen)
    return (len(seen) - 1) * (until - seen[0]) / max(1, seen[-1] - seen[0]) + 1


def _from(rows: Rows, cell: Stretch) -> float:
    """How many events a cell has, if all of it is as the part from `within` to the last seen."""
    seen = [at for row in rows.events if (at := id_time(row.id)) < cell.until]
    end = cell.until if len(seen) < len(rows.events) or rows.complete or not seen else seen[-1] + 1
    return len(seen) * cell.length / max(1, end - cell.within)


def _time(bound: str) -> int:
    return id_time(position(bound, "desc"))
