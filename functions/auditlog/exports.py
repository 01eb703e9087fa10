"""An export: what was asked for, how far it is, and what came of it.

    queued ──> running ──> ready ──> expired
       │          ├──────> failed
       └──────────┴──────> cancelled

Bounds are frozen when the export is made. The file is named after the work is
done and before anything is called ready; what a crash leaves behind is a slice
or an upload that nobody points to, and the bucket's lifecycle removes it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from auditlog import clock
from auditlog.event import MAX_AHEAD
from auditlog.formats import Compression, Format
from auditlog.span import Span

#: An export of which nothing was heard for this long has failed, whatever it says:
#: a worker reports every few seconds, and a message waits no longer in its queue.
STALLED_AFTER = {"running": 3 * clock.HOUR, "queued": 4 * clock.DAY}
#: How long a finished file is kept. The bucket's lifecycle removes it a day later.
KEPT_FOR = 7 * clock.DAY
PROFILE = "native"


class State(StrEnum):
    """Where an export is on its way."""

    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asked: the actor, and the credential with which it did."""

    id: str
    name: str
    credential: str


@dataclass(frozen=True, slots=True)
class Export:
    """An export as it is stored. Times in microseconds."""

    id: str
    org: str
    state: State
    format: Format
    compression: Compression
    filter: Mapping[str, list[str]]
    span: Span
    requested_by: Requester
    created_at: int
    updated_at: int
    events_so_far: int = 0
    fraction: float = 0.0
    completed_at: int | None = None
    expires_at: int | None = None
    events: int | None = None
    bytes: int | None = None
    error: str | None = None

    def state_at(self, now: int) -> State:
        """The state, with what the clock alone has changed about it."""
        if self.state is State.READY and self.expires_at is not None and now >= self.expires_at:
            return State.EXPIRED
        if self.is_under_way and now - self.updated_at > STALLED_AFTER[self.state]:
            return State.FAILED
        return self.state

    @property
    def is_under_way(self) -> bool:
        """Whether somebody is, or will be, working on it."""
        return self.state in {State.QUEUED, State.RUNNING}

    @property
    def folder(self) -> str:
        """The prefix under which all of its objects stand."""
        return f"{self.org}/{self.id}/"

    @property
    def file_name(self) -> str:
        """What a browser saves it as."""
        day = clock.text(self.created_at)[:10]
        packed = ".gz" if self.compression is Compression.GZIP else ""
        return f"audit-log-{self.org}-{day}.{self.format.value}{packed}"

    @property
    def object_key(self) -> str:
        """Where the finished file stands."""
        return self.folder + self.file_name

    def answer(self, now: int, download_url: str | None) -> dict[str, Any]:
        """The export as the API shows it."""
        state = self.state_at(now)
        return {
            "id": self.id,
            "state": state.value,
            "format": self.format.value,
            "compression": self.compression.value,
            "profile": PROFILE,
            "filter": dict(self.filter),
            "requested_by": {
                "id": self.requested_by.id,
                "name": self.requested_by.name,
                "credential": self.requested_by.credential,
            },
            "created_at": clock.text(self.created_at),
            "completed_at": _text(self.completed_at),
            "expires_at": _text(self.expires_at),
            "progress": {"events": self.events_so_far, "fraction": round(self.fraction, 4)},
            "events": self.events,
            "bytes": self.bytes,
            "download_url": download_url if state is State.READY else None,
            "error": self.error or (_STALLED if state is State.FAILED else None),
        }


_STALLED = "The work stopped without a word; ask for the export again."


@dataclass(frozen=True, slots=True)
class Slice:
    """A finished part of an export: the object that holds it, and what is in it."""

    number: int
    object_key: str
    events: int
    bytes: int


def new_id(now: int, random: Callable[[int], bytes]) -> str:
    """24 characters that sort by the time at which the export was made."""
    return (now.to_bytes(8, "big") + random(4)).hex()


def upper_bound(now: int, until: int) -> int:
    """Where an export ends: an event may be dated this far ahead, and no further."""
    return min(until, now + MAX_AHEAD)


def _text(moment: int | None) -> str | None:
    return None if moment is None else clock.text(moment)
