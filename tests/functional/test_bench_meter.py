"""The benchmarks' meter: what calls cost by the documented rounding, on a real engine."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from auditlog.units import item_size
from tests.bench.meter import Meter, Spent, Units
from tests.engines import Dynoxide

Item = dict[str, Any]
_numbers = itertools.count()


@pytest.fixture(scope="module")
def client(dynoxide: Dynoxide) -> Any:
    return dynoxide.client()


@pytest.fixture
def meter(client: Any) -> Iterator[Meter]:
    meter = Meter(client)
    yield meter
    meter.detach()


@pytest.fixture
def table(dynoxide: Dynoxide) -> str:
    return dynoxide.create_table(f"metered-{next(_numbers)}")


def an_item(sk: str, size: int = 0, pk: str = "acme") -> Item:
    item: Item = {"pk": {"S": pk}, "sk": {"S": sk}}
    return {**item, "b": {"B": bytes(size - item_size(item) - 1)}} if size else item


def key(sk: str) -> Item:
    return an_item(sk)


def put_all(client: Any, table: str, *items: Item) -> None:
    for item in items:
        client.put_item(TableName=table, Item=item)


def query(client: Any, table: str, **more: Any) -> Any:
    return client.query(
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "acme"}},
        **more,
    )


def insert(table: str, item: Item) -> Item:
    members = ", ".join(f"'{name}': ?" for name in item)
    return {
        "Statement": f'INSERT INTO "{table}" VALUE {{{members}}}',
        "Parameters": list(item.values()),
    }


def agreed(spent: Spent, table: str) -> Units:
    """What was spent on the one table; the engine must have said the same."""
    units = spent.of(table)
    assert set(spent.tables) == {table}
    assert spent.total == units
    assert units.reported_read_units == units.read_units
    assert units.reported_write_units == units.write_units
    return units


@pytest.mark.parametrize("consistent", [True, False])
def test_a_query_is_one_read_of_all_its_items(
    client: Any, meter: Meter, table: str, consistent: bool
) -> None:
    put_all(client, table, *(an_item(f"{n:03}", 1_000) for n in range(20)))
    with meter.measured() as spent:
        query(client, table, ConsistentRead=consistent, Limit=9)
        query(client, table, ConsistentRead=consistent)
    units = agreed(spent, table)
    assert units.read_units == (3 + 5) / (1 if consistent else 2)
    assert (units.requests, units.items_read, units.bytes_read) == (2, 29, 29_000)
    assert (units.write_units, units.items_written, units.bytes_written) == (0, 0, 0)


def test_a_query_without_answer_costs_a_block(client: Any, meter: Meter, table: str) -> None:
    with meter.measured() as spent:
        query(client, table)
    assert agreed(spent, table) == Units(requests=1, read_units=0.5, reported_read_units=0.5)


@pytest.mark.parametrize("consistent", [True, False])
def test_one_item(client: Any, meter: Meter, table: str, consistent: bool) -> None:
    put_all(client, table, an_item("a", 5_000))
    with meter.measured() as spent:
        client.get_item(TableName=table, Key=key("a"), ConsistentRead=consistent)
        client.get_item(TableName=table, Key=key("b"), ConsistentRead=consistent)
    units = agreed(spent, table)
    assert units.read_units == 3 / (1 if consistent else 2)
    assert (units.requests, units.items_read, units.bytes_read) == (2, 1, 5_000)


def test_a_batch_of_reads_rounds_each_item_with_the_consistency_of_its_table(
    client: Any, meter: Meter, table: str, dynoxide: Dynoxide
) -> None:
    other = dynoxide.create_table(f"{table}-other")
    for name in (table, other):
        put_all(client, name, an_item("a", 1_536), an_item("b", 6_656))
    keys = [key("a"), key("b"), key("none")]
    with meter.measured() as spent:
        client.batch_get_item(
            RequestItems={table: {"Keys": keys}, other: {"Keys": keys, "ConsistentRead": True}}
        )
    assert spent.of(table).read_units == spent.of(table).reported_read_units == 0.5 + 1 + 0.5
    assert spent.of(other).read_units == spent.of(other).reported_read_units == 1 + 2 + 1
    assert spent.total.read_units == 6
    assert (spent.total.items_read, spent.total.bytes_read) == (4, 16_384)
    # One request in all; each of the tables was asked once.
    assert (spent.total.requests, spent.of(table).requests, spent.of(other).requests) == (1, 1, 1)


def test_a_put_counts_what_it_sends(client: Any, meter: Meter, table: str) -> None:
    with meter.measured() as spent:
        put_all(client, table, an_item("a", 1_024), an_item("b", 1_025))
    units = agreed(spent, table)
    assert (units.requests, units.write_units) == (2, 3)
    assert (units.items_written, units.bytes_written, units.unsized) == (2, 2_049, 0)


def test_a_condition_that_fails_is_paid_for(client: Any, meter: Meter, table: str) -> None:
    put_all(client, table, an_item("a", 3_000))
    with meter.measured() as spent, pytest.raises(ClientError, match="conditional"):
        client.put_item(
            TableName=table,
            Item=an_item("a", 3_000),
            ConditionExpression="attribute_not_exists(pk)",
        )
    # The engine's refusal has no place for what it consumed, as AWS's has none.
    assert spent.total == Units(requests=1, write_units=3, items_written=1, bytes_written=3_000)


def test_a_refused_request_costs_nothing(client: Any, meter: Meter, table: str) -> None:
    calls = [
        lambda: client.put_item(TableName=f"{table}-none", Item=an_item("a", 3_000)),
        lambda: query(client, f"{table}-none"),
        lambda: client.batch_write_item(
            RequestItems={f"{table}-none": [{"PutRequest": {"Item": an_item("a", 3_000)}}]}
        ),
    ]
    with meter.measured() as spent:
        for call in calls:
            with pytest.raises(ClientError, match="ResourceNotFound"):
                call()
    assert spent.total == spent.of(f"{table}-none") == Units(requests=3)


def test_a_batch_of_writes_rounds_each_and_marks_what_has_no_size(
    client: Any, meter: Meter, table: str
) -> None:
    requests = [
        {"PutRequest": {"Item": an_item("a", 500)}},
        {"PutRequest": {"Item": an_item("b", 3_584)}},
        {"DeleteRequest": {"Key": key("c")}},
    ]
    with meter.measured() as spent:
        client.batch_write_item(RequestItems={table: requests})
    units = agreed(spent, table)
    assert units.write_units == 1 + 4 + 1
    assert (units.items_written, units.bytes_written, units.unsized) == (3, 4_084, 1)


def test_what_a_batch_did_not_process_is_not_counted(client: Any, meter: Meter, table: str) -> None:
    left = {"PutRequest": {"Item": an_item("b", 3_584)}}
    requests = [{"PutRequest": {"Item": an_item("a", 500)}}, left]
    answer: Item = {"UnprocessedItems": {table: [left]}}
    # The engine always takes all, so the answer is made up: it runs before the meter's.
    name = "after-call.dynamodb.BatchWriteItem"

    def spoil(parsed: Item, **_: Any) -> None:
        parsed.update(answer)

    client.meta.events.register_first(name, spoil)
    try:
        with meter.measured() as spent:
            client.batch_write_item(RequestItems={table: requests})
    finally:
        client.meta.events.unregister(name, spoil)
    units = spent.of(table)
    assert (units.write_units, units.items_written, units.bytes_written) == (1, 1, 500)


def test_deletes_and_updates_are_one_unit_at_least(client: Any, meter: Meter, table: str) -> None:
    put_all(client, table, an_item("a", 3_000))
    with meter.measured() as spent:
        client.delete_item(TableName=table, Key=key("a"))
        client.update_item(
            TableName=table,
            Key=key("b"),
            UpdateExpression="SET n = :n",
            ExpressionAttributeValues={":n": {"N": "1"}},
        )
    assert (spent.total.write_units, spent.total.unsized) == (2, 2)
    assert spent.total.reported_write_units == 3 + 1


def test_statements_that_insert(client: Any, meter: Meter, table: str) -> None:
    items = [an_item("a", 500), {**an_item("b", 1_500), "it's": {"N": "12"}}]
    with meter.measured() as spent:
        # One call each: the quote in a name must survive, too.
        answer = client.batch_execute_statement(Statements=[insert(table, items[0])])
        assert "Error" not in answer["Responses"][0]
    assert agreed(spent, table).write_units == 1
    quoted = insert(table, items[1])
    quoted["Statement"] = quoted["Statement"].replace("it's", "it''s")
    with meter.measured() as spent:
        client.batch_execute_statement(Statements=[quoted])
    assert (spent.total.write_units, spent.total.bytes_written) == (2, item_size(items[1]))


def test_a_duplicate_is_paid_for_and_a_busy_table_is_not(
    client: Any, meter: Meter, table: str
) -> None:
    statements = [insert(table, an_item("a", 1_500)), insert(table, an_item("b", 100))]
    with meter.measured() as spent:
        client.batch_execute_statement(Statements=statements)
    assert agreed(spent, table).write_units == 3
    with meter.measured() as spent:
        answer = client.batch_execute_statement(Statements=statements)
    assert [one["Error"]["Code"] for one in answer["Responses"]] == ["DuplicateItem"] * 2
    # AWS charges it as any condition that fails; this engine does not report it.
    assert spent.total == Units(requests=1, write_units=3, items_written=2, bytes_written=1_600)

    def refuse(parsed: Item, **_: Any) -> None:
        parsed["Responses"][0]["Error"]["Code"] = "ThrottlingError"

    name = "after-call.dynamodb.BatchExecuteStatement"
    client.meta.events.register_first(name, refuse)
    try:
        with meter.measured() as spent:
            client.batch_execute_statement(Statements=statements)
    finally:
        client.meta.events.unregister(name, refuse)
    assert (spent.total.write_units, spent.total.bytes_written) == (1, 100)


def test_statements_that_delete(client: Any, meter: Meter, table: str) -> None:
    put_all(client, table, an_item("a"))
    statement = f'DELETE FROM "{table}" WHERE pk = ? AND sk = ?'  # noqa: S608 -- our own
    with meter.measured() as spent:
        client.batch_execute_statement(
            Statements=[{"Statement": statement, "Parameters": list(key("a").values())}]
        )
    assert (agreed(spent, table).write_units, spent.total.unsized) == (1, 1)


def test_a_transaction_costs_twice(client: Any, meter: Meter, table: str) -> None:
    actions = [
        {"Put": {"TableName": table, "Item": an_item("a", 1_500)}},
        {"Delete": {"TableName": table, "Key": key("b")}},
    ]
    with meter.measured() as spent:
        client.transact_write_items(TransactItems=actions)
    units = agreed(spent, table)
    assert (units.requests, units.write_units, units.unsized) == (1, 4 + 2, 1)
    assert (units.items_written, units.bytes_written) == (2, 1_500)
    actions[0]["Put"]["ConditionExpression"] = "attribute_not_exists(pk)"
    with meter.measured() as spent, pytest.raises(ClientError, match="cancelled"):
        client.transact_write_items(TransactItems=actions)
    assert spent.total.write_units == 6


@pytest.mark.parametrize(
    "hiding",
    [
        {"ProjectionExpression": "pk"},
        {"Select": "COUNT"},
        {"IndexName": "by-type"},
        {"FilterExpression": "attribute_exists(b)"},
    ],
)
def test_a_query_that_reads_more_than_it_returns_is_refused(
    client: Any, meter: Meter, table: str, hiding: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=f"the meter does not see .*{next(iter(hiding))}"):
        query(client, table, **hiding)
    assert meter.spent.total.requests == 0


def test_what_it_cannot_count_is_refused_and_what_is_about_tables_passes(
    client: Any, meter: Meter, table: str
) -> None:
    client.describe_table(TableName=table)
    client.list_tables()
    assert meter.spent.total == Units()
    with pytest.raises(ValueError, match="does not know what Scan costs"):
        client.scan(TableName=table)
    statements = [
        f"SELECT * FROM \"{table}\" WHERE pk = 'a' AND sk = 'b'",  # noqa: S608 -- our own
        f"INSERT INTO \"{table}\" VALUE {{'pk': 'a', 'sk': 'b'}}",
    ]
    for statement in statements:
        with pytest.raises(ValueError, match="the meter"):
            client.batch_execute_statement(Statements=[{"Statement": statement}])


def test_it_counts_every_thread_and_nothing_once_it_is_detached(
    client: Any, table: str, dynoxide: Dynoxide
) -> None:
    second = dynoxide.client()
    meter = Meter(client, second)
    put_all(client, table, *(an_item(f"{n:03}", 1_000) for n in range(10)))
    with meter.measured() as spent, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: query((client, second)[n % 2], table), range(200)))
    units = agreed(spent, table)
    assert (units.requests, units.read_units, units.items_read) == (200, 300, 2_000)
    assert meter.spent.total.write_units == 10

    meter.detach()
    query(client, table)
    query(second, table)
    assert meter.spent.total.requests == 210
    assert meter.spent.of("another") == Units()
