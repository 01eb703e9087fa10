"""What a plan asks of the stores, and how it asks: in steps that do not wait for each other.

A plan is a generator. It yields the reads of one round trip, all of which can be
made at the same time, is sent their answers in the same order, and returns what
it was for. So it touches no store: `store/reader.py` runs it against DynamoDB,
and a test against a list.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from auditlog.digest import Mark, Stored
from auditlog.event import StoredEvent
from auditlog.span import BEGIN, Order, Span

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rows:
    """What one read gave; `complete` where nothing of the span is left behind it.

    A read that is not complete gave at least one event.
    """

    events: list[StoredEvent]
    complete: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a partition is digested, and where late events are being written.

    Blocks reach up to `sealed`, segments up to `segmented`, and about so many blocks
    lie between the two as `loose` says. `marks` is None where there are too many to
    be read: then no digest may be relied on.
    """

    sealed: str = BEGIN
    segmented: str = BEGIN
    loose: int = 0
    marks: tuple[Mark, ...] | None = ()


@dataclass(frozen=True, slots=True)
class Shelf:
    """Digests in order; `complete` where no other begins within the span that was asked for."""

    digests: list[Stored]
    complete: bool


@dataclass(frozen=True, slots=True)
class EventsRead:
    """Up to `count` rows of a span, from its start in the given order: `Rows`."""

    partition: str
    span: Span
    order: Order
    count: int


@dataclass(frozen=True, slots=True)
class StandingRead:
    """How a partition stands, with the marks that meet a span, strongly consistent: `Standing`."""

    partition: str
    span: Span


@dataclass(frozen=True, slots=True)
class ShelfRead:
    """Up to `count` digests of a kind that begin within a span: `Shelf`."""

    partition: str
    kind: str
    span: Span
    order: Order
    count: int


@dataclass(frozen=True, slots=True)
class BlockRead:
    """The block that begins at a bound: `Stored`, or None where there is none."""

    partition: str
    first: str


Read: TypeAlias = EventsRead | StandingRead | ShelfRead | BlockRead
Plan: TypeAlias = Generator[list[Read], list[Any], T]

#: The kinds of digests. A bucket of a segment is of the kind `bucket_kind(number)`.
BLOCK = "block"
BLOCK_COUNTS = "block-counts"
SEGMENT = "segment"
SEGMENT_COUNTS = "segment-counts"


def bucket_kind(number: int) -> str:
    """The kind of a segment's bucket of terms."""
    return f"terms-{number:02x}"


def together(plans: Sequence[Plan[T]]) -> Plan[list[T]]:
    """Runs plans side by side: each round trip has the reads of all that go on."""
    results: dict[int, T] = {}
    asked: dict[int, list[Read]] = {}

    def go_on(number: int, answers: list[Any] | None) -> None:
        asked.pop(number, None)
        try:
            plan = plans[number]
            asked[number] = next(plan) if answers is None else plan.send(answers)
        except StopIteration as stop:
            results[number] = stop.value

    for number in range(len(plans)):
        go_on(number, None)
    while asked:
        waiting = dict(asked)
        answers = yield [read for reads in waiting.values() for read in reads]
        at = 0
        for number, reads in waiting.items():
            go_on(number, answers[at : at + len(reads)])
            at += len(reads)
    return [results[number] for number in range(len(plans))]
