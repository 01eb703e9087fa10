"""The benchmarks' loader: what it puts into a table is what the log itself would have put."""

import itertools
from typing import Any

import boto3
import pytest

from auditlog import clock
from auditlog.event import NewEvent, Record
from auditlog.layout import Layout
from auditlog.retention import expiry
from auditlog.store.events import EventStore, Outcome
from auditlog.units import item_size
from tests.bench import large
from tests.bench.large import Entry
from tests.engines import Dynoxide

COUNT = 730  # no multiple of a batch
_numbers = itertools.count()

SHARDED = Layout(large.ORG, ((0, 1), (large.SINCE + 5 * clock.HOUR, 3)))


@pytest.fixture(scope="module")
def client(dynoxide: Dynoxide) -> Any:
    return dynoxide.client()


@pytest.fixture
def table(dynoxide: Dynoxide) -> str:
    return dynoxide.create_table(f"large-{next(_numbers)}")


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    return list(large.events(large.MIN_EVENTS, stop=COUNT))


def of_a_year(record: Record) -> int | None:
    return expiry(record.occurred_at, 365)


def rows(client: Any, table: str, partition: str) -> list[dict[str, Any]]:
    answer = client.query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": partition}},
        Limit=COUNT + 1,
    )
    return answer["Items"]


def test_it_loads_all_of_them_once_into_their_partitions(
    client: Any, table: str, entries: list[Entry]
) -> None:
    assert large.load(client, table, SHARDED.partition, iter(entries)) == COUNT
    found = {partition: rows(client, table, partition) for partition in SHARDED.partitions}
    assert all(found.values())
    for partition, items in found.items():
        there = [e for e in entries if SHARDED.partition(e.record.id) == partition]
        assert items == [large.item(entry, partition) for entry in there]
    assert sum(map(len, found.values())) == COUNT


@pytest.mark.parametrize("expires_at", [of_a_year, lambda _: None])
def test_an_item_is_what_the_store_would_have_inserted(
    client: Any, table: str, dynoxide: Dynoxide, entries: list[Entry], expires_at: Any
) -> None:
    inserted = dynoxide.create_table(f"{table}-inserted")
    digests = dynoxide.create_table(f"{table}-digests")
    new = [
        NewEvent(large.ORG, e.record, e.recorded_at, expires_at(e.record)) for e in entries[:100]
    ]
    outcomes = EventStore(client, inserted, digests).insert(new, deadline=clock.monotonic() + 10)
    assert outcomes == [Outcome.RECORDED] * 100

    large.load(client, table, lambda _: large.ORG, entries[:100], expires_at=expires_at)

    loaded = rows(client, table, large.ORG)
    assert loaded == rows(client, inserted, large.ORG)
    assert [item_size(item) for item in loaded] == [
        item_size(large.item(e, large.ORG, expires_at(e.record))) for e in entries[:100]
    ]
    assert {"s" in item for item in loaded} == {True, False}
    assert all(("ttl" in item) == (expires_at is of_a_year) for item in loaded)


def test_what_the_engine_refuses_is_not_passed_over(
    client: Any, table: str, entries: list[Entry]
) -> None:
    with pytest.raises(RuntimeError, match=r"the engine answered 400: .*ResourceNotFound"):
        large.load(client, f"{table}-none", lambda _: large.ORG, entries)


@pytest.mark.parametrize(
    "url", ["https://dynamodb.us-east-1.amazonaws.com", "http://10.0.0.1:8000", "https://127.0.0.1"]
)
def test_it_loads_into_an_engine_on_this_machine_alone(url: str, entries: list[Entry]) -> None:
    client = boto3.client("dynamodb", endpoint_url=url)
    with pytest.raises(ValueError, match="this machine alone"):
        large.load(client, "events", lambda _: large.ORG, entries)
