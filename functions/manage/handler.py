"""The keys of an org: made, listed, revoked."""

import secrets
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from auditlog import bodies, clock, keys, routes, shapes
from auditlog.errors import Fault, InvalidError, NotFoundError
from auditlog.http import Answer, Api, Request
from auditlog.keys import Key
from auditlog.telemetry import metered

api = Api()


@api.route(routes.CREATE_KEY)
def create_key(request: Request) -> Answer:
    """Makes a key; its secret is in this answer and nowhere else."""
    body = request.body(bodies.MAX_BYTES)
    asked = shapes.body(bodies.NEW_KEY, body)
    now = clock.now()
    expires_at = clock.parse(asked["expires_at"]) if "expires_at" in asked else None
    if expires_at is not None and expires_at <= now:
        fault = Fault("a time that has passed already", pointer="/expires_at")
        raise InvalidError("The key would never be good.", [fault])
    minted = keys.mint(
        request.org,
        asked["name"],
        tuple(grant for grant in keys.ALL_GRANTS if grant.value in asked["grants"]),
        now=now,
        expires_at=expires_at,
        random=secrets.token_bytes,
    )
    api.control.create_key(minted.key)
    return Answer(201, {**_shown(minted.key), "secret": minted.secret})


@api.route(routes.LIST_KEYS)
def list_keys(request: Request) -> Answer:
    """All keys of the org, oldest first, expired ones too."""
    return Answer(200, {"keys": [_shown(key) for key in api.control.keys(request.org)]})


@api.route(routes.REVOKE_KEY)
def revoke_key(request: Request) -> Answer:
    """Revokes a key, also the one that asks."""
    if len(request.path["key_id"]) != keys.ID_LENGTH:
        raise NotFoundError("No such key.")
    api.control.delete_key(request.org, request.path["key_id"])
    return Answer(204)


def _shown(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "grants": [grant.value for grant in key.grants],
        "created_at": clock.text(key.created_at),
        "expires_at": None if key.expires_at is None else clock.text(key.expires_at),
    }


@metered
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry: an API Gateway HTTP API event."""
    return api.handle(event, context)
