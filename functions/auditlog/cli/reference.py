"""Entries of the reference's own export (the Hugging Face Hub's) as events.

Pure: no clock, no network. The other way is `auditlog.reference`, which says what an export
makes of an event; together they give every entry back as it was, but for `_id` and the tail of
an address.

Compatibility: the mapping is part of what an event's id commits to. An entry that is imported
again is recognised as a duplicate only while it maps to the very same event, so a change here
makes a second import record everything twice. `tests/unit/test_cli_reference.py` pins examples.

What goes where:

- `key` is `_id`, `occurred_at` is `createdAt`, `type` is `type`, `description` is `message`.
- `actor` is `author`: its `_id`, `user` as the name, `type`, and `avatarUrl` where not empty.
- `ip` is `ip` where that is an address, `user_agent` is `userAgent` where it fits.
- `location` is the country where that is two capitals, and the city.
- `credential` is the token, or else the OAuth app.
- `metadata` is `data`. What has no place in all that is a member `hf` of it (see
  `auditlog.reference`): the line about the place where it is not city and country, what is
  deleted, the OAuth app beside a token, data that is no object.

A number in `data` beyond ±(2^53-1), or with more digits than a double keeps, is carried as a
string of its digits. What cannot be carried is refused, never cut: an entry that breaks the
reference's schema, data nested too deeply, an address that could not be truncated. A type that
is new to us is not refused here: the catalog decides, and a deployment may add to it.
"""

import re
from typing import Annotated, Any, Literal, NotRequired, cast

from pydantic import AfterValidator, ConfigDict, TypeAdapter
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from auditlog import canonical, clock, reference, shapes
from auditlog.cli.carrying import carried
from auditlog.event import MAX_NESTING, MAX_USER_AGENT

_STRICT = ConfigDict(extra="forbid", strict=True)
_COUNTRY = re.compile(r"[A-Z]{2}")
_MAX_LAST4 = 4


def _id(text: str) -> str:
    if not reference.is_id(text):
        raise PydanticCustomError("id", "expected 24 hexadecimal digits in lower case")
    return text


def _time(text: str) -> str:
    if not reference.is_time(text):
        raise PydanticCustomError("time", "expected RFC 3339 in UTC, like 2026-01-31T09:30:00.000Z")
    try:
        clock.parse(text)
    except ValueError as error:
        raise PydanticCustomError("time", "{reason}", {"reason": str(error)}) from None
    return text


_Id = Annotated[str, AfterValidator(_id)]


class _Author(TypedDict):
    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- pydantic reads it

    _id: _Id
    user: str
    avatarUrl: str
    type: Literal["user", "system"]
    deleted: NotRequired[bool]


class _Location(TypedDict):
    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- as above

    formatted: str
    country: NotRequired[str]
    city: NotRequired[str]


class _Token(TypedDict):
    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- as above

    type: Literal["access_token"]
    id: str
    role: NotRequired[Literal["read", "write", "fineGrained"]]
    last4: NotRequired[str]
    deleted: bool


class _Oauth(TypedDict):
    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- as above

    clientId: str
    name: NotRequired[str]


class _Entry(TypedDict):
    __pydantic_config__ = _STRICT  # pyright: ignore[reportGeneralTypeIssues] -- as above

    _id: _Id
    createdAt: Annotated[str, AfterValidator(_time)]
    type: str
    data: NotRequired[Any]
    message: str
    ip: NotRequired[str]
    location: NotRequired[_Location]
    userAgent: NotRequired[str]
    author: _Author
    token: NotRequired[_Token]
    oauth: NotRequired[_Oauth]


_ENTRY: TypeAdapter[_Entry] = TypeAdapter(_Entry)


def to_event(entry: object) -> dict[str, Any]:
    """The event that an entry, as `carrying.decode` returns it, stands for.

    The same entry always gives the same event. Raises `ValueError` where it is no entry of the
    reference's export, or cannot be carried whole.
    """
    found, faults = shapes.check(_ENTRY, entry)
    if found is None:
        reasons = "; ".join(f"{fault.pointer or 'the whole'}: {fault.detail}" for fault in faults)
        raise ValueError(f"not an entry of the reference's export: {reasons}")
    kept: dict[str, Any] = {}
    event: dict[str, Any] = {
        "type": found["type"],
        "occurred_at": found["createdAt"],
        "actor": _actor(found["author"], kept),
        "description": found["message"],
        "key": found["_id"],
    }
    normal = clock.text(clock.parse(found["createdAt"]))
    if reference.created_at(normal) != found["createdAt"]:
        kept["createdAt"] = found["createdAt"]
    if "ip" in found:
        _place_ip(found["ip"], event, kept)
    if "userAgent" in found:
        _place_user_agent(found["userAgent"], event, kept)
    if "location" in found and (location := _location(found["location"], kept)):
        event["location"] = location
    if credential := _credential(found, kept):
        event["credential"] = credential
    metadata = _metadata(found, kept)
    if metadata is not None:
        event["metadata"] = metadata
    return event


def _actor(author: _Author, kept: dict[str, Any]) -> dict[str, str]:
    if "deleted" in author:
        kept["author"] = {"deleted": author["deleted"]}
    avatar = {"avatar_url": author["avatarUrl"]} if author["avatarUrl"] else {}
    return {"id": author["_id"], "name": author["user"], "type": author["type"], **avatar}


def _place_ip(ip: str, event: dict[str, Any], kept: dict[str, Any]) -> None:
    if reference.is_address(ip):
        event["ip"] = ip
    elif reference.holds_address(ip):
        raise ValueError("/ip: holds an address that is not alone, and so would not be truncated")
    else:
        kept["ip"] = ip


def _place_user_agent(user_agent: str, event: dict[str, Any], kept: dict[str, Any]) -> None:
    if len(user_agent) <= MAX_USER_AGENT:
        event["user_agent"] = user_agent
    else:
        kept["userAgent"] = user_agent


def _location(location: _Location, kept: dict[str, Any]) -> dict[str, str]:
    ours: dict[str, str] = {}
    rest: dict[str, str] = {}
    if "country" in location:
        fits = _COUNTRY.fullmatch(location["country"])
        (ours if fits else rest)["country"] = location["country"]
    if "city" in location:
        ours["city"] = location["city"]
    if not ours or reference.formatted(ours) != location["formatted"]:
        rest["formatted"] = location["formatted"]
    if rest:
        kept["location"] = rest
    return ours


def _credential(found: _Entry, kept: dict[str, Any]) -> dict[str, str]:
    """The first of token and OAuth app that has an id; what is not in it is kept."""
    credential: dict[str, str] = {}
    token, oauth = found.get("token"), found.get("oauth")
    if token is not None and token["id"]:
        credential = _access_token(token, kept)
    elif token is not None:
        kept["token"] = token
    if oauth is not None and oauth["clientId"] and not credential:
        named = {"name": oauth["name"]} if "name" in oauth else {}
        credential = {"type": "oauth_app", "id": oauth["clientId"], **named}
    elif oauth is not None:
        kept["oauth"] = oauth
    return credential


def _access_token(token: _Token, kept: dict[str, Any]) -> dict[str, str]:
    credential: dict[str, str] = {"type": "access_token", "id": token["id"]}
    rest: dict[str, Any] = {}
    if token["deleted"]:
        rest["deleted"] = True
    if "role" in token:
        credential["role"] = token["role"]
    if "last4" in token:
        fits = len(token["last4"]) <= _MAX_LAST4
        (credential if fits else rest)["last4"] = token["last4"]
    if rest:
        kept["token"] = rest
    return credential


def _metadata(found: _Entry, kept: dict[str, Any]) -> dict[str, Any] | None:
    """`data`, and `kept` as its member `hf`; None where there is neither."""
    metadata: dict[str, Any] = {}
    if "data" in found:
        data = found["data"]
        # Empty data beside a member `hf` would look like no data.
        if isinstance(data, dict) and reference.KEPT not in data and (data or not kept):
            metadata |= cast("dict[str, Any]", data)
        else:
            kept["data"] = data
    if kept:
        metadata[reference.KEPT] = kept
    if not metadata and "data" not in found:
        return None
    if 1 + canonical.depth(metadata) > MAX_NESTING:
        raise ValueError(f"/data: makes an event that is nested more than {MAX_NESTING} levels")
    return {name: carried(value, MAX_NESTING) for name, value in metadata.items()}
