"""The events of one partition that match a filter, in order, with as little reading as can be.

A walk holds what is left of its span as a queue of pieces (`sieve.py`), in the
order of reading. Each round trip takes so many of them from the front as may
have what is wanted, and puts in their place what it learned. A filter that is
rare is found in five: how the partition stands; the newest rows, blocks and
segments; all other segments; the blocks that they name; the rows that those
name.
"""

import json
import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from auditlog import canonical, digest, reads
from auditlog.digest import Stored
from auditlog.event import StoredEvent
from auditlog.filters import Filter
from auditlog.reads import (
    BLOCK,
    BlockRead,
    EventsRead,
    Plan,
    Read,
    Shelf,
    ShelfRead,
    Standing,
    StandingRead,
)
from auditlog.sieve import Block, Blocks, Done, Found, Piece, Rows, Segments, Sieve, Spent
from auditlog.span import BEGIN, END, Order, Span

ROWS_PER_READ = 1_000
#: About as many rows as half a read unit reads, before any was seen: fewer cost as much.
_LEAST_ROWS = 11
#: A read asks for at most so many times what was read before it.
_GROWTH = 8
_FIRST_DIGESTS = {Blocks: 4, Segments: 2}
_DIGESTS_PER_READ = 1_000
_PIECES_PER_TRIP = 100


def matching(
    events: Sequence[StoredEvent], wanted: Filter
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


@dataclass(slots=True)
class Walk:
    """One partition's matches within `span`, in `order`; `found` has those not taken yet.

    Where it `is_one_of_many`, it reads whole read units: what it needs next is
    wanted soon.
    """

    partition: str
    span: Span
    order: Order
    wanted: Filter
    spent: Spent
    is_one_of_many: bool = False
    found: deque[Found] = field(default_factory=deque[Found], init=False)
    _queue: deque[Piece] = field(default_factory=deque[Piece], init=False)
    _sieve: Sieve = field(init=False)
    _stands: bool = field(default=False, init=False)
    _sifts: bool = field(default=False, init=False)
    _rows: int = field(default=0, init=False)
    _row_bytes: int = field(default=0, init=False)
    _matches: int = field(default=0, init=False)
    _cells: int = field(default=0, init=False)
    _cell_matches: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._sieve = Sieve(self.wanted, self.order, self.spent)
        # What no digest speaks of is read as it is, and nobody asks how it stands.
        self._sifts = self._sieve.can_sift
        self._stands = not self._sifts
        self._queue.append(Rows(self.span))

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to be read."""
        return not self._queue

    @property
    def bound(self) -> str:
        """How far everything has been read: what is left lies behind it, in order."""
        if not self._queue:
            return self.span.end if self.order == "asc" else self.span.first
        front = self._queue[0].span
        return front.first if self.order == "asc" else front.end

    def has_passed(self, event_id: str) -> bool:
        """Whether no event that is still to be read comes before `event_id`, or equals it."""
        if self.is_done:
            return True
        return event_id < self.bound if self.order == "asc" else event_id >= self.bound

    def advance(self, needed: int) -> Plan[None]:
        """One round trip towards `needed` more matches; before the first, how it stands."""
        if not self._stands:
            [standing] = yield [StandingRead(self.partition, self.span)]
            self._stand(cast("Standing", standing))
        chosen = [self._queue.popleft() for _ in range(self._worth_reading(needed))]
        asked = [self._reads(piece, needed) for piece in chosen]
        answers = yield [read for of_piece in asked for read in of_piece]
        at, left = 0, list[Piece]()
        for piece, of_piece in zip(chosen, asked, strict=True):
            left += self._learn(piece, of_piece, answers[at : at + len(of_piece)])
            at += len(of_piece)
        self._queue.extendleft(reversed(left))
        while self._queue and isinstance(front := self._queue[0], Done):
            self.found.extend(front.found)
            self._queue.popleft()
        if self._sifts and self._queue and not self._sieve.is_worth_it:
            self._read_on_without_digests()

    def _read_on_without_digests(self) -> None:
        """The rest as rows; how many are needed is told by what the digests said until now."""
        rest = Span(self.bound, self.span.end)
        if self.order == "desc":
            rest = Span(self.span.first, self.bound)
        self._queue, self._sifts = deque([Rows(rest)]), False
        cells = self._sieve.cells
        self._rows += cells * _LEAST_ROWS
        self._row_bytes += cells * digest.CELL_BYTES
        self._matches += round(cells * self._matches_per_cell)

    def _stand(self, standing: Standing) -> None:
        """The span as it is digested."""
        self._stands = True
        if standing.marks is None:
            return
        self._sieve.marks = standing.marks
        sealed = max(standing.segmented, standing.sealed)
        pieces = (
            Segments(Span(BEGIN, standing.segmented).within(self.span)),
            Blocks(Span(standing.segmented, sealed).within(self.span)),
            Rows(Span(sealed, END).within(self.span)),
        )
        whole = self._sieve.ordered(piece for piece in pieces if not piece.span.is_empty)
        self._queue = deque(whole)

    def _worth_reading(self, needed: int) -> int:
        """How many pieces from the front may have what is needed; at least one.

        Of what nothing is known yet, only the first is read whatever it costs:
        behind it a few digests are looked at, on trial, since they are cheap.
        """
        hope, on_trial = 0.0, False
        for number, piece in enumerate(self._queue):
            if number and (hope >= needed or number >= _PIECES_PER_TRIP):
                return number
            is_unknown = isinstance(piece, Rows) and not piece.cells
            is_fresh = isinstance(piece, Blocks | Segments) and piece.fresh
            if is_unknown and on_trial:
                return number
            if (is_fresh and self.order == "asc") or (is_unknown and self._is_long(piece)):
                return number + 1
            on_trial = on_trial or is_fresh
            hope += self._hope(piece)
        return len(self._queue)

    def _is_long(self, piece: Piece) -> bool:
        """Whether there is more of it than one read brings, so that the rest can wait."""
        return not self._sifts or (isinstance(piece, Rows) and piece.many)

    def _hope(self, piece: Piece) -> float:
        """How many matches a piece may have, as far as that can be told."""
        match piece:
            case Done():
                return len(piece.found)
            case Rows():
                return piece.cells * self._matches_per_cell
            case Block():
                return max(1.0, self._per_block(piece.expected))
            case Blocks():
                return 0.0 if piece.fresh else self._per_block(0.0) * digest.SEGMENT_BLOCKS
            case Segments():
                return 0.0

    @property
    def _matches_per_cell(self) -> float:
        if not self._cells:
            return self._sieve.matches_per_cell
        return max(0.1, self._cell_matches / self._cells)

    def _per_block(self, otherwise: float) -> float:
        """How many matches a block has, by those looked at so far."""
        cells = self._sieve.cells_per_block
        return otherwise if cells is None else cells * self._matches_per_cell

    def _reads(self, piece: Piece, needed: int) -> list[Read]:
        match piece:
            case Done():
                return []
            case Rows():
                count = ROWS_PER_READ if piece.cells else self._rows_for(needed)
                return [EventsRead(self.partition, piece.span, self.order, count)]
            case Block():
                return [BlockRead(self.partition, piece.first)]
            case Blocks():
                return self._shelf_reads(piece, [BLOCK])
            case Segments():
                return self._shelf_reads(piece, self._sieve.segment_kinds)

    def _rows_for(self, needed: int) -> int:
        """How many rows may have what is needed, by what those before them had."""
        share = (self._matches + 1) / (self._rows + 1)
        most = max(needed, self._rows * _GROWTH)
        count = min(math.ceil(needed / share), most, ROWS_PER_READ)
        # One less than there are in the mean: one more than fit costs as much again.
        least = _LEAST_ROWS
        if self._rows:
            least = max(1, digest.CELL_BYTES * self._rows // self._row_bytes - 1)
        if self.is_one_of_many and count < ROWS_PER_READ:
            return max(1, round(count / least)) * least
        return max(least, count)

    def _shelf_reads(self, piece: Blocks | Segments, kinds: Sequence[str]) -> list[Read]:
        """The digests that begin in a span, and at its lower end the one that reaches into it."""
        count = _FIRST_DIGESTS[type(piece)] if piece.fresh else _DIGESTS_PER_READ
        spans: list[tuple[Span, Order, int]] = [(piece.span, self.order, count)]
        if piece.span.first > BEGIN and piece.fresh == (self.order == "asc"):
            spans.append((Span(BEGIN, piece.span.first), "desc", 1))
        return [
            ShelfRead(self.partition, kind, span, order, most)
            for kind in kinds
            for span, order, most in spans
        ]

    def _learn(self, piece: Piece, asked: list[Read], answers: list[Any]) -> Sequence[Piece]:
        """What is left of a piece by what was read of it."""
        match piece:
            case Done():
                return [piece]
            case Rows():
                return self._learn_rows(piece, answers[0], cast("EventsRead", asked[0]).count)
            case Block():
                [found] = answers
                self._spend(blocks := [found] if found else [])
                return self._sieve.through_blocks(piece.span, blocks)
            case Blocks():
                shelves, known, rest = self._reached(piece, asked, answers)
                left = self._sieve.through_blocks(known, shelves[BLOCK])
                return left if rest.is_empty else [*left, Blocks(rest, fresh=False)]
            case Segments():
                shelves, known, rest = self._reached(piece, asked, answers)
                left = self._sieve.through_segments(known, shelves)
                return left if rest.is_empty else [*left, Segments(rest, fresh=False)]

    def _learn_rows(self, piece: Rows, rows: reads.Rows, asked: int) -> list[Piece]:
        found = [
            Found(event, record)
            for event, record in matching(rows.events, self.wanted)
            if record is not None
        ]
        self.spent.rows += len(rows.events)
        size = sum(map(digest.row_bytes, rows.events))
        self.spent.bytes += size
        if piece.cells:
            self._cells += piece.cells
            self._cell_matches += len(found)
        else:
            self._rows += len(rows.events)
            self._row_bytes += size
            self._matches += len(found)
        if rows.complete:
            return [Done(piece.span, found)]
        rest = piece.span.after(rows.events[-1].id, self.order)
        return [Done(piece.span, found), Rows(rest, many=asked >= ROWS_PER_READ)]

    def _reached(
        self, piece: Blocks | Segments, asked: list[Read], answers: list[Any]
    ) -> tuple[dict[str, list[Stored]], Span, Span]:
        """The digests of each kind, the part of the span that all kinds reached, and the rest."""
        shelves: dict[str, list[Stored]] = {}
        first, end = piece.span.first, piece.span.end
        for read, answer in zip(cast("list[ShelfRead]", asked), answers, strict=True):
            shelf = cast("Shelf", answer)
            self._spend(shelf.digests)
            shelves.setdefault(read.kind, []).extend(shelf.digests)
            if read.span != piece.span:
                continue
            if self.order == "asc" and not shelf.complete:
                end = min(end, shelf.digests[-1].span.end)
            elif self.order == "desc" and not (shelf.complete and not piece.fresh):
                # What begins below the span, and reaches into it, is looked at last.
                last = shelf.digests[-1].span.first if shelf.digests else piece.span.end
                first = max(first, last)
        known = Span(first, end)
        rest = Span(end, piece.span.end) if self.order == "asc" else Span(piece.span.first, first)
        return shelves, known, rest

    def _spend(self, digests: Sequence[Stored]) -> None:
        self.spent.digests += len(digests)
        self.spent.bytes += sum(len(stored.data) for stored in digests)
