"""One run over one partition: build what is behind the clock, and again what late events met.

Whatever happens in between, each digest that is stored is right (`digest.py`), and
what is stored is found again: a block is stored before its counts, a segment
before its buckets, and those before its counts; what is removed goes the other way.
So the one that is stored last tells whether the others are there, and the one that
is stored first that they may be. A run that ends anywhere is taken up by the next.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from auditlog import digest
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
from auditlog.span import BEGIN, Span, separator
from auditlog.store.digests import DigestStore
from auditlog.store.events import EventStore

_ROWS_PER_READ = 1_000
#: Blocks that are stored together, and after which the partition's standing is.
_BLOCKS_PER_WRITE = 16
#: Marks that one run looks at. The others wait, which costs reads.
_MOST_MARKS = 5_000
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
        self._marks = self._digests.all_marks(self.partition, most=_MOST_MARKS)
        standing = self._digests.standing(self.partition, consistent=True)
        untouched: list[Mark] = []
        for span, marks in _stretches(self._settled):
            if not self._repair(span, standing):
                untouched += marks
        standing = self._extend(standing)
        self._extend_segments(standing)
        # Only what this run found in order: what it has just stored may not be seen
        # everywhere yet, and by the next run it is.
        old = [mark for mark in untouched if mark.at + digest.MARK_KEPT <= self.began]
        self._digests.remove_marks(self.partition, old)
        self.marks_removed += len(old)
        return len(old) == len(self._marks)

    @property
    def _digests(self) -> DigestStore:
        return self.events.digests

    @property
    def _settled(self) -> list[Mark]:
        """The marks whose writers are done: what is begun now has what they wrote."""
        return [mark for mark in self._marks if mark.at + digest.SETTLED <= self.began]

    def _is_unsettled(self, span: Span) -> bool:
        """Whether a digest of this span would be stale as soon as it is stored."""
        return digest.is_stale(self.began, span, self._marks)

    # -- late events ------------------------------------------------------------------------

    def _repair(self, span: Span, standing: Standing) -> bool:
        """Builds again what is stale where late events were written; whether there was anything."""
        blocks = self._repair_blocks(span, standing)
        segments = self._repair_segments(span, standing)
        below = Span(BEGIN, standing.sealed).within(span)
        orphans = self._remove_orphans(below, BLOCK, [BLOCK_COUNTS])
        below = Span(BEGIN, standing.segmented).within(span)
        orphans = self._remove_orphans(below, SEGMENT, [SEGMENT_COUNTS, *_BUCKETS]) or orphans
        return blocks or segments or orphans

    def _remove_orphans(self, span: Span, kind: str, others: Sequence[str]) -> bool:
        """Removes what belongs to a digest that is gone; whether there was anything.

        Nothing of ours takes the first one away and leaves the others. But nobody
        would look at them again, and they would be believed once the mark is gone.
        """
        if span.is_empty:
            return False
        whole = self._of(kind, span)
        gaps = [part for part, own in laid_out(span, whole) if own is None]
        spans = {stored.span for stored in whole}
        found = False
        for other in others if gaps else ():
            lost = [each for gap in gaps for each in self._of(other, gap) if each.span not in spans]
            self._digests.remove(self.partition, other, [each.span.first for each in lost])
            found = found or bool(lost)
        return found

    def _repair_blocks(self, span: Span, standing: Standing) -> bool:
        stale = self._stale(span, BLOCK, BLOCK_COUNTS)
        for stored in stale:
            if stored.span.first >= standing.sealed:
                # Of a run that ended before it could say so.
                self._remove_blocks([stored.span.first])
            elif not self._is_unsettled(stored.span):
                self._rebuild(stored.span)
        return bool(stale)

    def _repair_segments(self, span: Span, standing: Standing) -> bool:
        stale = self._stale(span, SEGMENT, SEGMENT_COUNTS)
        for stored in stale:
            if stored.span.first >= standing.segmented:
                self._remove_segments([stored.span.first])
            elif (blocks := self._blocks_of(stored.span)) is not None:
                self._store_segments(stored.span, blocks)
        return bool(stale)

    def _stale(self, span: Span, first_stored: str, last_stored: str) -> list[Stored]:
        """What meets a span and was begun too early, or is not there as a whole."""
        last = {each.span: each for each in self._of(last_stored, span)}
        return [
            stored
            for stored in self._of(first_stored, span)
            if stored.span not in last
            or digest.is_stale(min(stored.at, last[stored.span].at), stored.span, self._marks)
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
        return digest.block(events, span, self.began), Counts.of(events)

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
            if blocks is None:
                return
            if len(blocks) >= SEGMENT_BLOCKS:
                self._store_segments(Span(standing.segmented, end), blocks)
                # A crash here leaves segments that are built again, in the same place.
                standing = replace(standing, segmented=end)
                standing = replace(standing, loose=max(0, standing.loose - len(blocks)))
            else:
                standing = replace(standing, loose=len(blocks))
            self._digests.stand(self.partition, standing)

    def _blocks_of(self, span: Span) -> list[Digest] | None:
        """The blocks that a segment of this span is made of, or None where some must wait.

        What is missing of them, or overlaps, or is damaged or without counts, is built.
        """
        counted = {stored.span for stored in self._of(BLOCK_COUNTS, span)}
        found: list[Digest | None] = []
        for part, stored in laid_out(span, self._of(BLOCK, span)):
            own = stored if stored and stored.span == part and part in counted else None
            if own is not None and (block := digest.read(own)) is not None:
                found.append(block)
            elif self._is_unsettled(part):
                return None
            else:
                found += map(digest.read, self._rebuild(part))
        blocks = [block for block in found if block is not None]
        return blocks if len(blocks) == len(found) else None

    def _store_segments(self, span: Span, blocks: Sequence[Digest]) -> None:
        """Segments of exactly this span, in the place of all that began in it."""
        counts = {stored.span: stored for stored in self._of(BLOCK_COUNTS, span)}
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
        """As of when what these parts say is known: now, where nothing is stale among them.

        A late event that was written since one of them was begun has a mark, which
        this run has seen, or which was not settled when it began.
        """
        if any(digest.is_stale(part.at, part.span, self._marks) for part in parts):
            return min(part.at for part in parts)
        return self.began

    def _remove_segments(self, firsts: Sequence[str]) -> None:
        self._digests.remove(self.partition, SEGMENT_COUNTS, firsts)
        for kind in _BUCKETS:
            self._digests.remove(self.partition, kind, firsts)
        self._digests.remove(self.partition, SEGMENT, firsts)


def _batches(
    made: Iterable[tuple[Stored, Counts]],
) -> Iterator[list[tuple[Stored, Counts]]]:
    batch: list[tuple[Stored, Counts]] = []
    for each in made:
        batch.append(each)
        if len(batch) == _BLOCKS_PER_WRITE:
            yield batch
            batch = []
    if batch:
        yield batch


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
    """Marks that overlap, together, with the span that they have in all."""
    gathered: list[Mark] = []
    end = BEGIN
    for mark in sorted(marks, key=lambda each: each.span):
        if gathered and mark.span.first > end:
            yield Span(gathered[0].span.first, end), gathered
            gathered = []
        end = max(end, mark.span.end) if gathered else mark.span.end
        gathered.append(mark)
    if gathered:
        yield Span(gathered[0].span.first, end), gathered


def _grouped(blocks: Sequence[Digest]) -> list[Sequence[Digest]]:
    """Blocks in groups of 32; the last group takes what would not fill one."""
    starts = list(range(0, max(1, len(blocks) - SEGMENT_BLOCKS + 1), SEGMENT_BLOCKS))
    return [blocks[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
