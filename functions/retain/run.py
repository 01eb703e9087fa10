"""One run over one org."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from auditlog import clock
from auditlog.errors import AuditlogError, ConflictError, UnavailableError
from auditlog.orgs import Org
from auditlog.policy import SETTLED
from retain.case import Case, Stores
from retain.purge import discard, purge
from retain.reach import reach
from retain.sweep import due, is_overdue, oldest, sweep

#: Lambda's longest run, and a margin: after it a run that died has the org no more.
LEASE = 16 * clock.MINUTE


@dataclass(frozen=True, slots=True)
class Told:
    """What a run did to an org. `overdue_since` is when the oldest occurred that was to be gone.

    `error` is what it ended with, unless that passes by itself.
    """

    deleted: int = 0
    extended: int = 0
    is_whole: bool = False
    overdue_since: int | None = None
    error: AuditlogError | None = None

    def then(self, later: "Told | None") -> "Told":
        """Both as one, where the same run came to the org once more."""
        if later is None:
            return self
        return Told(
            self.deleted + later.deleted,
            self.extended + later.extended,
            later.is_whole,
            later.overdue_since,
            later.error or self.error,
        )


def run(org: Org, stores: Stores) -> Told | None:
    """Does what is to be done for an org, as far as the time goes; None where it is nothing.

    A table that is busy, another run that has the org and a change of its settings all
    mean that the next run goes on, and so does whatever else a store raises, which is
    told. What is overdue is looked for in any case. The org is given back; where that
    fails, or the process dies, it is free again after `LEASE`.

    Where nothing is due: two write units, a read unit, and one for each partition; for
    an org that keeps for ever none, or one read unit where it did not always.
    """
    if not (is_concerned(org) or _has_left(org, stores)):
        return None
    errors = list[AuditlogError]()
    began = stores.now()
    lease, taken, is_whole, overdue_since = began + LEASE, None, False, None
    with _told(errors):
        taken = stores.progress.take(org.name, began, lease)
    current = stores.control.org(org.name)
    if current is None:
        return None
    case = Case(current, taken or stores.progress.get(org.name), lease, stores)
    with _told(errors):
        is_whole = taken is not None and _work(case)
    with _told(errors):
        overdue_since = oldest(case) if is_overdue(case) else None
    if taken is not None:
        is_left = False
        with _told(errors):
            case.leave(
                due=due(case),
                last_run_at=began,
                is_whole=is_whole,
                is_overdue=overdue_since is not None,
            )
            is_left = True
        is_whole = is_whole and is_left
    error = errors[0] if errors else None
    return Told(case.deleted, case.extended, is_whole and not error, overdue_since, error)


def run_ahead(org: Org, stores: Stores) -> Told | None:
    """Does what cannot wait: reaches, and makes a hold effective. None where nothing is urgent.

    As `run`; two write units and a read unit more than what is done.
    """
    policy, began = org.policy, stores.now()
    is_awaited = policy.hold is not None and policy.hold.effective_at is None
    if not is_awaited and policy.to_be_reached(began) is None:
        return None
    taken = stores.progress.take(org.name, began, began + LEASE)
    current = stores.control.org(org.name)
    if taken is None or current is None:
        return Told()
    case, errors = Case(current, taken, began + LEASE, stores), list[AuditlogError]()
    with _told(errors):
        if _is_settled(case):
            reach(case)
    with _told(errors):
        case.leave()
    return Told(extended=case.extended, error=errors[0] if errors else None)


@contextmanager
def _told(errors: list[AuditlogError]) -> Generator[None]:
    """What is raised within ends that alone, and is noted unless it passes by itself."""
    try:
        yield
    except (UnavailableError, ConflictError):
        return
    except AuditlogError as error:
        errors.append(error)


def is_concerned(org: Org) -> bool:
    """Whether an org's settings give a run something to do."""
    return org.retention_days is not None or org.hold is not None or bool(org.former)


def _has_left(org: Org, stores: Stores) -> bool:
    """Whether an org that keeps for ever has something to remove from when it did not."""
    if not org.purged_before:
        return False
    progress = stores.progress.get(org.name)
    is_done = min(progress.recorded_to, progress.swept_to) >= org.purged_before
    return not (is_done and progress.is_whole and not progress.purges)


def _work(case: Case) -> bool:
    """Reaches, purges and sweeps; whether there was time for all of it."""
    if not _is_settled(case):
        return False
    discard(case)
    is_whole = reach(case)
    if case.policy.hold is not None:
        return is_whole
    if not _is_settled(case):
        return False  # More is purged than before, which is a change too.
    return purge(case) and sweep(case) and is_whole


def _is_settled(case: Case) -> bool:
    """Whether nobody can be writing any more as it was before the last change."""
    return case.now >= case.policy.changed_at + SETTLED
