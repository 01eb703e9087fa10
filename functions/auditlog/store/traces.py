"""What the `control` table says of a person beside the log: who asked for what, and whom for.

Exports keep their requester and their filter for good, and erasures who asked for
them. Everything here is done twice without harm.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from auditlog.erasures import ERASED, Subject
from auditlog.errors import NotFoundError
from auditlog.exports import STALLED_AFTER, State
from auditlog.store import aws
from auditlog.store.control import ControlStore
from auditlog.store.items import attributes, values

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_UNDER_WAY = frozenset({State.QUEUED.value, State.RUNNING.value})
_CHANGED = "Somebody who is named in its filter was erased; ask for another."


class TraceStore:
    """Removes what names a subject of an erasure."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def erase(self, org: str, subject: Subject, before: int, now: int) -> None:
        """Removes a subject from what was asked for before a time, and their sessions.

        An export that is under way and names the subject in its filter fails: with
        another filter it would be another export. A read unit for each 4 KB of the
        org's exports, erasures and sessions, one write unit or two for each that is changed.
        """
        for item in self._items(f"export#{org}"):
            if item["created_at"] < before:
                self._erase_export(item, subject, now)
        if subject.kind == "actor":
            self._erase_from_erasures(org, subject, before)
            self._end_sessions(org, subject, before)

    def may_hold(self, org: str, now: int) -> tuple[str, ...]:
        """The exports whose files are there, or are being made: they may hold what was erased.

        A read unit for each 4 KB of exports, some ten of them.
        """
        return tuple(item["sk"] for item in self._items(f"export#{org}") if _has_file(item, now))

    def _erase_export(self, item: Mapping[str, Any], subject: Subject, now: int) -> None:
        while True:
            changes = _changes(item, subject, now)
            if not changes:
                return
            names = {f"#{name}": name for name in (*changes, "state")}
            bound = {f":{name}": value for name, value in changes.items()}
            try:
                with aws.translated("dynamodb:UpdateItem"):
                    self._client.update_item(
                        TableName=self._table,
                        Key=_key(item),
                        UpdateExpression="SET " + ", ".join(f"#{n} = :{n}" for n in changes),
                        ConditionExpression="#state = :seen",
                        ExpressionAttributeNames=names,
                        ExpressionAttributeValues=attributes(bound | {":seen": item["state"]}),
                    )
            except aws.ConditionFailedError:
                with aws.translated("dynamodb:GetItem"):
                    found = self._client.get_item(
                        TableName=self._table, Key=_key(item), ConsistentRead=True
                    )
                if "Item" not in found:
                    return
                item = values(found["Item"])
            else:
                return

    def _erase_from_erasures(self, org: str, subject: Subject, before: int) -> None:
        for item in self._items(f"erasure#{org}"):
            if item["asked_by"] != subject.id or item["asked_at"] >= before:
                continue
            with aws.translated("dynamodb:UpdateItem"):
                self._client.update_item(
                    TableName=self._table,
                    Key=_key(item),
                    UpdateExpression="SET asked_by = :erased",
                    ExpressionAttributeValues=attributes({":erased": ERASED}),
                )

    def _end_sessions(self, org: str, subject: Subject, before: int) -> None:
        control = ControlStore(self._client, self._table)
        for session in control.sessions(org):
            person = session.person
            if person is None or person.id != subject.id or session.created_at >= before:
                continue
            try:
                control.delete_key(org, session.id, session=True)
            except NotFoundError:
                continue  # Somebody else revoked it.

    def _items(self, pk: str) -> Iterator[dict[str, Any]]:
        start: dict[str, Any] = {}
        while True:
            with aws.translated("dynamodb:Query"):
                page = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression="pk = :pk",
                    ExpressionAttributeValues=attributes({":pk": pk}),
                    ConsistentRead=True,
                    **start,
                )
            yield from map(values, page["Items"])
            last = page.get("LastEvaluatedKey")
            if not last:
                return
            start = {"ExclusiveStartKey": last}


def _key(item: Mapping[str, Any]) -> Any:
    return attributes({"pk": item["pk"], "sk": item["sk"]})


def _changes(item: Mapping[str, Any], subject: Subject, now: int) -> dict[str, Any]:
    """What has to change of an export; nothing where it says nothing of the subject."""
    changes: dict[str, Any] = {}
    if subject.kind == "actor":
        if item["requester"] == subject.id:
            changes |= {"requester": ERASED, "requester_name": ERASED}
        # A token that has no id of its own has that of the person.
        if item["credential"] == subject.id:
            changes["credential"] = ERASED
    if subject.is_named_in(item["filter"]):
        changes["filter"] = {
            name: [ERASED if subject.is_named_in({name: text}) else text for text in texts]
            for name, texts in item["filter"].items()
        }
        if item["state"] in _UNDER_WAY:
            changes |= {
                "state": State.FAILED.value,
                "error": _CHANGED,
                "completed_at": now,
            }
    return changes


def _has_file(item: Mapping[str, Any], now: int) -> bool:
    state = item["state"]
    if state == State.READY.value:
        return now < item["expires_at"]
    return state in _UNDER_WAY and now - item["updated_at"] <= STALLED_AFTER[state]
