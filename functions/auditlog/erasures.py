"""Erasures: what is left of an event whose record had to go, and of which events it has to.

The record of an erased event is replaced by a *tombstone*: its type, its time,
its org, the hash that the record had, and when it was erased. So the id can
still be checked against the hash, and the log still says that something of this
type happened then. Nothing of it can be guessed back: the hash is of a record
that held a salt, and the salt is gone with it.

Compatibility of a tombstone, for ever: it is RFC 8785 JSON as a record is, with
`erased_at` and `record_hash` (SHA-256, hex), and without `salt`.
"""

import hashlib
import hmac
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from auditlog import canonical, clock
from auditlog.event import FORMAT_VERSION, Record

#: So long after an erasure an event of before it may still arrive: as long as the
#: queues keep a message (`record.message.MAX_DELAY`). It is then stored erased.
ARRIVES_LATE = 32 * clock.DAY
#: A writer that began before an erasure was asked for is done so long after it.
SETTLED = 2 * clock.MINUTE
LISTED = 100


class State(StrEnum):
    """How far an erasure has got."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose events are erased: those of one actor, or those on one target (of any type: None)."""

    kind: str
    id: str
    type: str | None = None

    def is_of(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is one of the subject's."""
        return any(self == each for each in subjects(record))

    def digest(self, org: str, secret: bytes) -> str:
        """What is kept of it, from which nobody without the deployment's secret learns whom."""
        named = canonical.encode(["erasure", org, self.kind, self.type or "", self.id])
        return hmac.digest(secret, named, "sha256")[:16].hex()


def subjects(record: Mapping[str, Any]) -> Iterator[Subject]:
    """Every subject that a record, or an event, belongs to; none for a tombstone."""
    if "actor" in record:
        yield Subject("actor", record["actor"]["id"])
    for target in record.get("targets", ()):
        yield Subject("target", target["id"])
        yield Subject("target", target["id"], target["type"])


@dataclass(frozen=True, slots=True)
class Erasure:
    """An erasure as it is stored. Times in microseconds.

    `subject` is there as long as it is needed. `exports` are the downloads made before
    it that may still hold what was erased. `events` counts those erased so far.
    """

    id: str
    org: str
    kind: str
    reason: str
    asked_at: int
    asked_by: str
    state: State = State.RUNNING
    subject: Subject | None = None
    events: int = 0
    exports: tuple[str, ...] = ()
    completed_at: int | None = None
    error: str | None = None

    def answer(self) -> dict[str, Any]:
        """As the API shows it: never whom it is of."""
        return {
            "id": self.id,
            "state": self.state.value,
            "of": self.kind,
            "reason": self.reason,
            "requested_by": self.asked_by,
            "created_at": clock.text(self.asked_at),
            "completed_at": None if self.completed_at is None else clock.text(self.completed_at),
            "events": self.events,
            "exports": list(self.exports),
            "error": self.error,
        }


def tombstone(org: str, record: Record, erased_at: int) -> Record:
    """What is left of a record; the same id, type and time."""
    data = canonical.encode(
        {
            "erased_at": clock.text(erased_at),
            "occurred_at": clock.text(record.occurred_at),
            "org": org,
            "record_hash": hashlib.sha256(record.data).hexdigest(),
            "type": record.type,
            "v": FORMAT_VERSION,
        }
    )
    return Record(record.id, record.type, record.occurred_at, described=True, data=data)


@dataclass(frozen=True, slots=True)
class Erased:
    """Whom the events of an org were erased of lately, and of which events: those before."""

    org: str
    before: Mapping[str, int]
    secret: bytes

    def applied_to(self, record: Record, now: int) -> Record:
        """The record, or its tombstone where it is one that has to go."""
        if not self.before or record.occurred_at >= max(self.before.values()):
            return record
        digests: Collection[str] = {
            subject.digest(self.org, self.secret) for subject in subjects(json.loads(record.data))
        }
        if any(record.occurred_at < self.before.get(digest, 0) for digest in digests):
            return tombstone(self.org, record, now)
        return record
