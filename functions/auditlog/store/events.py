"""The log itself: one item per event in the `events` table.

    pk   the partition: the org, or one of its shards (`layout.py`)
    sk   the event's id
    r    the record, packed (`canonical.pack`)
    t    its type, for filters that need no more
    at   recorded_at, microseconds
    s    true where the record has no description, so that an answer needs a summary
    ttl  when DynamoDB may delete it, seconds; absent where the org keeps for ever

Items are inserted once: the first writer wins. After that only an erasure changes
what one says (`tombstones.py`), and `retain` when it expires. What digests
rely on (`digest.py`) is kept here, by whoever inserts: late events are marked
before they are written, and no write goes unmarked that took too long.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from heapq import nlargest
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from auditlog import canonical, clock
from auditlog.digest import LATE, MAX_WRITE, Mark
from auditlog.errors import StoreError, UnavailableError
from auditlog.event import NewEvent, StoredEvent
from auditlog.reads import EventsRead, Rows
from auditlog.span import Order, Span, just_above
from auditlog.store import aws, spans
from auditlog.store.digests import ACTIVE_SLOT, DigestStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import BatchStatementRequestTypeDef

#: DynamoDB's own limit of BatchExecuteStatement.
BATCH = 25
_FIRST_WAIT = 0.05
_LONGEST_WAIT = 1.0
#: Marks of one call in one partition, and how far apart those are that have one each.
_MARKS = 4
_APART = clock.HOUR

#: When this process last said that a partition of a table is active.
_said_active: dict[tuple[str, str], int] = {}
_MOST_SAID = 10_000


class Outcome(Enum):
    """What became of one insert."""

    RECORDED = "recorded"
    DUPLICATE = "duplicate"
    #: Not known to be stored. Sending it again is safe, and needed.
    UNAVAILABLE = "unavailable"


class EventStore:
    """Reads and inserts events, and marks what is late. Safe to share between threads."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        digests_table: str,
        *,
        now: Callable[[], int] = clock.now,
        monotonic: Callable[[], float] = clock.monotonic,
        sleep: Callable[[float], None] = clock.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self.digests = DigestStore(client, digests_table)
        self._now = now
        self._monotonic = monotonic
        self._sleep = sleep

    def insert(self, events: Sequence[NewEvent], *, deadline: float) -> list[Outcome]:
        """Inserts each event that the table does not have yet; says for each what became of it.

        Not atomic across events: each is stored, or found there, or `UNAVAILABLE`
        once `deadline` (of the monotonic clock) is near. RECORDED and DUPLICATE
        are promises: the table holds exactly these bytes, on disk. Equal events
        in one call are inserted once; the later ones are duplicates. A write
        whose answer was lost is tried again, and may then count as a duplicate
        of itself.

        Costs one write unit for each 1 KB of each item, rounded up, also for a
        duplicate; a call to DynamoDB for each 25 events. Besides, one write unit
        for each of up to four stretches of a partition in which the call has events
        older than 10 minutes, and one for each partition every five minutes. Raises `StoreError`
        where the table refuses for a reason that waiting does not mend.
        """
        firsts: dict[_Place, NewEvent] = {}
        for event in events:
            firsts.setdefault(_place(event), event)
        nothing = dict.fromkeys(firsts, Outcome.UNAVAILABLE)
        began, now = self._monotonic(), self._now()
        if began >= deadline:
            return _told(events, nothing)
        try:
            late = [e for e in firsts.values() if e.record.occurred_at < now - LATE]
            self._mark(late, now, deadline)
            # A crash from here on leaves marks over what was never written. They
            # cost reads, until `seal` has built the digests anew and removes them.
            outcomes = self._write(firsts, deadline)
            took = max((self._monotonic() - began) * clock.SECOND, self._now() - now)
            if took > MAX_WRITE:
                # So late that a digest may have been begun in between.
                self._mark(firsts.values(), self._now(), deadline)
        except UnavailableError:
            # What cannot be marked is not written, or not called written.
            return _told(events, nothing)
        written = {p for (p, _), told in outcomes.items() if told is not Outcome.UNAVAILABLE}
        self._say_active(written, now)
        return _told(events, outcomes)

    def _mark(self, events: Iterable[NewEvent], now: int, deadline: float) -> None:
        """Marks events; raises `UnavailableError` where that does not succeed in time."""
        marks, attempt = list(_marks(events, now)), 0
        while True:
            try:
                self.digests.mark(marks)
            except UnavailableError:
                wait = jittered(attempt)
                if self._monotonic() + wait >= deadline:
                    raise
                self._sleep(wait)
                attempt += 1
            else:
                return

    def _write(
        self, firsts: Mapping["_Place", NewEvent], deadline: float
    ) -> dict["_Place", Outcome]:
        outcomes = dict.fromkeys(firsts, Outcome.UNAVAILABLE)
        waiting, attempt = firsts, 0
        while waiting:
            for batch in _batches(list(waiting.values())):
                if self._monotonic() >= deadline:
                    break
                outcomes.update(self._insert_batch(batch))
            waiting = {k: e for k, e in firsts.items() if outcomes[k] is Outcome.UNAVAILABLE}
            wait = jittered(attempt)
            if not waiting or self._monotonic() + wait >= deadline:
                break
            self._sleep(wait)
            attempt += 1
        return outcomes

    def _say_active(self, partitions: Iterable[str], now: int) -> None:
        """Lets `seal` know; where that cannot be said now, the next insert says it."""
        slot = now // ACTIVE_SLOT
        news = [p for p in partitions if _said_active.get((self._table, p)) != slot]
        if not news:
            return
        try:
            self.digests.say_active(news, now)
        except UnavailableError:
            return
        if len(_said_active) > _MOST_SAID:
            _said_active.clear()
        _said_active.update({(self._table, partition): slot for partition in news})

    def rows(self, read: EventsRead, *, consistent: bool = False) -> Rows:
        """Up to `read.count` rows of a span of a partition, in order, at most 1 MB of them.

        Eventually consistent unless asked otherwise: an insert shows within a
        second or so. One Query, or more only where DynamoDB gives an empty page;
        it costs half a read unit for each 4 KB of items read, a whole one if
        `consistent`.
        """
        items, complete = self._query(
            read.partition, read.span, read.order, read.count, consistent=consistent
        )
        return Rows([_stored(item) for item in items], complete)

    def has_all(self, events: Sequence[NewEvent]) -> bool:
        """Whether the table has every one of these events already; ends at the first it lacks.

        Strongly consistent, and reads no more than keys. A read unit for each 4 KB of
        each item, one after the other: for who has a reason to believe that it has.
        """
        for event in events:
            with aws.translated("dynamodb:GetItem"):
                found = self._client.get_item(
                    TableName=self._table,
                    Key={"pk": {"S": event.partition}, "sk": {"S": event.record.id}},
                    ProjectionExpression="pk",
                    ConsistentRead=True,
                )
            if "Item" not in found:
                return False
        return True

    def get(self, partition: str, event_id: str) -> StoredEvent | None:
        """One event by its id, strongly consistent. One read unit for each 4 KB of the item."""
        with aws.translated("dynamodb:GetItem"):
            found = self._client.get_item(
                TableName=self._table,
                Key={"pk": {"S": partition}, "sk": {"S": event_id}},
                ConsistentRead=True,
            )
        return _stored(found["Item"]) if "Item" in found else None

    def _query(
        self, partition: str, span: Span, order: Order, count: int, *, consistent: bool = False
    ) -> tuple[list[Any], bool]:
        return spans.query(
            self._client,
            self._table,
            partition,
            span,
            ScanIndexForward=order == "asc",
            Limit=count,
            ConsistentRead=consistent,
        )

    def _insert_batch(self, events: list[NewEvent]) -> dict["_Place", Outcome]:
        statements = [self._statement(event) for event in events]
        try:
            with aws.translated("dynamodb:BatchExecuteStatement"):
                answers = self._client.batch_execute_statement(Statements=statements)["Responses"]
        except UnavailableError:
            answers = [{"Error": {"Code": "InternalServerError"}}] * len(events)
        return {
            _place(event): _outcome(answer.get("Error", {}).get("Code"))
            for event, answer in zip(events, answers, strict=True)
        }

    def _statement(self, event: NewEvent) -> "BatchStatementRequestTypeDef":
        values: dict[str, Any] = {
            "pk": {"S": event.partition},
            "sk": {"S": event.record.id},
            "r": {"B": canonical.pack(event.record.data)},
            "t": {"S": event.record.type},
            "at": {"N": str(event.recorded_at)},
        }
        if not event.record.described:
            values["s"] = {"BOOL": True}
        if event.expires_at is not None:
            values["ttl"] = {"N": str(event.expires_at)}
        members = ", ".join(f"'{name}': ?" for name in values)
        return {
            "Statement": f'INSERT INTO "{self._table}" VALUE {{{members}}}',
            "Parameters": list(values.values()),
        }


def jittered(attempt: int) -> float:
    """Seconds to wait before the next try, so that those who failed together part."""
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt)
    return random.uniform(0, longest)  # noqa: S311 -- jitter, not a secret


_Place = tuple[str, str]


def _place(event: NewEvent) -> _Place:
    return event.partition, event.record.id


def _marks(events: Iterable[NewEvent], at: int) -> Iterator[tuple[str, Mark]]:
    """Marks over events: for each partition a few stretches, between which there is most time."""
    by_partition: dict[str, list[NewEvent]] = {}
    for event in events:
        by_partition.setdefault(event.partition, []).append(event)
    for partition, own in by_partition.items():
        own.sort(key=lambda each: each.record.id)
        gaps = [two.record.occurred_at - one.record.occurred_at for one, two in pairwise(own)]
        largest = nlargest(_MARKS - 1, range(len(gaps)), key=gaps.__getitem__)
        cuts = sorted(number + 1 for number in largest if gaps[number] > _APART)
        for start, end in pairwise([0, *cuts, len(own)]):
            first, last = own[start].record.id, own[end - 1].record.id
            yield partition, Mark(Span(first, just_above(last)), at)


def _told(events: Sequence[NewEvent], outcomes: Mapping[_Place, Outcome]) -> list[Outcome]:
    """What became of each event; a repeat within the call is a duplicate of the first."""
    told: list[Outcome] = []
    seen: set[_Place] = set()
    for place in map(_place, events):
        is_repeat = place in seen and outcomes[place] is Outcome.RECORDED
        told.append(Outcome.DUPLICATE if is_repeat else outcomes[place])
        seen.add(place)
    return told


def _outcome(code: str | None) -> Outcome:
    if code is None:
        return Outcome.RECORDED
    if code == "DuplicateItem":
        return Outcome.DUPLICATE
    if code in aws.PASSING:
        return Outcome.UNAVAILABLE
    raise StoreError(f"dynamodb:PartiQLInsert: {code}")


def _batches(values: list[Any]) -> Iterator[list[Any]]:
    return (values[i : i + BATCH] for i in range(0, len(values), BATCH))


def _stored(item: Any) -> StoredEvent:
    return StoredEvent(
        id=item["sk"]["S"],
        type=item["t"]["S"],
        recorded_at=int(item["at"]["N"]),
        described="s" not in item,
        packed=item["r"]["B"],
    )
