"""Sessions: short-lived, read-only credentials for one person each."""

import secrets
from typing import Any

from auditlog import bodies, clock, keys, routes, shapes, trail
from auditlog.errors import NotFoundError
from auditlog.http import Answer, Request
from auditlog.keys import Key, Person
from manage.door import api, record, target_of, time


@api.route(routes.CREATE_SESSION)
def create_session(request: Request) -> Answer:
    """Opens a session; its token is in this answer and nowhere else."""
    asked = shapes.body(bodies.NEW_SESSION, request.body(bodies.MAX_BYTES))
    now, org = clock.now(), request.org_settings
    person = Person(asked["actor"]["id"], asked["actor"].get("name"))
    minutes = asked.get("minutes", keys.DEFAULT_SESSION_MINUTES)
    minted = keys.mint(
        org.name,
        person.name or person.id,
        keys.SESSION_GRANTS,
        now=now,
        expires_at=now + minutes * clock.MINUTE,
        random=secrets.token_bytes,
        person=person,
    )
    told = {"for": {"id": person.id}, "minutes": minutes}
    record(
        request, org, trail.SESSION_CREATE, minted.id, now,
        targets=[target_of(minted.key)], metadata=told,
    )  # fmt: skip
    api.control.create_key(minted.key)
    shown = {**_shown(minted.key), "token": minted.secret}
    return Answer(201, {**shown, "link": f"/console#session={minted.secret}"})


@api.route(routes.LIST_SESSIONS)
def list_sessions(request: Request) -> Answer:
    """Sessions that were not revoked, oldest first."""
    return Answer(200, {"sessions": [_shown(each) for each in api.control.sessions(request.org)]})


@api.route(routes.REVOKE_SESSION)
def revoke_session(request: Request) -> Answer:
    """Ends a session before its time."""
    now, org, session_id = clock.now(), request.org_settings, request.path["session_id"]
    found = api.control.key(session_id) if len(session_id) == keys.ID_LENGTH else None
    if found is None or found.org != org.name or found.person is None:
        raise NotFoundError("No such session.")
    record(
        request, org, trail.SESSION_REVOKE, found.id, now,
        targets=[target_of(found)], metadata={"for": {"id": found.person.id}},
    )  # fmt: skip
    api.control.delete_key(org.name, found.id, session=True)
    return Answer(204)


def _shown(session: Key) -> dict[str, Any]:
    person = session.person
    return {
        "id": session.id,
        "actor": {} if person is None else {"id": person.id, "name": person.name},
        "grants": [grant.value for grant in session.grants],
        "created_at": clock.text(session.created_at),
        "expires_at": time(session.expires_at),
    }
