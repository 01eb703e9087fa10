"""What could not be recorded: the `rejects` queue and the inbox's dead-letter queue.

Looking loses nothing. A message that is received here is hidden from others for `HIDDEN_FOR`
seconds and shown again when the looking is over; if the command dies, SQS shows it again by
itself after that time. It is deleted only after the inbox has taken its copy. A crash between
the two leaves both, which is harmless: an event is recorded once.
"""

import hashlib
import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, cast

from auditlog import clock
from auditlog.cli import aws

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

HIDDEN_FOR = 300
_AT_ONCE = 10
_NEVER_RECORDED = "not recorded after several attempts; the log of `record` has the cause"


class Queue(StrEnum):
    """Which of the two; the value is its URL's name in `stack.json`."""

    REJECTS = "rejects_queue_url"
    DLQ = "inbox_dlq_url"


@dataclass(frozen=True, slots=True)
class Reject:
    """A message that could not be recorded.

    `sent_at` in milliseconds since the epoch; `errors` as in a problem document; `group` is the
    message's own, so that a redrive is as fair as the first sending.
    """

    queue: Queue
    message_id: str
    receipt: str
    org: str
    group: str
    reason: str
    errors: Sequence[Any]
    sent_at: int
    body: str

    @property
    def events(self) -> int | None:
        """How many events it carries; None where the body does not say."""
        content = _object(self.body)
        listed = content.get("events")
        if isinstance(listed, list):
            return len(cast("list[object]", listed))
        return 1 if "type" in content else None

    @property
    def digest(self) -> bytes:
        """The same for the same content of the same time, also after another round."""
        return hashlib.sha256(f"{self.sent_at}\n{self.body}".encode("utf-8", "replace")).digest()

    def summary(self) -> dict[str, Any]:
        """The form that `--json` prints. The body is left out: it may hold full addresses."""
        return {
            "queue": self.queue.name.lower(),
            "message_id": self.message_id,
            "org": self.org or None,
            "reason": self.reason,
            "errors": list(self.errors),
            "sent_at": clock.text(self.sent_at * 1_000),
            "events": self.events,
            "bytes": len(self.body.encode("utf-8", "replace")),
        }


class RejectQueue:
    """One of the two queues."""

    def __init__(self, client: "SQSClient", which: Queue, url: str) -> None:
        self._client = client
        self._which = which
        self._url = url

    def count(self) -> int:
        """About how many messages wait, those that somebody is looking at included."""
        with aws.translated():
            found = self._client.get_queue_attributes(
                QueueUrl=self._url,
                AttributeNames=[
                    "ApproximateNumberOfMessages",
                    "ApproximateNumberOfMessagesNotVisible",
                ],
            )
        return sum(map(int, found.get("Attributes", {}).values()))

    @contextmanager
    def looking(self, most: int | None) -> Generator[Iterator[Reject]]:
        """At most so many messages, each once; shown again at the end unless `delete`d."""
        held: dict[str, str] = {}
        try:
            yield self._receive(most, held)
        finally:
            self._show(list(held.values()))

    def delete(self, reject: Reject) -> None:
        """Removes it for good. To show it again afterwards is refused, which does no harm."""
        with aws.translated():
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=reject.receipt)

    def _receive(self, most: int | None, held: dict[str, str]) -> Iterator[Reject]:
        while most is None or len(held) < most:
            left = _AT_ONCE if most is None else min(_AT_ONCE, most - len(held))
            with aws.translated():
                answer = self._client.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=left,
                    VisibilityTimeout=HIDDEN_FOR,
                    # A short poll asks only some of SQS's servers, and may miss what is there.
                    WaitTimeSeconds=1,
                    MessageAttributeNames=["All"],
                    MessageSystemAttributeNames=["All"],
                )
            messages = answer.get("Messages", [])
            if not messages:
                return
            rejects = [_reject(self._which, message) for message in messages]
            fresh = [reject for reject in rejects if reject.message_id not in held]
            held.update((reject.message_id, reject.receipt) for reject in rejects)
            yield from fresh

    def _show(self, receipts: list[str]) -> None:
        for start in range(0, len(receipts), _AT_ONCE):
            with aws.translated():
                self._client.change_message_visibility_batch(
                    QueueUrl=self._url,
                    Entries=[
                        {"Id": str(i), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                        for i, receipt in enumerate(receipts[start : start + _AT_ONCE])
                    ],
                )


@dataclass(slots=True)
class Returned:
    """What a redrive did. `again` came back as a reject while it was running."""

    messages: int = 0
    events: int = 0
    again: list[Reject] = field(default_factory=list[Reject])

    def summary(self) -> dict[str, int]:
        """The form that `--json` prints."""
        return {"messages": self.messages, "events": self.events, "again": len(self.again)}


def redrive(client: "SQSClient", queue: RejectQueue, inbox_url: str, most: int | None) -> Returned:
    """Sends at most so many messages back to the inbox, with the time at which they came first.

    What is rejected once more while this runs is left where it is, and told: without that, a
    message that can never be recorded would go round for ever.
    """
    returned = Returned()
    gone: set[bytes] = set()
    with queue.looking(most) as rejects:
        for reject in rejects:
            if reject.digest in gone:
                returned.again.append(reject)
                continue
            _send_back(client, inbox_url, reject)
            # A crash here leaves the message in both queues; recording it twice changes nothing.
            queue.delete(reject)
            gone.add(reject.digest)
            returned.messages += 1
            returned.events += reject.events or 0
    return returned


def _send_back(client: "SQSClient", inbox_url: str, reject: Reject) -> None:
    with aws.translated():
        client.send_message(
            QueueUrl=inbox_url,
            MessageBody=reject.body,
            MessageAttributes={
                "sent_at": {"DataType": "Number", "StringValue": str(reject.sent_at)}
            },
            MessageGroupId=reject.group,
        )


def _reject(queue: Queue, message: "MessageTypeDef") -> Reject:
    body = message.get("Body", "")
    system = cast("dict[str, str]", message.get("Attributes", {}))
    own = {
        name: value.get("StringValue", "")
        for name, value in message.get("MessageAttributes", {}).items()
    }
    named = own.get("org") or _object(body).get("org")
    org = named if isinstance(named, str) else ""
    return Reject(
        queue=queue,
        message_id=message.get("MessageId", ""),
        receipt=message.get("ReceiptHandle", ""),
        org=org,
        group=system.get("MessageGroupId") or org or message.get("MessageId", ""),
        reason=own.get("reason") or _NEVER_RECORDED,
        errors=_faults(own.get("errors", "")),
        sent_at=_milliseconds(own.get("sent_at", "")) or int(system.get("SentTimestamp", "0")),
        body=body,
    )


def _milliseconds(text: str) -> int | None:
    """A time of an attribute; None where a publisher has written something else there."""
    return int(text) if text.isascii() and text.isdigit() else None


def _faults(text: str) -> list[Any]:
    try:
        listed: object = json.loads(text)
    except ValueError:
        return []
    return cast("list[Any]", listed) if isinstance(listed, list) else []


def _object(body: str) -> dict[str, Any]:
    try:
        content: object = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", content) if isinstance(content, dict) else {}
