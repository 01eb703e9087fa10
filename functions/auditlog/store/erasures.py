"""Erasures, in the `control` table.

    pk                 sk           what
    erasure#<org>      <id>         an erasure; the subject only until it is done
    erased#<org>       <digest>     whom it was of, as an HMAC; for `erasures.ARRIVES_LATE`

Writers look at the latter, so that what arrives late is stored erased.
"""

from typing import TYPE_CHECKING, Any

from auditlog import clock
from auditlog.erasures import ARRIVES_LATE, LISTED, Erased, Erasure, State, Subject
from auditlog.orgs import Org
from auditlog.store import aws
from auditlog.store.items import attributes, values

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


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
                "before": erasure.asked_at,
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

    def save(self, erasure: Erasure) -> bool:
        """Stores how far an erasure has got. False where it had ended already. One write unit."""
        try:
            with aws.translated("dynamodb:PutItem"):
                self._client.put_item(
                    TableName=self._table,
                    Item=attributes(_item(erasure)),
                    ConditionExpression="#state = :running",
                    ExpressionAttributeNames={"#state": "state"},
                    ExpressionAttributeValues=attributes({":running": State.RUNNING.value}),
                )
        except aws.ConditionFailedError:
            return False
        return True

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
    subject = erasure.subject
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
    }


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
    )
