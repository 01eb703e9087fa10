"""The events table: inserts that promise, reads that are complete, deletes that may repeat."""

import dataclasses
from collections.abc import Sequence
from typing import Any, get_args

import pytest
from botocore.exceptions import ClientError

from auditlog import canonical, clock
from auditlog.catalog import Catalog
from auditlog.errors import StoreError
from auditlog.event import NewEvent, Record, Rules, admit, first_id
from auditlog.reads import EventsRead, Rows
from auditlog.span import Order, Span
from auditlog.store.events import EventStore, Outcome
from tests.functional.conftest import ORG, Diverted, Watched, World, an_event

NOON = clock.parse("2026-06-02T12:00:00Z")
RULES = Rules(Catalog.default(), ORG, None, NOON + clock.DAY)
ALL = Span.between(0, None)


def new(moment: int = NOON, org: str = ORG, **changes: Any) -> NewEvent:
    event = an_event(occurred_at=clock.text(moment), **changes)
    return NewEvent(org, admit(event, RULES, b"secret"), moment, None)


def insert(world: World, events: Sequence[NewEvent]) -> list[Outcome]:
    return world.log.insert(events, deadline=clock.monotonic() + 10)


def read(
    world: World, span: Span, order: Order, count: int, *, org: str = ORG, consistent: bool = False
) -> Rows:
    return world.log.rows(EventsRead(org, span, order, count), consistent=consistent)


def store_with(world: World, client: Any, **how: Any) -> EventStore:
    """A store that writes events with this client, and all else as it should be."""
    diverted: Any = Diverted(world.dynamodb, world.events_table, client)
    return EventStore(diverted, world.events_table, world.digests_table, **how)


class Clock:
    """A monotonic clock that moves only while somebody sleeps, and a little at each look."""

    def __init__(self) -> None:
        self.at = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        self.at += 0.001
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


class TestInsert:
    def test_says_of_each_in_order_what_became_of_it(self, world: World) -> None:
        one, two, three = new(), new(), new()
        recorded, duplicate = Outcome.RECORDED, Outcome.DUPLICATE
        again = [dataclasses.replace(event) for event in (one, three)]
        assert insert(world, [one, two, again[0]]) == [recorded, recorded, duplicate]
        assert insert(world, [three, two, again[1]]) == [recorded, duplicate, duplicate]
        assert insert(world, []) == []

    def test_the_first_writer_wins(self, world: World) -> None:
        first = new()
        late = NewEvent(ORG, first.record, first.recorded_at + 1, 123)
        insert(world, [first])
        [row] = world.rows()
        assert insert(world, [late]) == [Outcome.DUPLICATE]
        assert world.rows() == [row]

    def test_equal_ids_of_two_orgs_are_two_items(self, world: World) -> None:
        one = new()
        other = NewEvent("umbrella", one.record, one.recorded_at, None)
        assert insert(world, [one, other]) == [Outcome.RECORDED] * 2

    def test_calls_once_for_25(self, world: World) -> None:
        watched = Watched(world.dynamodb, lambda _name, _number, call: call())
        store = store_with(world, watched)
        outcomes = store.insert([new() for _ in range(76)], deadline=clock.monotonic() + 10)
        assert outcomes == [Outcome.RECORDED] * 76
        assert watched.calls == ["batch_execute_statement"] * 4

    def test_costs_one_write_unit_for_each_kb_begun(self, world: World) -> None:
        consumed: list[float] = []
        sound = world.dynamodb

        class Client:
            @staticmethod
            def batch_execute_statement(**arguments: Any) -> Any:
                answer = sound.batch_execute_statement(ReturnConsumedCapacity="TOTAL", **arguments)
                consumed.extend(c["CapacityUnits"] for c in answer["ConsumedCapacity"])
                return answer

        store = store_with(world, Client())
        store.insert([new()], deadline=clock.monotonic() + 10)
        noise = "".join(chr(0x4E00 + 7 * n * n % 20_000) for n in range(1_500))
        large = new(metadata={"text": noise})
        store.insert([large], deadline=clock.monotonic() + 10)
        assert consumed[0] == 1
        assert consumed[1] == -(-(len(canonical.pack(large.record.data)) + 90) // 1_024) > 2

    def test_waits_longer_each_time_and_never_past_the_deadline(self, world: World) -> None:
        def never(name: str, _number: int, _call: Any) -> Any:
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, name)

        time = Clock()
        watched = Watched(world.dynamodb, never)
        store = store_with(world, watched, monotonic=time.monotonic, sleep=time.sleep)
        assert store.insert([new(), new()], deadline=10.0) == [Outcome.UNAVAILABLE] * 2
        assert time.at <= 10.1
        assert len(time.slept) > 8
        assert max(time.slept[:2]) <= 0.1
        assert 0.1 < max(time.slept) <= 1.0

    def test_after_the_deadline_it_does_not_begin(self, world: World) -> None:
        assert world.log.insert([new()], deadline=clock.monotonic() - 1) == [Outcome.UNAVAILABLE]
        assert world.rows() == []

    def test_repeats_only_what_was_refused(self, world: World) -> None:
        sizes: list[int] = []
        sound = world.dynamodb

        class Client:
            @staticmethod
            def batch_execute_statement(Statements: list[Any]) -> Any:  # noqa: N803 -- boto3's name
                sizes.append(len(Statements))
                taken = sound.batch_execute_statement(Statements=Statements[:10])["Responses"]
                busy = {"Error": {"Code": "ProvisionedThroughputExceeded"}}
                return {"Responses": taken + [busy] * (len(Statements) - len(taken))}

        store = store_with(world, Client())
        events = [new() for _ in range(25)]
        assert store.insert(events, deadline=clock.monotonic() + 10) == [Outcome.RECORDED] * 25
        assert sizes == [25, 15, 5]

    @pytest.mark.parametrize("code", ["ValidationError", "ItemCollectionSizeLimitExceeded"])
    def test_raises_where_waiting_does_not_mend(self, world: World, code: str) -> None:
        class Client:
            @staticmethod
            def batch_execute_statement(**_arguments: Any) -> Any:
                return {"Responses": [{"Error": {"Code": code}}]}

        store = store_with(world, Client())
        with pytest.raises(StoreError, match=code):
            store.insert([new()], deadline=clock.monotonic() + 10)


class TestRead:
    @pytest.fixture
    def ids(self, world: World) -> list[str]:
        events = [new(NOON + n) for n in range(10)]
        insert(world, [*events, new(NOON + 3, org="acme2"), new(NOON + 3, org="acm")])
        return [event.record.id for event in events]

    @pytest.mark.parametrize("order", ["asc", "desc"])
    @pytest.mark.parametrize("count", [1, 2, 3, 7, 9, 10, 11])
    @pytest.mark.parametrize("consistent", [False, True])
    def test_a_walk_gives_each_once_and_then_says_complete(
        self, world: World, ids: list[str], order: Any, count: int, consistent: bool
    ) -> None:
        found: list[str] = []
        span, complete = ALL, False
        while not complete:
            rows = read(world, span, order, count, consistent=consistent)
            assert len(rows.events) <= count
            # What is not complete gives something, or the walk would stand still.
            assert rows.complete or rows.events
            found += [event.id for event in rows.events]
            complete = rows.complete
            span = span.after(found[-1], order)
        assert found == (ids if order == "asc" else ids[::-1])

    @pytest.mark.parametrize("order", ["asc", "desc"])
    def test_first_is_in_and_end_is_out(self, world: World, ids: list[str], order: Any) -> None:
        rows = read(world, Span(ids[2], ids[5]), order, 100)
        assert sorted(event.id for event in rows.events) == ids[2:5]
        assert rows.complete
        rows = read(world, Span.between(NOON + 2, NOON + 5), order, 100)
        assert sorted(event.id for event in rows.events) == ids[2:5]

    def test_an_org_without_events_is_complete_and_empty(self, world: World) -> None:
        for order in get_args(Order):
            rows = read(world, ALL, order, 10, org="nobody")
            assert (rows.events, rows.complete) == ([], True)

    def test_asks_for_consistency_only_where_told(self, world: World, ids: list[str]) -> None:
        asked: list[bool] = []
        sound = world.dynamodb

        class Client:
            @staticmethod
            def query(**arguments: Any) -> Any:
                asked.append(arguments["ConsistentRead"])
                return sound.query(**arguments)

        client: Any = Client()  # All that it calls.
        store = EventStore(client, world.events_table, world.digests_table)
        store.rows(EventsRead(ORG, ALL, "asc", 5))
        store.rows(EventsRead(ORG, ALL, "asc", 5), consistent=True)
        assert asked == [False, True]

    def test_costs_half_a_read_unit_for_each_4_kb(self, world: World, ids: list[str]) -> None:
        used: list[float] = []
        sound = world.dynamodb

        class Client:
            @staticmethod
            def query(**arguments: Any) -> Any:
                answer = sound.query(ReturnConsumedCapacity="TOTAL", **arguments)
                used.append(answer["ConsumedCapacity"]["CapacityUnits"])
                return answer

        client: Any = Client()  # All that it calls.
        store = EventStore(client, world.events_table, world.digests_table)
        store.rows(EventsRead(ORG, ALL, "asc", 100))
        store.rows(EventsRead(ORG, ALL, "asc", 100), consistent=True)
        # Ten events of some 200 bytes are one step of 4 KB.
        assert used == [0.5, 1.0]

    def test_what_is_read_is_what_was_inserted(self, world: World) -> None:
        events = [new(NOON + 1, description="made it"), new(NOON, metadata={"a": ["ü", 1.5]})]
        insert(world, events)
        rows = read(world, ALL, "desc", 10).events
        for row, event in zip(rows, events, strict=True):
            assert canonical.unpack(row.packed) == event.record.data
            assert (row.id, row.type) == (event.record.id, event.record.type)
            assert (row.recorded_at, row.described) == (event.recorded_at, event.record.described)
            assert world.log.get(ORG, row.id) == row
            assert world.log.get("umbrella", row.id) is None


def test_a_span_of_ids_holds_the_first_id_of_its_microsecond(world: World) -> None:
    record = Record(first_id(NOON), "repo.create", NOON, described=True, data=b"{}")
    insert(world, [NewEvent(ORG, record, NOON, None)])
    assert len(read(world, Span.between(NOON, NOON + 1), "desc", 10).events) == 1
    assert read(world, Span.between(0, NOON), "desc", 10).events == []
