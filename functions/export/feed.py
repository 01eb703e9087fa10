"""The events of a stretch of the log, oldest first, a megabyte or so at a time.

A whole log is read as its rows are stored (`store/rows.py`), the next page while
one is worked on. What a filter asks for is read as a search reads it, by the
digests. Either way the events are read with strong consistency, and again where
the table is busy.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from auditlog import canonical, plan, units
from auditlog.answers import Entry
from auditlog.filters import Filter
from auditlog.layout import Era, Layout
from auditlog.plan import Page
from auditlog.span import Span, just_above
from auditlog.store.reader import Reader
from auditlog.store.rows import MOST_ROWS, Row, RowStore
from auditlog.walk import ROWS_PER_READ
from export.patience import patiently

T = TypeVar("T")

#: Unpacked: a page of rows is 1 MB as stored, and may be hundreds of times that.
_BATCH_BYTES = 1024 * 1024
#: One read gives them all, and one more event that says that there are more.
_PER_PAGE = ROWS_PER_READ - 1
#: Keys, names, times and type of a row, beside its record.
_ROW_BYTES = 110
_LOOK_EVERY = 5.0
#: No answer over HTTP: what was read and unpacked is written out, and not read again.
_BUDGET = plan.Budget(answer_bytes=1 << 40)


class Batch(NamedTuple):
    """Events in order; all that lies below `reached` has come by then."""

    entries: Sequence[Entry]
    reached: str
    units: float
    """Read units that it took of each partition that was read."""


@dataclass(frozen=True, slots=True)
class Feed:
    """Reads events. `alive` is called while it waits; what it raises ends the reading."""

    rows: RowStore
    reader: Reader
    threads: Executor
    alive: Callable[[], None]

    def read(self, layout: Layout, wanted: Filter, span: Span) -> Iterator[Batch]:
        """What matches in a span, each event once, until its end is reached."""
        if wanted.clauses or wanted.hidden:
            return self._matching(layout, wanted, span)
        return self._whole(layout, span)

    def _matching(self, layout: Layout, wanted: Filter, span: Span) -> Iterator[Batch]:
        end = span.end
        while True:
            making = self.threads.submit(
                patiently, lambda span=span: self._page(layout, wanted, span)
            )
            page = self.wait(making)
            entries: list[Entry] = [
                (each.event.id, str(each.event.recorded_at), each.record, each.event.described)
                for each in page.found
            ]
            spent = units.read_units(page.spent.bytes, consistent=True)
            spent /= len(layout.eras(span, "asc")[0].partitions) if not span.is_empty else 1
            rest = None if page.position is None else span.after(page.position, "asc")
            yield from _parted(entries, end if rest is None else rest.first, spent)
            if rest is None:
                return
            span = rest

    def _page(self, layout: Layout, wanted: Filter, span: Span) -> Page:
        # A plan that was broken off is of no more use: each try makes its own.
        return self.reader.run(
            plan.page(layout, wanted, span, order="asc", limit=_PER_PAGE, budget=_BUDGET)
        )

    def _whole(self, layout: Layout, span: Span) -> Iterator[Batch]:
        for era in layout.eras(span, "asc"):
            for rows, reached, spent in self._merged(era):
                yield from _batches(rows, reached, spent)

    def _merged(self, era: Era) -> Iterator[tuple[list[Row], str, float]]:
        """The rows of an era in order, with how far they reach and what they cost."""
        # So many pages are held at a time that those of a wide log have to be smaller.
        count = max(250, MOST_ROWS // len(era.partitions))
        streams = [_Stream(self, each, era.span, count) for each in era.partitions]
        while any(not stream.is_done for stream in streams):
            spent = sum(stream.fill() for stream in streams) / len(streams)
            reached = min(stream.reached for stream in streams)
            rows = [row for stream in streams for row in stream.take_below(reached)]
            if len(streams) > 1:
                # Equal ids are one event, as they are to a search.
                rows = sorted({row.sk.S: row for row in rows}.values(), key=_id)
            yield rows, reached, spent

    def page(self, partition: str, span: Span, count: int) -> "Future[tuple[list[Row], bool]]":
        """Rows, as soon as they are there."""
        return self.threads.submit(patiently, lambda: self.rows.page(partition, span, count))

    def wait(self, page: "Future[T]") -> T:
        """What comes of it."""
        while True:
            try:
                return page.result(_LOOK_EVERY)
            except TimeoutError:
                if page.done():
                    raise
                self.alive()


class _Stream:
    """One partition's rows in order: those that were not taken yet, and a page on its way."""

    def __init__(self, feed: Feed, partition: str, span: Span, count: int) -> None:
        self._feed, self._partition, self._count = feed, partition, count
        self._left = span
        self._rows: list[Row] = []
        self._coming = feed.page(partition, span, count)
        self._is_complete = False

    @property
    def is_done(self) -> bool:
        """Whether there is nothing left to be taken."""
        return self._is_complete and not self._rows

    @property
    def reached(self) -> str:
        """How far its rows are known."""
        return self._left.end if self._is_complete else self._left.first

    def fill(self) -> float:
        """Waits for the next page if there are no rows; read units that it took."""
        if self._rows or self._is_complete:
            return 0.0
        self._rows, self._is_complete = self._feed.wait(self._coming)
        if not self._is_complete:
            self._left = Span(just_above(self._rows[-1].sk.S), self._left.end)
            self._coming = self._feed.page(self._partition, self._left, self._count)
        return units.read_units(sum(map(_size, self._rows)), consistent=True)

    def take_below(self, bound: str) -> list[Row]:
        """Takes the rows below a bound that it has reached."""
        at = bisect_left(self._rows, bound, key=_id)
        taken, self._rows = self._rows[:at], self._rows[at:]
        return taken


def _batches(rows: list[Row], reached: str, spent: float) -> Iterator[Batch]:
    """Rows as batches of about a megabyte of records."""
    entries = ((row.sk.S, row.at.N, canonical.unpack(row.r.B), row.s is None) for row in rows)
    return _parted(entries, reached, spent)


def _parted(entries: Iterable[Entry], reached: str, spent: float) -> Iterator[Batch]:
    """Events as batches of about a megabyte of records."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        batch.append(entry)
        size += len(entry[2])
        if size > _BATCH_BYTES:
            yield Batch(batch, just_above(entry[0]), spent)
            batch, size, spent = [], 0, 0.0
    yield Batch(batch, reached, spent)


def _id(row: Row) -> str:
    return row.sk.S


def _size(row: Row) -> int:
    return _ROW_BYTES + len(row.r.B)
