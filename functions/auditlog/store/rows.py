"""The rows of the log as they are stored, for who copies them: read with as little work as can be.

botocore turns an answer of DynamoDB into dictionaries and decodes it a value at
a time, which costs more than all else that an export does. Its own extension
point is used instead: an answer is handed over before it is parsed, and read by
a parser that knows what to expect. Signing, retries, errors and DynamoDB's
checksum of the answer stay botocore's.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from auditlog.span import Span
from auditlog.store import aws, spans

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: A Query reads at most 1 MB, some 3,000 rows of the usual size: more are never asked for.
MOST_ROWS = 4_000


class _Text(msgspec.Struct, gc=False):
    S: str


class _Number(msgspec.Struct, gc=False):
    N: str


class _Bytes(msgspec.Struct, gc=False):
    B: bytes


class Row(msgspec.Struct, gc=False):
    """One row, under the names of `store/events.py`; `s` is there where it has no description."""

    sk: _Text
    r: _Bytes
    at: _Number
    s: Any = None


class _Answer(msgspec.Struct, gc=False):
    Items: list[Row]
    LastEvaluatedKey: Any = None
    ConsumedCapacity: Any = None


_read = msgspec.json.Decoder(_Answer).decode


@cache
def client() -> "DynamoDBClient":
    """The client of this container for a `RowStore`."""
    made = aws.new_dynamodb()
    attach(made)
    return made


def attach(client: "DynamoDBClient") -> None:
    """From now on this client's Queries answer with `Items` that are rows: it does nothing else."""
    client.meta.events.register("before-parse.dynamodb.Query", _parse)


def _parse(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    if response_dict["status_code"] != 200:  # noqa: PLR2004 -- an error is botocore's to read
        return
    try:
        answer = _read(response_dict["body"])
    except msgspec.DecodeError:
        # Damaged on its way, or no rows: botocore asks again where the checksum is
        # wrong, and says what is wrong otherwise.
        return
    response_dict["body"] = b"{}"
    customized_response_dict["Items"] = answer.Items
    if answer.LastEvaluatedKey is not None:
        customized_response_dict["LastEvaluatedKey"] = answer.LastEvaluatedKey
    if answer.ConsumedCapacity is not None:
        customized_response_dict["ConsumedCapacity"] = answer.ConsumedCapacity


class RowStore:
    """Reads rows of the `events` table. Safe to share between threads.

    `client` is one to which `attach` was applied.
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def page(self, partition: str, span: Span, count: int = MOST_ROWS) -> tuple[list[Row], bool]:
        """The first rows of a span of a partition, oldest first; whether they are all of it.

        Strongly consistent: every insert that was acknowledged is there. At most
        1 MB of rows; one read unit for each 4 KB.
        """
        return spans.query(
            self._client,
            self._table,
            partition,
            span,
            # What is not needed is not sent; it is read, and paid for, all the same.
            ProjectionExpression="sk, r, #at, s",
            ExpressionAttributeNames={"#at": "at"},
            Limit=count,
            ConsistentRead=True,
        )
