"""One run over one partition: build what is behind the clock, and again what late events met.

Whatever happens in between, each digest that is stored is right (`digest.py`), and
what is stored is found again: a block is stored before its counts, a segment
before its buckets, and those before its counts; what is removed goes the other way.
So the one that is stored last tells whether the others are there, and the one that
is stored first that they may be. A run that ends anywhere is taken up by the next.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from auditlog import canonical, clock, digest
from auditlog.counts import Counts
from auditlog.digest import BLOCK_EVENTS, SEGMENT_BLOCKS, Digest, Mark, Stored
from auditlog.event import StoredEvent, first_id
from auditlog.reads import (
    BLOCK,
    BLOCK_COUNTS,
    SEGMENT,
    SEGMENT_COUNTS,
    EventsRead,
    Standing,
    bucket_kind,
)
from auditlog.sieve import laid_out
from auditlog.span import BEGIN, END, Span, separator
from auditlog.store.digests import DigestStore
from auditlog.store.events import EventStore

_ROWS_PER_READ = 1_000
#: Blocks that are stored together, and after which the partition's standing is.
_BLOCKS_PER_WRITE = 16
#: Marks that one run looks at, and that it looks at together. The others wait.
_MOST_MARKS = 20_000
_MARKS_TOGETHER = 100
#: A digest that was begun so long ago was stored at least a minute ago.
_SEEN_AFTER = digest.MAX_RUN + clock.MINUTE
_BUCKETS = [bucket_kind(number) for number in range(digest.BUCKETS)]


class OutOfTime(Exception):  # noqa: N818 -- nothing is wrong: the next run goes on
    """The run has to end."""


@dataclass(slots=True)
class Builder:
    """One run over a partition that began at `began` (microseconds).

    `is_over` is asked before each block. The counts say what was done.
    """

    partition: str
    events: EventStore
    began: int
    is_over: Callable[[], bool]
    blocks: int = field(default=0, init=False)
    segments: int = field(default=0, init=False)
    marks_removed: int = field(default=0, init=False)
    _marks: list[Mark] = field(default_factory=list[Mark], init=False)

    def run(self) -> bool:
        """Does what is to be done; whether there are no marks left to come back for.

        Costs, besides what it builds, five read units and the rows that are not
        digested yet, strongly consistent. Raises `OutOfTime`, or `UnavailableError`
        where a table is busy: what was built until then stays.
        """
        marks = self._digests.all_marks(self.partition, most=_MOST_MARKS + 1)
        self._marks, further = marks[:_MOST_MARKS], marks[_MOST_MARKS:]
        settled = [mark for mark in self._marks if mark.at + digest.SETTLED <= self.began]
        # What was marked from there on is not known: it may be anything.
        self._marks += [Mark(Span(mark.span.first, END), self.began) for mark in further]
        standing = self._digests.standing(self.partition, consistent=True)
        for span, of_span in _stretches(settled):
            if self.is_over():
                raise OutOfTime
            self._repair(span, of_span, standing)
        self._extend_segments(self._extend(standing))
        return self.marks_removed == len(marks)

    @property
    def _digests(self) -> DigestStore:
        return self.events.digests

    def _is_due(self, stored: Stored) -> bool:
        """Whether to build a stale digest again.

        While somebody writes there it would be stale at once; but not for ever, or
        the marks would pile up.
        """
        settled = not digest.is_stale(self.began, stored.span, self._marks)
        return settled or stored.at + digest.MARK_KEPT <= self.began

    # -- late events ------------------------------------------------------------------------

    def _repair(self, span: Span, marks: Sequence[Mark], standing: Standing) -> None:
        """Removes the marks that are not needed any more, and builds again what is stale."""
        blocks, counts = self._of(BLOCK, span), self._of(BLOCK_COUNTS, span)
        segments, totals = self._of(SEGMENT, span), self._of(SEGMENT_COUNTS, span)
        stale_blocks = self._stale(blocks, counts)
        stale_segments = self._stale(segments, totals)
        sealed = Span(BEGIN, standing.sealed).within(span)
        segmented = Span(BEGIN, standing.segmented).within(span)
        orphans = self._remove_orphans(sealed, blocks, [BLOCK_COUNTS])
        orphans += self._remove_orphans(segmented, segments, [SEGMENT_COUNTS, *_BUCKETS])
        if not orphans:
            whole = [*blocks, *counts, *segments, *totals]
            parts = [*_without(blocks, counts), *_without(segments, totals)]
            self._remove_marks(marks, whole, parts)
        for stored in stale_blocks:
            if stored.span.first >= standing.sealed:
                # Of a run that ended before it could say so.
                self._remove_blocks([stored.span.first])
            elif self._is_due(stored):
                self._rebuild(stored.span)
        for stored in stale_segments:
            if stored.span.first >= standing.segmented:
                self._remove_segments([stored.span.first])
            elif self._is_due(stored):
                self._store_segments(stored.span, self._blocks_of(stored.span))

    def _remove_marks(
        self, marks: Sequence[Mark], digests: Sequence[Stored], not_whole: Sequence[Stored]
    ) -> None:
        """Removes the marks under which every digest has what was written, and is seen by all.

        That is what this run found: what it stores itself, some readers may not see yet.
        """
        gone = [
            mark
            for mark in marks
            if mark.at + digest.MARK_KEPT <= self.began
            and not any(mark.span.meets(each.span) for each in not_whole)
            and all(
                mark.at + digest.SETTLED <= each.at <= self.began - _SEEN_AFTER
                for each in digests
                if mark.span.meets(each.span)
            )
        ]
        self._digests.remove_marks(self.partition, gone)
        self.marks_removed += len(gone)

    def _remove_orphans(self, span: Span, whole: Sequence[Stored], others: Sequence[str]) -> int:
        """Removes what belongs to a digest that is gone; how many there were.

        Nothing of ours takes the first one away and leaves the others. But nobody
        would look at them again, and they would be believed once the mark is gone.
        """
        gaps = [part for part, own in laid_out(span, whole) if own is None]
        spans = {stored.span for stored in whole}
        found = 0
        for kind in others if gaps else ():
            lost = [each for gap in gaps for each in self._of(kind, gap) if each.span not in spans]
            self._digests.remove(self.partition, kind, [each.span.first for each in lost])
            found += len(lost)
        return found

    def _stale(self, first_stored: Sequence[Stored], last_stored: Sequence[Stored]) -> list[Stored]:
        """Those that were begun too early, or are not there as a whole."""
        last = {each.span: each.at for each in last_stored}
        return [
            stored
            for stored in first_stored
            if stored.span not in last
            or digest.is_stale(min(stored.at, last[stored.span]), stored.span, self._marks)
        ]

    def _of(self, kind: str, span: Span) -> list[Stored]:
        return self._digests.digests(self.partition, kind, span)

    # -- blocks -----------------------------------------------------------------------------

    def _extend(self, standing: Standing) -> Standing:
        """Blocks of what has passed the watermark; what does not fill one waits."""
        end = first_id(self.began - digest.WATERMARK)
        for mark in self._marks:
            if mark.at + digest.SETTLED > self.began and mark.span.end > standing.sealed:
                end = min(end, mark.span.first)
        for batch in _batches(self._cut(Span(standing.sealed, end), BLOCK_EVENTS, open_end=True)):
            self._store_blocks(batch)
            # A crash here leaves blocks beyond what is said to be sealed: they are
            # built again, and whatever is left of them goes when it is stale.
            sealed, loose = batch[-1][0].span.end, standing.loose + len(batch)
            standing = replace(standing, sealed=sealed, loose=loose)
            self._digests.stand(self.partition, standing)
        return standing

    def _rebuild(self, span: Span) -> list[Stored]:
        """The blocks of exactly this span, in the place of all that began in it."""
        before = {s.span.first for s in self._of(BLOCK, span) if s.span.first >= span.first}
        built: list[Stored] = []
        for batch in _batches(self._cut(span, 2 * BLOCK_EVENTS, open_end=False)):
            self._store_blocks(batch)
            built += [block for block, _ in batch]
        # A crash before this leaves blocks under a mark that makes them stale.
        self._remove_blocks(sorted(before - {block.span.first for block in built}))
        return built

    def _cut(self, span: Span, most: int, *, open_end: bool) -> Iterator[tuple[Stored, Counts]]:
        """The events of a span as blocks, cut where more than `most` have gathered.

        What is left at the end is a block that reaches to the end, or with
        `open_end` none.
        """
        first, gathered = span.first, list[StoredEvent]()
        for event in self._rows(span):
            gathered.append(event)
            if len(gathered) > most:
                own, gathered = gathered[:BLOCK_EVENTS], gathered[BLOCK_EVENTS:]
                end = separator(own[-1].id, gathered[0].id)
                yield self._block(own, Span(first, end))
                first = end
        if not open_end:
            yield self._block(gathered, Span(first, span.end))

    def _block(self, events: Sequence[StoredEvent], span: Span) -> tuple[Stored, Counts]:
        if self.is_over():
            raise OutOfTime
        records = [json.loads(canonical.unpack(event.packed)) for event in events]
        read = list(zip(events, records, strict=True))
        return digest.block(read, span, self.began), Counts.of(read)

    def _rows(self, span: Span) -> Iterator[StoredEvent]:
        """The events of a span, oldest first, strongly consistent."""
        while not span.is_empty:
            read = EventsRead(self.partition, span, "asc", _ROWS_PER_READ)
            rows = self.events.rows(read, consistent=True)
            yield from rows.events
            if rows.complete:
                return
            span = span.after(rows.events[-1].id, "asc")

    def _store_blocks(self, batch: Sequence[tuple[Stored, Counts]]) -> None:
        self._digests.put(self.partition, [(BLOCK, block) for block, _ in batch])
        # A crash here leaves blocks without counts: they are used, and built again
        # before any mark over them goes.
        self._digests.put(
            self.partition,
            [(BLOCK_COUNTS, replace(block, data=counts.pack())) for block, counts in batch],
        )
        self.blocks += len(batch)

    def _remove_blocks(self, firsts: Sequence[str]) -> None:
        self._digests.remove(self.partition, BLOCK_COUNTS, firsts)
        self._digests.remove(self.partition, BLOCK, firsts)

    # -- segments ---------------------------------------------------------------------------

    def _extend_segments(self, standing: Standing) -> None:
        while standing.loose >= SEGMENT_BLOCKS:
            ahead = self._digests.digests(
                self.partition,
                BLOCK,
                Span(standing.segmented, standing.sealed),
                most=SEGMENT_BLOCKS,
            )
            end = ahead[-1].span.end if ahead else standing.sealed
            blocks = self._blocks_of(Span(standing.segmented, end))
            if len(blocks) >= SEGMENT_BLOCKS:
                self._store_segments(Span(standing.segmented, end), blocks)
                # A crash here leaves segments that are built again, in the same place.
                standing = replace(standing, segmented=end)
                standing = replace(standing, loose=max(0, standing.loose - len(blocks)))
            else:
                standing = replace(standing, loose=len(blocks))
            self._digests.stand(self.partition, standing)

    def _blocks_of(self, span: Span) -> list[Digest]:
        """The blocks that a segment of this span is made of.

        What is missing of them, or overlaps, or is damaged or without counts, is built.
        """
        counted = {stored.span for stored in self._of(BLOCK_COUNTS, span)}
        found: list[Digest] = []
        for part, stored in laid_out(span, self._of(BLOCK, span)):
            own = stored if stored and stored.span == part and part in counted else None
            block = None if own is None else digest.read(own)
            built = (
                [digest.read(each) for each in self._rebuild(part)] if block is None else [block]
            )
            found += [each for each in built if each is not None]
        return found

    def _store_segments(self, span: Span, blocks: Sequence[Digest]) -> None:
        """Segments of exactly this span, in the place of all that began in it."""
        counts = {stored.span: stored for stored in self._of(BLOCK_COUNTS, span)}
        if not blocks or any(block.span not in counts for block in blocks):
            return  # Another builder is at it; what is not whole is built by the next run.
        groups = _grouped(blocks)
        before = {s.span.first for s in self._of(SEGMENT, span) if s.span.first >= span.first}
        begun = [
            self._begun([*group, *(counts[block.span] for block in group)]) for group in groups
        ]
        made = [digest.segment(group, at) for group, at in zip(groups, begun, strict=True)]
        self._digests.put(self.partition, [(SEGMENT, types) for types, _ in made])
        for group, (types, buckets) in zip(groups, made, strict=True):
            if self.is_over():
                raise OutOfTime
            numbered = ((bucket_kind(number), each) for number, each in enumerate(buckets))
            self._digests.put(self.partition, numbered)
            data = _total([counts[block.span] for block in group])
            self._digests.put(self.partition, [(SEGMENT_COUNTS, replace(types, data=data))])
            self.segments += 1
        self._remove_segments(sorted(before - {types.span.first for types, _ in made}))

    def _begun(self, parts: Sequence[Digest | Stored]) -> int:
        """As of when what these parts say is known: now, but for those that are stale.

        A late event that was written since one of them was begun has a mark, which
        this run has seen, or which was not settled when it began.
        """
        stale = [p.at for p in parts if digest.is_stale(p.at, p.span, self._marks)]
        return min([self.began, *stale])

    def _remove_segments(self, firsts: Sequence[str]) -> None:
        self._digests.remove(self.partition, SEGMENT_COUNTS, firsts)
        for kind in _BUCKETS:
            self._digests.remove(self.partition, kind, firsts)
        self._digests.remove(self.partition, SEGMENT, firsts)


def _batches(
    made: Iterable[tuple[Stored, Counts]],
) -> Iterator[list[tuple[Stored, Counts]]]:
    """So many at a time; what was made before there was no time left is not lost."""
    batch: list[tuple[Stored, Counts]] = []
    try:
        for each in made:
            batch.append(each)
            if len(batch) == _BLOCKS_PER_WRITE:
                yield batch
                batch = []
    except OutOfTime:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _without(first_stored: Sequence[Stored], last_stored: Sequence[Stored]) -> list[Stored]:
    """Those of which what is stored last is not there."""
    spans = {stored.span for stored in last_stored}
    return [stored for stored in first_stored if stored.span not in spans]


def _total(counts: Sequence[Stored]) -> bytes:
    """The counts of blocks together; damaged where one of them is, which costs reads alone."""
    total = Counts()
    for stored in reversed(counts):
        read = Counts.unpack(stored.data)
        if read is None:
            return stored.data
        total.take(read)
    return total.pack()


def _stretches(marks: Iterable[Mark]) -> Iterator[tuple[Span, list[Mark]]]:
    """Marks in order, some together, with the span from the first of them to the last."""
    ordered = sorted(marks, key=lambda each: each.span)
    for start in range(0, len(ordered), _MARKS_TOGETHER):
        some = ordered[start : start + _MARKS_TOGETHER]
        yield Span(some[0].span.first, max(mark.span.end for mark in some)), some


def _grouped(blocks: Sequence[Digest]) -> list[Sequence[Digest]]:
    """Blocks in groups of 32; the last group takes what would not fill one."""
    starts = list(range(0, max(1, len(blocks) - SEGMENT_BLOCKS + 1), SEGMENT_BLOCKS))
    return [blocks[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
