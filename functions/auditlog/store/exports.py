"""Exports, in the `control` table; the work on them is in `store/slices.py`.

    pk             sk            what
    export#<org>   <export id>   an export
    asked#<org>    <hash>        the last export of those who ask for the same again and again

Every change of state is one conditional write: of two that race, one wins.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditlog import clock
from auditlog.exports import KEPT_FOR, UNDER_WAY, Export, Requester, State
from auditlog.formats import Compression, Format, Profile
from auditlog.span import Span
from auditlog.store import aws
from auditlog.store.items import attributes, values
from auditlog.store.slices import export_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: How many exports an org's list shows.
LISTED = 100


@dataclass(frozen=True, slots=True)
class Pointer:
    """The export that a request led to, and when, in microseconds."""

    export_id: str
    at: int


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
            "profile": export.profile.value,
            "bom": export.bom,
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
                TableName=self._table, Key=export_key(org, export_id), ConsistentRead=True
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

    def is_running(self, export: Export) -> bool:
        """Whether an export is still running: else whoever works on it stops. As `get`."""
        current = self.get(export.org, export.id)
        return current is not None and current.state is State.RUNNING

    def complete(
        self,
        export: Export,
        *,
        events: int,
        left_out: int,
        size: int,
        completed_at: int,
        expires_at: int,
    ) -> bool:
        """Calls an export ready; the object is whole by then. False where it was not running."""
        changes = {
            "state": State.READY.value,
            "events_so_far": events,
            "events": events,
            "left_out": left_out,
            "bytes": size,
            "completed_at": completed_at,
            "expires_at": expires_at,
        }
        return self._change(export, changes, (State.RUNNING,))

    def fail(self, export: Export, error: str, completed_at: int) -> bool:
        """Ends an export that cannot be made, with the reason. False where it had ended."""
        changes = {"state": State.FAILED.value, "error": error, "completed_at": completed_at}
        return self._change(export, changes, UNDER_WAY)

    def cancel(self, export: Export, completed_at: int) -> bool:
        """Cancels an export that is under way. False where it had ended."""
        changes = {"state": State.CANCELLED.value, "completed_at": completed_at}
        return self._change(export, changes, UNDER_WAY)

    def expire(self, export: Export, now: int) -> bool:
        """Calls a ready export expired, before its file goes. False where it was not ready."""
        return self._change(
            export, {"state": State.EXPIRED.value, "expires_at": now}, (State.READY,)
        )

    def pointer(self, org: str, name: str) -> "Pointer | None":
        """Which export was asked for last under a name; one read unit."""
        with aws.translated("dynamodb:GetItem"):
            found = self._client.get_item(
                TableName=self._table, Key=_pointer_key(org, name), ConsistentRead=True
            )
        if "Item" not in found:
            return None
        item = values(found["Item"])
        return Pointer(item["export_id"], item["at"])

    def point(self, org: str, name: str, to: "Pointer", *, instead_of: "Pointer | None") -> bool:
        """Points to an export; False where somebody else has done so meanwhile. One write unit."""
        condition, bound = "attribute_not_exists(pk)", {}
        if instead_of is not None:
            condition, bound = "export_id = :before", {":before": instead_of.export_id}
        values_of: Any = {"ExpressionAttributeValues": attributes(bound)} if bound else {}
        try:
            with aws.translated("dynamodb:PutItem"):
                self._client.put_item(
                    TableName=self._table,
                    Item=_pointer_key(org, name)
                    | attributes(
                        {
                            "export_id": to.export_id,
                            "at": to.at,
                            "ttl": (to.at + KEPT_FOR) // clock.SECOND,
                        }
                    ),
                    ConditionExpression=condition,
                    **values_of,
                )
        except aws.ConditionFailedError:
            return False
        return True

    def _change(self, export: Export, changes: dict[str, Any], states: Iterable[State]) -> bool:
        names = {f"#{name}": name for name in (*changes, "state")}
        bound = {f":{name}": value for name, value in changes.items()}
        allowed = {f":from{i}": state.value for i, state in enumerate(states)}
        try:
            with aws.translated("dynamodb:UpdateItem"):
                self._client.update_item(
                    TableName=self._table,
                    Key=export_key(export.org, export.id),
                    UpdateExpression="SET " + ", ".join(f"#{n} = :{n}" for n in changes),
                    ConditionExpression=f"#state IN ({', '.join(allowed)})",
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues=attributes(bound | allowed),
                )
        except aws.ConditionFailedError:
            return False
        return True


def _pointer_key(org: str, name: str) -> dict[str, Any]:
    return attributes({"pk": f"asked#{org}", "sk": name})


def _export(org: str, item: dict[str, Any]) -> Export:
    return Export(
        id=item["sk"],
        org=org,
        state=State(item["state"]),
        format=Format(item["format"]),
        compression=Compression(item["compression"]),
        profile=Profile(item.get("profile", Profile.NATIVE)),
        bom=item.get("bom", False),
        filter=item["filter"],
        span=Span(item["first"], item["end"]),
        requested_by=Requester(item["requester"], item["requester_name"], item["credential"]),
        created_at=item["created_at"],
        updated_at=item["updated_at"],
        slices=item.get("slices"),
        slices_done=item.get("slices_done", 0),
        events_so_far=item.get("events_so_far", 0),
        completed_at=item.get("completed_at"),
        expires_at=item.get("expires_at"),
        events=item.get("events"),
        left_out=item.get("left_out"),
        bytes=item.get("bytes"),
        error=item.get("error"),
    )
