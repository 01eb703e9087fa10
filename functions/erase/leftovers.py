"""What is left of a message that waits in `rejects` or with the dead letters.

A message there was never judged, or was refused, so it may be anything: an event in it
counts as the subject's as soon as it may be. It could not be recorded as it is.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from auditlog import intake
from auditlog.erasures import Subject, subjects
from auditlog.store.backlog import Waiting

#: The group of a message whose org nobody could tell (`record/message.py`).
UNKNOWN = "unknown"


class _Number(str):
    """A number as it is written. As an id it is none, but may be meant for one."""

    __slots__ = ()


class _NotAsRead(Exception):  # noqa: N818 -- it says how a body is to be taken
    """JSON that names a key twice: what it says depends on who reads it."""


def without_subject(message: Waiting, org: str, subject: Subject) -> str | None:
    """A message's body without the subject's events; None where nothing is left of it.

    Every other event stays as it is, to the byte. A body that cannot be read as events is
    gone as a whole where it has the subject's id anywhere, and the message may be of this org.
    """
    body = message.body
    value = _read(body)
    if value is None:
        is_ours = message.org in {org, UNKNOWN}
        return None if is_ours and _mentions(body, subject) else body
    if not _is_of(value, message, org):
        return body
    listed = value.get("events")
    if not isinstance(listed, list):
        return None if _may_be_of(value, subject) else body
    events = cast("list[object]", listed)
    beside = {name: member for name, member in value.items() if name != "events"}
    if _has(beside, subject.id):
        return None
    left = [number for number, event in enumerate(events) if not _may_be_of(event, subject)]
    if len(left) == len(events):
        return body
    return intake.excerpt(body, left) if left else None


def is_of_org(message: Waiting, org: str) -> bool:
    """Whether a message is an org's: as its body says, or what stands beside it."""
    value = _read(message.body)
    return message.org == org if value is None else _is_of(value, message, org)


def _is_of(value: Mapping[str, Any], message: Waiting, org: str) -> bool:
    named = value.get("org")
    return named == org if _is_text(named) else message.org == org


def _read(body: str) -> dict[str, Any] | None:
    """The object that a body is; None where it is none, or could be read as another one."""
    try:
        # Digits stay text: Python refuses to read an integer of more than 4,300.
        value: object = json.loads(
            body, object_pairs_hook=_object, parse_int=_Number, parse_float=_Number
        )
    except (ValueError, RecursionError, _NotAsRead):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _NotAsRead
    return made


def _may_be_of(event: object, subject: Subject) -> bool:
    """Whether an event is the subject's, or is none and has its id somewhere."""
    try:
        return any(subject == each for each in subjects(cast("Any", event))) or (
            not _is_shaped(event) and _has(event, subject.id)
        )
    except (TypeError, LookupError, AttributeError):
        return _has(event, subject.id)


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


def _has(value: object, sought: str) -> bool:
    """Whether a value is a text, or holds one."""
    if isinstance(value, dict):
        return any(_has(each, sought) for each in cast("dict[str, object]", value).values())
    if isinstance(value, list):
        return any(_has(each, sought) for each in cast("list[object]", value))
    return value == sought


def _mentions(body: str, subject: Subject) -> bool:
    """Whether a text that is no JSON has an id in it, and not as a part of another word."""
    spelled = {
        subject.id,
        json.dumps(subject.id)[1:-1],
        json.dumps(subject.id, ensure_ascii=False)[1:-1],
    }
    return any(re.search(rf"(?<!\w){re.escape(each)}(?!\w)", body) for each in spelled)
