"""A log and its digests in memory, with the methods of the stores that plans and `seal` use.

Everything is seen at once by everybody. The clock is the test's.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from auditlog.digest import LATE, Mark, Stored
from auditlog.event import NewEvent, StoredEvent
from auditlog.reads import (
    BLOCK,
    BlockRead,
    EventsRead,
    Plan,
    Read,
    Rows,
    Shelf,
    ShelfRead,
    Standing,
    StandingRead,
    T,
)
from auditlog.span import Span
from auditlog.store.events import _marks
from tests.unit.published import stored


@dataclass
class Digests:
    """As `DigestStore`. `after` is called when something was stored or removed."""

    items: dict[tuple[str, str], dict[str, Stored]] = field(default_factory=dict)
    set_marks: dict[str, set[Mark]] = field(default_factory=dict)
    standings: dict[str, Standing] = field(default_factory=dict)
    after: Callable[[], None] = field(default_factory=lambda: lambda: None)

    def mark(self, marks: Iterable[tuple[str, Mark]]) -> None:
        for partition, mark in marks:
            self.set_marks.setdefault(partition, set()).add(mark)

    def standing(self, partition: str, *, consistent: bool = False) -> Standing:
        return self.standings.get(partition, Standing())

    def marks(self, read: StandingRead) -> tuple[Mark, ...] | None:
        found = self.set_marks.get(read.partition, ())
        return tuple(mark for mark in found if mark.span.meets(read.span))

    def shelf(self, read: ShelfRead) -> Shelf:
        shelf = self.items.get((read.kind, read.partition), {})
        inside = sorted(
            (s for first, s in shelf.items() if read.span.first <= first < read.span.end),
            key=lambda each: each.span,
            reverse=read.order == "desc",
        )
        return Shelf(inside[: read.count], complete=len(inside) <= read.count)

    def blocks(self, partition: str, firsts: Sequence[str]) -> list[Stored | None]:
        return [self.items.get((BLOCK, partition), {}).get(first) for first in firsts]

    def digests(
        self, partition: str, kind: str, span: Span, *, most: int | None = None
    ) -> list[Stored]:
        shelf = sorted(self.items.get((kind, partition), {}).values(), key=lambda each: each.span)
        before = [s for s in shelf if s.span.first < span.first][-1:]
        inside = [s for s in shelf if span.first <= s.span.first < span.end][:most]
        return [s for s in (*before, *inside) if s.span.meets(span)]

    def put(self, partition: str, digests: Iterable[tuple[str, Stored]]) -> None:
        for kind, each in digests:
            self.items.setdefault((kind, partition), {})[each.span.first] = each
            self.after()

    def remove(self, partition: str, kind: str, firsts: Sequence[str]) -> None:
        for first in firsts:
            self.items.get((kind, partition), {}).pop(first, None)
            self.after()

    def remove_marks(self, partition: str, marks: Iterable[Mark]) -> None:
        for mark in marks:
            self.set_marks[partition].discard(mark)
            self.after()

    def all_marks(self, partition: str, *, most: int) -> list[Mark]:
        return sorted(self.set_marks.get(partition, ()), key=lambda m: (m.span, m.at))[:most]

    def stand(self, partition: str, standing: Standing) -> None:
        self.standings[partition] = standing
        self.after()


@dataclass
class Events:
    """As `EventStore`; gives at most `stingy` rows at once, as DynamoDB stops after 1 MB."""

    rows_of: dict[str, dict[str, StoredEvent]] = field(default_factory=dict)
    digests: Digests = field(default_factory=Digests)
    stingy: int = 10**9

    def insert(self, new: Sequence[NewEvent], now: int, *, between: Any = lambda: None) -> None:
        """As the store does it; `between` is called between the marks and the writes."""
        self.digests.mark(_marks([e for e in new if e.record.occurred_at < now - LATE], now))
        between()
        for event in new:
            row = stored(event.record, event.recorded_at)
            self.rows_of.setdefault(event.partition, {}).setdefault(row.id, row)

    def mark_all(self, new: Sequence[NewEvent], now: int) -> None:
        """What the store does about a write that took too long."""
        self.digests.mark(_marks(new, now))

    def rows(self, read: EventsRead, *, consistent: bool = False) -> Rows:
        log = sorted(self.rows_of.get(read.partition, {}).values())
        inside = [row for row in log if read.span.first <= row.id < read.span.end]
        if read.order == "desc":
            inside.reverse()
        given = inside[: min(read.count, self.stingy)]
        return Rows(given, complete=len(given) == len(inside))

    def everything(self) -> Iterator[StoredEvent]:
        """Every row of every partition, in order."""
        yield from sorted(row for rows in self.rows_of.values() for row in rows.values())


def run(
    plan: Plan[T],
    events: Events,
    *,
    trips: list[int] | None = None,
    between: Callable[[], None] = lambda: None,
) -> T:
    """Runs a plan; `trips` gets the number of reads of each round trip.

    `between` is called before each round trip but the first.
    """
    try:
        reads = next(plan)
        for number in range(100_000):
            if number:
                between()
            if trips is not None:
                trips.append(len(reads))
            reads = plan.send([_answer(read, events) for read in reads])
    except StopIteration as stop:
        return stop.value
    raise AssertionError("the plan does not end")


def _answer(read: Read, events: Events) -> Any:
    match read:
        case EventsRead():
            assert read.count > 0
            return events.rows(read)
        case StandingRead():
            standing = events.digests.standing(read.partition)
            return replace(standing, marks=events.digests.marks(read))
        case ShelfRead():
            return events.digests.shelf(read)
        case BlockRead():
            return events.digests.blocks(read.partition, [read.first])[0]
