"""What the rejects get of what was refused: nothing of whom events were erased of.

An erasure goes through the rejects as long as it lasts; what is refused after its end
would bring back there what went. Whom it was of nobody knows by then but by a digest. So
of a body that is no JSON at all nothing can be told, and it is kept.
"""

from typing import Any, cast

from auditlog import clock, unjudged
from auditlog.erasures import Erased


def left_of(body: str, erased: Erased, sent_at: int) -> str | None:
    """A refused body without what is left out; None where nothing is left."""
    if not erased.before:
        return body
    value = unjudged.read(body)
    if value is None:
        return None if is_gone(unjudged.said(body), erased, sent_at) else body
    return unjudged.without(body, value, lambda event: is_gone(event, erased, sent_at))


def is_gone(event: object, erased: Erased, sent_at: int) -> bool:
    """Whether an event may be of before an erasure, and of whom it was.

    That is so where it was sent before it (`sent_at`, microseconds), or says that it had
    occurred. An event that says no time is as old as its message.
    """
    moment = min(sent_at, _occurred_at(event, sent_at))
    return unjudged.may_be_of(
        event,
        lambda subject: erased.has(subject, moment),
        lambda text: erased.has_id(text, moment),
    )


def _occurred_at(event: object, otherwise: int) -> int:
    if not isinstance(event, dict):
        return otherwise
    said = cast("dict[str, Any]", event).get("occurred_at")
    try:
        return clock.parse(said) if isinstance(said, str) else otherwise
    except ValueError:
        return otherwise
