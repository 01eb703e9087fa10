"""Where the range of an export is cut, so that its slices are about as large as one another.

Where the log is digested, its digests are of some 16,000 or 500 events each; where
it is not, a few rows are looked at in many places. Both need only be about right: a slice
that turns out too large is parted by whoever writes it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
from auditlog.span import BEGIN, END, Span, just_above, position
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


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of one partition, and about how many events are in it."""

    span: Span
    events: float


def cut(layout: Layout, span: Span) -> Plan[Cuts]:
    """Where a span is cut into slices, and how those are to be written.

    Costs half a read unit for each 4 KB of digests, one for some 100,000 events, and
    up to 300 for a partition of which much is not digested.
    """
    eras = layout.eras(span, "asc")
    plans = [_stretches(each, era.span) for era in eras for each in era.partitions]
    found = yield from together(plans)
    stretches = sorted((each for part in found for each in part), key=lambda each: each.span.first)
    size = max(SLICE_EVENTS, sum(each.events for each in stretches) / MOST_SLICES)
    widest = max((len(era.partitions) for era in eras), default=1)
    return Cuts(
        tuple(_bounds(stretches, size, span)),
        at_once=min(_MOST_AT_ONCE, _AT_ONCE * widest),
        most_events=round(_TOO_LARGE * size),
    )


def _bounds(stretches: Sequence[Stretch], size: float, span: Span) -> list[str]:
    """A bound wherever about another `size` events have passed."""
    total = sum(each.events for each in stretches)
    slices = max(1, round(total / size))
    found: list[str] = []
    passed = 0.0
    for each in stretches:
        end = passed + each.events
        while len(found) + 1 < slices and (goal := (len(found) + 1) * total / slices) <= end:
            bound = _part_way(each.span, (goal - passed) / each.events if each.events else 1.0)
            found.append(bound)
        passed = end
    return sorted({bound for bound in found if span.first < bound < span.end})


def _part_way(span: Span, share: float) -> str:
    """A bound at this share of a span's time; at its end where that is all of it."""
    if share >= 1:
        return span.end
    first, end = (id_time(position(bound, "desc")) for bound in (span.first, span.end))
    return first_id(first + round((end - first) * share))


def _stretches(partition: str, span: Span) -> Plan[list[Stretch]]:
    """What is in a span of a partition, by its digests, and where there are none by a look."""
    [answer] = yield [StandingRead(partition, span)]
    standing = cast("Standing", answer)
    sealed = max(standing.segmented, standing.sealed)
    found: list[Stretch] = []
    for kind, events, part in (
        (SEGMENT, SEGMENT_BLOCKS * BLOCK_EVENTS, Span(BEGIN, standing.segmented).within(span)),
        (BLOCK_COUNTS, BLOCK_EVENTS, Span(standing.segmented, sealed).within(span)),
    ):
        if not part.is_empty:
            found += [
                Stretch(each, events) for each in (yield from _digested(partition, kind, part))
            ]
    # Without a digest where there should be some, all of it is looked at.
    rest = Span(sealed, END).within(span) if found else span
    if not rest.is_empty:
        found += yield from _sampled(partition, rest)
    return found


def _digested(partition: str, kind: str, span: Span) -> Plan[list[Span]]:
    """The spans of the digests of a kind, of which each summarises as much as the others."""
    found: list[Span] = []
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
    [answer] = yield [EventsRead(partition, span, "asc", ROWS_PER_READ)]
    rows = cast("Rows", answer)
    if rows.complete:
        return [Stretch(Span(row.id, just_above(row.id)), 1) for row in rows.events]
    [answer] = yield [EventsRead(partition, span, "desc", 1)]
    first, last = id_time(rows.events[0].id), id_time(cast("Rows", answer).events[0].id)
    if last - first < _PARTS:
        return [Stretch(span, len(rows.events))]
    cells, looks = [_Cell(first, last + 1, inf, inf)], 0
    while large := nlargest(
        (_LOOKS - looks) // _PARTS,
        [cell for cell in cells if cell.at_most > _FINE and cell.until - cell.since >= _PARTS],
        key=lambda cell: cell.at_most,
    ):
        looks += len(large) * _PARTS
        parts = [part for cell in large for part in cell.parts()]
        answers = yield [
            EventsRead(partition, Span(first_id(since), first_id(until)).within(span), "asc", _ROWS)
            for since, until in parts
        ]
        seen = [
            _look(cast("Rows", found), *part) for part, found in zip(parts, answers, strict=True)
        ]
        cells = [*(cell for cell in cells if cell not in large), *seen]
    return [
        Stretch(Span(first_id(cell.since), first_id(cell.until)), cell.events)
        for cell in sorted(cells)
    ]


class _Cell(NamedTuple):
    """A stretch of time, about how many events are in it, and how many there may be."""

    since: int
    until: int
    events: float
    at_most: float

    def parts(self) -> Iterator[tuple[int, int]]:
        """The same in parts of one length."""
        length = self.until - self.since
        return pairwise(self.since + length * part // _PARTS for part in range(_PARTS + 1))


def _look(rows: Rows, since: int, until: int) -> _Cell:
    """A cell by its first rows.

    As if all lay as close as those from its start on: what is empty before the first
    of them counts, since events that come in bursts, or with times of whole seconds,
    lie close to one another and far from the rest. There may be as many as if all lay
    as close as those lie to one another; then it is worth a closer look.
    """
    seen = [at for row in rows.events if (at := id_time(row.id)) < until]
    if len(seen) < len(rows.events) or rows.complete or not seen:
        return _Cell(since, until, len(seen), len(seen))
    whole = (until - since) * len(seen)
    return _Cell(since, until, whole / max(1, seen[-1] - since), whole / max(1, seen[-1] - seen[0]))
