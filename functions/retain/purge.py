"""Purges, one after the other: counted, closed, deleted, recorded (`auditlog/purges.py`)."""

from dataclasses import replace

from auditlog import clock, trail
from auditlog.event import id_time
from auditlog.policy import Policy
from auditlog.purges import Purge, Step
from auditlog.retention import GRACE
from auditlog.span import Span, just_above
from auditlog.store.expiries import Carried
from retain.case import Case
from retain.walk import Walk

#: A purge is begun when the one before it ends less than this ahead of what is due,
_BEGUN = clock.HOUR
#: and ends so far ahead, in whole hours: it is counted before it is due. What is
#: further behind is purged in one go, up to what is due.
_AHEAD = 3 * clock.HOUR


def line(policy: Policy, now: int) -> int:
    """Everything that occurred before this is to go, unless there is a hold."""
    return max(policy.purged_before, policy.purge_line(now))


def discard(case: Case) -> None:
    """Forgets what was counted under another policy, unless it is closed."""
    changed_at = case.policy.changed_at
    kept = tuple(p for p in case.progress.purges if p.is_closed or p.policy_at == changed_at)
    if kept != case.progress.purges:
        case.note(purges=kept)


def purge(case: Case) -> bool:
    """Purges what is due, and counts what is due next. False where there was not time enough.

    Not for an org under a hold. Raises `ConflictError` where somebody changes the org
    meanwhile.
    """
    while True:
        purges = case.progress.purges
        if purges and purges[-1].step is Step.COUNT:
            if not _count(case, purges[-1]):
                return False
        elif (following := _following(case)) is not None:
            case.note(purges=(*purges, following))
        elif purges and (purges[0].is_closed or purges[0].until <= line(case.policy, case.now)):
            if not _finish(case, purges[0]):
                return False
        else:
            return True


def _following(case: Case) -> Purge | None:
    """The purge that comes next, or None where it is not time yet.

    One that cannot be counted exactly any more is one of its own.
    """
    policy, now, progress = case.policy, case.now, case.progress
    since = progress.purges[-1].until if progress.purges else progress.recorded_to
    due, until = policy.purge_line(now), 0
    if due > since + _AHEAD:
        until = _whole_hour(due)
    elif due and due > since - _BEGUN:
        until = _whole_hour(due) + _AHEAD
    until = max(until, policy.purged_before)
    for begin, _ in policy.uncounted(now):
        if since < begin:
            until = min(until, begin)
    if any(begin <= since < end for begin, end in policy.uncounted(now)):
        # With some time to count it.
        ends = policy.uncounted(now + clock.HOUR)
        until = min(until, *(end for begin, end in ends if begin <= since < end))
    if until <= since:
        return None
    return Purge(since, until, policy.changed_at, policy.retention_days)


def _count(case: Case, purge: Purge) -> bool:
    """Counts what is not counted yet; then the purge waits for its time."""
    from_ = id_time(purge.position) if purge.position else purge.since
    due_at = _due_at(purge, case)
    last = ""

    def look(row: Carried) -> bool:
        nonlocal purge, last
        is_new = row.id != last  # and not the same event, in a partition that it had before
        purge = replace(
            purge,
            events=purge.events + is_new,
            lasting=purge.lasting + _is_lasting(row, due_at),
        )
        last = row.id
        return False

    def save(row: Carried) -> None:
        position = just_above(row.id) if row.id == last else row.id
        note(replace(purge, position=position), row.occurred_at + 1)

    def note(counted: Purge, until: int) -> None:
        nonlocal purge, from_
        # What was not there any more when its turn came was not counted.
        gone = case.policy.uncounted(case.now)
        at_least = counted.at_least or any(b < until and from_ < e for b, e in gone)
        purge, from_ = replace(counted, at_least=at_least), until - 1
        case.note(purges=(*case.progress.purges[:-1], purge))

    if not Walk(look, save).over(case.rows(_left(purge)), case.stores):
        return False
    note(replace(purge, step=Step.WAIT, position=""), purge.until)
    return True


def _due_at(purge: Purge, case: Case) -> int:
    """When a purge can be closed at the earliest."""
    now = case.now
    if purge.retention_days is None or purge.until <= line(case.policy, now):
        return now
    return purge.until + purge.retention_days * clock.DAY + GRACE


def _finish(case: Case, purge: Purge) -> bool:
    """Closes a purge, deletes what stays by itself, and records that it went."""
    if not purge.is_closed:
        if not purge.events:
            _forget(case, purge)
            return True
        purge = _close(case, purge)
    if purge.step is Step.DELETE and not _delete(case, purge):
        return False
    _record(case, case.progress.purges[0])
    return True


def _close(case: Case, purge: Purge) -> Purge:
    """Nothing of it is shown or taken from here on, whatever the policy says by then."""
    if case.policy.purged_before < purge.until:
        case.set_policy(case.policy.purged(purge.until))
    # A crash here leaves a purge that is counted and not closed: nothing of it was
    # deleted, and it is closed, or counted anew under another policy.
    step = Step.DELETE if purge.lasting else Step.RECORD
    closed = replace(purge, step=step, ended_at=case.now)
    case.note_first(closed)
    return closed


def _delete(case: Case, purge: Purge) -> bool:
    """Deletes what DynamoDB leaves there; the rest goes by itself, and costs nothing."""
    began = case.now

    def delete(rows: list[Carried]) -> None:
        nonlocal purge
        case.delete(rows)
        purge = replace(purge, deleted=purge.deleted + len(rows))

    def save(row: Carried) -> None:
        case.note_first(replace(purge, position=row.id))
        case.check()

    walk = Walk(lambda row: _is_lasting(row, began), save, delete)
    if not walk.over(case.rows(_left(purge)), case.stores):
        return False
    # A crash here leaves the stretch to be gone over once more from the last position.
    case.note_first(replace(purge, step=Step.RECORD, position=""))
    return True


def _record(case: Case, purge: Purge) -> None:
    ended_at = purge.ended_at or 0
    if ended_at < case.policy.refused_before(case.now):
        # It would be purged itself; so would one that was recorded then.
        ended_at = case.now
        purge = replace(purge, ended_at=ended_at)
        case.note_first(purge)
    entry = trail.Entry(
        trail.PURGE,
        key=f"purge {purge.since} {purge.until}",
        occurred_at=ended_at,
        metadata=purge.metadata(),
    )
    case.stores.record(entry, case.org)
    # A crash here records the same once more, which changes nothing.
    _forget(case, purge)


def _forget(case: Case, purge: Purge) -> None:
    progress = case.progress
    case.note(
        purges=progress.purges[1:],
        recorded_to=purge.until,
        recorded_at=case.now,
        removed=progress.removed + purge.events,
    )


def _left(purge: Purge) -> Span:
    whole = Span.between(purge.since, purge.until)
    return Span(max(whole.first, purge.position), whole.end)


def _is_lasting(row: Carried, moment: int) -> bool:
    """Whether a row has no expiry by then; one of the same second has."""
    return row.expires_at is None or row.expires_at * clock.SECOND > moment + clock.SECOND


def _whole_hour(moment: int) -> int:
    return moment // clock.HOUR * clock.HOUR
