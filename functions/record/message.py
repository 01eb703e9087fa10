"""One message of the inbox: what of it is recorded, and what is rejected, and why."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from auditlog import clock, intake, unjudged
from auditlog.catalog import Catalog
from auditlog.erasures import Erased
from auditlog.errors import Fault, InvalidError, MalformedError, NotFoundError, TooLargeError
from auditlog.event import NewEvent
from auditlog.intake import Refusal
from auditlog.orgs import Org, is_name
from record.refused import is_gone, left_of

#: A redriven message may say when it was first sent, at most this long before:
#: the days that the inbox, its dead letters and the rejects keep one.
MAX_DELAY = 32 * clock.DAY
_MOST_REASON_CHARACTERS = 4_000
#: In the place of a body of which nothing may be kept; SQS takes none that is empty.
_NOTHING = "{}"
_MOST_DIGITS = len(str(clock.parse("9999-12-31T23:59:59Z") // 1_000))


@dataclass(frozen=True, slots=True)
class Message:
    """A message, sorted. `reject` is the body for the rejects; None where they get nothing."""

    id: str
    group: str
    events: Sequence[NewEvent] = ()
    reject: str | None = None
    refused: int = 0
    reasons: Mapping[str, str | int] = field(default_factory=dict[str, str | int])


def sort(
    raw: Mapping[str, Any],
    catalog: Catalog,
    find_org: Callable[[str], Org | None],
    find_erased: Callable[[Org], Erased],
    secret: bytes,
) -> Message:
    """Sorts one SQS message of a Lambda event.

    Times are judged against when the message was first sent, never against
    the clock of a retry. An event of somebody who was erased since becomes what
    is left of it, and is left out of what is rejected. Of an org that is deleted, or
    being deleted, nothing is kept but the reason. Raises `UnavailableError` where the
    org can not be looked up now.
    """
    body: str = raw["body"]
    sent_at = int(raw["attributes"]["SentTimestamp"])
    group = "unknown"
    try:
        sent_at = _first_sent(raw, sent_at)
        submission = intake.read(body.encode(), names_org=True)
        org = _named(submission.org, find_org)
        if org is None or org.deletion is not None:
            raise NotFoundError("No such org.", [Fault("not an org here", pointer="/org")])
        group = org.name
    except (MalformedError, InvalidError, TooLargeError, NotFoundError) as error:
        reasons = _reasons(error.detail, error.faults, sent_at)
        org = _named(unjudged.org_of(unjudged.read(body) or {}), find_org)
        reject: str | None = body
        if org is not None and org.deletion is not None:
            reject = _NOTHING
        elif org is not None:
            reject = left_of(body, find_erased(org), sent_at * 1_000)
        return Message(raw["messageId"], group, reject=reject, refused=1, reasons=reasons)
    now, erased = clock.now(), find_erased(org)
    rules = intake.rules(org, catalog, judged_at=sent_at * 1_000, now=now)
    judged = intake.judge(submission, rules, secret)
    recorded_at = sent_at * 1_000
    records = [erased.applied_to(record, recorded_at, now) for record in judged.records]
    events = intake.new_events(records, org, recorded_at)
    if not judged.refusals:
        return Message(raw["messageId"], group, events)
    refused = _kept(body, judged.refusals, erased, recorded_at)
    faults = [fault for refusal in refused for fault in refusal.faults]
    is_part = len(refused) < len(submission.events)
    return Message(
        id=raw["messageId"],
        group=group,
        events=events,
        reject=(intake.excerpt(body, [r.index for r in refused]) if is_part else body)
        if refused
        else None,
        refused=len(judged.refusals),
        reasons=_reasons("An event breaks a rule.", faults, sent_at) | {"org": org.name},
    )


def _named(name: str | None, find_org: Callable[[str], Org | None]) -> Org | None:
    return find_org(name) if name is not None and is_name(name) else None


def _kept(
    body: str, refusals: Sequence[Refusal], erased: Erased, sent_at: int
) -> Sequence[Refusal]:
    """Those of the refused events that the rejects get: not what an erasure would have taken."""
    if not erased.before:
        return refusals
    value = unjudged.read(body)
    # One event that names something twice is no object, and is all that the body is.
    events = [unjudged.said(body)] if value is None else value.get("events", [value])
    return [r for r in refusals if not is_gone(events[r.index], erased, sent_at)]


def _first_sent(raw: Mapping[str, Any], sent_at: int) -> int:
    """Milliseconds at which the publisher sent it; a redrive carries that along."""
    attribute = raw.get("messageAttributes", {}).get("sent_at")
    if attribute is None:
        return sent_at
    text = str(attribute.get("stringValue"))
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise MalformedError("The attribute sent_at is not whole milliseconds since 1970.")
    claimed = int(text)
    if not sent_at - MAX_DELAY // 1_000 <= claimed <= sent_at:
        raise MalformedError("The attribute sent_at is not within 32 days before it was sent.")
    return claimed


def _reasons(detail: str, faults: Sequence[Fault], sent_at: int) -> dict[str, str | int]:
    """The attributes of a reject: ASCII, since SQS refuses what XML cannot say."""
    listed: list[str] = []
    left = _MOST_REASON_CHARACTERS - len("[]")
    for fault in faults:
        shown = json.dumps(fault.as_dict())
        left -= len(shown) + len(", ")
        if left < 0:
            break
        listed.append(shown)
    return {
        "reason": detail.encode("ascii", "replace").decode(),
        "errors": f"[{', '.join(listed)}]",
        "faults": len(faults),
        "sent_at": sent_at,
    }
