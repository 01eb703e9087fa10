"""AWS CloudTrail records as events of the open scope `aws`. Pure: no clock, no network.

Compatibility: the mapping is part of what an event's id commits to. A record that is imported
again is recognised as a duplicate only while it maps to the very same event, so a change here
makes a second import record everything twice. `tests/unit/test_cloudtrail.py` pins examples.

What goes where:

- `key` is `eventID`, `occurred_at` is `eventTime`, `type` is `aws.<service>.<eventName>`.
- `actor` is whom `userIdentity` names; where it names nobody, the AWS service that acted.
- `credential` is the access key's id; CloudTrail has no more of it than that.
- `ip` is `sourceIPAddress` where that is an address; a service's host name stays metadata.
- `targets` are what `resources`, `requestParameters` and `responseElements` name, the first 16.
- `metadata` is the record itself, under CloudTrail's own names, without the members that are
  whole elsewhere (`eventID`, `eventTime`, an address, a user agent that fits). So nothing is
  lost: the record can be rebuilt from the event, except that a number which canonical JSON
  would not keep is there as a string of its digits, and what is nested deeper than an event
  may be is there as JSON text.
"""

import re
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any, cast

from auditlog.catalog import MAX_NAME_LENGTH
from auditlog.cli.carrying import carried, decode
from auditlog.cli.cloudtrail_targets import generic_type, named_type, target_type
from auditlog.event import MAX_NESTING

__all__ = ["UnmappableError", "decode", "to_event"]

MAX_TARGETS = 16
MAX_USER_AGENT = 1024
MAX_KEY = 128

# An event is one level deep, its metadata the second.
_LEVELS_IN_METADATA = MAX_NESTING - 2

_UNFIT = re.compile(r"[^A-Za-z0-9_]")
_DOMAIN = ".amazonaws.com"


class UnmappableError(ValueError):
    """Not a CloudTrail record; says what is missing from it."""


def to_event(record: object) -> dict[str, Any]:
    """The event that a record, as `decode` returns it, stands for.

    The same record always gives the same event. Raises `UnmappableError` where the record
    is not an object or lacks `eventTime`, `eventSource` or `eventName`.
    """
    fields = _object(record)
    if not fields:
        raise UnmappableError("not a CloudTrail record: expected an object with members")
    name, source = _required(fields, "eventName"), _required(fields, "eventSource")
    event: dict[str, Any] = {
        "type": _type(source, name),
        "occurred_at": _required(fields, "eventTime"),
        "actor": _actor(fields, source),
        "description": _description(fields, source, name),
    }
    placed = {"eventTime"}
    targets = list(_targets(fields, _service(source), name))[:MAX_TARGETS]
    if targets:
        event["targets"] = targets
    credential = _credential(_object(fields.get("userIdentity")))
    if credential:
        event["credential"] = credential
    for field, member, fits in _PLACED:
        value = _text(fields.get(member))
        if value and fits(value):
            event[field] = value
            placed.add(member)
    event["metadata"] = {
        member: carried(value, _LEVELS_IN_METADATA)
        for member, value in fields.items()
        if member not in placed
    }
    return event


def _is_key(text: str) -> bool:
    return len(text) <= MAX_KEY


def _is_user_agent(text: str) -> bool:
    return len(text) <= MAX_USER_AGENT


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text


# Fields of the event that take a member of the record whole, where it is fit for them.
_PLACED: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("key", "eventID", _is_key),
    ("ip", "sourceIPAddress", _is_address),
    ("user_agent", "userAgent", _is_user_agent),
)


def _type(source: str, name: str) -> str:
    service = _UNFIT.sub("_", _service(source))
    return f"aws.{service}.{_UNFIT.sub('_', name)}"[:MAX_NAME_LENGTH].rstrip(".")


def _service(source: str) -> str:
    return source.removesuffix(_DOMAIN) or source


def _description(fields: dict[str, Any], source: str, name: str) -> str:
    region = _text(fields.get("awsRegion"))
    where = f" in {region}" if region else ""
    failure = _text(fields.get("errorCode")) or _text(fields.get("errorMessage"))
    return f"{name} on {_service(source)}{where}" + (f" failed: {failure}" if failure else "")


def _actor(fields: dict[str, Any], source: str) -> dict[str, str]:
    """Who acted. The id is AWS's principal id where there is one: a name may be given again."""
    identity = _object(fields.get("userIdentity"))
    principal, arn = _text(identity.get("principalId")), _text(identity.get("arn"))
    name, account = _text(identity.get("userName")), _text(identity.get("accountId"))
    kind = _text(identity.get("type"))
    known = principal or arn or _text(_object(identity.get("onBehalfOf")).get("userId")) or name
    if kind == "AWSService" or not (kind or known):
        return _named(_text(identity.get("invokedBy")) or source, "", "system")
    if kind == "Root":
        # The principal id of the root user is the account's number, which others use too.
        return _named(arn or known or account or source, name or "root", "user")
    is_person = True
    if kind in {"AssumedRole", "Role"}:
        name, is_person = _role_session(arn), _is_person(fields, arn)
    elif kind == "FederatedUser":
        name = name or arn.rpartition("/")[2] or principal.rpartition(":")[2]
    elif kind == "AWSAccount":
        # AWS begins the id of a user with AIDA; a role or a bare account is no person.
        is_person = principal.startswith("AIDA")
    return _named(known or account or source, name, "user" if is_person else "service_account")


def _named(actor_id: str, name: str, kind: str) -> dict[str, str]:
    named = {"name": name} if name and name != actor_id else {}
    return {"id": actor_id, **named, "type": kind}


def _role_session(arn: str) -> str:
    """`Role/session` of `arn:aws:sts::123:assumed-role/Role/session`, or nothing."""
    return arn.partition("assumed-role/")[2] or arn.partition(":role/")[2]


def _is_person(fields: dict[str, Any], arn: str) -> bool:
    """Whether somebody is behind a role's session: single sign-on, a second factor, the console."""
    attributes = _object(
        _object(_object(fields.get("userIdentity")).get("sessionContext")).get("attributes")
    )
    return (
        _role_session(arn).startswith("AWSReservedSSO_")
        or attributes.get("mfaAuthenticated") == "true"
        or fields.get("sessionCredentialFromConsole") == "true"
    )


def _credential(identity: dict[str, Any]) -> dict[str, str] | None:
    key = _text(identity.get("accessKeyId"))
    if not key:
        token = _text(identity.get("credentialId"))
        return {"type": "access_token", "id": token} if token else None
    issuer = _object(_object(identity.get("sessionContext")).get("sessionIssuer"))
    role = _text(issuer.get("userName"))
    return {
        # AWS begins the id of a temporary key with ASIA, of a lasting one with AKIA.
        "type": "session" if key.startswith("ASIA") else "api_key",
        "id": key,
        **({"role": role} if role else {}),
        "last4": key[-4:],
    }


def _targets(fields: dict[str, Any], service: str, event_name: str) -> Iterator[dict[str, str]]:
    """What was acted on, in the order of the record, each once."""
    seen: set[tuple[str, str]] = set()
    for kind, target, name in (
        *_resources(fields.get("resources")),
        *_parameters(fields.get("requestParameters"), service, event_name),
        *_parameters(fields.get("responseElements"), service, event_name),
    ):
        if (kind, target) not in seen:
            seen.add((kind, target))
            yield {"type": kind, "id": target, **({"name": name} if name else {})}


def _resources(resources: object) -> Iterator[tuple[str, str, str]]:
    for entry in _list(resources):
        resource = _object(entry)
        arn = _text(resource.get("ARN")) or _text(resource.get("ARNPrefix"))
        if arn:
            short = re.split("[:/]", arn)[-1]
            kind = _text(resource.get("type")) or generic_type(arn)
            yield kind, arn, short if short != arn else ""


def _parameters(value: object, service: str, event_name: str) -> Iterator[tuple[str, str, str]]:
    kind = named_type(service, event_name)
    name = _text(_object(value).get("name"))
    if kind and name:
        yield kind, name, ""
    for member, text in _strings(value):
        kind = target_type(service, member)
        if kind and text:
            yield kind, text, ""


def _strings(value: object) -> Iterator[tuple[str, str]]:
    """Every string of a tree with the member name that it stands under."""
    left: list[tuple[str, object]] = [("", value)]
    while left:
        member, here = left.pop()
        if isinstance(here, str):
            yield member, here
        inner: tuple[tuple[str, object], ...] = (
            *_object(here).items(),
            *((member, child) for child in _list(here)),
        )
        left.extend(reversed(inner))


def _required(fields: dict[str, Any], member: str) -> str:
    value = _text(fields.get(member))
    if not value:
        raise UnmappableError(f"not a CloudTrail record: it has no {member}")
    return value


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
