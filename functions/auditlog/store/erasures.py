"""Erasures, in the `control` table.

    pk                 sk               what
    erasure#<org>      <id>             an erasure; the subject only until it is done
    erased#<org>       <digest>/<id>    whom an erasure is of, as an HMAC

Writers look at the latter, so that what arrives late is stored erased, however late it
is. Each erasure has its own, so that one that fails takes nothing from another of the
same subject; one that is completed makes those that were asked for before it needless.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from auditlog.erasures import LISTED, Erased, Erasure, Progress, State, Subject
from auditlog.errors import ConflictError
from auditlog.orgs import Org
from auditlog.store import aws
from auditlog.store.items import attributes, values

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

HELD = "The org is under a hold: nothing of its log may be removed."
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

    def create(self, erasure: Erasure, subject: Subject, secret: bytes) -> None:
        """Stores a new erasure, and whom it is of for who writes events.

        From then on the org says that there is something to look for (`erased_at`). Raises
        `ConflictError` where it is under a hold, or being deleted: whoever places a hold
        sees every erasure that there can be. Atomic; six write units or so.
        """
        digest = subject.digest(erasure.org, secret)
        by_id = replace(subject, type=None).digest(erasure.org, secret)
        row = _row(erasure, digest) | {"before": erasure.before}
        if by_id != digest:
            row["by_id"] = by_id
        said: Any = {
            "TableName": self._table,
            "Key": attributes({"pk": "org", "sk": erasure.org}),
            "UpdateExpression": "SET erased_at = :now, "
            "revision = if_not_exists(revision, :zero) + :one",
            "ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(#hold) "
            "AND attribute_not_exists(deletion)",
            "ExpressionAttributeNames": {"#hold": "hold"},
            "ExpressionAttributeValues": attributes(
                {":now": erasure.asked_at, ":zero": 0, ":one": 1}
            ),
        }
        puts: Any = [
            {"Put": {"TableName": self._table, "Item": attributes(item)}}
            for item in (_item(erasure), row)
        ]
        try:
            with aws.translated("dynamodb:TransactWriteItems"):
                self._client.transact_write_items(TransactItems=[{"Update": said}, *puts])
        except aws.ConditionFailedError:
            raise ConflictError(HELD) from None

    def protected(self, org: str) -> int:
        """How many erasures writers have to know of; a read unit for each 4 KB, some 40 of them."""
        return sum(1 for _ in self._items(f"erased#{org}"))

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

    def running(self, org: str) -> list[Erasure]:
        """The erasures that are not done, oldest first, strongly consistent.

        A read unit for each 4 KB of all that the org ever had, some ten of them.
        """
        found = (_erasure(org, item) for item in self._items(f"erasure#{org}"))
        return [erasure for erasure in found if erasure.state is State.RUNNING]

    def is_any_running(self, org: str) -> bool:
        """Whether something of an org may still be erased; as `running`.

        For who makes a hold effective: once the hold is placed no erasure begins, and one
        that runs ends itself where it looks next.
        """
        return bool(self.running(org))

    def withdraw(self, erasure: Erasure, digest: str) -> None:
        """Has writers store the subject's events again, but for those that others are of.

        Idempotent. One write unit.
        """
        self._forget(_row(erasure, digest))

    def supersede(self, erasure: Erasure, digest: str) -> None:
        """Forgets the erasures of the same subject that were asked for no later than this one.

        This one takes all that those took, and stays. Idempotent. A read unit, and a write
        unit for each.
        """
        own = _row(erasure, digest)
        for item in self._items(own["pk"], f"{digest}/"):
            if item["sk"] != own["sk"] and item["before"] <= erasure.before:
                self._forget(item)

    def erased(self, org: Org, secret: bytes) -> Erased:
        """Whom events of the org were ever erased of: for who is about to write events.

        Strongly consistent. Costs nothing where none was asked for, else a read unit for
        each 4 KB, some 40 of them.
        """
        before: dict[str, int] = {}
        by_id: dict[str, int] = {}
        if org.erased_at is not None:
            for item in self._items(f"erased#{org.name}"):
                digest, moment = item["sk"].partition("/")[0], item["before"]
                before[digest] = max(moment, before.get(digest, 0))
                digest = item.get("by_id", digest)
                by_id[digest] = max(moment, by_id.get(digest, 0))
        return Erased(org.name, before, by_id, secret)

    def _items(self, pk: str, prefix: str = "") -> Iterator[dict[str, Any]]:
        condition, bound = "pk = :pk", {":pk": pk}
        if prefix:
            condition, bound = f"{condition} AND begins_with(sk, :of)", bound | {":of": prefix}
        start: dict[str, Any] = {}
        while True:
            with aws.translated("dynamodb:Query"):
                page = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression=condition,
                    ExpressionAttributeValues=attributes(bound),
                    ConsistentRead=True,
                    **start,
                )
            yield from map(values, page["Items"])
            last = page.get("LastEvaluatedKey")
            if not last:
                return
            start = {"ExclusiveStartKey": last}

    def _forget(self, row: dict[str, Any]) -> None:
        with aws.translated("dynamodb:DeleteItem"):
            self._client.delete_item(
                TableName=self._table, Key=attributes({"pk": row["pk"], "sk": row["sk"]})
            )


def _row(erasure: Erasure, digest: str) -> dict[str, Any]:
    """The key of what writers look at."""
    return {"pk": f"erased#{erasure.org}", "sk": f"{digest}/{erasure.id}"}


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
