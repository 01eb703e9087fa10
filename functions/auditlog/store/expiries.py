"""The expiries of events: what only `retain` does with the log.

It looks at rows of the `events` table without their records, gives them another
expiry (the attribute `ttl`), and deletes them. Both are done by PartiQL: whoever
may BatchWriteItem may also overwrite.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from auditlog import clock
from auditlog.errors import StoreError, UnavailableError
from auditlog.event import id_time
from auditlog.span import EVERYTHING, Span
from auditlog.store import aws, spans
from auditlog.store.events import BATCH, jittered

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: A Query reads 1 MB at most, some 3,000 rows; one page of each partition is in memory.
_PAGE = 1_000
#: What an update of a row says that is not there; TTL was faster.
_ABSENT = "ConditionalCheckFailed"


class Carried(NamedTuple):
    """A row of the log: which event, where, and its expiry in seconds, if it carries one."""

    id: str
    partition: str
    expires_at: int | None

    @property
    def occurred_at(self) -> int:
        """Microseconds."""
        return id_time(self.id)


class ExpiryStore:
    """Sees and changes when events expire. Safe to share between threads."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        *,
        monotonic: Callable[[], float] = clock.monotonic,
        sleep: Callable[[float], None] = clock.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self._monotonic = monotonic
        self._sleep = sleep

    def rows(
        self, partitions: Iterable[str], span: Span, *, page: int = _PAGE
    ) -> Iterator[Carried]:
        """The rows of a span of some partitions, oldest first, by id.

        Strongly consistent: what was written before a page was read is there. One read
        unit for each 4 KB of rows, records included.
        """
        each = [self._rows(partition, span, page) for partition in partitions]
        return merge(*each, key=attrgetter("id"))

    def oldest(self, partition: str) -> Carried | None:
        """The oldest row of a partition; None where it is empty. One read unit."""
        return next(self._rows(partition, EVERYTHING, 1), None)

    def give(self, rows: Sequence[tuple[Carried, int | None]], *, deadline: float) -> None:
        """Gives each row another expiry, or none; a row that is gone stays so.

        Raises `UnavailableError` where the table does not take it until `deadline`; some
        may have theirs then. Idempotent. One write unit for each KB of each row, a call
        for each 25.
        """
        where = "WHERE pk = ? AND sk = ?"
        self._execute(
            [
                {
                    "Statement": f'UPDATE "{self._table}" REMOVE "ttl" {where}',
                    "Parameters": _place(row),
                }
                if expires_at is None
                else {
                    "Statement": f'UPDATE "{self._table}" SET "ttl" = ? {where}',  # noqa: S608 -- ours, not a caller's
                    "Parameters": [{"N": str(expires_at)}, *_place(row)],
                }
                for row, expires_at in rows
            ],
            deadline,
        )

    def delete(self, rows: Sequence[Carried], *, deadline: float) -> None:
        """Deletes rows. As `give`; one write unit for each KB of each."""
        self._execute(
            [
                {
                    "Statement": f'DELETE FROM "{self._table}" WHERE pk = ? AND sk = ?',  # noqa: S608 -- ours, not a caller's
                    "Parameters": _place(row),
                }
                for row in rows
            ],
            deadline,
        )

    def _rows(self, partition: str, span: Span, page: int) -> Iterator[Carried]:
        while True:
            items, is_all = spans.query(
                self._client,
                self._table,
                partition,
                span,
                ProjectionExpression="sk, #ttl",
                ExpressionAttributeNames={"#ttl": "ttl"},
                Limit=page,
                ConsistentRead=True,
            )
            for item in items:
                expires_at = int(item["ttl"]["N"]) if "ttl" in item else None
                yield Carried(item["sk"]["S"], partition, expires_at)
            if is_all:
                return
            span = span.after(items[-1]["sk"]["S"], "asc")

    def _execute(self, statements: Sequence[Any], deadline: float) -> None:
        for start in range(0, len(statements), BATCH):
            left, attempt = statements[start : start + BATCH], 0
            while left := self._refused(left):
                wait = jittered(attempt)
                if self._monotonic() + wait >= deadline:
                    raise UnavailableError("The table does not take the changes now.")
                self._sleep(wait)
                attempt += 1

    def _refused(self, statements: Sequence[Any]) -> Sequence[Any]:
        with aws.translated("dynamodb:BatchExecuteStatement"):
            answers = self._client.batch_execute_statement(Statements=statements)["Responses"]
        codes = [answer.get("Error", {}).get("Code") for answer in answers]
        for code in codes:
            if code is not None and code != _ABSENT and code not in aws.PASSING:
                raise StoreError(f"dynamodb:BatchExecuteStatement: {code}")
        told = zip(statements, codes, strict=True)
        return [statement for statement, code in told if code in aws.PASSING]


def _place(row: Carried) -> list[dict[str, str]]:
    return [{"S": row.partition}, {"S": row.id}]
