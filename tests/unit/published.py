"""An event to start from, and who judges it; what the tests of the domain share."""

import json
from typing import Any

from auditlog import canonical, clock, intake
from auditlog.catalog import Catalog
from auditlog.errors import Fault
from auditlog.event import Record, Rules, StoredEvent, admit

CATALOG = Catalog.default()
NOW = clock.parse("2026-06-01T12:00:00Z")
SECRET = b"a secret of tests"
RULES = Rules(CATALOG, "acme", None, NOW)


def event(**fields: Any) -> dict[str, Any]:
    """The least that is taken, with these fields added or in place of its own."""
    least = {
        "type": "repo.create",
        "occurred_at": "2026-05-01T09:30:00.000001Z",
        "actor": {"id": "usr_1"},
    }
    return least | fields


def body(value: object) -> bytes:
    return json.dumps(value).encode()


def record_of(published: dict[str, Any], rules: Rules = RULES) -> Record:
    return admit(json.loads(json.dumps(published)), rules, SECRET)


def stored(record: Record, recorded_at: int = NOW) -> StoredEvent:
    """The row that a store would give of a record."""
    packed = canonical.pack(record.data)
    return StoredEvent(record.id, record.type, recorded_at, record.described, packed)


def judged(sent: bytes, rules: Rules = RULES) -> intake.Judged:
    return intake.judge(intake.read(sent), rules, SECRET)


def faults(sent: bytes, rules: Rules = RULES) -> list[Fault]:
    """Every fault of every event of a body."""
    return [fault for refusal in judged(sent, rules).refusals for fault in refusal.faults]


def places(sent: bytes, rules: Rules = RULES) -> dict[str | None, str]:
    """The detail of each fault, by its pointer."""
    return {fault.pointer: fault.detail for fault in faults(sent, rules)}
