"""The work of an export, in the `control` table: who does which step, and what was written.

    pk                   sk              what
    slices#<export id>   plan            how the range is cut
    slices#<export id>   slice/<first>   a slice: who writes it, and what was written
    slices#<export id>   finish          who puts the file together

A step belongs to the message that took it first, however often SQS delivers it:
a second message for the same step is not needed, since SQS keeps every message
until it is deleted. Of two deliveries of one message that work at the same time
one wins, in one transaction with the export's own counts. DynamoDB's TTL
removes all of this once the file is gone.
"""

from typing import TYPE_CHECKING, Any

from auditlog import clock
from auditlog.exports import KEPT_FOR, Cuts, Export, Slice, State
from auditlog.span import Span, fold, unfold
from auditlog.store import aws
from auditlog.store.items import attributes, values

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PLAN = "plan"
FINISH = "finish"
_SLICE = "slice/"


class SliceStore:
    """Reads and writes the steps of exports. Safe to share between threads."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def take(self, export: Export, step: str, message_id: str) -> bool:
        """Takes a step for a message; False where another message has it. One write unit."""
        try:
            with aws.translated("dynamodb:UpdateItem"):
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(export, step),
                    UpdateExpression="SET message = :message, #ttl = :ttl",
                    ConditionExpression="attribute_not_exists(message) OR message = :message",
                    ExpressionAttributeNames={"#ttl": "ttl"},
                    ExpressionAttributeValues=attributes(
                        {":message": message_id, ":ttl": _expiry(export)}
                    ),
                )
        except aws.ConditionFailedError:
            return False
        return True

    def cut(self, export: Export, cuts: Cuts, now: int) -> bool:
        """Settles how the range of an export is cut; from then on it is running.

        Atomic. False where it was cut before, or is not under way any more. Four
        write units, and two more for each 1 KB of bounds, some 30 of them.
        """
        return self._both(
            {
                "Key": _key(export, PLAN),
                "UpdateExpression": "SET bounds = :bounds, at_once = :at_once, most = :most",
                "ConditionExpression": "attribute_not_exists(bounds)",
                "ExpressionAttributeValues": attributes(
                    {
                        ":bounds": fold(cuts.bounds),
                        ":at_once": cuts.at_once,
                        ":most": cuts.most_events,
                    }
                ),
            },
            {
                "Key": export_key(export.org, export.id),
                "UpdateExpression": "SET slices = :slices, #state = :running, updated_at = :now",
                "ConditionExpression": "#state IN (:queued, :running)",
                "ExpressionAttributeNames": {"#state": "state"},
                "ExpressionAttributeValues": attributes(
                    {
                        ":slices": len(cuts.bounds) + 1,
                        ":queued": State.QUEUED.value,
                        ":running": State.RUNNING.value,
                        ":now": now,
                    }
                ),
            },
        )

    def cuts(self, export: Export) -> Cuts | None:
        """How the range is cut; None before. One read unit for each 4 KB, some 120 bounds."""
        item = self._get(export, PLAN)
        if item is None or "bounds" not in item:
            return None
        return Cuts(tuple(unfold(item["bounds"])), item["at_once"], item["most"])

    def win(self, export: Export, written: Slice, *, wanted: Span, now: int) -> bool:
        """Says that a slice is written, unless another delivery of its message has said so.

        What of `wanted` lies behind it is a slice of its own from then on. Atomic
        with the export's counts. False also where the export is not running any
        more. Four write units.
        """
        more = int(written.span != wanted)
        return self._both(
            {
                "Key": _key(export, slice_step(written.span.first)),
                "UpdateExpression": "SET #end = :end, #about = :about",
                "ConditionExpression": "attribute_not_exists(#end)",
                "ExpressionAttributeNames": {"#end": "end", "#about": "about"},
                "ExpressionAttributeValues": attributes(
                    {":end": written.span.end, ":about": _about(written)}
                ),
            },
            {
                "Key": export_key(export.org, export.id),
                "UpdateExpression": "SET updated_at = :now "
                "ADD slices_done :one, slices :more, events_so_far :events",
                "ConditionExpression": "#state = :running",
                "ExpressionAttributeNames": {"#state": "state"},
                "ExpressionAttributeValues": attributes(
                    {
                        ":one": 1,
                        ":more": more,
                        ":events": written.events,
                        ":running": State.RUNNING.value,
                        ":now": now,
                    }
                ),
            },
        )

    def won(self, export: Export, first: str) -> Slice | None:
        """The slice that begins there, once it is written; one read unit."""
        item = self._get(export, slice_step(first))
        return None if item is None or "end" not in item else _slice(item)

    def written(self, export: Export) -> list[Slice]:
        """All slices that are written, in order; one read unit for each 4 KB, some 9 of them."""
        found: list[Slice] = []
        start: dict[str, Any] = {}
        while True:
            with aws.translated("dynamodb:Query"):
                page = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression="pk = :pk AND begins_with(sk, :slice)",
                    ExpressionAttributeValues=attributes(
                        {":pk": _key(export, "")["pk"]["S"], ":slice": _SLICE}
                    ),
                    ConsistentRead=True,
                    **start,
                )
            items = map(values, page["Items"])
            found += [_slice(item) for item in items if "end" in item]
            last = page.get("LastEvaluatedKey")
            if not last:
                return found
            start = {"ExclusiveStartKey": last}

    def _get(self, export: Export, step: str) -> dict[str, Any] | None:
        with aws.translated("dynamodb:GetItem"):
            found = self._client.get_item(
                TableName=self._table, Key=_key(export, step), ConsistentRead=True
            )
        return values(found["Item"]) if "Item" in found else None

    def _both(self, *updates: dict[str, Any]) -> bool:
        transaction: Any = [{"Update": {"TableName": self._table, **each}} for each in updates]
        try:
            with aws.translated("dynamodb:TransactWriteItems"):
                self._client.transact_write_items(TransactItems=transaction)
        except aws.ConditionFailedError:
            return False
        return True


def export_key(org: str, export_id: str) -> dict[str, Any]:
    """Where an export itself stands."""
    return attributes({"pk": f"export#{org}", "sk": export_id})


def slice_step(first: str) -> str:
    """What the writing of the slice that begins there is called among an export's steps."""
    return _SLICE + first


def _key(export: Export, step: str) -> dict[str, Any]:
    return attributes({"pk": f"slices#{export.id}", "sk": step})


def _expiry(export: Export) -> int:
    """When the file is gone too, in seconds since the epoch; it is made within a day."""
    return (export.created_at + KEPT_FOR + clock.DAY) // clock.SECOND


def _about(written: Slice) -> dict[str, Any]:
    about = {
        "object_key": written.object_key,
        "lead": written.lead,
        "bytes": written.bytes,
        "sha256": written.sha256,
        "events": written.events,
        "first_id": written.first_id,
        "last_id": written.last_id,
        "left_out": dict(written.left_out),
        "unsaid": dict(written.unsaid),
    }
    return {name: value for name, value in about.items() if value is not None}


def _slice(item: dict[str, Any]) -> Slice:
    return Slice(Span(item["sk"].removeprefix(_SLICE), item["end"]), **item["about"])
