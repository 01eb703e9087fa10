"""Events get the expiry that the policy gives them now, before the one that they carry comes."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from auditlog.policy import Hold
from auditlog.span import Span
from auditlog.store.expiries import Carried
from retain.case import Case
from retain.walk import Walk


def reach(case: Case) -> bool:
    """Reaches all that would expire before long, and under a hold makes it effective.

    False where there was not time enough, or the hold has to wait for an erasure to end;
    the next run goes on. Raises `ConflictError` where somebody changes the org meanwhile.
    """
    while (stretch := case.policy.to_be_reached(case.now)) is not None:
        if not _reach(case, *stretch):
            return False
    hold = case.policy.hold
    return hold is None or _keep(case, hold)


def _reach(case: Case, since: int, until: int) -> bool:
    """Reaches a stretch of time, and says in the policy how far that is."""

    def save(reached: int) -> None:
        nonlocal since
        if reached > since:
            # A crash here leaves events with the right expiry, which are looked at again.
            case.set_policy(case.policy.reached(since, reached, case.now))
            since = reached

    if not _give(case, Span.between(since, until), save):
        return False
    save(until)
    return True


def _keep(case: Case, hold: Hold) -> bool:
    """Keeps also what nobody sees any more and is still there; then the hold is effective."""
    placed_at, kept_to = case.progress.kept
    if placed_at != hold.placed_at:
        kept_to = 0
    purged_before = case.policy.purged_before

    def save(kept_to: int) -> None:
        case.note(kept=(hold.placed_at, kept_to))

    if kept_to < purged_before:
        if not _give(case, Span.between(kept_to, purged_before), save):
            return False
        save(purged_before)
    now = case.now
    if hold.effective_at is None and not any(f.lost_before(now) for f in case.policy.former):
        if case.is_being_erased:
            return False
        # From here on nothing of the org can go or be altered: no other run is at work, no
        # erasure is nor begins, and no expiry comes before the next run.
        case.set_policy(replace(case.policy, hold=replace(hold, effective_at=now)))
    return True


def _give(case: Case, span: Span, save: Callable[[int], None]) -> bool:
    """Gives what carries another expiry the policy's own; `save` is told how far."""
    policy = case.policy

    def is_other(row: Carried) -> bool:
        return row.expires_at is not None and row.expires_at != policy.expiry(row.occurred_at)

    def give(rows: Iterable[Carried]) -> None:
        case.give((row, policy.expiry(row.occurred_at)) for row in rows)

    walk = Walk(is_other, lambda row: save(row.occurred_at), give)
    return walk.over(case.rows(span), case.stores)
