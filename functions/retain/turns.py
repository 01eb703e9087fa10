"""Orgs take turns, so that none that has much to do keeps the others waiting."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from auditlog.errors import AuditlogError, UnavailableError
from auditlog.orgs import Org
from retain.case import Stores
from retain.run import Told, is_concerned, run, run_ahead

#: Seconds: in a shorter turn an org does not get on.
_SHORTEST = 5.0


def take_turns(orgs: Sequence[Org], stores: Stores) -> dict[str, Told]:
    """One run over all orgs, which are in order of their names: what it did to whom.

    First what cannot wait is done for everyone, in half of the time at most; then all
    else. Whoever had no turn is first in the next run. A read unit and two write units,
    besides what `run_ahead` and `run` take.
    """
    ahead_from, from_ = stores.progress.firsts()
    ahead, all_ = _beginning(orgs, ahead_from), _beginning(orgs, from_)
    # A crash after this leaves the next run to begin with another org: it may have been
    # the first one that ended this run.
    _note_firsts(stores, _second(ahead), _second(all_))
    half = replace(stores, deadline=(stores.monotonic() + stores.deadline) / 2)
    told: dict[str, Told] = {}
    missed_ahead = _take(ahead, half, run_ahead, told)
    missed = _take(all_, stores, run, told)
    _note_firsts(stores, missed_ahead or _second(ahead), missed or _second(all_))
    unseen = {org.name: Told() for org in orgs if is_concerned(org) and org.name not in told}
    return told | unseen


def _take(
    orgs: Sequence[Org],
    stores: Stores,
    work: Callable[[Org, Stores], Told | None],
    told: dict[str, Told],
) -> str | None:
    """Turns of these orgs, until the time is over or none needs another one; adds to `told`.

    In a turn an org has its share of the time that is left. Whoever needed more than that
    has another one when all had theirs. The name of the first that had none, or None.
    """
    waiting, is_first = list(orgs), True
    while waiting:
        longer: list[Org] = []
        for number, org in enumerate(waiting):
            if stores.is_over:
                return org.name if is_first else None
            share = _share(stores, len(waiting) - number)
            done = _tried(org, share, work)
            if done is not None:
                told[org.name] = told.get(org.name, Told()).then(done)
            if share.is_over:
                longer.append(org)
        waiting, is_first = longer, False
    return None


def _share(stores: Stores, number: int) -> Stores:
    """What one of so many orgs that are still to come has of the time."""
    now = stores.monotonic()
    seconds = max(_SHORTEST, (stores.deadline - now) / number)
    return replace(stores, deadline=min(stores.deadline, now + seconds))


def _tried(org: Org, stores: Stores, work: Callable[[Org, Stores], Told | None]) -> Told | None:
    try:
        return work(org, stores)
    except UnavailableError:
        return Told()
    except AuditlogError as error:
        # Something is wrong with this one, and will be next time: the others have theirs.
        return Told(error=error)


def _beginning(orgs: Sequence[Org], first: str) -> list[Org]:
    """The orgs in their order, from the one of that name on, or the next one."""
    later = [org for org in orgs if org.name >= first]
    return later + list(orgs[: len(orgs) - len(later)])


def _second(orgs: Sequence[Org]) -> str:
    return orgs[1 % len(orgs)].name if orgs else ""


def _note_firsts(stores: Stores, ahead: str, all_: str) -> None:
    with suppress(UnavailableError):  # The next run has the order of this one then.
        stores.progress.put_firsts(ahead, all_)
