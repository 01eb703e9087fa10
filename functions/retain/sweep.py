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
#: How often it is noted what is to go; where the policy changes all the time, it is known
#: so much later that it is overdue.
_NOTED_EVERY = clock.DAY // 2


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

    What was to go at some time is to go whatever the policy says later, but for a hold,
    after which it has three days again. A change of the policy makes much due at once,
    for which there are three days too. A read unit for each partition.
    """
    policy, since = case.policy, case.now - OVERDUE
    if policy.hold:
        return False
    before = max((before for at, before in case.progress.due if at <= since), default=0)
    if policy.changed_at <= since:
        before = max(before, policy.purge_line(since))
    oldest_at = oldest(case) if before else None
    return oldest_at is not None and oldest_at < before


def due(case: Case) -> tuple[tuple[int, int], ...]:
    """What a run notes of what is to go: `Progress.due`, as far as it is needed."""
    if case.policy.hold:
        return ()
    seen, now = case.progress.due, case.now
    if not seen or seen[-1][0] <= now - _NOTED_EVERY:
        seen = (*seen, (now, line(case.policy, now)))
    last = max((at for at, _ in seen if at <= now - OVERDUE), default=0)
    return tuple(each for each in seen if each[0] >= last)


def oldest(case: Case) -> int | None:
    """When the oldest event that is still there occurred."""
    rows = (case.stores.log.oldest(partition) for partition in case.org.layout.partitions)
    return min((row.occurred_at for row in rows if row is not None), default=None)


def _bound(case: Case) -> int:
    progress, now = case.progress, case.now
    if now >= progress.recorded_at + TTL_PATIENCE:
        return progress.recorded_to
    return min(progress.recorded_to, max(0, line(case.policy, now) - TTL_PATIENCE))
