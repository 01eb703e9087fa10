"""Events that were never judged, or were refused: whose they may be, and a body without those.

Such an event may be anything, so it counts as somebody's as soon as it may be. It could
not be recorded as it is.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from auditlog import intake
from auditlog.erasures import Subject, subjects

IsSubject = Callable[[Subject], bool]
IsId = Callable[[str], bool]


class _Number(str):
    """A number as it is written. As an id it is none, but may be meant for one."""

    __slots__ = ()


def read(body: str) -> dict[str, Any] | None:
    """The object that a body is; None where it is none, or could be read as another one.

    What names a key twice within it, and says one thing or another by who reads it, is
    a list of all that it says, and so no event.
    """
    value = said(body)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def said(body: str) -> object:
    """What a body says, as `read` takes it, whatever that is; None where it is no JSON."""
    try:
        # Digits stay text: Python refuses to read an integer of more than 4,300.
        return json.loads(body, object_pairs_hook=_object, parse_int=_Number, parse_float=_Number)
    except (ValueError, RecursionError):
        return None


def org_of(value: Mapping[str, Any]) -> str | None:
    """Whose a body says that it is."""
    named = value.get("org")
    return named if _is_text(named) else None


def without(body: str, value: Mapping[str, Any], goes: Callable[[object], bool]) -> str | None:
    """A body, which `read` took as `value`, without the events that go; None where none is left.

    Every other event stays as it is, to the byte. What stands beside a list of events is
    of all of them.
    """
    listed = value.get("events")
    if not isinstance(listed, list):
        return None if goes(value) else body
    events = cast("list[object]", listed)
    if goes([member for name, member in value.items() if name != "events"]):
        return None
    left = [number for number, event in enumerate(events) if not goes(event)]
    if len(left) == len(events):
        return body
    return intake.excerpt(body, left) if left else None


def may_be_of(event: object, is_subject: IsSubject, is_id: IsId) -> bool:
    """Whether an event is somebody's, or says in no proper way whose it is and has their id."""
    try:
        return any(map(is_subject, subjects(cast("Any", event)))) or (
            not _is_shaped(event) and has(event, is_id)
        )
    except (TypeError, LookupError, AttributeError):
        return has(event, is_id)


def has(value: object, is_id: IsId) -> bool:
    """Whether a value is an id, or holds one."""
    # By a list, since it may be nested as deeply as the parser takes it.
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            left.extend(cast("dict[str, object]", each).values())
        elif isinstance(each, list):
            left.extend(cast("list[object]", each))
        elif isinstance(each, str) and is_id(each):
            return True
    return False


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | list[Any]:
    made = dict(pairs)
    return made if len(made) == len(pairs) else [value for _, value in pairs]


def _is_shaped(event: object) -> bool:
    """Whether it says by whom it is, and on what, as an event does."""
    if not isinstance(event, dict):
        return False
    members = cast("dict[str, Any]", event)
    actor, targets = members.get("actor"), members.get("targets", [])
    return (
        isinstance(actor, dict)
        and _is_text(cast("dict[str, Any]", actor).get("id"))
        and isinstance(targets, list)
        and all(
            _is_text(target["id"]) and _is_text(target["type"])
            for target in cast("list[Any]", targets)
        )
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not isinstance(value, _Number)
