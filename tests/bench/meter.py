"""What a client's calls cost by DynamoDB's documented rounding, whatever the engine reports.

    meter = Meter(client)
    with meter.measured() as spent:
        ...
    spent.total.read_units, spent.of("events").bytes_read

Requests are seen as they are sent and answers as they come, through botocore's events;
sizes are those of the items themselves (`auditlog.units`). Beside it stands what the
engine says in `ConsumedCapacity`, for which every call is made to ask.
"""

import re
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from typing import Any

from auditlog.units import item_size, read_units, write_units

_CONTEXT = "tests.bench.meter"
_HANDLER_ID = "tests.bench.meter"
_BUILD = "before-parameter-build.dynamodb"
_ANSWER = "after-call.dynamodb"

_REFUSED_BY_CONDITION = frozenset(
    {"ConditionalCheckFailedException", "TransactionCanceledException", "DuplicateItem"}
)
# With these a Query reads what it does not return.
_HIDING = ("FilterExpression", "ProjectionExpression", "AttributesToGet", "IndexName", "Select")
_UNMETERED = frozenset({"ExecuteStatement", "ExecuteTransaction", "Scan", "TransactGetItems"})

_INSERT = re.compile(r"""INSERT INTO "([^"]+)" VALUE \{(.*)\}""", re.DOTALL)
_MEMBER = re.compile(r"'((?:[^']|'')+)'\s*:\s*\?")
_DELETE = re.compile(r"""DELETE FROM "([^"]+)" WHERE .*""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Units:
    """What was spent. Units are by the documented rounding, unless they are `reported_`.

    `unsized` writes are deletes and updates, which do not tell how large their item is:
    they count as one write unit each, the least that they cost. So does a put that
    replaces a larger item count by what it puts. `bytes_written` and `items_written` are
    of what was sent and paid for, stored or refused by a condition.
    """

    requests: int = 0
    read_units: float = 0
    write_units: float = 0
    items_read: int = 0
    items_written: int = 0
    unsized: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    reported_read_units: float = 0
    reported_write_units: float = 0

    def __add__(self, other: "Units") -> "Units":
        return Units(*map(sum, zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, other: "Units") -> "Units":
        return Units(*(mine - its for mine, its in zip(astuple(self), astuple(other), strict=True)))


NOTHING = Units()


@dataclass
class Spent:
    """In all, and on each table. A request to two tables is one in all, and one on each."""

    total: Units = NOTHING
    tables: dict[str, Units] = field(default_factory=dict)

    def of(self, table: str) -> Units:
        """On one table; nothing where it was not asked."""
        return self.tables.get(table, NOTHING)


class Meter:
    """Adds up what is spent through some clients. Safe with calls in many threads.

    Attached from the start until `detach`. A call that the meter could not count
    (`Scan`, a Query that filters or projects) raises `ValueError` before it is sent;
    calls that are about tables are let pass and not counted. A call without an answer
    counts as nothing, one that was repeated by botocore as one request.
    """

    def __init__(self, *clients: Any) -> None:
        self._lock = threading.Lock()
        self._spent = Spent()
        self._clients = clients
        self._id = f"{_HANDLER_ID}-{id(self)}"
        for client in clients:
            client.meta.events.register(_BUILD, _remember, unique_id=f"{self._id}-build")
            client.meta.events.register(_ANSWER, self._add, unique_id=self._id)

    def detach(self) -> None:
        """Stop counting."""
        for client in self._clients:
            client.meta.events.unregister(_BUILD, _remember, unique_id=f"{self._id}-build")
            client.meta.events.unregister(_ANSWER, self._add, unique_id=self._id)

    @property
    def spent(self) -> Spent:
        """Everything so far."""
        with self._lock:
            return Spent(self._spent.total, dict(self._spent.tables))

    @contextmanager
    def measured(self) -> Generator[Spent]:
        """What is spent within, by whatever thread; filled in at the end."""
        spent, before = Spent(), self.spent
        try:
            yield spent
        finally:
            after = self.spent
            spent.total = after.total - before.total
            spent.tables = {
                table: units - before.of(table)
                for table, units in after.tables.items()
                if units != before.of(table)
            }

    def _add(self, parsed: Mapping[str, Any], model: Any, context: Any, **_: Any) -> None:
        params = context.get(_CONTEXT)
        if params is None:
            return
        each: dict[str, Units] = {}
        for table, units in _OPERATIONS[model.name](params, parsed):
            each[table] = each.get(table, NOTHING) + units
        for table, units in _reported(model.name, parsed):
            each[table] = each.get(table, NOTHING) + units
        once = Units(requests=1)
        with self._lock:
            self._spent.total = sum(each.values(), self._spent.total + once)
            for table, units in each.items():
                self._spent.tables[table] = self._spent.of(table) + units + once


def _remember(params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
    """Keeps the request for its answer, and has it ask what it consumed."""
    if model.name in _UNMETERED:
        raise ValueError(f"the meter does not know what {model.name} costs")
    if model.name not in _OPERATIONS:
        return
    if model.name == "Query" and (hiding := [name for name in _HIDING if name in params]):
        raise ValueError(f"the meter does not see what a Query with {hiding[0]} reads")
    params.setdefault("ReturnConsumedCapacity", "TOTAL")
    context[_CONTEXT] = params


_Each = Iterator[tuple[str, Units]]


def _query(params: Any, parsed: Any) -> _Each:
    size, count = _sizes(parsed.get("Items", ()))
    yield params["TableName"], _read(size, count, params, parsed)


def _get(params: Any, parsed: Any) -> _Each:
    size, count = _sizes([parsed["Item"]] if "Item" in parsed else [])
    yield params["TableName"], _read(size, count, params, parsed)


def _read(size: int, count: int, params: Any, parsed: Any) -> Units:
    if "Error" in parsed:
        return NOTHING
    consistent = bool(params.get("ConsistentRead"))
    return Units(
        read_units=read_units(size, consistent=consistent), items_read=count, bytes_read=size
    )


def _batch_get(params: Any, parsed: Any) -> _Each:
    for table, wanted in params["RequestItems"].items():
        found = parsed.get("Responses", {}).get(table, [])
        left = parsed.get("UnprocessedKeys", {}).get(table, {}).get("Keys", [])
        missing = len(wanted["Keys"]) - len(left) - len(found)
        yield table, NOTHING
        if "Error" not in parsed:
            for item in found:
                yield table, _read(*_sizes([item]), wanted, parsed)
            for _ in range(missing):
                yield table, _read(0, 0, wanted, parsed)


def _put(params: Any, parsed: Any) -> _Each:
    yield params["TableName"], _if_charged(_written(params["Item"]), parsed)


def _change(params: Any, parsed: Any) -> _Each:
    yield params["TableName"], _if_charged(_UNSIZED, parsed)


def _batch_write(params: Any, parsed: Any) -> _Each:
    for table, requests in params["RequestItems"].items():
        yield table, NOTHING
        if "Error" not in parsed:
            left = parsed.get("UnprocessedItems", {}).get(table, [])
            yield table, _sum(map(_of_request, requests)) - _sum(map(_of_request, left))


def _of_request(request: Any) -> Units:
    return _written(request["PutRequest"]["Item"]) if "PutRequest" in request else _UNSIZED


def _batch_execute(params: Any, parsed: Any) -> _Each:
    answers = parsed.get("Responses", [parsed] * len(params["Statements"]))
    for statement, answer in zip(params["Statements"], answers, strict=True):
        table, units = _of_statement(statement)
        yield table, _if_charged(units, answer)


def _of_statement(statement: Any) -> tuple[str, Units]:
    text, values = statement["Statement"], statement.get("Parameters", [])
    if insert := _INSERT.fullmatch(text):
        names = [name.replace("''", "'") for name in _MEMBER.findall(insert[2])]
        if _MEMBER.sub("", insert[2]).strip(" ,\n") or len(names) != len(values):
            raise ValueError(f"the meter reads an INSERT of parameters alone, not {text}")
        return insert[1], _written(dict(zip(names, values, strict=True)))
    if delete := _DELETE.fullmatch(text):
        return delete[1], _UNSIZED
    raise ValueError(f"the meter does not know what this costs: {text}")


def _transact_write(params: Any, parsed: Any) -> _Each:
    for action in params["TransactItems"]:
        [(kind, inner)] = action.items()
        units = _written(inner["Item"]) if kind == "Put" else _UNSIZED
        twice = Units(write_units=units.write_units)
        yield inner["TableName"], _if_charged(units + twice, parsed)


def _if_charged(units: Units, answer: Any) -> Units:
    """All of it where it was done, or a condition was looked at and failed; else nothing."""
    code = answer.get("Error", {}).get("Code")
    return units if code is None or code in _REFUSED_BY_CONDITION else NOTHING


def _written(item: Mapping[str, Any]) -> Units:
    size = item_size(item)
    return Units(write_units=write_units(size), items_written=1, bytes_written=size)


_UNSIZED = Units(write_units=write_units(0), items_written=1, unsized=1)


def _sizes(items: Any) -> tuple[int, int]:
    return sum(map(item_size, items)), len(items)


def _sum(each: Iterator[Units]) -> Units:
    return sum(each, NOTHING)


def _reported(operation: str, parsed: Mapping[str, Any]) -> _Each:
    found = parsed.get("ConsumedCapacity", [])
    for one in found if isinstance(found, list) else [found]:
        units = one.get("CapacityUnits", 0)
        if operation in _READING:
            yield one["TableName"], Units(reported_read_units=units)
        else:
            yield one["TableName"], Units(reported_write_units=units)


_READING = frozenset({"Query", "GetItem", "BatchGetItem"})
_OPERATIONS: Mapping[str, Callable[[Any, Any], _Each]] = {
    "Query": _query,
    "GetItem": _get,
    "BatchGetItem": _batch_get,
    "PutItem": _put,
    "UpdateItem": _change,
    "DeleteItem": _change,
    "BatchWriteItem": _batch_write,
    "BatchExecuteStatement": _batch_execute,
    "TransactWriteItems": _transact_write,
}
