"""The shapes of request bodies that are not events."""

from typing import Annotated, Literal, NotRequired

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict

from auditlog import clock
from auditlog.event import Time
from auditlog.filters import MAX_VALUES
from auditlog.keys import MAX_NAME_LENGTH, MAX_OVERLAP, SESSION_MINUTES
from auditlog.layout import MAX_SHARDS
from auditlog.orgs import MAX_LIMIT, NAME_PATTERN
from auditlog.retention import MAX_RETENTION_DAYS

MAX_BYTES = 64 * 1024
#: Of the id of an actor or a target that is to be erased: an event may have long ones.
MAX_SUBJECT_LENGTH = 32_768

_STRICT = ConfigDict(extra="forbid", strict=True)


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


_Values = Annotated[
    list[str],
    BeforeValidator(_listed, json_schema_input_type=str | list[str]),
    Field(min_length=1, max_length=MAX_VALUES),
]


_Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH)]
_Days = Annotated[int, Field(ge=1, le=MAX_RETENTION_DAYS)]
_Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT)]


class NewKey(TypedDict):
    """What a key is made of."""

    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- pydantic reads it

    name: _Name
    grants: Annotated[
        list[Literal["events:write", "events:read", "exports:create", "org:admin"]],
        Field(min_length=1, max_length=4),
    ]
    expires_at: NotRequired[Time]


class NewExport(TypedDict):
    """What an export is to hold, in the words of search; a list means OR."""

    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- as above

    format: Literal["json", "ndjson", "csv"]
    compression: NotRequired[Literal["gzip", "none"]]
    profile: NotRequired[Literal["native", "hf"]]
    bom: NotRequired[bool]
    q: NotRequired[str]
    type: NotRequired[_Values]
    actor: NotRequired[_Values]
    target: NotRequired[_Values]
    ip: NotRequired[_Values]
    country: NotRequired[_Values]
    since: NotRequired[str]
    until: NotRequired[str]
    include_hidden: NotRequired[bool]


class Rotation(TypedDict):
    """How long the key that is replaced is still good."""

    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- as above

    overlap_seconds: NotRequired[Annotated[int, Field(ge=0, le=MAX_OVERLAP // clock.SECOND)]]
    expires_at: NotRequired[Time]


class SessionPerson(TypedDict):
    """Whom a session is for."""

    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- as above

    id: _Name
    name: NotRequired[_Name]


class NewSession(TypedDict):
    """A session: for whom, and for how long."""

    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- as above

    actor: SessionPerson
    minutes: NotRequired[Annotated[int, Field(ge=SESSION_MINUTES[0], le=SESSION_MINUTES[-1])]]


class NewHold(TypedDict):
    """A hold: why nothing may be removed."""

    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- as above

    reason: Annotated[str, Field(min_length=1, max_length=1_000)]


class NewShards(TypedDict):
    """Over how many partitions the log is spread, from some time on."""

    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- as above

    number: Annotated[int, Field(ge=1, le=MAX_SHARDS)]
    since: NotRequired[Time]


class SettingsChange(TypedDict):
    """What is to be changed of an org's settings; what is not named stays."""

    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- as above

    retention_days: NotRequired[_Days | None]
    hold: NotRequired[NewHold | None]
    shards: NotRequired[NewShards]
    record_reads: NotRequired[bool]


class ErasureTarget(TypedDict):
    """On what the events acted that are to be erased; of any type where none is named."""

    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- as above

    id: Annotated[str, Field(min_length=1, max_length=MAX_SUBJECT_LENGTH)]
    type: NotRequired[Annotated[str, Field(min_length=1, max_length=MAX_SUBJECT_LENGTH)]]


class NewErasure(TypedDict):
    """Whose events are to be erased: `actor` (an id) or `target`, one of the two."""

    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- as above

    actor: NotRequired[Annotated[str, Field(min_length=1, max_length=MAX_SUBJECT_LENGTH)]]
    target: NotRequired[ErasureTarget]
    reason: Annotated[str, Field(min_length=1, max_length=1_000)]


class NewLimits(TypedDict):
    """What an org may use; null is as much as it likes."""

    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- as above

    events_per_day: NotRequired[_Limit | None]
    exports_at_once: NotRequired[_Limit | None]
    keys: NotRequired[_Limit | None]


class NewOrg(TypedDict):
    """What an org is made of."""

    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- as above

    name: Annotated[str, Field(pattern=NAME_PATTERN)]
    retention_days: NotRequired[_Days | None]
    shards: NotRequired[Annotated[int, Field(ge=1, le=MAX_SHARDS)]]
    limits: NotRequired[NewLimits]


class OrgChange(TypedDict):
    """What the platform changes of an org; a limit that is not named stays."""

    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- as above

    limits: NewLimits


NEW_KEY: TypeAdapter[NewKey] = TypeAdapter(NewKey)
ROTATION: TypeAdapter[Rotation] = TypeAdapter(Rotation)
NEW_SESSION: TypeAdapter[NewSession] = TypeAdapter(NewSession)
SETTINGS_CHANGE: TypeAdapter[SettingsChange] = TypeAdapter(SettingsChange)
NEW_ERASURE: TypeAdapter[NewErasure] = TypeAdapter(NewErasure)
NEW_ORG: TypeAdapter[NewOrg] = TypeAdapter(NewOrg)
ORG_CHANGE: TypeAdapter[OrgChange] = TypeAdapter(OrgChange)
NEW_EXPORT: TypeAdapter[NewExport] = TypeAdapter(NewExport)
