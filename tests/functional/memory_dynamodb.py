"""A DynamoDB in this process, for tests that make more calls than any engine answers in time.

It knows the few requests that `retain`, `erase` and the writers of events make, in exactly
the words in which they make them, and raises on any other. A few lives are run on dynoxide
too, so that what it answers is not its own invention.
"""
# ruff: noqa: N803 -- the names are boto3's

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

Item = dict[str, Any]
Bound = Mapping[str, Any]


def _number(attribute: Any) -> int:
    return int(attribute["N"])


#: Conditions as they are written, of the item that is there and the values bound.
_CONDITIONS: dict[str, Callable[[Item, Bound], bool]] = {
    "revision = :before": lambda item, bound: item.get("revision") == bound[":before"],
    "(attribute_exists(pk) AND attribute_not_exists(revision)) OR revision = :zero": (
        lambda item, bound: (
            bool(item) and ("revision" not in item or item["revision"] == bound[":zero"])
        )
    ),
    "attribute_not_exists(lease) OR lease <= :now": lambda item, bound: (
        "lease" not in item or _number(item["lease"]) <= _number(bound[":now"])
    ),
    "lease = :lease": lambda item, bound: item.get("lease") == bound[":lease"],
    "attribute_not_exists(pk)": lambda item, _: not item,
    "attribute_exists(pk)": lambda item, _: bool(item),
    "attribute_exists(pk) AND attribute_not_exists(#hold) AND attribute_not_exists(deletion)": (
        lambda item, _: bool(item) and "hold" not in item and "deletion" not in item
    ),
    "#state = :running AND "
    "(#revision = :before OR (attribute_not_exists(#revision) AND :before = :none))": (
        lambda item, bound: (
            item.get("state") == bound[":running"] and item.get("revision") == bound[":before"]
        )
    ),
}


class MemoryDynamoDB:
    """All tables, which are there as soon as something is in them."""

    def __init__(self) -> None:
        self._partitions: dict[tuple[str, str], dict[str, Item]] = {}
        self._order: dict[tuple[str, str], list[str]] = {}

    def get_item(self, *, TableName: str, Key: Item, **_: Any) -> Item:
        found = self._partition(TableName, Key).get(Key["sk"]["S"])
        return {} if found is None else {"Item": dict(found)}

    def put_item(
        self,
        *,
        TableName: str,
        Item: Item,
        ConditionExpression: str = "",
        ExpressionAttributeValues: Bound | None = None,
    ) -> Item:
        self._require(TableName, Item, ConditionExpression, ExpressionAttributeValues or {})
        self._put(TableName, Item)
        return {}

    def update_item(
        self,
        *,
        TableName: str,
        Key: Item,
        UpdateExpression: str,
        ConditionExpression: str,
        ExpressionAttributeValues: Bound,
        ExpressionAttributeNames: Mapping[str, str] | None = None,
        ReturnValues: str = "",
    ) -> Item:
        self._require(TableName, Key, ConditionExpression, ExpressionAttributeValues)
        had = self._partition(TableName, Key).get(Key["sk"]["S"], Key)
        names = ExpressionAttributeNames or {}
        item = _updated(had, UpdateExpression, names, ExpressionAttributeValues)
        self._put(TableName, item)
        return {"Attributes": item}

    def delete_item(self, *, TableName: str, Key: Item) -> Item:
        if self._partition(TableName, Key).pop(Key["sk"]["S"], None) is not None:
            order = self._order[TableName, Key["pk"]["S"]]
            del order[bisect_left(order, Key["sk"]["S"])]
        return {}

    def transact_write_items(self, *, TransactItems: Sequence[Any]) -> Item:
        puts = [each["Put"] for each in TransactItems if "Put" in each]
        updates = [each["Update"] for each in TransactItems if "Update" in each]
        assert len(puts) + len(updates) == len(TransactItems)
        for put in puts:
            self._require(put["TableName"], put["Item"], put.get("ConditionExpression", ""), {})
        for update in updates:
            # An update that may not be made raises before anything is changed.
            self.update_item(**update)
        for put in puts:
            self._put(put["TableName"], put["Item"])
        return {}

    def query(
        self,
        *,
        TableName: str,
        KeyConditionExpression: str,
        ExpressionAttributeValues: Bound,
        Limit: int = 1_000,
        ScanIndexForward: bool = True,
        ExclusiveStartKey: Item | None = None,
        **_: Any,
    ) -> Item:
        pk = ExpressionAttributeValues[":pk"]["S"]
        order = self._order.get((TableName, pk), [])
        names = order[slice(*_bounds(order, KeyConditionExpression, ExpressionAttributeValues))]
        if not ScanIndexForward:
            names = names[::-1]
        if ExclusiveStartKey is not None:
            names = names[names.index(ExclusiveStartKey["sk"]["S"]) + 1 :]
        partition = self._partitions.get((TableName, pk), {})
        answer: Item = {"Items": [dict(partition[name]) for name in names[:Limit]]}
        if len(names) >= Limit:
            answer["LastEvaluatedKey"] = {"pk": {"S": pk}, "sk": {"S": names[Limit - 1]}}
        return answer

    def batch_write_item(self, *, RequestItems: Mapping[str, Sequence[Any]], **_: Any) -> Item:
        for table, requests in RequestItems.items():
            for request in requests:
                self.delete_item(TableName=table, Key=request["DeleteRequest"]["Key"])
        return {"UnprocessedItems": {}}

    def batch_execute_statement(self, *, Statements: Sequence[Any]) -> Item:
        return {"Responses": [self._executed(**each) for each in Statements]}

    def _executed(self, Statement: str, Parameters: Sequence[Any]) -> Item:
        verb, table = Statement.split(maxsplit=1)[0], Statement.split('"')[1]
        if verb == "INSERT":
            item = dict(zip(re.findall(r"'(\w+)': \?", Statement), Parameters, strict=True))
            if item["sk"]["S"] in self._partition(table, item):
                return {"Error": {"Code": "DuplicateItem"}}
            self._put(table, item)
            return {}
        assert Statement.endswith(" WHERE pk = ? AND sk = ?")
        key = {"pk": Parameters[-2], "sk": Parameters[-1]}
        if verb == "DELETE":
            return self.delete_item(TableName=table, Key=key)
        found = self._partition(table, key).get(key["sk"]["S"])
        if found is None:
            return {"Error": {"Code": "ConditionalCheckFailed"}}
        if ' SET "ttl" = ? WHERE' in Statement:
            found["ttl"] = Parameters[0]
        else:
            assert ' REMOVE "ttl" WHERE' in Statement
            found.pop("ttl", None)
        return {}

    def _require(self, table: str, key: Item, condition: str, bound: Bound) -> None:
        found = self._partition(table, key).get(key["sk"]["S"], {})
        if condition and not _CONDITIONS[condition](found, bound):
            raise ClientError({"Error": {"Code": "ConditionalCheckFailedException"}}, "a write")

    def _partition(self, table: str, key: Item) -> dict[str, Item]:
        return self._partitions.setdefault((table, key["pk"]["S"]), {})

    def _put(self, table: str, item: Item) -> None:
        partition, name = self._partition(table, item), item["sk"]["S"]
        if name not in partition:
            order = self._order.setdefault((table, item["pk"]["S"]), [])
            order.insert(bisect_left(order, name), name)
        partition[name] = dict(item)


_SET = re.compile(r"(#?\w+) = (:\w+)")
_ADDED = ", revision = if_not_exists(revision, :zero) + :one"


def _updated(had: Item, expression: str, names: Mapping[str, str], bound: Bound) -> Item:
    """An item after an update that sets some attributes, and removes some."""
    item = dict(had)
    if expression.endswith(_ADDED):
        expression = expression.removesuffix(_ADDED)
        item["revision"] = {"N": str(_number(had.get("revision", bound[":zero"])) + 1)}
    set_, _, removed = expression.removeprefix("SET ").partition(" REMOVE ")
    for part in set_.split(", "):
        said = _SET.fullmatch(part)
        assert said, expression
        item[names.get(said[1], said[1])] = bound[said[2]]
    for name in removed.split(", ") if removed else []:
        item.pop(names.get(name, name), None)
    return item


def _bounds(order: list[str], condition: str, bound: Bound) -> tuple[int, int]:
    if condition == "pk = :pk":
        return 0, len(order)
    if condition == "pk = :pk AND sk < :first":
        return 0, bisect_left(order, bound[":first"]["S"])
    if condition == "pk = :pk AND begins_with(sk, :of)":
        of = bound[":of"]["S"]
        return bisect_left(order, of), bisect_left(order, of + chr(0x10FFFF))
    between = re.fullmatch(r"pk = :pk AND sk BETWEEN (:\w+) AND (:\w+)", condition)
    assert between, condition
    first, last = (bound[name]["S"] for name in between.groups())
    return bisect_left(order, first), bisect_right(order, last)
