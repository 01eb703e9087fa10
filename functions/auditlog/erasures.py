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
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from auditlog import canonical, clock, event
from auditlog.callers import SYSTEM
from auditlog.event import FORMAT_VERSION, Record

#: So many subjects an org may have erased: with each request writers read whom.
MOST = 10_000
#: A writer that began before an erasure was asked for is done so long after it.
SETTLED = 2 * clock.MINUTE
LISTED = 100
#: Stands where a subject did in what is not erased as a whole.
ERASED = "erased"
_KINDS = ("actor", "target")
#: Of what types those events are that the log has of itself.
OF_THE_LOG = "org.audit_log."
#: On what the log's own events act. None of these is a person, and what was decided
#: about them is the evidence of how the log was governed.
_GOVERNED = frozenset({"erasure", "export", "key", "org", "session", "settings"})


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
        """Whether a record is one of the subject's.

        What the log says of itself is that too where it names the subject: a session that
        was opened for them, a search or a download with them in its filter.
        """
        if any(self == each for each in subjects(record)):
            return True
        return _is_of_the_log(record) and self.is_named_in(record.get("metadata"))

    @property
    def names(self) -> tuple[str, ...]:
        """How a filter names it; without a type it may have any before its id, too."""
        return (self.id,) if self.type is None else (f"{self.type}/{self.id}", self.id)

    def is_named_in(self, value: object) -> bool:
        """Whether a filter, or what the log says of itself, names it.

        As the API does: as `actor` or `target`, by an `id`, or anywhere in a query `q`.
        """
        if isinstance(value, list):
            return any(self.is_named_in(each) for each in cast("list[object]", value))
        if not isinstance(value, dict):
            return False
        members = cast("dict[str, object]", value)
        return any(
            self._is_part_of(member)
            if name == "q"
            else (name in {self.kind, "id"} and self._is_one_of(member)) or self.is_named_in(member)
            for name, member in members.items()
        )

    def _is_one_of(self, named: object) -> bool:
        listed = cast("list[object]", named) if isinstance(named, list) else [named]
        is_any = self.kind == "target" and self.type is None
        return any(
            text in self.names or (is_any and text.endswith(f"/{self.id}"))
            for text in listed
            if isinstance(text, str)
        )

    def _is_part_of(self, query: object) -> bool:
        """Whether a query, as text or as a list of them, has its id anywhere, without case."""
        said = json.dumps(query, ensure_ascii=False).casefold()
        sought = json.dumps(self.id, ensure_ascii=False)[1:-1].casefold()
        # Within quotes the query language has a backslash before some characters, too.
        return sought in said or sought.replace("\\", "") in said.replace("\\", "")

    def digest(self, org: str, secret: bytes) -> str:
        """What is kept of it, from which nobody without the deployment's secret learns whom."""
        named = canonical.encode(["erasure", org, self.kind, self.type or "", self.id])
        return hmac.digest(secret, named, "sha256")[:16].hex()


def subjects(record: Mapping[str, Any]) -> Iterator[Subject]:
    """Every subject that a record, or an event, belongs to; none for a tombstone.

    What the log says of itself belongs to no key, to nothing that is governed, and not to
    the service: of the evidence only what a person has in it can be erased.
    """
    is_evidence = _is_of_the_log(record)
    if "actor" in record and not (is_evidence and _is_nobody(record)):
        yield Subject("actor", record["actor"]["id"])
    for target in record.get("targets", ()):
        if is_evidence and target["type"] in _GOVERNED:
            continue
        yield Subject("target", target["id"])
        yield Subject("target", target["id"], target["type"])


def _is_of_the_log(record: Mapping[str, Any]) -> bool:
    return str(record.get("type", "")).startswith(OF_THE_LOG)


def _is_nobody(record: Mapping[str, Any]) -> bool:
    """Whether the service itself did it, or a key on behalf of nobody."""
    actor, credential = record["actor"], record.get("credential", {})
    if actor["id"] == SYSTEM["id"]:
        return actor.get("type") == SYSTEM["type"]
    of_a_key = (actor.get("type"), credential.get("type")) == ("service_account", "api_key")
    return of_a_key and credential.get("id") == actor["id"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pass over the log is that was begun at `pass_at`.

    Of the searches that it takes it is in number `search`, in `partition`, and all below
    the bound `reached` is done there. `counted` are the ids of the last events that it
    counted: not all of them need be erased yet. `is_read`: the whole log is done.
    """

    pass_at: int
    search: int = 0
    partition: str = ""
    reached: str = ""
    counted: tuple[str, ...] = ()
    is_read: bool = False


@dataclass(frozen=True, slots=True)
class Erasure:
    """An erasure as it is stored. Times in microseconds.

    It takes the subject's events that had occurred, or were recorded, when it was asked
    for. `subject` is there as long as it is needed. `exports` are the downloads made
    before its end that may still hold what was erased. `events` counts those erased so
    far, `revision` the writes.
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
    progress: Progress | None = None
    revision: int = 0

    @property
    def before(self) -> int:
        """What occurred before this is erased: also that somebody asks for it."""
        return self.asked_at + 1

    def takes(self, occurred_at: int, recorded_at: int) -> bool:
        """Whether it takes an event of the subject's: not what they do later.

        Whoever writes an event that comes late asks `Erased`, which judges as this does.
        """
        return min(occurred_at, recorded_at) < self.before

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


def is_tombstone(record: Mapping[str, Any]) -> bool:
    """Whether a record is what an erasure left. No published event has a field of that name."""
    return "erased_at" in record


def is_intact(event_id: str, tombstone: Mapping[str, Any]) -> bool:
    """Whether an erased event has the id that its time and its record's hash make."""
    try:
        occurred_at = clock.parse(tombstone["occurred_at"])
        return event_id == event.event_id(occurred_at, bytes.fromhex(tombstone["record_hash"]))
    except (ValueError, LookupError, TypeError, OverflowError):
        return False


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
    """Whom the events of an org were erased of, and of which events: those before.

    Both mappings are by digest. In `by_id` a target has none of its types: for events of
    which it cannot be said what they are.
    """

    org: str
    before: Mapping[str, int]
    by_id: Mapping[str, int]
    secret: bytes

    def applied_to(self, record: Record, recorded_at: int, now: int) -> Record:
        """The record, or its tombstone where it is one that has to go.

        As `Erasure.takes`: what had occurred, or had reached us by `recorded_at`, before
        an erasure was asked for.
        """
        moment = min(record.occurred_at, recorded_at)
        if not self.before or moment >= max(self.before.values()):
            return record
        if any(self.has(subject, moment) for subject in subjects(json.loads(record.data))):
            return tombstone(self.org, record, now)
        return record

    def has(self, subject: Subject, moment: int) -> bool:
        """Whether what a subject did at a moment had to go."""
        return moment < self.before.get(self._digest(subject), 0)

    def has_id(self, text: str, moment: int) -> bool:
        """Whether a text is the id of anybody, or anything, of whom that is so."""
        return any(moment < self.by_id.get(self._digest(Subject(kind, text)), 0) for kind in _KINDS)

    def _digest(self, subject: Subject) -> str:
        try:
            return subject.digest(self.org, self.secret)
        except (ValueError, RecursionError):
            return ""  # What RFC 8785 cannot carry is nobody's id.
