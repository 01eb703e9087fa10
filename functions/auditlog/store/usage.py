"""How many events an org has recorded today, where the platform limits that.

    pk             sk                     what
    count#<org>    events#<UTC day>       so many; gone after three days

Events are booked before they are written, and what turns out to have been there is
given back. So a limit is never passed by what comes over HTTP, and a request that
dies in between has used what it had booked.
"""

from typing import TYPE_CHECKING, Any

from auditlog import clock
from auditlog.errors import LimitReachedError, Standing
from auditlog.orgs import Org
from auditlog.store import aws
from auditlog.store.items import attributes, values

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_LIMIT = "events"
_KEPT = 3 * clock.DAY
_WINDOW = clock.DAY // clock.SECOND


class UsageStore:
    """Counts events of orgs that have a limit; of others, none, at no cost."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def book(self, org: Org, events: int, now: int) -> Standing | None:
        """Books events that are about to be recorded; how many are left. None without a limit.

        Raises `LimitReachedError` where fewer are left than that; then none is booked.
        One write unit. Two that book at the same time both count.
        """
        quota = org.limits.events_per_day
        if quota is None:
            return None
        bound: dict[str, Any] = {":room": quota - events}
        condition = "attribute_not_exists(events) OR events <= :room"
        if events > quota:
            condition, bound = "events < :never", {":never": 0}
        try:
            used = self._add(org.name, events, now, condition, bound)
        except aws.ConditionFailedError:
            left = max(0, quota - self._used(org.name, now))
            detail = (
                f"{events} events, and {left} are left of the {quota} that the org may "
                "record in a day (UTC)."
            )
            raise LimitReachedError(detail, _standing(quota, left, now)) from None
        return _standing(quota, max(0, quota - used), now)

    def count(self, org: Org, events: int, now: int) -> None:
        """Adds events that were recorded whatever the limit says; or gives some back, below 0.

        One write unit, where the org has a limit and there are any.
        """
        if org.limits.events_per_day is not None and events:
            self._add(org.name, events, now)

    def _used(self, org: str, now: int) -> int:
        with aws.translated("dynamodb:GetItem"):
            found = self._client.get_item(
                TableName=self._table, Key=_key(org, now), ConsistentRead=True
            )
        return values(found["Item"])["events"] if "Item" in found else 0

    def _add(
        self,
        org: str,
        events: int,
        now: int,
        condition: str = "",
        bound: dict[str, Any] | None = None,
    ) -> int:
        """Adds events to a day; all of that day."""
        conditional: Any = {"ConditionExpression": condition} if condition else {}
        with aws.translated("dynamodb:UpdateItem"):
            answer: Any = self._client.update_item(
                TableName=self._table,
                Key=_key(org, now),
                UpdateExpression="ADD events :n SET #ttl = :ttl",
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues=attributes(
                    {":n": events, ":ttl": (now + _KEPT) // clock.SECOND, **(bound or {})}
                ),
                ReturnValues="UPDATED_NEW",
                **conditional,
            )
        return values(answer["Attributes"])["events"]


def _key(org: str, now: int) -> dict[str, Any]:
    return attributes({"pk": f"count#{org}", "sk": f"events#{clock.text(now)[:10]}"})


def _standing(quota: int, left: int, now: int) -> Standing:
    reset = -((now % clock.DAY - clock.DAY) // clock.SECOND)
    return Standing(_LIMIT, quota, left, reset, window=_WINDOW)
