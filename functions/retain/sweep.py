"""What DynamoDB's TTL left behind of what was purged goes, and so do its digests."""

from auditlog import clock
from auditlog.event import first_id
from auditlog.retention import TTL_PATIENCE
from auditlog.span import Span
from auditlog.store.expiries import Carried
from retain.case import Case
from retain.purge import line
from retain.walk import Walk

#: What should have gone so long ago, and is still there, is overdue.
OVERDUE = 3 * clock.DAY


def sweep(case: Case) -> bool:
    """Deletes what should have gone by itself for long. False where there was not time enough.

    Not for an org under a hold. Where there is nothing, a read unit for each partition.
    """
    bound = _bound(case)
    oldest_at = oldest(case)
    if oldest_at is not None and oldest_at < bound:

        def save(_row: Carried) -> None:
            case.check()

        # Oldest first: a crash leaves what was not deleted yet.
        walk = Walk(lambda _row: True, save, case.delete)
        if not walk.over(case.rows(Span.between(0, bound)), case.stores):
            return False
    swept_to = case.progress.swept_to
    if bound >= swept_to + clock.HOUR or bound == case.progress.recorded_to > swept_to:
        for partition in case.org.layout.partitions:
            case.stores.digests.remove_before(partition, first_id(bound))
        case.note(swept_to=bound)
    return True


def is_overdue(case: Case) -> bool:
    """Whether something is still there that was to go more than three days ago; and is told so.

    A change of the policy makes much due at once, for which there are three days too.
    A read unit for each partition.
    """
    policy, now = case.policy, case.now
    if policy.hold or policy.retention_days is None or now < policy.changed_at + OVERDUE:
        return False
    oldest_at = oldest(case)
    return oldest_at is not None and oldest_at < policy.purge_line(now - OVERDUE)


def oldest(case: Case) -> int | None:
    """When the oldest event that is still there occurred."""
    rows = (case.stores.log.oldest(partition) for partition in case.org.layout.partitions)
    return min((row.occurred_at for row in rows if row is not None), default=None)


def _bound(case: Case) -> int:
    progress, now = case.progress, case.now
    if now >= progress.recorded_at + TTL_PATIENCE:
        return progress.recorded_to
    return min(progress.recorded_to, max(0, line(case.policy, now) - TTL_PATIENCE))
