"""What is left of a message that waits in `rejects` or with the dead letters."""

import json
import re
from collections.abc import Mapping
from typing import Any

from auditlog import unjudged
from auditlog.erasures import Subject
from auditlog.store.backlog import Waiting

#: The group of a message whose org nobody could tell (`record/message.py`).
UNKNOWN = "unknown"


def without_subject(message: Waiting, org: str, subject: Subject) -> str | None:
    """A message's body without the subject's events; None where nothing is left of it.

    Every other event stays as it is, to the byte. A body that cannot be read as events is
    gone as a whole where it has the subject's id anywhere, and the message may be of this org.
    """
    body = message.body
    value = unjudged.read(body)
    if value is None:
        is_ours = message.org in {org, UNKNOWN}
        return None if is_ours and _mentions(body, subject) else body
    if not _is_of(value, message, org):
        return body

    def goes(event: object) -> bool:
        return unjudged.may_be_of(event, subject.__eq__, subject.id.__eq__)

    return unjudged.without(body, value, goes)


def is_of_org(message: Waiting, org: str) -> bool:
    """Whether a message is an org's: as its body says, or what stands beside it."""
    value = unjudged.read(message.body)
    return message.org == org if value is None else _is_of(value, message, org)


def _is_of(value: Mapping[str, Any], message: Waiting, org: str) -> bool:
    named = unjudged.org_of(value)
    return org == (message.org if named is None else named)


def _mentions(body: str, subject: Subject) -> bool:
    """Whether a text that is no JSON has an id in it, and not as a part of another word."""
    spelled = {
        subject.id,
        json.dumps(subject.id)[1:-1],
        json.dumps(subject.id, ensure_ascii=False)[1:-1],
    }
    return any(re.search(rf"(?<!\w){re.escape(each)}(?!\w)", body) for each in spelled)
