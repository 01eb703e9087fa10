"""The event as published, the record as stored, and the id that binds them.

Compatibility of the record, `v` 1, for ever:

- The record is the event, normalised (`occurred_at` in UTC microseconds, `ip`
  truncated, what is absent stays absent), plus `org`, `v` and `salt`, as
  RFC 8785 bytes. Nothing in it depends on the catalog, on the clock or on a
  setting, so the same event builds the same bytes in every release.
- `salt` = base64url, without padding, of the first 16 bytes of
  HMAC-SHA256(deployment secret, the same bytes without `salt`).
- `id` = base32hex, lower case, without padding, of 8 bytes of big-endian
  microseconds of `occurred_at` and the first 16 bytes of SHA-256(record).
- A new optional field may be added to the event: old records lack it, and read
  as before. A field's meaning or normal form may change only with a new `v`.
- What the service adds beside the record (`id`, `recorded_at`, `summary`) is
  never hashed. Taking those away from an answer gives the record back.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, LiteralString, NamedTuple, NotRequired, cast

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    TypeAdapter,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from auditlog import canonical, clock, privacy, shapes
from auditlog.catalog import Catalog
from auditlog.errors import Fault
from auditlog.retention import oldest_kept

FORMAT_VERSION = 1
MAX_EVENT_BYTES = 256 * 1024
MAX_NESTING = 32
MAX_USER_AGENT = 1_024
MAX_AHEAD = 15 * clock.MINUTE

#: What the service records of itself. Only downloads are taken from others too: the
#: reference's export has those that were made there.
OWN_TYPES = "org.audit_log."
EXPORT_TYPE = OWN_TYPES + "export"

#: What an answer holds beside the record.
ADDED_FIELDS = frozenset({"id", "recorded_at", "summary", "erased_at"})

_STRICT = ConfigDict(extra="forbid", strict=True)


def _checked(rule: Callable[[str], str], kind: LiteralString) -> AfterValidator:
    """`rule` as a pydantic validator whose message is the `ValueError`'s own."""

    def check(value: str) -> str:
        try:
            return rule(value)
        except ValueError as error:
            raise PydanticCustomError(kind, "{reason}", {"reason": str(error)}) from None

    return AfterValidator(check)


def _normal_time(text: str) -> str:
    moment = clock.parse(text)
    if moment < 0:
        raise ValueError("expected a time of 1970 or later")
    return clock.text(moment)


def _country(code: str) -> str:
    if not _COUNTRY.fullmatch(code):
        raise ValueError("expected two capital letters of ISO 3166-1 alpha-2")
    return code


_COUNTRY = re.compile(r"[A-Z]{2}")

_Text = Annotated[str, Field(min_length=1)]
Time = Annotated[
    str, _checked(_normal_time, "time"), Field(json_schema_extra={"format": "date-time"})
]
Address = Annotated[
    str,
    _checked(privacy.truncate, "address"),
    Field(description="IPv4 or IPv6; truncated to /24 or /48 before anything is stored"),
]


class Actor(TypedDict):
    """Who did it."""

    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- pydantic reads it

    id: _Text
    name: NotRequired[str]
    type: NotRequired[Literal["user", "service_account", "system"]]
    avatar_url: NotRequired[str]


class Target(TypedDict):
    """What was acted on."""

    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- as above

    type: _Text
    id: _Text
    name: NotRequired[str]


class Location(TypedDict):
    """Where the actor was, as far as the publisher knows."""

    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- as above

    country: NotRequired[
        Annotated[str, _checked(_country, "country"), Field(description="ISO 3166-1 alpha-2")]
    ]
    region: NotRequired[str]
    city: NotRequired[str]


class Credential(TypedDict):
    """How the actor was authenticated."""

    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- as above

    type: Literal["access_token", "oauth_app", "session", "api_key"]
    id: _Text
    name: NotRequired[str]
    role: NotRequired[str]
    last4: NotRequired[Annotated[str, Field(max_length=4)]]


class Event(TypedDict):
    """An event as published; after `check`, in its normal form."""

    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- as above

    type: str
    occurred_at: Time
    actor: Actor
    description: NotRequired[str]
    targets: NotRequired[Annotated[list[Target], Field(max_length=16)]]
    ip: NotRequired[Address]
    location: NotRequired[Location]
    user_agent: NotRequired[Annotated[str, Field(max_length=MAX_USER_AGENT)]]
    credential: NotRequired[Credential]
    metadata: NotRequired[dict[str, Any]]
    key: NotRequired[Annotated[str, Field(min_length=1, max_length=128)]]


EVENT: TypeAdapter[Event] = TypeAdapter(Event)


class InvalidEventError(Exception):
    """One event that cannot be recorded: its faults, with pointers into that event."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        super().__init__("the event breaks a rule")
        self.faults = list(faults)


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides whether an event is taken.

    `judged_at` (microseconds) is the clock against which its time is judged:
    when the event reached us, never when we got round to it.
    """

    catalog: Catalog
    org: str
    retention_days: int | None
    judged_at: int
    purged_before: int = 0
    """Nothing older is taken, since nothing older would be shown (`policy.py`)."""
    own_types: bool = True
    """Whether the types are taken under which the service records what is done with the log."""


@dataclass(frozen=True, slots=True)
class Record:
    """An event in the form that is stored, exported and hashed for ever."""

    id: str
    type: str
    occurred_at: int
    described: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class NewEvent:
    """A record about to be inserted. Times in microseconds, `expires_at` in seconds."""

    partition: str
    record: Record
    recorded_at: int
    expires_at: int | None


class StoredEvent(NamedTuple):
    """A row of the log as a store reads it; `packed` is `canonical.pack` of the record."""

    id: str
    type: str
    recorded_at: int
    described: bool
    packed: bytes


def admit(raw: object, rules: Rules, secret: bytes) -> Record:
    """The record of a published event. Raises `InvalidEventError` with every fault.

    `raw` is a value from `canonical.decode` that it found no fault in. The same
    event gives the same record whenever and wherever it arrives.
    """
    event, faults = _check(raw, rules)
    if event is None or faults:
        raise InvalidEventError(faults)
    try:
        record = build(event, rules.org, secret)
    except UnicodeEncodeError:
        raise InvalidEventError(canonical.surrogates(raw)) from None
    except RecursionError:
        raise _nested_too_deeply() from None
    # Counting brackets is cheap, and few events have enough to be worth a walk.
    brackets = record.data.count(b"{") + record.data.count(b"[")
    if brackets > MAX_NESTING and canonical.depth(raw) > MAX_NESTING:
        raise _nested_too_deeply()
    size = len(record.data) - _added_bytes(rules.org)
    if size > MAX_EVENT_BYTES:
        raise InvalidEventError([_too_large(size)])
    return record


def faults_of(raw: object, rules: Rules) -> list[Fault]:
    """What is wrong with the shape, the type and the time of an event.

    Takes also a value in which `canonical.decode` found faults; it may name
    their places again, in other words.
    """
    return _check(raw, rules)[1]


def _check(raw: object, rules: Rules) -> tuple[Event | None, list[Fault]]:
    event, faults = shapes.check(EVENT, raw)
    return event, [
        *faults,
        *_type_faults(raw, rules.catalog, own_types=rules.own_types),
        *_time_faults(raw, rules),
    ]


def size_fault(raw: object) -> Fault | None:
    """The fault of an event that is too large, whatever else is wrong with it."""
    try:
        size = len(_measure(raw).encode("utf-8", "surrogatepass"))
    except RecursionError:
        return None  # Far too deep; its text is bounded by the body's.
    return _too_large(size) if size > MAX_EVENT_BYTES else None


def _of_no_size(_refused: object) -> int:
    """Stands for what `canonical.decode` refused and left in the tree."""
    return 0


_measure = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_of_no_size).encode


def _too_large(size: int) -> Fault:
    detail = f"{size} bytes as canonical JSON; at most {MAX_EVENT_BYTES} are taken"
    return Fault(detail, pointer="")


def _nested_too_deeply() -> InvalidEventError:
    return InvalidEventError([Fault(f"nested more than {MAX_NESTING} levels deep", pointer="")])


def build(event: Event, org: str, secret: bytes) -> Record:
    """The record of an event in its normal form; `UnicodeEncodeError` on a lone surrogate."""
    whole = canonical.encode({**event, "org": org, "salt": "", "v": FORMAT_VERSION})
    # The last one is the record's own: metadata sorts before it, and nothing
    # that sorts after it has a key of that name.
    at = whole.rindex(_NO_SALT)
    unsalted = whole[:at] + whole[at + len(_NO_SALT) + 1 :]
    salt = base64.urlsafe_b64encode(hmac.digest(secret, unsalted, "sha256")[:16]).rstrip(b"=")
    data = whole[: at + len(_NO_SALT) - 1] + salt + whole[at + len(_NO_SALT) - 1 :]
    occurred_at = clock.parse(event["occurred_at"])
    return Record(
        id=event_id(occurred_at, hashlib.sha256(data).digest()),
        type=event["type"],
        occurred_at=occurred_at,
        described="description" in event,
        data=data,
    )


def event_id(occurred_at: int, record_hash: bytes) -> str:
    """39 characters that sort by time and commit to the record's content."""
    return _base32hex(occurred_at.to_bytes(8, "big") + record_hash[:16])


def first_id(occurred_at: int) -> str:
    """A string at or below every id of that microsecond, above every earlier one."""
    return _base32hex(max(0, occurred_at).to_bytes(8, "big") + bytes(16))


def id_time(event_id: str) -> int:
    """The microseconds that an id starts with. Raises `ValueError` where it is no id."""
    if not is_id(event_id):
        raise ValueError("expected 39 characters of 0-9 and a-v")
    return int.from_bytes(base64.b32hexdecode(event_id.upper() + "=")[:8], "big")


def is_id(text: str) -> bool:
    """Whether `text` has an id's form; it says nothing of whether the event exists."""
    # 192 bits fill 38 characters and two bits of the last.
    return len(text) == _ID_LENGTH and set(text) <= _ID_DIGITS and text[-1] in "08go"


_NO_SALT = b'"salt":""'
_ID_LENGTH = 39


def _base32hex(data: bytes) -> str:
    """RFC 4648 section 7 in lower case, for 24 bytes: 192 bits, ten at a time."""
    number = int.from_bytes(data, "big") << 8
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS])[:_ID_LENGTH]


_DIGITS = "0123456789abcdefghijklmnopqrstuv"
_ID_DIGITS = frozenset(_DIGITS)
_PAIRS = [high + low for high in _DIGITS for low in _DIGITS]
_SHIFTS = range(190, -1, -10)


def _added_bytes(org: str) -> int:
    """How many bytes `org`, `salt` and `v` add; none of them needs escaping."""
    return len(f'"org":"{org}",') + len('"salt":"",') + 22 + len('"v":1,')


def _type_faults(raw: object, catalog: Catalog, *, own_types: bool) -> Iterator[Fault]:
    name = _member(raw, "type")
    if name is not None and name.startswith(OWN_TYPES) and name != EXPORT_TYPE and not own_types:
        yield Fault("recorded by the service itself, and taken from nobody", pointer="/type")
    if name is not None and catalog.get(name) is None:
        near = ", ".join(catalog.nearest(name))
        hint = f"the nearest are {near}" if near else "GET /v1/event-types lists them"
        yield Fault(f"not a type of the catalog; {hint}", pointer="/type")


def _time_faults(raw: object, rules: Rules) -> Iterator[Fault]:
    try:
        occurred_at = clock.parse(_member(raw, "occurred_at") or "")
    except ValueError:
        return  # The shape's own fault, which `shapes.check` has found.
    if occurred_at > rules.judged_at + MAX_AHEAD:
        detail = "more than 15 minutes ahead of the clock, which says "
        yield Fault(detail + clock.text(rules.judged_at), pointer="/occurred_at")
    elif 0 <= occurred_at < oldest_kept(rules.judged_at, rules.retention_days):
        detail = f"older than the {rules.retention_days} days for which this org keeps its events"
        yield Fault(detail, pointer="/occurred_at")
    elif 0 <= occurred_at < rules.purged_before:
        detail = "of a time of which this org's log is purged, or will be in hours: before "
        yield Fault(detail + clock.text(rules.purged_before), pointer="/occurred_at")


def _member(raw: object, name: str) -> str | None:
    found = cast("dict[str, object]", raw).get(name) if isinstance(raw, dict) else None
    return found if isinstance(found, str) else None
