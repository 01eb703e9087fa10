"""The function's HTTP side: which routes there are is bound by the modules beside this one."""

import secrets
from typing import Any

from auditlog import clock, trail
from auditlog.catalog import Catalog
from auditlog.http import Api, Request
from auditlog.keys import Key
from auditlog.orgs import Org

api = Api()
catalog = Catalog.default()


def record(request: Request, org: Org, kind: str, key: str, now: int, **more: Any) -> None:
    """Records in the org's log what is about to be done, and by whom."""
    entry = trail.Entry(
        kind, key=key, occurred_at=now, caller=request.who, origin=request.origin, **more
    )
    trail.record(entry, org, catalog)


def new_id(now: int) -> str:
    """24 characters that sort by time."""
    return (now.to_bytes(8, "big") + secrets.token_bytes(4)).hex()


def time(moment: int | None) -> str | None:
    """A time as the API shows it."""
    return None if moment is None else clock.text(moment)


def target_of(key: Key) -> dict[str, str]:
    """A key or a session as the target of an event."""
    kind = "key" if key.person is None else "session"
    return {"type": kind, "id": key.id, "name": key.name}
