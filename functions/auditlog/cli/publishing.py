"""Sending events: over HTTP, where the answer says what became of each, or to the inbox.

Nothing is lost on the way. Where the service refuses a batch because of some of its events,
those are taken out by the places that it names and the rest is sent again; where it names
none, the batch is halved until the culprit is alone. What was refused is kept with its line
and the reason. Where one lone event after the other is refused without a place and none is
taken, the fault is not theirs, and the sending ends.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from auditlog.cli.batching import MAX_BYTES
from auditlog.cli.failures import RefusedError
from auditlog.cli.inbox import Inbox, message_body
from auditlog.cli.reading import Item

if TYPE_CHECKING:
    from auditlog.cli.client import Api

_CONTENT = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
_MOST_UNPLACED = 5
_PLACE = re.compile(r"/events/([0-9]+)(/.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that will not be recorded as it is; `line` is that of the input."""

    line: int
    reasons: Sequence[str]


@dataclass(slots=True)
class Tally:
    """What became of the events. `recorded` and `duplicates` are None where nobody said.

    In the end `read` is all that was found in the input, unreadable lines included: every one of
    them is in `refused`, or else `recorded` or a duplicate (over SQS: `sent`).
    """

    recorded: int | None
    duplicates: int | None
    read: int = 0
    sent: int = 0
    last_line: int = 0
    refused: list[Refusal] = field(default_factory=list[Refusal])
    answers: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def summary(self) -> dict[str, Any]:
        """The form that `--json` prints."""
        return {
            "read": self.read,
            "sent": self.sent,
            "recorded": self.recorded,
            "duplicates": self.duplicates,
            "refused": [{"line": r.line, "reasons": list(r.reasons)} for r in self.refused],
        }


class Door(Protocol):
    """A way in."""

    tally: Tally
    room: int

    def send(self, batch: Sequence[Item]) -> None:
        """Sends a batch and adds up what became of it."""
        ...

    def finish(self) -> None:
        """Sends what is still held back."""
        ...


class HttpDoor:
    """`POST .../events`. `sent` counts what the service has answered for."""

    def __init__(self, api: "Api", org: str, *, keep_answers: bool = False) -> None:
        self.tally = Tally(recorded=0, duplicates=0)
        self.room = MAX_BYTES - len(body_of([]))
        self._api = api
        self._org = org
        self._keep_answers = keep_answers
        self._unplaced = 0

    def send(self, batch: Sequence[Item]) -> None:
        """Sends a batch, without those that the service refuses. Raises on any other refusal."""
        waiting = [batch]
        while waiting:
            part = waiting.pop()
            try:
                answer = self._api.publish(self._org, body_of([item.text for item in part]))
            except RefusedError as error:
                if error.status not in _CONTENT:
                    raise
                waiting += self._without_refused(part, error)
            else:
                self._count(part, answer)

    def finish(self) -> None:
        """Nothing is held back."""

    def _count(self, part: Sequence[Item], answer: dict[str, Any]) -> None:
        tally = self.tally
        self._unplaced = 0
        tally.sent += len(part)
        tally.recorded = (tally.recorded or 0) + int(answer["recorded"])
        tally.duplicates = (tally.duplicates or 0) + int(answer["duplicates"])
        tally.last_line = part[-1].line
        if self._keep_answers:
            tally.answers += answer["events"]

    def _without_refused(self, part: Sequence[Item], error: RefusedError) -> list[Sequence[Item]]:
        """What is left to be sent, the part that comes first in the input last."""
        reasons = dict(_by_index(error, len(part)))
        if not reasons and len(part) > 1:
            half = len(part) // 2
            return [part[half:], part[:half]]
        if not reasons:
            self._unplaced += 1
            if self._unplaced > _MOST_UNPLACED:
                raise error
            reasons = {0: [error.title]}
        self.tally.sent += len(reasons)
        self.tally.refused += [Refusal(part[i].line, reasons[i]) for i in sorted(reasons)]
        rest = [item for i, item in enumerate(part) if i not in reasons]
        return [rest] if rest else []


class SqsDoor:
    """The inbox. What becomes of the events is seen later: in the log, or among the rejects."""

    def __init__(self, inbox: Inbox) -> None:
        self.tally = Tally(recorded=None, duplicates=None)
        self.room = MAX_BYTES - len(message_body(inbox.org, []).encode()) - inbox.overhead
        self._inbox = inbox
        self._held: list[tuple[str, Sequence[Item]]] = []

    def send(self, batch: Sequence[Item]) -> None:
        """Makes a message of a batch; it is sent when a call to SQS is full, or at `finish`."""
        body = message_body(self._inbox.org, [item.text for item in batch])
        if self._inbox.size(body) > MAX_BYTES:
            reason = f"larger than the {MAX_BYTES} bytes that a message may have"
            self.tally.refused += [Refusal(item.line, [reason]) for item in batch]
            return
        if not self._inbox.fits([held for held, _ in self._held], body):
            self.finish()
        self._held.append((body, batch))

    def finish(self) -> None:
        """Sends the messages that are held back, and counts them."""
        held, self._held = self._held, []
        if not held:
            return
        failed = self._inbox.send([body for body, _ in held])
        for index, (_, batch) in enumerate(held):
            if index in failed:
                self.tally.refused += [Refusal(item.line, [failed[index]]) for item in batch]
            else:
                self.tally.sent += len(batch)
                self.tally.last_line = batch[-1].line


def body_of(events: Sequence[str]) -> bytes:
    """The body that publishes these events, each a JSON text."""
    return b'{"events":[' + ",".join(events).encode() + b"]}"


def _by_index(error: RefusedError, count: int) -> Iterator[tuple[int, list[str]]]:
    """The faults of each event of a batch; those with a place in none are left out."""
    found: dict[int, list[str]] = {}
    for fault in error.faults:
        match = _PLACE.fullmatch(fault.place)
        if match and int(match[1]) < count:
            place = f"{match[2]}: " if match[2] else ""
            found.setdefault(int(match[1]), []).append(place + fault.detail)
    return iter(found.items())
