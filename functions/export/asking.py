"""A new export: checked, frozen, recorded in the log, and handed to the workers."""

import json
import secrets
from collections.abc import Mapping
from typing import Any

from auditlog import exports, filters, trail
from auditlog.catalog import Catalog
from auditlog.errors import Fault, InvalidError, LimitReachedError, MalformedError
from auditlog.exports import Export, Requester, State
from auditlog.filters import Filter
from auditlog.formats import Compression, Format, Profile
from auditlog.http import Request
from auditlog.orgs import Org
from auditlog.plan import Span, span_of
from auditlog.settings import SETTINGS
from auditlog.store import aws
from auditlog.store.exports import ExportStore
from auditlog.store.queue import Queue
from export.task import Task

MAX_FILTER_BYTES = 8 * 1024


def new(
    org: Org,
    wanted: Filter,
    asked: Mapping[str, Any],
    requested_by: Requester,
    *,
    now: int,
) -> Export:
    """An export that nobody knows of yet, with its bounds frozen. `asked` is in the API's words.

    Raises `InvalidError` where format, profile and the like do not go together.
    """
    format_ = Format(asked["format"])
    profile = Profile(asked.get("profile", Profile.NATIVE))
    bom = asked.get("bom", False)
    faults: list[Fault] = []
    if profile is Profile.HF and format_ is Format.CSV:
        faults.append(Fault("the reference has no csv; expected json or ndjson", pointer="/format"))
    if bom and format_ is not Format.CSV:
        faults.append(Fault("only a csv file may begin with one", pointer="/bom"))
    if faults:
        raise InvalidError("The export is not one that can be made.", faults)
    return Export(
        id=exports.new_id(now, secrets.token_bytes),
        org=org.name,
        state=State.QUEUED,
        format=format_,
        compression=Compression(asked.get("compression", Compression.GZIP)),
        profile=profile,
        bom=bom,
        filter=wanted.parameters,
        # Nothing past its time, nothing dated later than can be.
        span=Span(
            span_of(wanted, org.policy.shown_from(now)).first,
            Span.between(0, exports.upper_bound(now, wanted.until)).end,
        ),
        requested_by=requested_by,
        created_at=now,
        updated_at=now,
    )


def check_room(org: Org, now: int) -> None:
    """Raises `LimitReachedError` where as many exports are under way as the org may have.

    Two that are asked for at the same moment may both pass. Costs what a list of the
    exports does.
    """
    most = org.limits.exports_at_once
    if most is None:
        return
    listed = ExportStore(aws.dynamodb(), SETTINGS.control_table).newest(org.name)
    if sum(each.state_at(now) in exports.UNDER_WAY for each in listed) >= most:
        raise LimitReachedError.of_exports(most)


def ask(export: Export, request: Request, org: Org, catalog: Catalog) -> None:
    """Records an export in the log, then hands it to the workers."""
    entry = trail.Entry(
        trail.EXPORT,
        key=export.id,
        occurred_at=export.created_at,
        caller=request.who,
        targets=[{"type": "export", "id": export.id}],
        metadata={
            "format": export.format.value,
            "compression": export.compression.value,
            "profile": export.profile.value,
            "filter": dict(export.filter),
        },
        origin=request.origin,
    )
    trail.record(entry, org, catalog)
    # A crash here leaves the request in the log, and no export: the caller has
    # no answer and asks again.
    ExportStore(aws.dynamodb(), SETTINGS.control_table).create(export)
    # A crash here leaves an export that nobody works on: it shows as failed
    # once it has stalled (`exports.STALLED_AFTER`).
    begin(export)


def begin(export: Export) -> None:
    """Hands an export to the workers. To do it twice does no more than once."""
    queue = Queue(aws.sqs(), SETTINGS.exports_queue_url)
    queue.send(Task(export.org, export.id).message(), group=export.org)


def requester(request: Request) -> Requester:
    """Who asks."""
    caller = request.who
    return Requester(
        id=caller.actor["id"],
        name=caller.actor.get("name") or caller.actor["id"],
        credential=caller.credential["id"],
    )


def filter_of(asked: Mapping[str, Any], catalog: Catalog) -> Filter:
    """The filter in a body: search's parameters, as strings, lists and booleans."""
    texts = {name: _texts(asked[name]) for name in filters.PARAMETERS if name in asked}
    try:
        wanted = filters.parse(texts, catalog, hidden_by_default=False)
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
