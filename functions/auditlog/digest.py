"""Digests: what occurs in which part of a closed stretch of the log.

Two levels. A *block* summarises some 512 events, in cells of about 4 KB as they
are stored, which is what DynamoDB reads for half a unit: it says for every type
and for the fingerprint of every term (`terms.py`) in which cells it occurs. A
*segment* summarises 32 blocks, and says the same of blocks; its fingerprints
are spread over 64 items, so that a search for one term reads one of them.
What a digest says is: "whatever is not named here for a part was not in that
part when I was begun". A filter reads only the parts that may have a match, and
decides on the events themselves.

Why an answer never misses an event:

1.  A digest is begun (`at`) before its events are read, with strong consistency,
    and covers only what occurred more than `WATERMARK` before.
2.  A writer that is about to write an event older than `LATE` first inserts a
    mark over it. Every other event is newer than that, and written within
    `MAX_WRITE`: before any digest can be begun that covers it. A writer that
    took longer than that marks what it wrote before it says that it did.
3.  A digest is stale where a mark meets it that was not `SETTLED` long before
    the digest was begun. By then the writer of the mark is done, and what it
    wrote is in the digest.
4.  Who reads takes the marks first, with strong consistency, then the digests;
    what is stale or absent is read from the log itself.
5.  A mark is removed once every digest under it was begun after it had settled, and
    was stored long enough ago that all readers see it; never within `MARK_KEPT`.
    Whoever builds lives no longer than `MAX_RUN`, so none is left that could store
    a digest begun before.

Every digest stands for itself: those that overlap, or lie apart, or come from two
builders at once, cost reads and nothing else.
"""

import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias, cast

from auditlog import clock, postings
from auditlog.event import StoredEvent
from auditlog.postings import Postings
from auditlog.span import Span, fold, separator, unfold
from auditlog.terms import FINGERPRINT_BITS, fingerprint, terms_of

Record: TypeAlias = Mapping[str, Any]

#: Of the form of a digest and of what its terms are; what has another one is not read.
VERSION = 1

WATERMARK = 15 * clock.MINUTE
LATE = 10 * clock.MINUTE
MAX_WRITE = clock.MINUTE
SETTLED = 5 * clock.MINUTE
MARK_KEPT = 15 * clock.MINUTE
MAX_RUN = 5 * clock.MINUTE

BLOCK_EVENTS = 512
SEGMENT_BLOCKS = 32
BUCKETS = 64

#: What one half of a read unit reads.
CELL_BYTES = 4_096
#: Names, keys, numbers and flags of a row, beside its record and its type.
_ROW_BYTES = 90
_BUCKET_SHIFT = FINGERPRINT_BITS - (BUCKETS - 1).bit_length()


@dataclass(frozen=True, slots=True)
class Mark:
    """Somebody writes late events within `span`; set at `at` (microseconds)."""

    span: Span
    at: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A digest as a store keeps it: its stretch, when it was begun, and the packed rest."""

    span: Span
    at: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Digest:
    """What occurs in which of `parts`, which follow one another; places are bits."""

    span: Span
    at: int
    parts: Sequence[Span]
    types: Mapping[str, int]
    terms: Postings

    def may_have(self, groups: Iterable[Sequence[str]]) -> int:
        """The parts in which an event may have one of the terms of every group."""
        places = self.everywhere
        for group in groups:
            either = 0
            for term in group:
                either |= self.terms.places(fingerprint(term))
            places &= either
        return places

    def may_be(self, takes_type: Callable[[str], bool]) -> int:
        """The parts that have an event of a type that is taken."""
        places = 0
        for name, where in self.types.items():
            if takes_type(name):
                places |= where
        return places

    @property
    def everywhere(self) -> int:
        """All parts."""
        return (1 << len(self.parts)) - 1


def read(stored: Stored) -> Digest | None:
    """A digest from its stored form; None where it is damaged, which costs reads alone."""
    try:
        head, _, rest = zlib.decompress(stored.data).partition(b"\n")
        known = cast("dict[str, Any]", json.loads(head))
        bounds = [stored.span.first, *unfold(known["bounds"]), stored.span.end]
        parts = [Span(first, end) for first, end in pairwise(bounds)]
        types = {name: int(bits, 16) for name, bits in known["types"].items()}
        return Digest(stored.span, stored.at, parts, types, Postings(rest))
    except (zlib.error, ValueError, LookupError, TypeError):
        return None


def is_stale(begun: int, span: Span, marks: Sequence[Mark]) -> bool:
    """Whether what a digest begun then says of `span` may lack an acknowledged event."""
    return any(mark.at + SETTLED > begun and mark.span.meets(span) for mark in marks)


def block(events: Sequence[tuple[StoredEvent, Record]], span: Span, at: int) -> Stored:
    """The block of all events of `span`, in order, with their records."""
    cells = _cells(events)
    bounds = [separator(one[-1][0].id, two[0][0].id) for one, two in pairwise(cells)]
    types: dict[str, int] = {}
    places: dict[int, list[int]] = {}
    for number, cell in enumerate(cells):
        found: set[str] = set()
        for event, record in cell:
            types[event.type] = types.get(event.type, 0) | 1 << number
            found |= terms_of(record)
        for mark in {fingerprint(term) for term in found}:
            places.setdefault(mark, []).append(number)
    return Stored(span, at, _packed(bounds, types, places))


def segment(blocks: Sequence[Digest], at: int) -> tuple[Stored, list[Stored]]:
    """Blocks that follow one another as one segment: its types, and its buckets of terms.

    It is what a segment would be that was begun at `at`: the time of the oldest
    block, or later, if no mark that was set until then makes any of them stale.
    """
    span = Span(blocks[0].span.first, blocks[-1].span.end)
    bounds = [block.span.first for block in blocks[1:]]
    types: dict[str, int] = {}
    buckets: list[dict[int, list[int]]] = [{} for _ in range(BUCKETS)]
    for number, each in enumerate(blocks):
        for name in each.types:
            types[name] = types.get(name, 0) | 1 << number
        for mark in each.terms:
            buckets[mark >> _BUCKET_SHIFT].setdefault(mark, []).append(number)
    return (
        Stored(span, at, _packed(bounds, types, {})),
        [Stored(span, at, _packed(bounds, {}, places)) for places in buckets],
    )


def bucket(term: str) -> int:
    """In which of a segment's buckets a term is."""
    return fingerprint(term) >> _BUCKET_SHIFT


def row_bytes(event: StoredEvent) -> int:
    """About how many bytes a row has in the table."""
    return _ROW_BYTES + len(event.packed) + len(event.type)


def _cells(
    events: Sequence[tuple[StoredEvent, Record]],
) -> list[list[tuple[StoredEvent, Record]]]:
    cells: list[list[tuple[StoredEvent, Record]]] = []
    size = CELL_BYTES
    for event, record in events:
        size += row_bytes(event)
        if size > CELL_BYTES:
            cells.append([])
            size = row_bytes(event)
        cells[-1].append((event, record))
    return cells


def _packed(
    bounds: Sequence[str], types: Mapping[str, int], places: Mapping[int, Sequence[int]]
) -> bytes:
    head = {
        "bounds": fold(bounds),
        "types": {name: f"{bits:x}" for name, bits in sorted(types.items())},
    }
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()
    return zlib.compress(text + b"\n" + postings.encode(places), 9)
