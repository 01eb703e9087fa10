"""A span of a partition of the log, by one Query or as many as it takes to see something."""

from typing import TYPE_CHECKING, Any

from auditlog.errors import UnavailableError
from auditlog.span import Span
from auditlog.store import aws

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def query(
    client: "DynamoDBClient", table: str, partition: str, span: Span, **how: Any
) -> tuple[list[Any], bool]:
    """The items of a span from its start, and whether they are all of it; `how` is Query's own.

    DynamoDB may give an empty page although there is more; only then it is asked again.
    """
    if span.is_empty:
        return [], True
    start: dict[str, Any] = {}
    while True:
        with aws.translated("dynamodb:Query"):
            found: Any = client.query(
                TableName=table,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
                ExpressionAttributeValues={
                    ":pk": {"S": partition},
                    ":first": {"S": span.first},
                    ":last": {"S": aws.just_below(span.end)},
                },
                **how,
                **start,
            )
        if "Items" not in found:  # an answer that stays damaged, however often it is asked for
            raise UnavailableError("A store's answer cannot be read; send the same again.")
        last = found.get("LastEvaluatedKey")
        if found["Items"] or not last:
            return found["Items"], not last
        start = {"ExclusiveStartKey": last}
