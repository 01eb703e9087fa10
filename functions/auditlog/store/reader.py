"""Runs plans against DynamoDB: the reads of one round trip at the same time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

from auditlog.reads import (
    BlockRead,
    EventsRead,
    Plan,
    Read,
    ShelfRead,
    StandingRead,
    T,
)
from auditlog.store.events import EventStore

#: As many as the client keeps connections for.
_AT_ONCE = 16


@dataclass(slots=True)
class Reader:
    """What plans read with; `round_trips` counts those that had to wait for one another.

    Events are read with eventual consistency, unless `consistent` says otherwise.
    """

    events: EventStore
    consistent: bool = False
    round_trips: int = field(default=0, init=False)

    def run(self, plan: Plan[T]) -> T:
        """What the plan returns. Whatever a store raises ends the plan."""
        try:
            reads = next(plan)
            while True:
                self.round_trips += 1
                reads = plan.send(self._answers(reads))
        except StopIteration as stop:
            return stop.value
        finally:
            plan.close()

    def _answers(self, reads: Sequence[Read]) -> list[Any]:
        # All blocks of a partition take one call; any other read takes its own.
        firsts: dict[str, list[str]] = {}
        for read in reads:
            if isinstance(read, BlockRead):
                firsts.setdefault(read.partition, []).append(read.first)
        calls = [partial(self.events.digests.blocks, *each) for each in firsts.items()]
        calls += [c for read in reads if not isinstance(read, BlockRead) for c in self._calls(read)]
        done: list[Any] = [calls[0]()] if len(calls) == 1 else list(_pool().map(_call, calls))
        results = iter(done)
        blocks = {partition: iter(next(results)) for partition in firsts}
        return [
            next(blocks[read.partition])
            if isinstance(read, BlockRead)
            else self._answer(read, results)
            for read in reads
        ]

    def _calls(self, read: EventsRead | StandingRead | ShelfRead) -> list[Callable[[], Any]]:
        match read:
            case EventsRead():
                return [partial(self.events.rows, read, consistent=self.consistent)]
            case ShelfRead():
                return [partial(self.events.digests.shelf, read)]
            case StandingRead():
                return [
                    partial(self.events.digests.standing, read.partition),
                    partial(self.events.digests.marks, read),
                ]

    def _answer(self, read: EventsRead | StandingRead | ShelfRead, results: Any) -> Any:
        if isinstance(read, StandingRead):
            standing, marks = next(results), next(results)
            return replace(standing, marks=marks)
        return next(results)


def _call(what: Callable[[], Any]) -> Any:
    return what()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="reader")
