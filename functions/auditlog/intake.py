"""From a body to records: the one path that both doors share.

A body is one event, or `{"events": [...]}`; over the queue it also names its
`org`. Reading it never gives half an answer: each event comes out as a record
or with every fault that it has, and its place in the body as sent.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from auditlog import canonical
from auditlog.catalog import Catalog
from auditlog.errors import Fault, InvalidError, TooLargeError
from auditlog.event import InvalidEventError, NewEvent, Record, Rules, admit, faults_of, size_fault
from auditlog.orgs import Org

MAX_EVENTS = 1_000
MAX_BODY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Submission:
    """The events of one body, not judged yet.

    `faults` are those that the JSON itself has, by the event in which they are.
    """

    org: str | None
    events: Sequence[object]
    pointers: Sequence[str]
    faults: dict[int, list[Fault]] = field(default_factory=dict[int, list[Fault]])


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that cannot be recorded; its number in the body, and why."""

    index: int
    faults: Sequence[Fault]
    too_large: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a submission: records in order, and the refusals."""

    records: Sequence[Record]
    refusals: Sequence[Refusal]

    def raise_refusals(self) -> None:
        """Raises what the publisher is told where any event was refused."""
        if not self.refusals:
            return
        faults = [fault for refusal in self.refusals for fault in refusal.faults]
        if any(refusal.too_large for refusal in self.refusals):
            raise TooLargeError("An event is too large; none was recorded.", faults)
        raise InvalidError("An event breaks a rule; none was recorded.", faults)


def read(body: bytes, *, names_org: bool = False) -> Submission:
    """The events of a body.

    Raises `MalformedError` (not JSON), `InvalidError` (JSON, but of no form
    that is taken) or `TooLargeError` (more than 1,000 events): all of them
    concern the body as a whole.
    """
    value, faults = canonical.decode(body)
    if not isinstance(value, dict):
        raise _refused([Fault("expected an object", pointer="")])
    members = cast("dict[str, Any]", value)
    org = members.pop("org", None) if names_org else None
    if names_org and not isinstance(org, str):
        raise _refused([Fault("required: the name of the org, a string", pointer="/org")])
    if "events" not in members:
        return Submission(org, [members], [""], {0: faults} if faults else {})
    events = members.pop("events")
    shape = [Fault("not a field that stands beside events", pointer=f"/{n}") for n in members]
    if not isinstance(events, list) or not events:
        shape.append(Fault("expected an array with at least one event", pointer="/events"))
        raise _refused(shape)
    listed = cast("list[object]", events)
    if len(listed) > MAX_EVENTS:
        raise TooLargeError(
            f"{len(listed)} events at once; at most {MAX_EVENTS} are taken.",
            [Fault(f"expected at most {MAX_EVENTS} events", pointer="/events")],
        )
    by_event: dict[int, list[Fault]] = {}
    for fault in faults:
        steps = (fault.pointer or "").split("/")
        if steps[1:2] == ["events"] and len(steps) > 2:  # noqa: PLR2004 -- /events/<index>/...
            by_event.setdefault(int(steps[2]), []).append(fault)
        else:
            shape.append(fault)
    if shape:
        raise _refused(shape)
    return Submission(org, listed, [f"/events/{i}" for i in range(len(listed))], by_event)


def rules(org: Org, catalog: Catalog, *, judged_at: int, now: int, own_types: bool = True) -> Rules:
    """What is taken of events that reached us at `judged_at`, as the org stands `now`.

    The inbox takes `own_types` too: who may send to it is trusted with every org, and the
    command line tells the log through it what was done with AWS credentials.
    """
    policy = org.policy
    return Rules(
        catalog, org.name, policy.retention_days, judged_at, policy.refused_before(now), own_types
    )


def judge(submission: Submission, rules: Rules, secret: bytes) -> Judged:
    """Each event as a record, or refused with every fault it has."""
    records: list[Record] = []
    refusals: list[Refusal] = []
    for index, event in enumerate(submission.events):
        prefix = submission.pointers[index]
        if lost := submission.faults.get(index):
            # What the JSON lost cannot be built; the rest is judged as far as it goes.
            known = {fault.pointer for fault in lost}
            others = _placed(faults_of(event, rules), prefix)
            faults = [*lost, *(fault for fault in others if fault.pointer not in known)]
            refusals.append(_refusal(index, event, prefix, faults))
            continue
        try:
            records.append(admit(event, rules, secret))
        except InvalidEventError as error:
            refusals.append(_refusal(index, event, prefix, _placed(error.faults, prefix)))
    return Judged(records, refusals)


def _refusal(index: int, event: object, prefix: str, faults: list[Fault]) -> Refusal:
    """Names the size first where it is a fault too, since that wants another status."""
    over = _placed([fault] if (fault := size_fault(event)) else [], prefix)
    return Refusal(index, [*over, *(f for f in faults if f not in over)], bool(over))


def _placed(faults: Sequence[Fault], prefix: str) -> list[Fault]:
    return [Fault(fault.detail, pointer=f"{prefix}{fault.pointer}") for fault in faults]


def new_events(records: Sequence[Record], org: Org, recorded_at: int) -> list[NewEvent]:
    """Records as the store takes them: where the org's layout and policy put them."""
    layout, policy = org.layout, org.policy
    return [
        NewEvent(layout.partition(r.id), r, recorded_at, policy.expiry(r.occurred_at))
        for r in records
    ]


def excerpt(body: str, indexes: Sequence[int]) -> str:
    """A body that `read` took, with only those of its events, each verbatim.

    Verbatim matters: an event is refused for what parsing would change.
    """
    # Digits stay text: Python refuses to read an integer of more than 4,300.
    decoder = json.JSONDecoder(parse_int=str, parse_float=str)
    spans: list[str] = []
    at = _next(body, _next(body, 0) + 1)
    others: list[str] = []
    while body[at] != "}":
        name, value_at = decoder.raw_decode(body, at)
        value_at = _next(body, _next(body, value_at) + 1)
        _, end = decoder.raw_decode(body, value_at)
        if name == "events":
            spans = _elements(body, value_at, decoder)
        else:
            others.append(body[at:end])
        at = _after_comma(body, end)
    kept = ",".join(spans[index] for index in indexes)
    return "{" + ",".join([*others, f'"events":[{kept}]']) + "}"


def _elements(body: str, at: int, decoder: json.JSONDecoder) -> list[str]:
    found: list[str] = []
    at = _next(body, at + 1)
    while body[at] != "]":
        _, end = decoder.raw_decode(body, at)
        found.append(body[at:end])
        at = _after_comma(body, end)
    return found


def _next(body: str, at: int) -> int:
    """Where the next character stands that is not JSON's white space."""
    while body[at] in " \t\n\r":
        at += 1
    return at


def _after_comma(body: str, at: int) -> int:
    at = _next(body, at)
    return _next(body, at + 1) if body[at] == "," else at


def _refused(faults: Sequence[Fault]) -> InvalidError:
    return InvalidError("The body is of no form that is taken; nothing was recorded.", faults)
