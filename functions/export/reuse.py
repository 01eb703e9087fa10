"""The same export asked for again, as a client does that waits for its file by asking."""

import hashlib
import json
from collections.abc import Callable

from auditlog import clock
from auditlog.errors import ConflictError, UnavailableError
from auditlog.exports import Export, State
from auditlog.store.exports import ExportStore, Pointer

#: A file is handed out again, and a failure told again, for so long.
REUSED_FOR = 10 * clock.MINUTE
# Who pointed to an export has made it by then, or never will: no request lives longer.
_MAKING = clock.MINUTE
_FIRST_WAIT, _LONGEST_WAIT = 2, 300


def being_made(age: int = 0) -> UnavailableError:
    """What the client is told: curl and urllib3 wait after a 503, and take a 202 for the end.

    `age` is how long it has been made for, in microseconds, and the wait is as long
    again: twenty tries, which is what curl is commonly told, last for more than an hour.
    """
    wait = min(_LONGEST_WAIT, max(_FIRST_WAIT, age // clock.SECOND))
    return UnavailableError("The export is being made; ask again.", wait)


def standing(
    store: ExportStore,
    export: Export,
    now: int,
    begin: Callable[[Export], None],
    *,
    check_room: Callable[[], None],
    policy_at: int,
) -> Export | None:
    """The finished export that the same caller asked for just now; None where there is none.

    Then `export` stands in its place, and nobody else makes one. Raises
    `UnavailableError` while one is being made, and `ConflictError` where it has
    just failed: a client that asks until it has a file would ask for ever. One that
    nobody works on yet is handed to the workers again with `begin`, since its message
    may never have been sent; a second one does nothing. `check_room` is called before
    a new one takes its place, and raises where there may be none. `policy_at` is when the
    org's policy changed last: a file of before may hold what is not to be shown any more.
    """
    name = _name(export, policy_at)
    pointer = store.pointer(export.org, name)
    if pointer is not None:
        found = store.get(export.org, pointer.export_id)
        if found is None and now - pointer.at < _MAKING:
            raise being_made()
        if found is not None and found.state is State.QUEUED and now - found.created_at > _MAKING:
            begin(found)
        if found is not None and (ready := _reusable(found, now)) is not None:
            return ready
    check_room()
    if not store.point(export.org, name, Pointer(export.id, now), instead_of=pointer):
        raise being_made()
    return None


def _reusable(found: Export, now: int) -> Export | None:
    state = found.state_at(now)
    if state in {State.QUEUED, State.RUNNING}:
        raise being_made(now - found.created_at)
    is_fresh = now - (found.completed_at or found.updated_at) < REUSED_FOR
    if state is State.FAILED and is_fresh:
        reason = found.answer(now, None)["error"]
        raise ConflictError(f"The export failed: {reason} Ask again in ten minutes.")
    return found if state is State.READY and is_fresh else None


def _name(export: Export, policy_at: int) -> str:
    """What the same request has in common: who asks, with what credential, for what, when."""
    who = export.requested_by
    same = [dict(export.filter), who.id, who.credential, policy_at]
    return hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()
