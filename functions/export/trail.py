"""The download itself is an event: `org.audit_log.export`, with who, format and filter."""

from typing import Any

from auditlog import clock, event, intake
from auditlog.catalog import Catalog
from auditlog.errors import UnavailableError
from auditlog.exports import Export
from auditlog.http import Caller, Request
from auditlog.orgs import Org
from auditlog.settings import SETTINGS
from auditlog.store import aws
from auditlog.store.events import EventStore, Outcome

TYPE = "org.audit_log.export"
_PATIENCE = 10.0


def record_request(export: Export, request: Request, org: Org, catalog: Catalog) -> None:
    """Records that the export was asked for. Raises `UnavailableError` where the table is busy."""
    caller = request.who
    published: dict[str, Any] = {
        "type": TYPE,
        "occurred_at": clock.text(export.created_at),
        "actor": _actor(caller),
        "targets": [{"type": "export", "id": export.id}],
        "credential": {"type": "api_key", "id": caller.key.id, "name": caller.key.name},
        "metadata": {
            "format": export.format.value,
            "compression": export.compression.value,
            "profile": export.profile.value,
            "filter": dict(export.filter),
        },
        "key": export.id,
        **({} if caller.actor_id else request.origin),
    }
    rules = event.Rules(catalog, org.name, org.retention_days, judged_at=export.created_at)
    record = event.admit(published, rules, aws.secret(SETTINGS.salt_secret_arn))
    events = EventStore(aws.dynamodb(), SETTINGS.events_table, SETTINGS.digests_table)
    [outcome] = events.insert(
        intake.new_events([record], org, export.created_at),
        deadline=clock.monotonic() + _PATIENCE,
    )
    if outcome is Outcome.UNAVAILABLE:
        raise UnavailableError("The request could not be recorded now; ask again.")


def _actor(caller: Caller) -> dict[str, str]:
    """The person for whom the key acts, else the key itself."""
    if caller.actor_id is None:
        return {"id": caller.key.id, "name": caller.key.name, "type": "service_account"}
    named = {} if caller.actor_name is None else {"name": caller.actor_name}
    return {"id": caller.actor_id, **named, "type": "user"}
