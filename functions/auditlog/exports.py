"""An export: what was asked for, how far it is, and what came of it.

    queued ──> running ──> ready ──> expired
       │          ├──────> failed
       └──────────┴──────> cancelled

Bounds are frozen when the export is made, and cut into slices, each of which is
written by itself. The file is put together once all of them are there, and
nothing is called ready before it is whole.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Any

from auditlog import clock
from auditlog.event import MAX_AHEAD
from auditlog.formats import LAYOUTS, Compression, Format, Profile
from auditlog.span import Span

#: An export of which nothing was heard for this long has failed, whatever it says:
#: a worker reports every few seconds, and a message waits no longer in its queue.
STALLED_AFTER = {"running": 3 * clock.HOUR, "queued": 4 * clock.DAY}
#: How long a finished file is kept. The bucket's lifecycle removes it a day later.
KEPT_FOR = 7 * clock.DAY


#: So many types of events that were left out are named; the rest is counted as one.
MOST_TYPES = 200
OTHER_TYPES = "other"


class State(StrEnum):
    """Where an export is on its way."""

    QUEUED = "queued"
    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


#: An export of which there is something still to be done.
UNDER_WAY = (State.QUEUED, State.RUNNING)


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asked: the actor, and the credential with which it did."""

    id: str
    name: str
    credential: str


@dataclass(frozen=True, slots=True)
class Links:
    """Where a finished file and its manifest can be had, for a while."""

    file: str
    manifest: str | None


@dataclass(frozen=True, slots=True)
class Export:
    """An export as it is stored. Times in microseconds."""

    id: str
    org: str
    state: State
    format: Format
    compression: Compression
    profile: Profile
    bom: bool
    filter: Mapping[str, list[str]]
    span: Span
    requested_by: Requester
    created_at: int
    updated_at: int
    slices: int | None = None
    """How many slices there are; None until the range is cut."""
    slices_done: int = 0
    events_so_far: int = 0
    completed_at: int | None = None
    expires_at: int | None = None
    events: int | None = None
    left_out: int | None = None
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

    @property
    def manifest_name(self) -> str:
        """What the file's manifest is called."""
        return f"{self.file_name}.manifest.json"

    @property
    def manifest_key(self) -> str:
        """Where the file's manifest stands."""
        return self.folder + self.manifest_name

    @property
    def content_type(self) -> str:
        """What the file is served as."""
        if self.compression is Compression.GZIP:
            return "application/gzip"
        return LAYOUTS[self.format].content_type

    @property
    def fraction(self) -> float:
        """How much of the work is done, from 0 to 1."""
        if self.state in {State.READY, State.EXPIRED}:
            return 1.0
        return self.slices_done / self.slices if self.slices else 0.0

    def answer(self, now: int, links: Links | None) -> dict[str, Any]:
        """The export as the API shows it."""
        state = self.state_at(now)
        if state is not State.READY:
            links = None
        return {
            "id": self.id,
            "state": state.value,
            "format": self.format.value,
            "compression": self.compression.value,
            "profile": self.profile.value,
            "bom": self.bom,
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
            "left_out": self.left_out,
            "bytes": self.bytes,
            "download_url": links and links.file,
            "manifest_url": links and links.manifest,
            "error": self.error or (_STALLED if state is State.FAILED else None),
        }


_STALLED = "The work stopped without a word; ask for the export again."


@dataclass(frozen=True, slots=True)
class Cuts:
    """How the range of an export is cut: settled once, whatever a later release would do."""

    bounds: tuple[str, ...]
    """Between two slices, ascending."""
    at_once: int
    """How many slices are written at the same time."""
    most_events: int
    """A slice ends where it has more."""

    def spans(self, whole: Span) -> list[Span]:
        """The slices, in order."""
        return [Span(*two) for two in pairwise([whole.first, *self.bounds, whole.end])]


@dataclass(frozen=True, slots=True)
class Slice:
    """What an attempt at a part of the range wrote, and where.

    The object begins with `lead` bytes that part it from the slice before, where
    the format wants that; `bytes` and `sha256` are of what follows. A slice
    without events has no object.
    """

    span: Span
    object_key: str | None = None
    lead: int = 0
    bytes: int = 0
    sha256: str = ""
    events: int = 0
    first_id: str | None = None
    last_id: str | None = None
    left_out: Mapping[str, int] = field(default_factory=dict[str, int])
    """How many events the profile has no word for, by type."""
    unsaid: Mapping[str, int] = field(default_factory=dict[str, int])
    """How many events in the file lack what the profile cannot say, by field."""


def new_id(now: int, random: Callable[[int], bytes]) -> str:
    """24 characters that sort by the time at which the export was made."""
    return (now.to_bytes(8, "big") + random(4)).hex()


def upper_bound(now: int, until: int) -> int:
    """Where an export ends: an event may be dated this far ahead, and no further."""
    return min(until, now + MAX_AHEAD)


def _text(moment: int | None) -> str | None:
    return None if moment is None else clock.text(moment)
