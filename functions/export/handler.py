"""Exports over HTTP: asked for, listed, shown, linked to, cancelled."""

import json
import secrets
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from auditlog import bodies, clock, exports, filters, routes, shapes
from auditlog.catalog import Catalog
from auditlog.errors import (
    ConflictError,
    Fault,
    GoneError,
    InvalidError,
    MalformedError,
    NotFoundError,
)
from auditlog.exports import Export, Requester, State
from auditlog.filters import Filter
from auditlog.formats import Compression, Format
from auditlog.http import Answer, Api, Request
from auditlog.orgs import Org
from auditlog.plan import Span, span_of
from auditlog.retention import oldest_kept
from auditlog.settings import SETTINGS
from auditlog.store import aws
from auditlog.store.exports import ExportStore
from auditlog.store.objects import ObjectStore
from auditlog.store.queue import Queue
from auditlog.telemetry import metered
from export.trail import record_request

MAX_FILTER_BYTES = 8 * 1024

_catalog = Catalog.default()


def _exports() -> ExportStore:
    return ExportStore(aws.dynamodb(), SETTINGS.control_table)


def _objects() -> ObjectStore:
    return ObjectStore(aws.s3(), SETTINGS.exports_bucket)


api = Api()


@api.route(routes.CREATE_EXPORT)
def create_export(request: Request) -> Answer:
    """Records the request in the log, then hands the work to the queue."""
    body = request.body(bodies.MAX_BYTES)
    requested_by = _requester(request)
    asked = shapes.body(bodies.NEW_EXPORT, body)
    wanted = _filter(dict(asked))
    now = clock.now()
    org = api.org(request)
    export = Export(
        id=exports.new_id(now, secrets.token_bytes),
        org=org.name,
        state=State.QUEUED,
        format=Format(asked["format"]),
        compression=Compression(asked.get("compression", "gzip")),
        filter=wanted.parameters,
        span=_span(wanted, org, now),
        requested_by=requested_by,
        created_at=now,
        updated_at=now,
    )
    record_request(export, request, org, _catalog)
    # A crash here leaves the request in the log, and no export: the caller has
    # no answer and asks again.
    _exports().create(export)
    # A crash here leaves an export that nobody works on: it shows as failed
    # once it has stalled (`exports.STALLED_AFTER`).
    work = json.dumps({"org": org.name, "export_id": export.id})
    Queue(aws.sqs(), SETTINGS.exports_queue_url).send(work, group=org.name)
    return Answer(202, export.answer(now, None), {"Location": f"exports/{export.id}"})


@api.route(routes.LIST_EXPORTS)
def list_exports(request: Request) -> Answer:
    """The newest exports, each with a fresh link where it is ready."""
    return Answer(200, {"exports": [_shown(export) for export in _exports().newest(request.org)]})


@api.route(routes.SHOW_EXPORT)
def show_export(request: Request) -> Answer:
    """One export, with a fresh link where it is ready."""
    return Answer(200, _shown(_export(request)))


@api.route(routes.DOWNLOAD_EXPORT)
def download_export(request: Request) -> Answer:
    """Sends the client to the file."""
    export = _export(request)
    state = export.state_at(clock.now())
    if state is State.EXPIRED:
        raise GoneError("The file was removed; ask for the export again.")
    if state is not State.READY:
        raise ConflictError(f"The export is {state.value}; there is no file to download.")
    return Answer(302, None, {"Location": _objects().link(export.object_key, export.file_name)})


@api.route(routes.DELETE_EXPORT)
def delete_export(request: Request) -> Answer:
    """Cancels what is under way, removes what is ready; anything else stays as it is."""
    export, now = _export(request), clock.now()
    store = _exports()
    # A crash after the change of state leaves objects that nobody points to;
    # asking again removes them, and so does the bucket's lifecycle.
    _ = store.cancel(export, now) or store.expire(export, now)
    _objects().delete_folder(export.folder)
    return Answer(204)


def _export(request: Request) -> Export:
    export = _exports().get(request.org, request.path["export_id"])
    if export is None:
        raise NotFoundError("No such export.")
    return export


def _shown(export: Export) -> dict[str, Any]:
    now = clock.now()
    ready = export.state_at(now) is State.READY
    return export.answer(
        now, _objects().link(export.object_key, export.file_name) if ready else None
    )


def _filter(asked: dict[str, Any]) -> Filter:
    """The filter in a body: search's parameters, as strings, lists and booleans."""
    texts = {name: _texts(asked[name]) for name in filters.PARAMETERS if name in asked}
    try:
        wanted = filters.parse(texts, _catalog, hidden_by_default=False)
    except MalformedError as error:
        faults = [Fault(f.detail, pointer=f"/{f.parameter}") for f in error.faults]
        raise InvalidError("The filter is not valid.", faults) from None
    if len(json.dumps(dict(wanted.parameters))) > MAX_FILTER_BYTES:
        # It is kept with the export and shown in every list of them.
        fault = Fault(f"a filter of more than {MAX_FILTER_BYTES} bytes", pointer="")
        raise InvalidError("The filter is too long.", [fault])
    return wanted


def _texts(value: Any) -> list[str]:
    """The values of one parameter, as the query would have them."""
    if isinstance(value, bool):
        return [json.dumps(value)]
    return [value] if isinstance(value, str) else value


def _span(wanted: Filter, org: Org, now: int) -> Span:
    """The bounds, frozen: nothing past its time, nothing dated later than can be."""
    return Span(
        span_of(wanted, oldest_kept(now, org.retention_days)).first,
        Span.between(0, exports.upper_bound(now, wanted.until)).end,
    )


def _requester(request: Request) -> Requester:
    caller = request.who
    return Requester(
        id=caller.actor_id or caller.key.id,
        name=caller.actor_name or caller.actor_id or caller.key.name,
        credential=caller.key.id,
    )


@metered
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry: an API Gateway HTTP API event."""
    return api.handle(event, context)
