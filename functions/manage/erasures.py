"""Erasures: asked for, listed, shown. The work is done in the background, by `erase`."""

import json
from collections.abc import Mapping
from dataclasses import replace

from auditlog import bodies, clock, keys, routes, shapes, trail
from auditlog.callers import SYSTEM, Caller
from auditlog.erasures import ERASED, MOST, Erasure, Subject
from auditlog.errors import ConflictError, Fault, InvalidError, NotFoundError
from auditlog.http import Answer, Request
from auditlog.settings import SETTINGS
from auditlog.store import aws
from auditlog.store.erasures import HELD, ErasureStore
from auditlog.store.queue import Queue
from manage.door import api, catalog, new_id


def _erasures() -> ErasureStore:
    return ErasureStore(aws.dynamodb(), SETTINGS.control_table)


@api.route(routes.CREATE_ERASURE)
def create_erasure(request: Request) -> Answer:
    """Records that an erasure was asked for, without whom it is of, and hands it to the queue."""
    asked = shapes.body(bodies.NEW_ERASURE, request.body(bodies.MAX_BYTES))
    subject, now = _subject(asked), clock.now()
    _refuse_evidence(subject, request.org)
    if subject.id.casefold() in asked["reason"].casefold():
        fault = Fault("it stays in the log, and names who is to be erased", pointer="/reason")
        raise InvalidError("The reason would undo the erasure.", [fault])
    org, erasures = api.org(request), _erasures()
    if org.hold is not None:
        raise ConflictError(HELD)
    if erasures.protected(org.name) >= MOST:
        raise ConflictError(
            f"The org has had {MOST:,} actors and targets erased, and with each request all of "
            "them are looked at; no more are taken."
        )
    caller, origin = _asking(request, subject)
    erasure = Erasure(
        new_id(now), org.name, subject.kind, asked["reason"], now,
        asked_by=caller.actor["id"], subject=subject,
    )  # fmt: skip
    entry = trail.Entry(
        trail.ERASURE_REQUEST, erasure.id, now, caller, origin=origin,
        targets=[{"type": "erasure", "id": erasure.id}],
        metadata={"of": subject.kind, "reason": erasure.reason},
    )  # fmt: skip
    trail.record(entry, org, catalog)
    # A crash here leaves the request in the log, and no erasure: the caller has no
    # answer and asks again. A hold that was placed meanwhile is in the log behind it.
    erasures.create(erasure, subject, aws.secret(SETTINGS.salt_secret_arn))
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


def _refuse_evidence(subject: Subject, org: str) -> None:
    """Refuses what is no person, but did what the log says of how it was governed."""
    if subject.kind != "actor":
        return
    key = api.control.key(subject.id) if len(subject.id) == keys.ID_LENGTH else None
    if subject.id == SYSTEM["id"] or (key is not None and key.org == org):
        fault = Fault("the service, or a key: no person", pointer="/actor")
        raise InvalidError("What was done with the log itself stays in it.", [fault])


def _asking(request: Request, subject: Subject) -> tuple[Caller, Mapping[str, str]]:
    """Who asks, and from where: the credential alone where the person asks for their own.

    So the request need not go with the rest of what they did.
    """
    who, person = request.who, subject.id
    if who.actor["id"] != person or who.actor["type"] != "user":
        return who, request.origin
    credential = who.credential
    if credential["id"] == person:
        # A token that has no id of its own: its issuer is left.
        credential = {"type": credential["type"], "id": credential.get("name", ERASED)}
    actor = {"id": credential["id"], "type": "service_account"}
    return replace(who, actor=actor, credential=credential), {}
