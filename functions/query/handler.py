"""Search, one event, the catalog, the specification; and every path that is no route."""

from typing import Any, cast
from urllib.parse import urlencode

from aws_lambda_powertools.utilities.typing import LambdaContext

from auditlog import canonical, clock, cursor, filters, formats, plan, routes
from auditlog.catalog import Catalog
from auditlog.errors import Fault, MalformedError, NotFoundError
from auditlog.event import id_time, is_id
from auditlog.http import Answer, Api, Request
from auditlog.retention import oldest_kept
from auditlog.settings import SETTINGS
from auditlog.store import aws
from auditlog.store.events import EventStore
from auditlog.telemetry import count, metrics

DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000
#: Seconds of reading before a page answers with what it has; API Gateway waits 30.
PATIENCE = 10.0

_catalog = Catalog.default()


def _events() -> EventStore:
    return EventStore(aws.dynamodb(), SETTINGS.events_table)


api = Api()


@api.route(routes.HEALTH)
def health(_request: Request) -> Answer:
    """Says that the function runs; reads nothing."""
    return Answer(200, {"status": "ok"})


@api.route(routes.OPENAPI)
def openapi(_request: Request) -> Answer:
    """The specification, written from the routes on the first request."""
    from auditlog.openapi import specification  # noqa: PLC0415 -- a search never needs it

    return Answer(200, specification())


@api.route(routes.EVENT_TYPES)
def event_types(_request: Request) -> Answer:
    """The catalog; the same for every org."""
    listed = [
        {
            "type": found.name,
            "scope": found.scope,
            "group": found.group,
            "description": found.sentence,
            "operation": found.operation,
            "hidden": found.hidden,
        }
        for found in _catalog.types
    ]
    return Answer(200, {"event_types": listed})


@api.route(routes.SEARCH)
def search(request: Request) -> Answer:
    """One page; its cost is bounded by `plan.Budget`."""
    deadline = clock.monotonic() + PATIENCE
    wanted = filters.parse(request.query, _catalog, hidden_by_default=True)
    order, limit = _order(request), _limit(request)
    span = plan.span_of(wanted, oldest_kept(clock.now(), api.org(request).retention_days))
    token = _one(request, "cursor")
    if token is not None:
        position = cursor.read(token, org=request.org, wanted=wanted, order=order)
        span = span.after(position, order)
    page = plan.page(
        _events().read(request.org),
        wanted,
        span,
        order=order,
        limit=limit,
        budget=plan.Budget(give_up=lambda: clock.monotonic() > deadline),
    )
    count("RowsRead", page.rows_read)
    shown = [formats.answer(found.event, found.record, _catalog) for found in page.found]
    if page.position is None:
        return Answer(200, _page(shown, None))
    token = cursor.write(page.position, org=request.org, wanted=wanted, order=order)
    asked = {name: values for name, values in request.query.items() if name != "cursor"}
    following = urlencode(asked | {"cursor": [token]}, doseq=True)
    return Answer(200, _page(shown, token), {"Link": f'<?{following}>; rel="next"'})


@api.route(routes.EVENT)
def event(request: Request) -> Answer:
    """One event by its id; also of a hidden type, never one past its time."""
    event_id = request.path["event_id"]
    oldest = oldest_kept(clock.now(), api.org(request).retention_days)
    found = None
    if is_id(event_id) and id_time(event_id) >= oldest:
        found = _events().get(request.org, event_id)
    if found is None:
        raise NotFoundError("No such event.")
    return Answer(200, formats.answer(found, canonical.unpack(found.packed), _catalog))


def _page(shown: list[bytes], next_cursor: str | None) -> bytes:
    following = "null" if next_cursor is None else f'"{next_cursor}"'
    return b'{"events":[' + b",".join(shown) + b'],"next_cursor":' + following.encode() + b"}"


def _one(request: Request, name: str) -> str | None:
    values = request.query.get(name, ())
    if len(values) > 1:
        raise _refusal(name, "expected one value")
    return values[0] if values else None


def _order(request: Request) -> plan.Order:
    order = _one(request, "order")
    if order is None:
        return "desc"
    if order not in {"asc", "desc"}:
        raise _refusal("order", "expected asc or desc")
    return cast("plan.Order", order)


def _limit(request: Request) -> int:
    text = _one(request, "limit")
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_LIMIT):  # noqa: PLR2004 -- digits of 1,000
        raise _refusal("limit", f"expected a whole number from 1 to {MAX_LIMIT}")
    return int(text)


def _refusal(parameter: str, reason: str) -> MalformedError:
    return MalformedError("The query is not valid.", [Fault(reason, parameter=parameter)])


@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry: an API Gateway HTTP API event."""
    return api.handle(event, context)
