"""Orgs, for the platform's own key: made, listed, limited, deleted."""

import json
from dataclasses import replace
from typing import Any

from auditlog import bodies, bootstrap, clock, orgs, routes, shapes, trail
from auditlog.bodies import NewLimits
from auditlog.errors import ConflictError, NotFoundError, UnavailableError
from auditlog.http import Answer, Request
from auditlog.orgs import Limits, Org
from auditlog.settings import SETTINGS
from auditlog.store import aws
from auditlog.store.queue import Queue
from manage.door import api, record, time

_TRIES = 5
_LISTED = 100


@api.route(routes.CREATE_ORG)
def create_org(request: Request) -> Answer:
    """Makes an org and its first admin key, whose secret is in this answer and nowhere else."""
    asked = shapes.body(bodies.NEW_ORG, request.body(bodies.MAX_BYTES))
    now = clock.now()
    org, minted = bootstrap.new_org(
        asked["name"],
        retention_days=asked.get("retention_days"),
        shards=asked.get("shards", 1),
        limits=_limits(Limits(), asked.get("limits", {})),
        now=now,
    )
    if api.control.any_org(org.name) is not None:
        raise ConflictError(f"The org {org.name} exists already, or did.")
    api.control.create_org(org, minted.key)
    # A crash here leaves an org whose log does not begin with its own beginning, and
    # whose key nobody has: the caller sees a conflict, deletes it or asks for a key.
    record(request, org, trail.ORG_CREATE, "create", now, targets=[{"type": "org", "id": org.name}])
    return Answer(201, {**_shown(org), "key_id": minted.id, "secret": minted.secret})


@api.route(routes.LIST_ORGS)
def list_orgs(request: Request) -> Answer:
    """A page of orgs."""
    after = (request.query.get("after") or [""])[-1]
    found = api.control.orgs_after(after, _LISTED + 1)
    shown, more = found[:_LISTED], found[_LISTED:]
    following = shown[-1].name if more else None
    return Answer(200, {"orgs": [_shown(org) for org in shown], "next": following})


@api.route(routes.SHOW_ORG)
def show_org(request: Request) -> Answer:
    """One org, deleted ones too."""
    return Answer(200, _shown(_found(request)))


@api.route(routes.CHANGE_ORG)
def change_org(request: Request) -> Answer:
    """Changes limits; the log of the org says so."""
    asked = shapes.body(bodies.ORG_CHANGE, request.body(bodies.MAX_BYTES))
    now = clock.now()
    for _ in range(_TRIES):
        org = api.org(request)
        limits = _limits(org.limits, asked["limits"])
        if limits == org.limits:
            return Answer(200, _shown(org))
        changed = replace(org, limits=limits, version=org.version + 1)
        record(
            request, org, trail.SETTINGS_CHANGE, f"settings {changed.version}", now,
            targets=[{"type": "settings", "id": "limits"}],
            metadata={
                "before": {"limits": _limits_shown(org.limits)},
                "after": {"limits": _limits_shown(limits)},
            },
        )  # fmt: skip
        try:
            return Answer(200, _shown(api.control.save_org(changed)))
        except ConflictError:
            continue
    raise UnavailableError("The org is being changed by others; send the same again.")


@api.route(routes.DELETE_ORG)
def delete_org(request: Request) -> Answer:
    """Ends an org at once, and has everything of it removed."""
    name, asked_by = request.path["org"], request.who.actor["id"]
    org = api.control.mark_deleted(name, asked_by, clock.now()) if orgs.is_name(name) else None
    if org is None:
        raise NotFoundError("No such org.")
    # A crash here leaves an org that nobody can reach, and that is still there until
    # `retain` hands it in.
    if org.deletion and org.deletion.completed_at is None:
        message = json.dumps({"org": org.name, "deletion": True})
        Queue(aws.sqs(), SETTINGS.erasures_queue_url).send(message, group=org.name)
    return Answer(202, _shown(org))


def _found(request: Request) -> Org:
    name = request.path["org"]
    found = api.control.any_org(name) if orgs.is_name(name) else None
    if found is None:
        raise NotFoundError("No such org.")
    return found


def _limits(before: Limits, asked: NewLimits) -> Limits:
    return replace(before, **asked)


def _limits_shown(limits: Limits) -> dict[str, Any]:
    return {
        "events_per_day": limits.events_per_day,
        "exports_at_once": limits.exports_at_once,
        "keys": limits.keys,
    }


def _shown(org: Org) -> dict[str, Any]:
    deletion = org.deletion
    return {
        "name": org.name,
        "state": "active"
        if deletion is None
        else "deleting"
        if deletion.completed_at is None
        else "deleted",
        "created_at": clock.text(org.created_at),
        "limits": _limits_shown(org.limits),
        "deletion": None
        if deletion is None
        else {
            "requested_at": clock.text(deletion.asked_at),
            "requested_by": deletion.asked_by,
            "completed_at": time(deletion.completed_at),
            "events": deletion.events,
        },
    }
