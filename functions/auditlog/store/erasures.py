"""Erasures, in the `control` table.

    pk                 sk           what
    erasure#<org>      <id>         an erasure; the subject only until it is done
    erased#<org>       <digest>     whom it was of, as an HMAC; for `erasures.ARRIVES_LATE`

Writers look at the latter, so that what arrives late is stored erased.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from auditlog import clock
from auditlog.erasures import ARRIVES_LATE, LISTED, Erased, Erasure, Progress, State, Subject
from auditlog.orgs import Org
from auditlog.store import aws
from auditlog.store.items import attributes, values

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: What changes of an erasure while it is worked on.
_WRITTEN = frozenset(
    {
        "state", "subject", "events", "exports", "completed_at", "error", "progress", "revision",
    }
)  # fmt: skip


class ErasureStore:
    """Reads and writes erasures. Safe to share between threads."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def create(self, erasure: Erasure, digest: str) -> None:
        """Stores a new erasure, and whom it is of for who writes events. Four write units."""
        items: Any = [
            _item(erasure),
            {
                "pk": f"erased#{erasure.org}",
                "sk": digest,
                "before": erasure.before,
                "ttl": (erasure.asked_at + ARRIVES_LATE + clock.DAY) // clock.SECOND,
            },
        ]
        with aws.translated("dynamodb:TransactWriteItems"):
            self._client.transact_write_items(
                TransactItems=[
                    {"Put": {"TableName": self._table, "Item": attributes(item)}} for item in items
                ]
            )

    def get(self, org: str, erasure_id: str) -> Erasure | None:
        """One erasure, strongly consistent; one read unit."""
        with aws.translated("dynamodb:GetItem"):
            found = self._client.get_item(
                TableName=self._table,
                Key=attributes({"pk": f"erasure#{org}", "sk": erasure_id}),
                ConsistentRead=True,
            )
        return _erasure(org, values(found["Item"])) if "Item" in found else None

    def newest(self, org: str) -> list[Erasure]:
        """The newest 100 erasures, newest first; a read unit for each 4 KB, some ten of them."""
        with aws.translated("dynamodb:Query"):
            found = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk",
                ExpressionAttributeValues=attributes({":pk": f"erasure#{org}"}),
                ScanIndexForward=False,
                Limit=LISTED,
                ConsistentRead=True,
            )
        return [_erasure(org, values(item)) for item in found["Items"]]

    def save(self, erasure: Erasure) -> Erasure | None:
        """Stores how far an erasure has got, with its next `revision`.

        None where it had ended already, or somebody else has worked on it since it was
        read. Who asked for it is not written again. A write unit for each KB, at most 11.
        """
        saved = replace(erasure, revision=erasure.revision + 1)
        item = {name: value for name, value in _item(saved).items() if name in _WRITTEN}
        set_ = {name: value for name, value in item.items() if value is not None}
        gone = [name for name, value in item.items() if value is None]
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in set_)
        if gone:
            update += " REMOVE " + ", ".join(f"#{name}" for name in gone)
        bound = {f":{name}": value for name, value in set_.items()}
        same = "(#revision = :before OR (attribute_not_exists(#revision) AND :before = :none))"
        try:
            with aws.translated("dynamodb:UpdateItem"):
                self._client.update_item(
                    TableName=self._table,
                    Key=attributes({"pk": f"erasure#{erasure.org}", "sk": erasure.id}),
                    UpdateExpression=update,
                    ConditionExpression=f"#state = :running AND {same}",
                    ExpressionAttributeNames={f"#{name}": name for name in item},
                    ExpressionAttributeValues=attributes(
                        bound
                        | {
                            ":running": State.RUNNING.value,
                            ":before": erasure.revision,
                            ":none": 0,
                        }
                    ),
                )
        except aws.ConditionFailedError:
            return None
        return saved

    def withdraw(self, erasure: Erasure, digest: str) -> None:
        """Has writers store the subject's events again, unless another erasure is of them too.

        Idempotent. One write unit.
        """
        try:
            with aws.translated("dynamodb:DeleteItem"):
                self._client.delete_item(
                    TableName=self._table,
                    Key=attributes({"pk": f"erased#{erasure.org}", "sk": digest}),
                    ConditionExpression="#before = :before",
                    ExpressionAttributeNames={"#before": "before"},
                    ExpressionAttributeValues=attributes({":before": erasure.before}),
                )
        except aws.ConditionFailedError:
            return

    def erased(self, org: Org, now: int, secret: bytes) -> Erased:
        """Whom the org's events were erased of lately: for who is about to write events.

        Strongly consistent. Costs nothing where none was asked for lately, else a read
        unit for each 4 KB, some 40 of them.
        """
        before: dict[str, int] = {}
        if org.erased_at is not None and org.erased_at + ARRIVES_LATE > now:
            start: dict[str, Any] = {}
            while True:
                with aws.translated("dynamodb:Query"):
                    page = self._client.query(
                        TableName=self._table,
                        KeyConditionExpression="pk = :pk",
                        ExpressionAttributeValues=attributes({":pk": f"erased#{org.name}"}),
                        ConsistentRead=True,
                        **start,
                    )
                before |= {item["sk"]: item["before"] for item in map(values, page["Items"])}
                last = page.get("LastEvaluatedKey")
                if not last:
                    break
                start = {"ExclusiveStartKey": last}
        return Erased(org.name, before, secret)


def _item(erasure: Erasure) -> dict[str, Any]:
    subject, progress = erasure.subject, erasure.progress
    return {
        "pk": f"erasure#{erasure.org}",
        "sk": erasure.id,
        "kind": erasure.kind,
        "reason": erasure.reason,
        "asked_at": erasure.asked_at,
        "asked_by": erasure.asked_by,
        "state": erasure.state.value,
        "subject": None if subject is None else [subject.kind, subject.id, subject.type],
        "events": erasure.events,
        "exports": list(erasure.exports),
        "completed_at": erasure.completed_at,
        "error": erasure.error,
        "progress": None
        if progress is None
        else [
            progress.pass_at, progress.search, progress.partition, progress.reached,
            list(progress.counted), progress.is_read,
        ],
        "revision": erasure.revision,
    }  # fmt: skip


def _erasure(org: str, item: dict[str, Any]) -> Erasure:
    return Erasure(
        id=item["sk"],
        org=org,
        kind=item["kind"],
        reason=item["reason"],
        asked_at=item["asked_at"],
        asked_by=item["asked_by"],
        state=State(item["state"]),
        subject=Subject(*item["subject"]) if item.get("subject") else None,
        events=item["events"],
        exports=tuple(item["exports"]),
        completed_at=item.get("completed_at"),
        error=item.get("error"),
        progress=_progress(item.get("progress")),
        revision=item.get("revision", 0),
    )


def _progress(row: list[Any] | None) -> Progress | None:
    if row is None:
        return None
    pass_at, search, partition, reached, counted, is_read = row
    return Progress(pass_at, search, partition, reached, tuple(counted), is_read)
