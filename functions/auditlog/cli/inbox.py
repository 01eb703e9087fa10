"""The inbox: messages to SQS, ten at a time.

A message is what `POST .../events` takes, plus `"org"`. Its group is the org, so that one busy
org does not keep the others waiting (fair queues; the queue is no FIFO, and nothing is ordered
or dropped by group).
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from auditlog.cli import aws
from auditlog.cli.batching import MAX_BYTES
from auditlog.cli.failures import CommandError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

ENTRIES = 10
ATTEMPTS = 8

# What JSON may hold and a message may not. It stands only within strings, where its escape
# means the same.
_UNSENDABLE = re.compile("[\ufffe\uffff]")


class Inbox:
    """The inbox of one stack, for one org's events."""

    #: Room left in each message for the attribute `sent_at` that a redrive adds to it.
    overhead = len("sent_at") + len("Number") + 16

    def __init__(
        self,
        client: "SQSClient",
        url: str,
        org: str,
        *,
        sleep: Callable[[float], None],
        jitter: Callable[[], float],
    ) -> None:
        self.org = org
        self._client = client
        self._url = url
        self._sleep = sleep
        self._jitter = jitter

    def size(self, body: str) -> int:
        """How much of a call's 1 MiB the message takes."""
        return len(body.encode()) + self.overhead

    def fits(self, bodies: Sequence[str], another: str) -> bool:
        """Whether one call takes these messages and another."""
        total = sum(map(self.size, bodies)) + self.size(another)
        return len(bodies) < ENTRIES and total <= MAX_BYTES

    def send(self, bodies: Sequence[str]) -> dict[int, str]:
        """Sends at most ten messages; returns those that SQS refused for good, with its reason.

        What SQS cannot take now is sent again; raises `CommandError` when it never could.
        """
        waiting = {str(i): _entry(str(i), body, self.org) for i, body in enumerate(bodies)}
        refused: dict[int, str] = {}
        for attempt in range(ATTEMPTS):
            if attempt:
                self._sleep(self._jitter() * 2**attempt / 4)
            with aws.translated():
                answer = self._client.send_message_batch(
                    QueueUrl=self._url, Entries=list(waiting.values())
                )
            for sent in answer.get("Successful", []):
                del waiting[sent["Id"]]
            for failed in answer.get("Failed", []):
                if failed["SenderFault"]:
                    del waiting[failed["Id"]]
                    refused[int(failed["Id"])] = failed.get("Message") or failed["Code"]
            if not waiting:
                return refused
        raise CommandError("SQS took only a part of the messages", hint="Try again later.")


def message_body(org: str, events: Sequence[str]) -> str:
    """The body of a message with these events, each a JSON text."""
    body = f'{{"org":{json.dumps(org)},"events":[{",".join(events)}]}}'
    return _UNSENDABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", body)


def _entry(entry_id: str, body: str, org: str) -> "SendMessageBatchRequestEntryTypeDef":
    return {"Id": entry_id, "MessageBody": body, "MessageGroupId": org}
