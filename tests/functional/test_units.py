"""`auditlog.units` against what a DynamoDB engine says that it has consumed.

The engine rounds to whole blocks, so each size is compared at its edge: with so much
padding that the item is exactly one block by our count, and with one byte more.
"""

import itertools
from typing import Any

import pytest

from auditlog.units import KB, READ_BLOCK, WRITE_BLOCK, item_size, read_units, write_units
from tests.engines import Dynoxide

Item = dict[str, Any]
_numbers = itertools.count()


class Table:
    """A table of its own, and what each call to it has consumed."""

    def __init__(self, dynoxide: Dynoxide) -> None:
        self.client: Any = dynoxide.client()
        self.name = dynoxide.create_table(f"units-{next(_numbers)}")

    def put(self, item: Item) -> float:
        answer = self.client.put_item(
            TableName=self.name, Item=item, ReturnConsumedCapacity="TOTAL"
        )
        return answer["ConsumedCapacity"]["CapacityUnits"]

    def get(self, item: Item, *, consistent: bool) -> float:
        answer = self.client.get_item(
            TableName=self.name,
            Key={"pk": item["pk"], "sk": item["sk"]},
            ConsistentRead=consistent,
            ReturnConsumedCapacity="TOTAL",
        )
        return answer["ConsumedCapacity"]["CapacityUnits"]

    def query(self, pk: str, *, consistent: bool, limit: int = 1_000) -> tuple[list[Item], float]:
        answer = self.client.query(
            TableName=self.name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            Limit=limit,
            ConsistentRead=consistent,
            ReturnConsumedCapacity="TOTAL",
        )
        return answer["Items"], answer["ConsumedCapacity"]["CapacityUnits"]

    def batch_get(self, *items: Item, consistent: bool) -> float:
        keys = [{"pk": item["pk"], "sk": item["sk"]} for item in items]
        answer = self.client.batch_get_item(
            RequestItems={self.name: {"Keys": keys, "ConsistentRead": consistent}},
            ReturnConsumedCapacity="TOTAL",
        )
        return answer["ConsumedCapacity"][0]["CapacityUnits"]


@pytest.fixture(scope="module")
def table(dynoxide: Dynoxide) -> Table:
    return Table(dynoxide)


def an_item(pk: str = "acme", *, size: int = 0, **attributes: Any) -> Item:
    """An item under a new key, padded to `size` bytes by our count."""
    item = {"pk": {"S": pk}, "sk": {"S": f"{next(_numbers):08}"}, **attributes}
    room = size - item_size(item) - len("pad")
    if room >= 0:
        item["pad"] = {"B": bytes(room)}
        assert item_size(item) == size
    return item


VALUES: list[Item] = [
    *({"S": text} for text in ("", "acme", "é", "日本", "🚀")),
    *({"B": data} for data in (b"", b"\x00\xff")),
    *({"N": number} for number in ("0", "1", "12", "123", "-1", "-123", "1000", "0.001")),
    *({"N": number} for number in ("1780272000123456", "1780272000", "-12e30", "9" * 38)),
    {"BOOL": True},
    {"BOOL": False},
    {"NULL": True},
    {"SS": ["a", "bé"]},
    {"NS": ["1", "-123"]},
    {"BS": [b"a", b"bcd"]},
    {"L": []},
    {"M": {}},
    {"L": [{"S": "a"}, {"N": "1"}, {"L": []}]},
    {"M": {"é": {"L": [{"NULL": True}]}, "b": {"S": "c"}}},
]


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_a_value_has_the_size_that_the_engine_gives_it(table: Table, value: Item) -> None:
    full, more = (an_item(size=WRITE_BLOCK + extra, value=value) for extra in (0, 1))
    assert table.put(full) == write_units(item_size(full)) == 1
    assert table.put(more) == write_units(item_size(more)) == 2


# It pairs the digits on both sides of the point by themselves; the guide says "approximately".
@pytest.mark.parametrize("number", ["1.5", "-1.5", "123.1"])
def test_a_number_with_a_point_may_have_one_byte_more_on_the_engine(
    table: Table, number: str
) -> None:
    value = {"N": number}
    assert table.put(an_item(size=WRITE_BLOCK - 1, value=value)) == 1
    assert table.put(an_item(size=WRITE_BLOCK, value=value)) == 2


@pytest.mark.parametrize("size", [0, 3 * KB, 3 * KB + 1, 40 * KB, 300 * KB + 7])
def test_a_write_is_rounded_up_to_a_kilobyte(table: Table, size: int) -> None:
    item = an_item(size=size)
    assert table.put(item) == write_units(item_size(item)) == max(1, -(-size // KB))


@pytest.mark.parametrize("consistent", [True, False])
@pytest.mark.parametrize("size", [0, READ_BLOCK, READ_BLOCK + 1, 41_780, 300 * KB])
def test_a_read_of_one_item_is_rounded_up_to_four(
    table: Table, size: int, consistent: bool
) -> None:
    item = an_item(size=size)
    table.put(item)
    assert table.get(item, consistent=consistent) == read_units(
        item_size(item), consistent=consistent
    )


@pytest.mark.parametrize("consistent", [True, False])
def test_a_query_is_rounded_once_for_all_of_its_items(table: Table, consistent: bool) -> None:
    # 100 items of 328 bytes and one that fills the eighth block to its edge.
    pk = f"query-{consistent}"
    sizes = [328] * 100 + [READ_BLOCK * 9 - 32_800]
    for size in sizes:
        table.put(an_item(pk, size=size))
    for limit in (1, 12, 13, 100, 101):
        items, units = table.query(pk, consistent=consistent, limit=limit)
        assert units == read_units(sum(map(item_size, items)), consistent=consistent)
    assert units == (9 if consistent else 4.5)
    table.put(an_item(pk))
    items, units = table.query(pk, consistent=consistent)
    assert units == read_units(sum(map(item_size, items)), consistent=consistent)
    assert units == (10 if consistent else 5)


@pytest.mark.parametrize("consistent", [True, False])
def test_nothing_found_costs_a_block(table: Table, consistent: bool) -> None:
    nobody = an_item("nobody")
    assert table.query("nobody", consistent=consistent) == (
        [],
        read_units(0, consistent=consistent),
    )
    assert table.get(nobody, consistent=consistent) == read_units(0, consistent=consistent)


@pytest.mark.parametrize("consistent", [True, False])
def test_a_batch_of_reads_is_rounded_item_by_item(table: Table, consistent: bool) -> None:
    # The guide's own example: 1.5 KB and 6.5 KB are 12 KB, not 8; and one that is not there.
    found = [an_item(size=size) for size in (1_536, 6_656)]
    for item in found:
        table.put(item)
    expected = sum(read_units(size, consistent=consistent) for size in (1_536, 6_656, 0))
    assert table.batch_get(*found, an_item(), consistent=consistent) == expected


def test_a_batch_of_writes_is_rounded_item_by_item(table: Table) -> None:
    # The guide's own example: 500 bytes and 3.5 KB are 5 KB, not 4.
    items = [an_item(size=size) for size in (500, 3_584)]
    answer = table.client.batch_write_item(
        RequestItems={table.name: [{"PutRequest": {"Item": item}} for item in items]},
        ReturnConsumedCapacity="TOTAL",
    )
    [consumed] = answer["ConsumedCapacity"]
    assert consumed["CapacityUnits"] == sum(write_units(item_size(item)) for item in items) == 5


def test_a_put_over_a_larger_item_costs_the_larger_one(table: Table) -> None:
    large = an_item(size=3 * KB)
    small = {"pk": large["pk"], "sk": large["sk"]}
    assert table.put(large) == table.put(small) == write_units(item_size(large)) == 3


def test_a_transaction_costs_twice(table: Table) -> None:
    items = [an_item(size=size) for size in (100, 1_500)]
    answer = table.client.transact_write_items(
        TransactItems=[{"Put": {"TableName": table.name, "Item": item}} for item in items],
        ReturnConsumedCapacity="TOTAL",
    )
    [consumed] = answer["ConsumedCapacity"]
    assert consumed["CapacityUnits"] == 2 * sum(write_units(item_size(item)) for item in items)
