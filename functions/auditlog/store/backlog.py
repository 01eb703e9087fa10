"""What waits in a queue that nobody consumes: the rejects, and the inbox's dead letters.

Going through it loses nothing. A message that is received is hidden from others, and
shown again at the end unless it is removed; if that cannot be done any more, SQS shows
it again by itself after `HIDDEN_FOR`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from auditlog.errors import AuditlogError, StoreError
from auditlog.store import aws
from auditlog.store.queue import Queue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

#: Seconds; no longer than the function that erases may live, so that whoever takes up
#: its work finds what it held.
HIDDEN_FOR = 900
#: SQS hides 120,000 messages of a queue at most, and then shows none that are left.
_MOST_HELD = 100_000
_AT_ONCE = 10
#: A short poll asks only some of SQS's servers, and may miss what is there.
_WAIT_SECONDS = 1
#: What we write beside a message, and may still say when parts of it are gone.
_KEPT = ("org", "reason", "faults", "sent_at")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits. `org` is whose it is said to be beside the body, if it is."""

    id: str
    receipt: str
    body: str
    group: str
    org: str
    sent_at: int
    attributes: Mapping[str, str | int]


class Backlog:
    """One queue of those."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def go_through(
        self,
        left_of: Callable[[Waiting], str | None],
        *,
        deadline: float,
        monotonic: Callable[[], float],
    ) -> bool:
        """Leaves of each message what `left_of` says: its body, another one, or None of it.

        True once every message was looked at that nobody else was looking at; False at
        the deadline. Idempotent: a message is replaced by sending the other one first, with
        the time at which the first was sent, and then kept for 14 days more. Raises
        `StoreError` where more messages wait than SQS lets anyone see.
        """
        held: dict[str, str] = {}
        try:
            while monotonic() < deadline:
                batch = self._receive()
                if not batch:
                    return True
                held.update((each.id, each.receipt) for each in batch)
                for each in batch:
                    if self._leave(each, left_of(each)):
                        del held[each.id]
                if len(held) > _MOST_HELD:
                    raise StoreError("sqs:ReceiveMessage: more messages wait than can be seen")
            return False
        finally:
            # Where that fails they show by themselves, and what went wrong before is said.
            with suppress(AuditlogError):
                self._show(list(held.values()))

    def _leave(self, message: Waiting, left: str | None) -> bool:
        """Whether the message was removed."""
        if left == message.body:
            return False
        if left is not None:
            kept = {n: v for n, v in message.attributes.items() if n in _KEPT}
            Queue(self._client, self._url).send(
                left, group=message.group, attributes=kept | {"sent_at": message.sent_at}
            )
        # A crash here leaves both messages; the first one is replaced once more, and an
        # event is recorded once.
        with aws.translated("sqs:DeleteMessage"):
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message.receipt)
        return True

    def _receive(self) -> list[Waiting]:
        with aws.translated("sqs:ReceiveMessage"):
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=_AT_ONCE,
                VisibilityTimeout=HIDDEN_FOR,
                WaitTimeSeconds=_WAIT_SECONDS,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            )
        return [_waiting(message) for message in answer.get("Messages", [])]

    def _show(self, receipts: list[str]) -> None:
        for entries in _batches(receipts):
            with aws.translated("sqs:ChangeMessageVisibility"):
                self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)


def _batches(receipts: list[str]) -> Iterator[list[Any]]:
    for start in range(0, len(receipts), _AT_ONCE):
        yield [
            {"Id": str(i), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
            for i, receipt in enumerate(receipts[start : start + _AT_ONCE])
        ]


def _waiting(message: "MessageTypeDef") -> Waiting:
    system = cast("dict[str, str]", message.get("Attributes", {}))
    own = {
        name: _value(about.get("DataType", ""), about.get("StringValue", ""))
        for name, about in message.get("MessageAttributes", {}).items()
    }
    message_id, sent_at = message.get("MessageId", ""), own.get("sent_at")
    group = system.get("MessageGroupId", "")
    return Waiting(
        id=message_id,
        receipt=message.get("ReceiptHandle", ""),
        body=message.get("Body", ""),
        group=group or message_id,
        org=str(own.get("org") or group),
        sent_at=sent_at if isinstance(sent_at, int) else int(system.get("SentTimestamp", "0")),
        attributes=own,
    )


def _value(kind: str, text: str) -> str | int:
    """A number where it is one; a publisher may have written anything."""
    is_number = kind.startswith("Number") and text.isascii() and text.isdigit()
    return int(text) if is_number else text
