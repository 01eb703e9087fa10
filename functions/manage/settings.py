"""What an org's log keeps: retention, hold, shards, and whether reads are recorded."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from auditlog import bodies, clock, routes, shapes, trail
from auditlog.errors import (
    ConflictError,
    Fault,
    InvalidError,
    PreconditionFailedError,
    UnavailableError,
)
from auditlog.http import Answer, Request
from auditlog.layout import MIN_NOTICE
from auditlog.orgs import Org
from auditlog.settings import SETTINGS
from auditlog.store import aws
from auditlog.store.retention import RetentionStore
from manage.door import api, record, time

_TRIES = 5


@api.route(routes.SHOW_SETTINGS)
def show_settings(request: Request) -> Answer:
    """The settings as they are, with how far `retain` has got."""
    return _answer(request.org_settings)


@api.route(routes.CHANGE_SETTINGS)
def change_settings(request: Request) -> Answer:
    """Changes what is named; all of it, or nothing."""
    asked = shapes.body(bodies.SETTINGS_CHANGE, request.body(bodies.MAX_BYTES))
    now = clock.now()
    for _ in range(_TRIES):
        org = api.org(request)
        _check_version(request, org)
        changed = _changed(org, asked, now)
        if changed == org:
            return _answer(org)
        changed = replace(changed, version=org.version + 1)
        before, after = _settings(org), _settings(changed)
        names = [name for name in after if after[name] != before[name]]
        record(
            request, org, trail.SETTINGS_CHANGE, f"settings {changed.version}", now,
            targets=[{"type": "settings", "id": name} for name in names],
            metadata={
                "before": {name: before[name] for name in names},
                "after": {name: after[name] for name in names},
            },
        )  # fmt: skip
        # A crash here leaves a change in the log that was never made; the caller has
        # no answer, looks, and asks again.
        try:
            return _answer(api.control.save_org(changed))
        except ConflictError:
            continue  # `retain`, or another admin, was faster: look again.
    raise UnavailableError("The settings are being changed by others; send the same again.")


def _changed(org: Org, asked: Mapping[str, Any], now: int) -> Org:
    """The org with what was asked for. Raises `InvalidError` with the place of what cannot be."""
    hold = asked.get("hold", {"reason": org.hold.reason} if org.hold else None)
    try:
        policy = org.policy.changed(
            retention_days=asked.get("retention_days", org.retention_days),
            hold_reason=None if hold is None else hold["reason"],
            now=now,
        )
    except ValueError as error:
        fault = Fault(str(error), pointer="/retention_days")
        raise InvalidError("The retention cannot be changed so.", [fault]) from None
    changed = org.under(policy)
    if "record_reads" in asked:
        changed = replace(changed, record_reads=asked["record_reads"])
    if "shards" in asked:
        changed = replace(changed, shards=_shards(org, asked["shards"], now))
    return changed


def _shards(org: Org, asked: Mapping[str, Any], now: int) -> tuple[tuple[int, int], ...]:
    last_since, last_number = org.shards[-1]
    if "since" in asked:
        since = clock.parse(asked["since"])
    else:
        if asked["number"] == last_number and last_since <= now + MIN_NOTICE:
            return org.shards
        since = -((now + MIN_NOTICE) // -clock.SECOND) * clock.SECOND
    if (since, asked["number"]) == (last_since, last_number):
        return org.shards
    try:
        return org.layout.changed(asked["number"], since, now=now).changes
    except ValueError as error:
        raise InvalidError(
            "The shards cannot be changed so.", [Fault(str(error), pointer="/shards")]
        ) from None


def _check_version(request: Request, org: Org) -> None:
    """Raises `PreconditionFailedError` where `If-Match` names another version (RFC 9110)."""
    given = request.headers.get("if-match")
    if given is None or given.strip() == "*":
        return
    if _etag(org) not in {tag.strip() for tag in given.split(",")}:
        raise PreconditionFailedError(
            f"The settings are at version {_etag(org)} and not as If-Match says; read them again."
        )


def _etag(org: Org) -> str:
    return f'"{org.version}"'


def _settings(org: Org) -> dict[str, Any]:
    """What a change may change, as it is shown."""
    hold = org.hold
    return {
        "retention_days": org.retention_days,
        "hold": None
        if hold is None
        else {
            "reason": hold.reason,
            "placed_at": clock.text(hold.placed_at),
            "effective_at": time(hold.effective_at),
        },
        "shards": [{"since": clock.text(since), "number": number} for since, number in org.shards],
        "record_reads": org.record_reads,
    }


def _answer(org: Org) -> Answer:
    purged = org.policy.purged_at(clock.now())
    limits = org.limits
    shown = {
        **_settings(org),
        "purged_before": clock.text(purged) if purged else None,
        "limits": {
            "events_per_day": limits.events_per_day,
            "exports_at_once": limits.exports_at_once,
            "keys": limits.keys,
        },
    }
    progress = RetentionStore(aws.dynamodb(), SETTINGS.control_table).get(org.name)
    shown["retention"] = progress.answer(org.changed_at)
    return Answer(200, shown, {"ETag": _etag(org)})
