"""Exports over HTTP: asked for, listed, shown, linked to, cancelled; and the reference's own."""

from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from auditlog import bodies, clock, filters, routes, shapes
from auditlog.catalog import Catalog
from auditlog.errors import AuditlogError, ConflictError, GoneError, NotFoundError
from auditlog.exports import Export, Links, State
from auditlog.http import Answer, Api, Request
from auditlog.settings import SETTINGS
from auditlog.store import aws
from auditlog.store.exports import ExportStore
from auditlog.store.objects import ObjectStore
from auditlog.telemetry import metered
from export import asking, reuse

_catalog = Catalog.default()
#: The reference's answer: its own format, and what a browser or a program reads as it comes.
_REFERENCE = {"format": "json", "profile": "hf", "compression": "none"}


def _exports() -> ExportStore:
    return ExportStore(aws.dynamodb(), SETTINGS.control_table)


def _objects() -> ObjectStore:
    return ObjectStore(aws.s3(), SETTINGS.exports_bucket)


api = Api()


@api.route(routes.CREATE_EXPORT)
def create_export(request: Request) -> Answer:
    """Records the request in the log, then hands the work to the queue."""
    body = request.body(bodies.MAX_BYTES)
    requested_by = asking.requester(request)
    asked = shapes.body(bodies.NEW_EXPORT, body)
    wanted = asking.filter_of(asked, _catalog)
    org, now = request.org_settings, clock.now()
    asking.check_room(org, now)
    export = asking.new(org, wanted, asked, requested_by, now=now)
    try:
        asking.ask(export, request, org, _catalog)
    except AuditlogError:
        # The caller is told to ask again, and should not find two that are under way.
        _exports().fail(export, "It could not be begun; ask again.", now)
        raise
    return Answer(202, export.answer(now, None), {"Location": f"exports/{export.id}"})


@api.route(routes.LIST_EXPORTS)
def list_exports(request: Request) -> Answer:
    """The newest exports, each with fresh links where it is ready."""
    return Answer(200, {"exports": [_shown(export) for export in _exports().newest(request.org)]})


@api.route(routes.SHOW_EXPORT)
def show_export(request: Request) -> Answer:
    """One export, with fresh links where it is ready."""
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
    return _sent_to(export)


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


@api.route(routes.REFERENCE_EXPORT)
def reference_export(request: Request) -> Answer:
    """Sends the client to the file if there is one, and has it made if there is none."""
    requested_by = asking.requester(request)
    wanted = filters.parse(request.query, _catalog, hidden_by_default=False)
    org, now = request.org_settings, clock.now()
    export = asking.new(org, wanted, _REFERENCE, requested_by, now=now)
    room = partial(asking.check_room, org, now)
    ready = reuse.standing(
        _exports(), export, now, asking.begin, check_room=room, policy_at=org.changed_at
    )
    if ready is not None:
        return _sent_to(ready)
    asking.ask(export, request, org, _catalog)
    raise reuse.being_made()


def _sent_to(export: Export) -> Answer:
    return Answer(302, None, {"Location": _objects().link(export.object_key, export.file_name)})


def _export(request: Request) -> Export:
    export = _exports().get(request.org, request.path["export_id"])
    if export is None:
        raise NotFoundError("No such export.")
    return export


def _shown(export: Export) -> dict[str, Any]:
    now = clock.now()
    if export.state_at(now) is not State.READY:
        return export.answer(now, None)
    file = _objects().link(export.object_key, export.file_name)
    manifest = None
    if export.slices is not None:  # it was made before there were any
        manifest = _objects().link(export.manifest_key, export.manifest_name)
    return export.answer(now, Links(file, manifest))


@metered
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry: an API Gateway HTTP API event."""
    return api.handle(event, context)
