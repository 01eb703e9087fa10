"""What is done with the log is in the log: exports, settings, keys, erasures, searches.

An event is recorded before what it tells of takes hold, so that nothing happens
that is not there; where the thing then fails, the log tells of an attempt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from auditlog import clock, event, intake
from auditlog.callers import SYSTEM, Caller
from auditlog.catalog import Catalog
from auditlog.errors import UnavailableError
from auditlog.orgs import Org
from auditlog.settings import SETTINGS
from auditlog.store import aws
from auditlog.store.events import EventStore, Outcome

EXPORT = "org.audit_log.export"
SEARCH = "org.audit_log.search"
SETTINGS_CHANGE = "org.audit_log.settings.update"
KEY_CREATE = "org.audit_log.key.create"
KEY_ROTATE = "org.audit_log.key.rotate"
KEY_REVOKE = "org.audit_log.key.revoke"
SESSION_CREATE = "org.audit_log.session.create"
SESSION_REVOKE = "org.audit_log.session.revoke"
ERASURE_REQUEST = "org.audit_log.erasure.request"
ERASURE_COMPLETE = "org.audit_log.erasure.complete"
PURGE = "org.audit_log.retention.purge"
ORG_CREATE = "org.audit_log.create"

_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Entry:
    """One event about the log itself.

    `key` tells it from every other, also from one of the same microsecond: to record
    the same entry again changes nothing. `caller` None is the service itself; `origin`
    are the fields that `http.Request.origin` has.
    """

    type: str
    key: str
    occurred_at: int
    caller: Caller | None = None
    targets: Sequence[Mapping[str, str]] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    origin: Mapping[str, str] = field(default_factory=dict[str, str])

    def published(self) -> dict[str, Any]:
        """The event as a publisher would send it."""
        caller = self.caller
        return {
            "type": self.type,
            "occurred_at": clock.text(self.occurred_at),
            "actor": dict(SYSTEM if caller is None else caller.actor),
            **({} if caller is None else {"credential": dict(caller.credential)}),
            **({"targets": [dict(target) for target in self.targets]} if self.targets else {}),
            **({"metadata": dict(self.metadata)} if self.metadata else {}),
            "key": self.key,
            **self.origin,
        }


def record(entry: Entry, org: Org, catalog: Catalog) -> None:
    """Records an entry. Raises `UnavailableError` where the table is busy.

    One write unit for each KB, and what `EventStore.insert` says.
    """
    rules = event.Rules(catalog, org.name, None, judged_at=entry.occurred_at)
    made = event.admit(entry.published(), rules, aws.secret(SETTINGS.salt_secret_arn))
    events = EventStore(aws.dynamodb(), SETTINGS.events_table, SETTINGS.digests_table)
    [outcome] = events.insert(
        intake.new_events([made], org, entry.occurred_at),
        deadline=clock.monotonic() + _PATIENCE,
    )
    if outcome is Outcome.UNAVAILABLE:
        raise UnavailableError("It could not be recorded in the log now; ask again.")
