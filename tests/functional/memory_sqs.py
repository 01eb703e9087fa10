"""An SQS queue in memory that delivers what a test wants, as often as it wants."""

# ruff: noqa: N803 -- parameters are named as boto3 names them

import itertools
from typing import Any


class MemorySqs:
    """One standard queue, in order. Methods take what boto3's take and answer what is read of it.

    A message that is received is in flight until it is deleted, or its visibility
    is set to 0; time does not pass. `copies` is how many messages each sending makes.
    """

    def __init__(self, copies: int = 1) -> None:
        self.copies = copies
        self.waiting: list[dict[str, Any]] = []
        self.flying: dict[str, dict[str, Any]] = {}
        self._ids = itertools.count(1)

    def send_message(self, *, QueueUrl: str, MessageBody: str, **_about: Any) -> Any:
        for _ in range(self.copies):
            self.waiting.append({"MessageId": f"m{next(self._ids)}", "Body": MessageBody, "n": 0})
        return {}

    def receive_message(self, **_how: Any) -> Any:
        if not self.waiting:
            return {}
        message = self.waiting.pop(0)
        message["n"] += 1
        receipt = f"{message['MessageId']}/{message['n']}"
        self.flying[receipt] = message
        attributes = {"ApproximateReceiveCount": str(message["n"])}
        return {"Messages": [{**message, "ReceiptHandle": receipt, "Attributes": attributes}]}

    def change_message_visibility(
        self,
        *,
        QueueUrl: str,
        ReceiptHandle: str,
        VisibilityTimeout: int,
    ) -> Any:
        if VisibilityTimeout == 0 and ReceiptHandle in self.flying:
            self.waiting.insert(0, self.flying.pop(ReceiptHandle))
        return {}

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> Any:
        self.flying.pop(ReceiptHandle, None)
        return {}

    def deliver_again(self) -> None:
        """SQS delivers at least once: what is in flight comes a second time, before all else."""
        for message in reversed(list(self.flying.values())):
            self.waiting.insert(0, dict(message))
