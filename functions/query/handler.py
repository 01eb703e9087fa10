"""Search, timeline, one event, the catalog, the specification; and every path that is no route."""

import json
from typing import Any
from urllib.parse import urlencode

from aws_lambda_powertools.utilities.typing import LambdaContext

from auditlog import canonical, clock, cursor, filters, plan, routes, timeline, trail
from auditlog.answers import Answers
from auditlog.catalog import Catalog
from auditlog.errors import NotFoundError
from auditlog.event import MAX_AHEAD, id_time, is_id
from auditlog.filters import Filter
from auditlog.http import Answer, Api, Request
from auditlog.orgs import Org
from auditlog.settings import SETTINGS
from auditlog.sieve import Spent
from auditlog.span import Span
from auditlog.store import aws
from auditlog.store.events import EventStore
from auditlog.store.meter import METER
from auditlog.store.reader import Reader
from auditlog.telemetry import count, metered
from query import parameters

#: Seconds of reading before a page answers with what it has; API Gateway waits 30.
PATIENCE = 10.0

_catalog = Catalog.default()
_answers = Answers(_catalog)


def _events() -> EventStore:
    return EventStore(aws.dynamodb(), SETTINGS.events_table, SETTINGS.digests_table)


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
    order, limit = parameters.order(request), parameters.limit(request)
    explains, token = parameters.explain(request), parameters.one(request, "cursor")
    org, now = request.org_settings, clock.now()
    span = plan.span_of(wanted, org.policy.shown_from(now))
    # Nothing is dated later than that, whatever the writers' clocks say; and a change
    # of shards that lies ahead has nothing to show yet.
    span = span.within(Span.between(0, now + 2 * MAX_AHEAD - clock.MINUTE))
    if token is not None:
        position = cursor.read(token, org=request.org, wanted=wanted, order=order)
        span = span.after(position, order)
    reader, before = Reader(_events()), METER.spent
    budget = plan.Budget(give_up=lambda: clock.monotonic() > deadline)
    page = reader.run(plan.page(org.layout, wanted, span, order=order, limit=limit, budget=budget))
    _count(page.spent)
    answer: dict[str, Any] = {"next_cursor": None}
    headers: dict[str, str] = {}
    if page.position is not None:
        token = cursor.write(page.position, org=request.org, wanted=wanted, order=order)
        asked = {name: values for name, values in request.query.items() if name != "cursor"}
        following = urlencode(asked | {"cursor": [token]}, doseq=True)
        answer["next_cursor"], headers["Link"] = token, f'<?{following}>; rel="next"'
    if explains:
        answer["explain"] = {
            **page.spent.explained(),
            "read_units": METER.spent.since(before).read,
            "round_trips": reader.round_trips,
        }
    _record_read(request, org, now, "search", wanted, events=len(page.found))
    shown = [_answers.of(found.event, found.record) for found in page.found]
    events = b'{"events":[' + b",".join(shown) + b"],"
    return Answer(200, events + json.dumps(answer)[1:].encode(), headers)


@api.route(routes.TIMELINE)
def count_over_time(request: Request) -> Answer:
    """Counts per interval; its cost is bounded by `plan.Budget`."""
    deadline = clock.monotonic() + PATIENCE
    wanted = filters.parse(request.query, _catalog, hidden_by_default=True)
    interval = parameters.interval(request)
    org, now, reader = request.org_settings, clock.now(), Reader(_events())
    oldest = max(wanted.since, org.policy.shown_from(now))
    until = max(oldest, min(wanted.until, now + MAX_AHEAD))
    span = Span.between(oldest, until)
    since = oldest
    if "since" not in wanted.parameters:
        first = reader.run(timeline.first_event(org.layout, span))
        since = until if first is None else first
    buckets = timeline.Buckets(interval, since, until)
    if buckets.count > timeline.MAX_BUCKETS:
        reason = f"{buckets.count} intervals; at most {timeline.MAX_BUCKETS}: give a later since"
        raise parameters.refusal("interval", reason)
    budget = plan.Budget(give_up=lambda: clock.monotonic() > deadline)
    told = reader.run(timeline.timeline(org.layout, wanted, span, since=since, budget=budget))
    _count(told.spent)
    _record_read(request, org, now, "timeline", wanted, interval=interval)
    return Answer(200, told.answer(buckets))


@api.route(routes.EVENT)
def event(request: Request) -> Answer:
    """One event by its id; also of a hidden type, never one past its time."""
    event_id = request.path["event_id"]
    org = request.org_settings
    found = None
    if is_id(event_id) and id_time(event_id) >= org.policy.shown_from(clock.now()):
        found = _events().get(org.layout.partition(event_id), event_id)
    if found is None:
        raise NotFoundError("No such event.")
    _record_read(request, org, clock.now(), "event", None, event=event_id)
    return Answer(200, _answers.of(found, canonical.unpack(found.packed)))


def _record_read(
    request: Request, org: Org, now: int, kind: str, wanted: Filter | None, **told: Any
) -> None:
    """Records that the log was read, where the org wants that; before the answer goes out."""
    if not org.record_reads:
        return
    asked = {} if wanted is None else {"filter": dict(wanted.parameters)}
    entry = trail.Entry(
        trail.SEARCH,
        key=request.id,
        occurred_at=now,
        caller=request.who,
        metadata={"read": kind, **asked, **told},
        origin=request.origin,
    )
    trail.record(entry, org, _catalog)


def _count(spent: Spent) -> None:
    count("RowsRead", spent.rows)
    count("DigestsRead", spent.digests)


@metered
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry: an API Gateway HTTP API event."""
    return api.handle(event, context)
