"""The keys of an org: made, listed, rotated, revoked."""

import secrets
from typing import Any

from auditlog import bodies, clock, keys, routes, shapes, trail
from auditlog.errors import ConflictError, Fault, InvalidError, NotFoundError
from auditlog.http import Answer, Request
from auditlog.keys import Key, MintedKey
from manage.door import api, record, target_of, time


@api.route(routes.CREATE_KEY)
def create_key(request: Request) -> Answer:
    """Makes a key; its secret is in this answer and nowhere else."""
    asked = shapes.body(bodies.NEW_KEY, request.body(bodies.MAX_BYTES))
    now, org = clock.now(), request.org_settings
    expires_at = clock.parse(asked["expires_at"]) if "expires_at" in asked else None
    if expires_at is not None and expires_at <= now:
        fault = Fault("a time that has passed already", pointer="/expires_at")
        raise InvalidError("The key would never be good.", [fault])
    minted = keys.mint(
        org.name,
        asked["name"],
        tuple(grant for grant in keys.ALL_GRANTS if grant.value in asked["grants"]),
        now=now,
        expires_at=expires_at,
        random=secrets.token_bytes,
    )
    most = org.limits.keys
    if most is not None:
        api.control.check_room(org.name, most, now)
    told = {"grants": list(asked["grants"]), "expires_at": time(expires_at)}
    record(
        request, org, trail.KEY_CREATE, minted.id, now,
        targets=[target_of(minted.key)], metadata=told,
    )  # fmt: skip
    api.control.create_key(minted.key, most=most)
    return _made(minted)


@api.route(routes.LIST_KEYS)
def list_keys(request: Request) -> Answer:
    """All keys of the org, oldest first, expired ones too."""
    return Answer(200, {"keys": [_shown(key) for key in api.control.keys(request.org)]})


@api.route(routes.ROTATE_KEY)
def rotate_key(request: Request) -> Answer:
    """Makes a key in the place of another, which stays good for the overlap and then expires."""
    asked = shapes.body(bodies.ROTATION, request.body(bodies.MAX_BYTES))
    now, org = clock.now(), request.org_settings
    old = _found(request)
    if not old.is_live(now):
        raise ConflictError("The key has expired; make a new one.")
    if old.replaced_by is not None:
        raise ConflictError(f"The key was replaced already, by {old.replaced_by}.")
    # Where the old one had a time to live, the new one has as long.
    lasts = None if old.expires_at is None else old.expires_at - old.created_at
    expires_at = None if lasts is None else now + lasts
    if "expires_at" in asked:
        expires_at = clock.parse(asked["expires_at"])
    if expires_at is not None and expires_at <= now:
        fault = Fault("a time that has passed already", pointer="/expires_at")
        raise InvalidError("The key would never be good.", [fault])
    minted = keys.mint(
        org.name, old.name, old.grants, now=now, expires_at=expires_at, random=secrets.token_bytes
    )
    overlap = asked.get("overlap_seconds", keys.OVERLAP // clock.SECOND) * clock.SECOND
    ends_at = min(now + overlap, old.expires_at or now + overlap)
    most = org.limits.keys
    if most is not None:
        api.control.check_room(org.name, most, now, replaced=True)
    record(
        request, org, trail.KEY_ROTATE, minted.id, now, targets=[target_of(old)],
        metadata={"replaced_by": minted.id, "expires_at": clock.text(ends_at)},
    )  # fmt: skip
    api.control.replace_key(old, minted.key, ends_at, most=most)
    return _made(minted)


@api.route(routes.REVOKE_KEY)
def revoke_key(request: Request) -> Answer:
    """Revokes a key, also the one that asks."""
    now, org, key = clock.now(), request.org_settings, _found(request)
    record(request, org, trail.KEY_REVOKE, key.id, now, targets=[target_of(key)])
    api.control.delete_key(org.name, key.id)
    return Answer(204)


def _found(request: Request) -> Key:
    key_id = request.path["key_id"]
    found = api.control.key(key_id) if len(key_id) == keys.ID_LENGTH else None
    if found is None or found.org != request.org or found.person is not None:
        raise NotFoundError("No such key.")
    return found


def _made(minted: MintedKey) -> Answer:
    return Answer(201, {**_shown(minted.key), "secret": minted.secret})


def _shown(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "grants": [grant.value for grant in key.grants],
        "created_at": clock.text(key.created_at),
        "expires_at": time(key.expires_at),
        "last_used_at": time(key.used_at),
        "replaced_by": key.replaced_by,
    }
