"""How fast an org's exports may read, all of them together, in the `control` table.

    pk            sk      what
    reads#<org>   reads   booked: the moment up to which reads are booked

DynamoDB gives a partition 3,000 read units a second, and answers whoever wants
more with an error. Half of them are left to searches, however many exports run
and on how many workers: what is read is booked in one queue, a stretch of time
behind the one before, and who has booked waits until his stretch is over.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from auditlog import clock
from auditlog.store import aws
from auditlog.store.items import attributes, values

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: Of a partition, in a second.
READ_UNITS = 3_000 // 2
#: What may be booked ahead: a small export does not wait at all.
_BURST = clock.SECOND
#: To book costs a write unit, which is the price of five read units.
_BOOKED_AT_ONCE = 250
_LONGEST_NAP = 5.0


@dataclass(slots=True)
class Pace:
    """The pace of one worker, which knows nothing of the others but the time that is booked."""

    client: "DynamoDBClient"
    table: str
    org: str
    now: Callable[[], int] = clock.now
    sleep: Callable[[float], None] = clock.sleep
    _spent: float = field(default=0.0, init=False)

    def spend(self, units: float, alive: Callable[[], None]) -> None:
        """Counts what was read of each partition that was, and waits if that was too fast.

        Workers that read other partitions book in the same queue: an org whose shards
        have changed is read slower than it might be, and never faster. `alive` is
        called while it waits; what it raises ends the waiting. One write unit for each
        250 read units of a partition, two after a pause.
        """
        self._spent += units
        if self._spent < _BOOKED_AT_ONCE:
            return
        takes = round(self._spent / READ_UNITS * clock.SECOND)
        self._spent = 0.0
        until = self._book(takes) - _BURST
        while (left := (until - self.now()) / clock.SECOND) > 0:
            self.sleep(min(left, _LONGEST_NAP))
            alive()

    def _book(self, takes: int) -> int:
        """Books so many microseconds; when they are over."""
        while True:
            now = self.now()
            behind = self._update("SET booked = booked + :takes", "booked > :now", now, takes)
            if behind is not None:
                return behind
            free = "attribute_not_exists(booked) OR booked <= :now"
            first = self._update("SET booked = :now + :takes", free, now, takes)
            if first is not None:
                return first

    def _update(self, update: str, condition: str, now: int, takes: int) -> int | None:
        try:
            with aws.translated("dynamodb:UpdateItem"):
                answer = self.client.update_item(
                    TableName=self.table,
                    Key=attributes({"pk": f"reads#{self.org}", "sk": "reads"}),
                    UpdateExpression=update,
                    ConditionExpression=condition,
                    ExpressionAttributeValues=attributes({":now": now, ":takes": takes}),
                    ReturnValues="UPDATED_NEW",
                )
        except aws.ConditionFailedError:
            return None
        return values(answer["Attributes"])["booked"]
