"""How far `retain` has got with each org, in the `control` table.

    pk                 sk       what
    retention#<org>    state    a `purges.Progress`, and `lease`: until when a run has the org
    retention#*        turns    `first`: with which orgs the next run begins (no org is called `*`)

Compatibility: what an older release did not write has the value here that it
meant there.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from auditlog.errors import ConflictError
from auditlog.purges import Progress, Purge, Step
from auditlog.store import aws
from auditlog.store.items import attributes, values

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_TURNS = attributes({"pk": "retention#*", "sk": "turns"})


class RetentionStore:
    """Reads and writes the progress of retention. Safe to share between threads."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def get(self, org: str) -> Progress:
        """How far an org is; as if nothing was done where no run has been. One read unit."""
        with aws.translated("dynamodb:GetItem"):
            found = self._client.get_item(TableName=self._table, Key=_key(org), ConsistentRead=True)
        return _progress(org, values(found.get("Item", {})))

    def take(self, org: str, now: int, until: int) -> Progress | None:
        """Takes an org for one run until a time; None where another run has it. One write unit.

        A run that dies leaves the org to itself until that time.
        """
        try:
            with aws.translated("dynamodb:UpdateItem"):
                taken = self._client.update_item(
                    TableName=self._table,
                    Key=_key(org),
                    UpdateExpression="SET lease = :until",
                    ConditionExpression="attribute_not_exists(lease) OR lease <= :now",
                    ExpressionAttributeValues=attributes({":until": until, ":now": now}),
                    ReturnValues="ALL_NEW",
                )
        except aws.ConditionFailedError:
            return None
        return _progress(org, values(taken["Attributes"]))

    def save(self, progress: Progress, lease: int) -> None:
        """Stores progress for the run that has the org until `lease`, and keeps it taken.

        Raises `ConflictError` where it is not that run's any more. One write unit.
        """
        self._put(progress, lease, lease)

    def leave(self, progress: Progress, lease: int) -> None:
        """As `save`, and gives the org back."""
        self._put(progress, lease, None)

    def firsts(self) -> tuple[str, str]:
        """With which orgs a run begins: what cannot wait, and all else. One read unit."""
        with aws.translated("dynamodb:GetItem"):
            found = self._client.get_item(TableName=self._table, Key=_TURNS, ConsistentRead=True)
        ahead, all_ = values(found.get("Item", {})).get("first", ("", ""))
        return ahead, all_

    def put_firsts(self, ahead: str, all_: str) -> None:
        """Has the next run begin with these orgs. One write unit."""
        item = _TURNS | attributes({"first": [ahead, all_]})
        with aws.translated("dynamodb:PutItem"):
            self._client.put_item(TableName=self._table, Item=item)

    def _put(self, progress: Progress, lease: int, kept: int | None) -> None:
        try:
            with aws.translated("dynamodb:PutItem"):
                self._client.put_item(
                    TableName=self._table,
                    Item=_key(progress.org) | attributes(_item(progress) | {"lease": kept}),
                    ConditionExpression="lease = :lease",
                    ExpressionAttributeValues=attributes({":lease": lease}),
                )
        except aws.ConditionFailedError:
            raise ConflictError(f"Another run has the org {progress.org} now.") from None


def _key(org: str) -> dict[str, Any]:
    return attributes({"pk": f"retention#{org}", "sk": "state"})


def _item(progress: Progress) -> dict[str, Any]:
    return {
        "recorded_to": progress.recorded_to,
        "recorded_at": progress.recorded_at,
        "removed": progress.removed,
        "swept_to": progress.swept_to,
        "kept": list(progress.kept),
        "due": [list(each) for each in progress.due],
        "purges": [_row(purge) for purge in progress.purges],
        "last_run_at": progress.last_run_at,
        "whole": progress.is_whole,
        "overdue": progress.is_overdue,
    }


def _row(purge: Purge) -> list[Any]:
    return [
        purge.since,
        purge.until,
        purge.policy_at,
        purge.retention_days,
        purge.step.value,
        purge.position,
        purge.events,
        purge.at_least,
        purge.lasting,
        purge.deleted,
        purge.ended_at,
    ]


def _progress(org: str, item: dict[str, Any]) -> Progress:
    purges = (Purge(*row) for row in item.get("purges", ()))
    return Progress(
        org=org,
        recorded_to=item.get("recorded_to", 0),
        recorded_at=item.get("recorded_at", 0),
        removed=item.get("removed", 0),
        swept_to=item.get("swept_to", 0),
        kept=tuple(item.get("kept", (0, 0))),
        due=tuple((at, before) for at, before in item.get("due", ())),
        purges=tuple(replace(purge, step=Step(purge.step)) for purge in purges),
        last_run_at=item.get("last_run_at"),
        is_whole=item.get("whole", True),
        is_overdue=item.get("overdue", False),
    )
