"""Over how many partitions an org's log is spread.

One partition of DynamoDB takes 1,000 write units a second. An org that writes
more has shards: its events are spread over that many partitions, by their
content, so evenly and for ever the same. How many there are is decided by the
time at which an event occurred, and a change holds from a time that no writer
can have reached yet: an event has one place, whoever writes it, and when.

Compatibility, for ever: the partition of an id under a given list of changes
(`Layout.partition`), since it says where what is stored has to be looked for.
"""

import base64
from dataclasses import dataclass
from itertools import pairwise

from auditlog import clock
from auditlog.event import first_id, id_time
from auditlog.span import BEGIN, END, Order, Span

MAX_SHARDS = 16
#: A change holds at the earliest so long after it is made. An event is dated at most
#: 15 minutes ahead, and a writer that has read the old settings is done in a minute.
MIN_NOTICE = 30 * clock.MINUTE
#: Every change is read with each request of the org.
MAX_CHANGES = 100

UNSHARDED = ((0, 1),)


@dataclass(frozen=True, slots=True)
class Era:
    """A stretch of an org's log, and the partitions that hold it."""

    span: Span
    partitions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the events of one org are.

    `changes` are (from when on in microseconds, number of shards), oldest
    first; the first is from 0 on.
    """

    org: str
    changes: tuple[tuple[int, int], ...] = UNSHARDED

    def __post_init__(self) -> None:
        times = [since for since, _ in self.changes]
        if not times or times[0] != 0 or times != sorted(set(times)):
            raise ValueError("the changes of an org's shards begin at 0 and go on in time")
        if len(self.changes) > MAX_CHANGES:
            raise ValueError(f"an org's shards change at most {MAX_CHANGES - 1} times")
        if not all(1 <= shards <= MAX_SHARDS for _, shards in self.changes):
            raise ValueError(f"an org has 1 to {MAX_SHARDS} shards")

    def partition(self, event_id: str) -> str:
        """The partition key of an event. Raises `ValueError` where `event_id` is no id."""
        occurred_at = id_time(event_id)
        shards = next(n for since, n in reversed(self.changes) if since <= occurred_at)
        if shards == 1:
            return self.org
        content = base64.b32hexdecode(event_id.upper() + "=")[8:]
        return self._partitions(shards)[int.from_bytes(content, "big") % shards]

    def eras(self, span: Span, order: Order) -> list[Era]:
        """The parts of `span` with their partitions, in `order`; one that is empty is left out."""
        bounds = [BEGIN, *(first_id(since) for since, _ in self.changes[1:]), END]
        spans = [Span(first, end).within(span) for first, end in pairwise(bounds)]
        eras = [
            Era(part, self._partitions(shards))
            for part, (_, shards) in zip(spans, self.changes, strict=True)
            if not part.is_empty
        ]
        return eras if order == "asc" else eras[::-1]

    @property
    def partitions(self) -> list[str]:
        """Every partition that may hold an event of the org."""
        return sorted({p for _, shards in self.changes for p in self._partitions(shards)})

    def changed(self, shards: int, since: int, *, now: int) -> "Layout":
        """The same with so many shards from `since` on. Raises `ValueError` with what is wrong.

        A change that is ahead is replaced as long as there is notice enough; one
        that is nearer takes hold, and this one after it.
        """
        if since < now + MIN_NOTICE:
            raise ValueError("a change of shards holds at the earliest in 30 minutes")
        kept = [(at, n) for at, n in self.changes if at < now + MIN_NOTICE]
        return Layout(self.org, (*kept, (since, shards)))

    def _partitions(self, shards: int) -> tuple[str, ...]:
        """`#` is in no org's name, so no org's partition is another's."""
        if shards == 1:
            return (self.org,)
        return tuple(f"{self.org}#{number}" for number in range(shards))
