"""The shapes of request bodies that are not events."""

from typing import Annotated, Literal, NotRequired

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict

from auditlog.event import Time
from auditlog.filters import MAX_VALUES
from auditlog.keys import MAX_NAME_LENGTH

MAX_BYTES = 64 * 1024

_STRICT = ConfigDict(extra="forbid", strict=True)


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


_Values = Annotated[
    list[str],
    BeforeValidator(_listed, json_schema_input_type=str | list[str]),
    Field(min_length=1, max_length=MAX_VALUES),
]


class NewKey(TypedDict):
    """What a key is made of."""

    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- pydantic reads it

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH)]
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


NEW_KEY: TypeAdapter[NewKey] = TypeAdapter(NewKey)
NEW_EXPORT: TypeAdapter[NewExport] = TypeAdapter(NewExport)
