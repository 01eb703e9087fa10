"""How many events an org has recorded today, where the platform limits that.

    pk             sk                     what
    count#<org>    events#<UTC day>       so many; gone after three days

Each container counts for itself, and adds to the table at most once a second: a
limit can be passed by what all containers record within a second, and what a
container that dies has counted since then is not counted at all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditlog import clock
from auditlog.errors import LimitReachedError, Standing, UnavailableError
from auditlog.orgs import Org
from auditlog.store import aws
from auditlog.store.items import attributes, values

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_LIMIT = "events"
_KEPT = 3 * clock.DAY
#: Seconds for which a container believes what it knows of all the others.
_KNOWN_FOR = 1.0
_MOST_KNOWN = 10_000


@dataclass(slots=True)
class _Count:
    """What a container knows of a day of an org: all that was added, and what it has to add."""

    day: str
    total: int = 0
    own: int = 0
    asked_at: float = float("-inf")


#: Of this container, by table and org.
_counts: dict[tuple[str, str], _Count] = {}


class UsageStore:
    """Counts events, and says when there are too many."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        *,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        self._client = client
        self._table = table
        self._monotonic = monotonic

    def check(self, org: Org, now: int) -> Standing | None:
        """How many events the org may record today; None where it has no limit.

        Raises `LimitReachedError` where it is none. At most one write unit a second
        and container; nothing where there is no limit.
        """
        quota = org.limits.events_per_day
        if quota is None:
            return None
        count = self._refreshed(org, now)
        reset = -((now % clock.DAY - clock.DAY) // clock.SECOND)
        left = max(0, quota - count.total - count.own)
        standing = Standing(_LIMIT, quota, left, reset, window=clock.DAY // clock.SECOND)
        if not left:
            detail = f"The org has recorded the {quota} events that it may in a day (UTC)."
            raise LimitReachedError(detail, standing)
        return standing

    def add(self, org: Org, events: int, now: int) -> None:
        """Counts events that were recorded; of an org without a limit, none."""
        if org.limits.events_per_day is not None:
            self._of(org, now).own += events

    def flush(self, org: Org, now: int) -> None:
        """Adds to the table what was counted, if it was not asked within the second."""
        if org.limits.events_per_day is not None:
            self._refreshed(org, now)

    def _refreshed(self, org: Org, now: int) -> _Count:
        count, at = self._of(org, now), self._monotonic()
        if at - count.asked_at < _KNOWN_FOR:
            return count
        try:
            count.total, count.own = self._added(org.name, count.day, count.own, now), 0
            count.asked_at = at
        except UnavailableError:
            # Nobody is kept from publishing because it cannot be counted.
            count.asked_at = at
        return count

    def _of(self, org: Org, now: int) -> _Count:
        day, place = clock.text(now)[:10], (self._table, org.name)
        count = _counts.get(place)
        if count is None or count.day != day:
            if len(_counts) >= _MOST_KNOWN:
                _counts.clear()
            count = _counts[place] = _Count(day)
        return count

    def _added(self, org: str, day: str, events: int, now: int) -> int:
        """Adds events to a day; all of that day."""
        with aws.translated("dynamodb:UpdateItem"):
            answer: Any = self._client.update_item(
                TableName=self._table,
                Key=attributes({"pk": f"count#{org}", "sk": f"events#{day}"}),
                UpdateExpression="ADD events :n SET #ttl = :ttl",
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues=attributes(
                    {":n": events, ":ttl": (now + _KEPT) // clock.SECOND}
                ),
                ReturnValues="UPDATED_NEW",
            )
        return values(answer["Attributes"])["events"]
