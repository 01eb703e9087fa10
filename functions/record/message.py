"""One message of the inbox: what of it is recorded, and what is rejected, and why."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from auditlog import clock, intake
from auditlog.catalog import Catalog
from auditlog.erasures import Erased
from auditlog.errors import Fault, InvalidError, MalformedError, NotFoundError, TooLargeError
from auditlog.event import NewEvent
from auditlog.orgs import Org, is_name

#: A redriven message may say when it was first sent, at most this long before:
#: the days that the inbox, its dead letters and the rejects keep one.
MAX_DELAY = 32 * clock.DAY
_MOST_REASON_CHARACTERS = 4_000
_MOST_DIGITS = len(str(clock.parse("9999-12-31T23:59:59Z") // 1_000))


@dataclass(frozen=True, slots=True)
class Message:
    """A message, sorted. `reject` is the body for the rejects; None where all is good."""

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
    is left of it. Raises `UnavailableError` where the org can not be looked up now.
    """
    body: str = raw["body"]
    sent_at = int(raw["attributes"]["SentTimestamp"])
    group = "unknown"
    try:
        sent_at = _first_sent(raw, sent_at)
        submission = intake.read(body.encode(), names_org=True)
        name = submission.org or ""
        org = find_org(name) if is_name(name) else None
        if org is None:
            raise NotFoundError("No such org.", [Fault("not an org here", pointer="/org")])
        group = org.name
    except (MalformedError, InvalidError, TooLargeError, NotFoundError) as error:
        reasons = _reasons(error.detail, error.faults, sent_at)
        return Message(raw["messageId"], group, reject=body, refused=1, reasons=reasons)
    now, erased = clock.now(), find_erased(org)
    rules = intake.rules(org, catalog, judged_at=sent_at * 1_000, now=now)
    judged = intake.judge(submission, rules, secret)
    records = [erased.applied_to(record, now) for record in judged.records]
    events = intake.new_events(records, org, recorded_at=sent_at * 1_000)
    if not judged.refusals:
        return Message(raw["messageId"], group, events)
    faults = [fault for refusal in judged.refusals for fault in refusal.faults]
    return Message(
        id=raw["messageId"],
        group=group,
        events=events,
        reject=intake.excerpt(body, [r.index for r in judged.refusals]) if events else body,
        refused=len(judged.refusals),
        reasons=_reasons("An event breaks a rule.", faults, sent_at) | {"org": org.name},
    )


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
