"""What DynamoDB charged: read and write units, as its own answers report them.

Attached to a client, so that no call can be forgotten: every request asks for
`ReturnConsumedCapacity`, and every answer is added up. An emulator may report
what it likes; `units.py` has the documented rounding.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from botocore.model import OperationModel
    from mypy_boto3_dynamodb import DynamoDBClient

_READING = frozenset({"BatchGetItem", "GetItem", "Query"})
_WRITING = frozenset(
    {
        "BatchExecuteStatement",
        "BatchWriteItem",
        "DeleteItem",
        "PutItem",
        "TransactWriteItems",
        "UpdateItem",
    }
)


@dataclass(frozen=True, slots=True)
class Units:
    """Capacity units."""

    read: float = 0.0
    write: float = 0.0

    def since(self, before: "Units") -> "Units":
        """What came after `before`."""
        return Units(self.read - before.read, self.write - before.write)


class Meter:
    """Adds up what the clients to which it is attached were charged. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent = Units()

    @property
    def spent(self) -> Units:
        """All units since this process began."""
        return self._spent

    def attach(self, client: "DynamoDBClient") -> None:
        """From now on this client's calls count."""
        events = client.meta.events
        for operation in _READING | _WRITING:
            # What a handler of this event returns is sent; the stubs say that none does.
            events.register(f"provide-client-params.dynamodb.{operation}", cast("Any", _ask))
            events.register(f"after-call.dynamodb.{operation}", self._add)

    def _add(self, parsed: Mapping[str, Any], model: "OperationModel", **_: Any) -> None:
        consumed: Any = parsed.get("ConsumedCapacity") or []
        each = cast("list[Any]", consumed if isinstance(consumed, list) else [consumed])
        units = float(sum(one.get("CapacityUnits", 0.0) for one in each))
        with self._lock:
            if model.name in _READING:
                self._spent = Units(self._spent.read + units, self._spent.write)
            else:
                self._spent = Units(self._spent.read, self._spent.write + units)


def _ask(params: dict[str, Any], **_: Any) -> dict[str, Any]:
    return {"ReturnConsumedCapacity": "TOTAL", **params}


#: Of this process.
METER = Meter()
