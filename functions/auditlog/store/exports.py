"""Exports and their slices, in the `control` table.

    pk                   sk            what
    export#<org>         <export id>   an export
    slices#<export id>   <number>      the winning attempt of a slice

Every change of state is one conditional write: of two that race, one wins.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from auditlog.exports import Export, Requester, Slice, State
from auditlog.formats import Compression, Format
from auditlog.span import Span
from auditlog.store import aws
from auditlog.store.items import attributes, values

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: How many exports an org's list shows.
LISTED = 100
_UNDER_WAY = (State.QUEUED, State.RUNNING)


class ExportStore:
    """Reads and writes exports. Safe to share between threads."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def create(self, export: Export) -> None:
        """Stores a new export. Atomic; one or two write units."""
        item = {
            "pk": f"export#{export.org}",
            "sk": export.id,
            "state": export.state.value,
            "format": export.format.value,
            "compression": export.compression.value,
            "filter": dict(export.filter),
            "first": export.span.first,
            "end": export.span.end,
            "requester": export.requested_by.id,
            "requester_name": export.requested_by.name,
            "credential": export.requested_by.credential,
            "created_at": export.created_at,
            "updated_at": export.updated_at,
        }
        with aws.translated("dynamodb:PutItem"):
            self._client.put_item(
                TableName=self._table,
                Item=attributes(item),
                ConditionExpression="attribute_not_exists(pk)",
            )

    def get(self, org: str, export_id: str) -> Export | None:
        """One export, strongly consistent; one read unit."""
        with aws.translated("dynamodb:GetItem"):
            found = self._client.get_item(
                TableName=self._table, Key=_key(org, export_id), ConsistentRead=True
            )
        return _export(org, values(found["Item"])) if "Item" in found else None

    def newest(self, org: str) -> list[Export]:
        """The newest 100 exports of an org, newest first; about ten read units."""
        found: list[Any] = []
        start: dict[str, Any] = {}
        while len(found) < LISTED:
            with aws.translated("dynamodb:Query"):
                page = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression="pk = :pk",
                    ExpressionAttributeValues=attributes({":pk": f"export#{org}"}),
                    ScanIndexForward=False,
                    ConsistentRead=True,
                    Limit=LISTED - len(found),
                    **start,
                )
            found += page["Items"]
            last = page.get("LastEvaluatedKey")
            if not last:
                break
            start = {"ExclusiveStartKey": last}
        return [_export(org, values(item)) for item in found]

    def report(self, export: Export, *, events: int, fraction: float, now: int) -> bool:
        """Marks an export as running, with how far it is.

        False where it is not under way any more: whoever works on it stops.
        One or two write units.
        """
        changes = {
            "state": State.RUNNING.value,
            "events_so_far": events,
            "fraction": fraction,
            "updated_at": now,
        }
        return self._change(export, changes, _UNDER_WAY)

    def complete(
        self, export: Export, *, events: int, size: int, completed_at: int, expires_at: int
    ) -> bool:
        """Calls an export ready; the object is whole by then. False where it was not running."""
        changes = {
            "state": State.READY.value,
            "events_so_far": events,
            "fraction": 1,
            "events": events,
            "bytes": size,
            "completed_at": completed_at,
            "expires_at": expires_at,
        }
        return self._change(export, changes, (State.RUNNING,))

    def fail(self, export: Export, error: str, completed_at: int) -> bool:
        """Ends an export that cannot be made, with the reason. False where it had ended."""
        changes = {"state": State.FAILED.value, "error": error, "completed_at": completed_at}
        return self._change(export, changes, _UNDER_WAY)

    def cancel(self, export: Export, completed_at: int) -> bool:
        """Cancels an export that is under way. False where it had ended."""
        changes = {"state": State.CANCELLED.value, "completed_at": completed_at}
        return self._change(export, changes, _UNDER_WAY)

    def expire(self, export: Export, now: int) -> bool:
        """Calls a ready export expired, before its file goes. False where it was not ready."""
        return self._change(
            export, {"state": State.EXPIRED.value, "expires_at": now}, (State.READY,)
        )

    def win(self, export: Export, attempt: Slice) -> Slice:
        """Records the attempt as its slice's winner, unless one has won before; the winner.

        Atomic: of two attempts that race, both are told the same winner. One
        write unit, and one read unit for the loser.
        """
        place = {"pk": f"slices#{export.id}", "sk": f"{attempt.number:04d}"}
        item = place | {
            "object_key": attempt.object_key,
            "events": attempt.events,
            "bytes": attempt.bytes,
        }
        try:
            with aws.translated("dynamodb:PutItem"):
                self._client.put_item(
                    TableName=self._table,
                    Item=attributes(item),
                    ConditionExpression="attribute_not_exists(pk)",
                )
        except aws.ConditionFailedError:
            return self.winner(export, attempt.number) or attempt
        return attempt

    def winner(self, export: Export, number: int) -> Slice | None:
        """The winning attempt of a slice, if there is one; one read unit."""
        with aws.translated("dynamodb:GetItem"):
            found = self._client.get_item(
                TableName=self._table,
                Key=attributes({"pk": f"slices#{export.id}", "sk": f"{number:04d}"}),
                ConsistentRead=True,
            )
        if "Item" not in found:
            return None
        item = values(found["Item"])
        return Slice(number, item["object_key"], item["events"], item["bytes"])

    def _change(self, export: Export, changes: dict[str, Any], states: Iterable[State]) -> bool:
        names = {f"#{name}": name for name in changes}
        bound = {f":{name}": value for name, value in changes.items()}
        allowed = {f":from{i}": state.value for i, state in enumerate(states)}
        try:
            with aws.translated("dynamodb:UpdateItem"):
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(export.org, export.id),
                    UpdateExpression="SET " + ", ".join(f"#{n} = :{n}" for n in changes),
                    ConditionExpression=f"#state IN ({', '.join(allowed)})",
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues=attributes(bound | allowed),
                )
        except aws.ConditionFailedError:
            return False
        return True


def _key(org: str, export_id: str) -> dict[str, Any]:
    return attributes({"pk": f"export#{org}", "sk": export_id})


def _export(org: str, item: dict[str, Any]) -> Export:
    return Export(
        id=item["sk"],
        org=org,
        state=State(item["state"]),
        format=Format(item["format"]),
        compression=Compression(item["compression"]),
        filter=item["filter"],
        span=Span(item["first"], item["end"]),
        requested_by=Requester(item["requester"], item["requester_name"], item["credential"]),
        created_at=item["created_at"],
        updated_at=item["updated_at"],
        events_so_far=item.get("events_so_far", 0),
        fraction=float(item.get("fraction", 0)),
        completed_at=item.get("completed_at"),
        expires_at=item.get("expires_at"),
        events=item.get("events"),
        bytes=item.get("bytes"),
        error=item.get("error"),
    )
