"""What digests rule out: which stretches of a log may have a match of a filter.

A stretch of a log is a piece: rows to read, a block or a stretch of digests to
look at first, or what is done with. A sieve turns a piece and its digests into
the pieces that are left of it. What no digest speaks of, or none that can be
relied on, stays as rows to read: a sieve saves reads, and never drops a match.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from auditlog import digest
from auditlog.digest import Digest, Mark, Stored
from auditlog.event import StoredEvent
from auditlog.filters import Filter
from auditlog.reads import SEGMENT, bucket_kind
from auditlog.span import Order, Span

#: Two stretches with at most so many cells between them are read as one: reading a
#: cell costs less than asking once more.
_CELLS_BETWEEN = 1
#: And no more than this many, so that a page that is full need not read the rest.
_CELLS_TOGETHER = 16
#: Where more of the cells than this may have a match, in so many blocks, rows are read as
#: they come: what digests would save costs as much as they do, and many more requests.
_DENSE = 0.6
_LEAST_BLOCKS = 2
#: With more values than this a filter's terms are looked for in blocks only.
_MOST_BUCKETS = 8


@dataclass(frozen=True, slots=True)
class Found:
    """An event that matched, with its record's bytes."""

    event: StoredEvent
    record: bytes


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to read. Each of `cells` may have a match; 0 where nothing is known of them.

    `many` where a whole read did not reach the end of what was there.
    """

    span: Span
    cells: int = 0
    many: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """The block that begins at `first`, as far as it is in `span`: it may have a match."""

    span: Span
    first: str
    expected: float


@dataclass(frozen=True, slots=True)
class Blocks:
    """A stretch whose blocks have not been looked at; `fresh` until some of it has."""

    span: Span
    fresh: bool = True


@dataclass(frozen=True, slots=True)
class Segments:
    """A stretch whose segments have not been looked at; `fresh` until some of it has."""

    span: Span
    fresh: bool = True


@dataclass(frozen=True, slots=True)
class Done:
    """A stretch that is done with, and what matched in it."""

    span: Span
    found: list[Found]


Piece: TypeAlias = Rows | Block | Blocks | Segments | Done


@dataclass(slots=True)
class Spent:
    """What a plan has read so far: rows of the log, digests, the bytes of both as stored."""

    rows: int = 0
    digests: int = 0
    bytes: int = 0
    blocks_skipped: int = 0

    def explained(self) -> dict[str, int]:
        """In the words of the API."""
        return {
            "items": self.rows,
            "bytes": self.bytes,
            "digests_used": self.digests,
            "blocks_skipped": self.blocks_skipped,
        }


@dataclass(slots=True)
class Sieve:
    """What a filter asks of digests.

    So far it looked at `looked_at` cells of `blocks` blocks, and let `cells` through.
    """

    wanted: Filter
    order: Order
    spent: Spent
    marks: Sequence[Mark] = ()
    looked_at: int = field(default=0, init=False)
    cells: int = field(default=0, init=False)
    blocks: int = field(default=0, init=False)
    _kinds_of: Sequence[tuple[Sequence[str], frozenset[str]]] = field(default=(), init=False)

    def __post_init__(self) -> None:
        self._kinds_of = [
            (group, frozenset(bucket_kind(digest.bucket(term)) for term in group))
            for group in self.wanted.terms
        ]

    @property
    def can_sift(self) -> bool:
        """Whether the filter asks for anything that digests speak of."""
        return bool(self.wanted.terms) or self.wanted.names_types

    @property
    def segment_kinds(self) -> list[str]:
        """The kinds of a segment's digests that have to be looked at."""
        kinds = {kind for _, of_group in self._kinds_of for kind in of_group}
        listed = sorted(kinds) if len(kinds) <= _MOST_BUCKETS else []
        return [*listed, SEGMENT] if self.wanted.names_types or not listed else listed

    @property
    def is_worth_it(self) -> bool:
        """Whether digests rule out enough, so far, to be read in the place of the rest."""
        return self.blocks < _LEAST_BLOCKS or self.cells < _DENSE * self.looked_at

    @property
    def matches_per_cell(self) -> float:
        """How many matches a cell that was let through has, were they spread evenly."""
        return _per_place(self.cells, self.looked_at)

    @property
    def cells_per_block(self) -> float | None:
        """How many cells of a block were let through; None before there was one."""
        return self.cells / self.blocks if self.blocks else None

    def ordered(self, pieces: Iterable[Piece]) -> list[Piece]:
        """Pieces that are given from the oldest, in the order of reading."""
        listed = list(pieces)
        return listed if self.order == "asc" else listed[::-1]

    def through_blocks(self, span: Span, blocks: Iterable[Stored]) -> list[Piece]:
        """What is left of a span by its blocks, in the order of reading."""
        return self.ordered(
            piece
            for part, stored in laid_out(span, blocks)
            for piece in self._through_block(part, stored)
        )

    def through_segments(self, span: Span, shelves: Mapping[str, Sequence[Stored]]) -> list[Piece]:
        """What is left of a span by its segments, in the order of reading."""
        by_span: dict[Span, dict[str, Stored]] = {}
        for kind, shelf in shelves.items():
            for stored in shelf:
                by_span.setdefault(stored.span, {})[kind] = stored
        one_each = [next(iter(kinds.values())) for kinds in by_span.values()]
        return self.ordered(
            piece
            for part, stored in laid_out(span, one_each)
            for piece in (
                [Blocks(part)]
                if stored is None
                else self._through_segment(part, by_span[stored.span])
            )
        )

    def _through_block(self, part: Span, stored: Stored | None) -> Iterator[Rows]:
        if stored is None or digest.is_stale(stored.at, part, self.marks):
            yield Rows(part)
            return
        block = digest.read(stored)
        if block is None:
            yield Rows(part)
            return
        places = block.may_have(self.wanted.terms) & block.may_be(self.wanted.takes_type)
        numbers = [n for n, cell in enumerate(block.parts) if cell.meets(part)]
        cells = [n for n in numbers if places >> n & 1]
        self.blocks += 1
        self.looked_at += len(numbers)
        self.cells += len(cells)
        self.spent.blocks_skipped += not cells
        for run in _runs(cells):
            stretch = Span(block.parts[run[0]].first, block.parts[run[-1]].end)
            yield Rows(stretch.within(part), len(run))

    def _through_segment(self, part: Span, by_kind: Mapping[str, Stored]) -> Iterator[Piece]:
        digests = {kind: read for kind, one in by_kind.items() if (read := digest.read(one))}
        if not digests:
            yield Blocks(part)
            return
        blocks = next(iter(digests.values())).parts
        same = {kind: each for kind, each in digests.items() if each.parts == blocks}
        places = self._places(same)
        share = places.bit_count()
        # Where all of them have some, so many that a few blocks will do.
        expected = len(blocks) if share == len(blocks) else _per_place(share, len(blocks))
        begun = min(each.at for each in same.values())
        for number, block in enumerate(blocks):
            if not block.meets(part):
                continue
            if places >> number & 1 or digest.is_stale(begun, block, self.marks):
                yield Block(block.within(part), block.first, expected)
            else:
                self.spent.blocks_skipped += 1

    def _places(self, digests: Mapping[str, Digest]) -> int:
        """The blocks of a segment that may have a match, by what was read of it."""
        places = next(iter(digests.values())).everywhere
        for group, kinds in self._kinds_of:
            if kinds <= digests.keys():
                either = 0
                for kind in kinds:
                    either |= digests[kind].may_have([group])
                places &= either
        if self.wanted.names_types and SEGMENT in digests:
            places &= digests[SEGMENT].may_be(self.wanted.takes_type)
        return places


def laid_out(span: Span, digests: Iterable[Stored]) -> Iterator[tuple[Span, Stored | None]]:
    """A span as its digests cover it, oldest first; None for what none of them covers.

    Digests may overlap or lie apart: each is right about every part of itself.
    """
    at = span.first
    for stored in sorted(digests, key=lambda each: each.span):
        part = stored.span.within(Span(at, span.end))
        if part.is_empty:
            continue
        if part.first > at:
            yield Span(at, part.first), None
        yield part, stored
        at = part.end
    if at < span.end:
        yield Span(at, span.end), None


def _per_place(taken: int, places: int) -> float:
    """How many things lie in each place that has any, if they lie at random; at least 1.

    Where every place has some, all that is known is that they are many.
    """
    share = min(taken, places - 0.5) / places if places else 0.0
    return max(1.0, -math.log(1 - share) / share) if share > 0 else 1.0


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    """Ascending numbers, those that nearly follow one another together."""
    runs: list[list[int]] = []
    for number in numbers:
        if (
            runs
            and number - runs[-1][-1] <= _CELLS_BETWEEN + 1
            and number - runs[-1][0] < _CELLS_TOGETHER
        ):
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs
