"""Erasures: asked for, listed, shown. The work is done in the background, by `erase`."""

import json
from dataclasses import replace

from auditlog import bodies, clock, routes, shapes, trail
from auditlog.erasures import Erasure, Subject
from auditlog.errors import ConflictError, Fault, InvalidError, NotFoundError, UnavailableError
from auditlog.http import Answer, Request
from auditlog.orgs import Org
from auditlog.settings import SETTINGS
from auditlog.store import aws
from auditlog.store.erasures import ErasureStore
from auditlog.store.queue import Queue
from manage.door import api, new_id, record

_TRIES = 5


def _erasures() -> ErasureStore:
    return ErasureStore(aws.dynamodb(), SETTINGS.control_table)


@api.route(routes.CREATE_ERASURE)
def create_erasure(request: Request) -> Answer:
    """Records that an erasure was asked for, without whom it is of, and hands it to the queue."""
    asked = shapes.body(bodies.NEW_ERASURE, request.body(bodies.MAX_BYTES))
    subject, now = _subject(asked), clock.now()
    if subject.id.casefold() in asked["reason"].casefold():
        fault = Fault("it stays in the log, and names who is to be erased", pointer="/reason")
        raise InvalidError("The reason would undo the erasure.", [fault])
    org = _noted(request, now)
    erasure = Erasure(
        new_id(now), org.name, subject.kind, asked["reason"], now,
        asked_by=request.who.actor["id"], subject=subject,
    )  # fmt: skip
    if erasure.asked_by == subject.id:
        erasure = replace(erasure, asked_by=request.who.credential["id"])
    record(
        request, org, trail.ERASURE_REQUEST, erasure.id, now,
        targets=[{"type": "erasure", "id": erasure.id}],
        metadata={"of": subject.kind, "reason": erasure.reason},
    )  # fmt: skip
    digest = subject.digest(org.name, aws.secret(SETTINGS.salt_secret_arn))
    # A crash here leaves the request in the log, and no erasure: the caller has no
    # answer and asks again.
    _erasures().create(erasure, digest)
    # A crash here leaves an erasure that nobody works on, until `retain` hands it in.
    message = json.dumps({"org": org.name, "erasure_id": erasure.id})
    Queue(aws.sqs(), SETTINGS.erasures_queue_url).send(message, group=org.name)
    return Answer(202, erasure.answer(), {"Location": f"erasures/{erasure.id}"})


@api.route(routes.LIST_ERASURES)
def list_erasures(request: Request) -> Answer:
    """The newest erasures, newest first."""
    return Answer(200, {"erasures": [each.answer() for each in _erasures().newest(request.org)]})


@api.route(routes.SHOW_ERASURE)
def show_erasure(request: Request) -> Answer:
    """One erasure, as far as it is."""
    found = _erasures().get(request.org, request.path["erasure_id"])
    if found is None:
        raise NotFoundError("No such erasure.")
    return Answer(200, found.answer())


def _subject(asked: bodies.NewErasure) -> Subject:
    if "actor" in asked and "target" not in asked:
        return Subject("actor", asked["actor"])
    if "target" in asked and "actor" not in asked:
        return Subject("target", asked["target"]["id"], asked["target"].get("type"))
    fault = Fault("expected actor or target, and not both", pointer="")
    raise InvalidError("It is not said whose events are to be erased.", [fault])


def _noted(request: Request, now: int) -> Org:
    """The org, of which every writer knows from now on that something of it was erased."""
    for _ in range(_TRIES):
        org = api.org(request)
        if org.hold is not None:
            raise ConflictError("The org is under a hold: nothing of its log may be removed.")
        try:
            return api.control.save_org(replace(org, erased_at=now))
        except ConflictError:
            continue
    raise UnavailableError("The org is being changed by others; send the same again.")
