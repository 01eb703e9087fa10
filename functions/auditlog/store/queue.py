"""SQS queues: what we put into them, and how long a message stays with its worker."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from auditlog.errors import StoreError
from auditlog.store import aws

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class Queue:
    """One queue. Every message carries its org as group, so that no org delays another."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(
        self,
        body: str,
        *,
        group: str,
        attributes: Mapping[str, str | int] | None = None,
        delay: int = 0,
    ) -> None:
        """Sends one message; once this returns, the queue keeps it.

        Nobody gets it before `delay` seconds have passed, 900 at most.

        Raises `StoreError` where SQS does not take it: body and attributes
        together over 1 MiB, or characters that XML 1.0 does not have.
        """
        with aws.translated("sqs:SendMessage"):
            self._client.send_message(
                QueueUrl=self._url,
                MessageBody=body,
                MessageGroupId=group,
                DelaySeconds=delay,
                MessageAttributes={
                    name: {
                        "DataType": "Number" if isinstance(value, int) else "String",
                        "StringValue": str(value),
                    }
                    for name, value in (attributes or {}).items()
                },
            )

    def hold(self, receipt_handle: str, seconds: int) -> None:
        """Keeps a received message from other workers for so long from now on.

        A receipt that is not good any more is not an error: another worker has
        the message, and the stores decide who wins.
        """
        try:
            with aws.translated("sqs:ChangeMessageVisibility"):
                self._client.change_message_visibility(
                    QueueUrl=self._url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
                )
        except StoreError:
            return
