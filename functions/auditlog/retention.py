"""What may go, and when.

An event is kept for its org's `retention_days`, counted from `occurred_at`;
`None` keeps for ever. Its expiry is `GRACE` later, so that a hold or a longer
retention set in time still finds it; reads clamp to the retention itself, so
nobody sees an event that waits in its grace.
"""

from auditlog import clock

GRACE = 7 * clock.DAY
#: DynamoDB's TTL usually deletes within a few days of the expiry; what is still
#: there after this long was left behind, and `retain` removes it.
TTL_PATIENCE = 2 * clock.DAY

MAX_RETENTION_DAYS = 3_650


def oldest_kept(now: int, retention_days: int | None) -> int:
    """The earliest `occurred_at` that is taken and shown, in microseconds."""
    return 0 if retention_days is None else max(0, now - retention_days * clock.DAY)


def expiry(occurred_at: int, retention_days: int | None) -> int | None:
    """When DynamoDB may delete an event: whole seconds since the epoch, as TTL wants it."""
    if retention_days is None:
        return None
    return -((occurred_at + retention_days * clock.DAY + GRACE) // -clock.SECOND)


def left_behind_before(now: int, retention_days: int | None) -> int:
    """Events that occurred before this should have been deleted by TTL already."""
    return max(0, oldest_kept(now, retention_days) - GRACE - TTL_PATIENCE)
