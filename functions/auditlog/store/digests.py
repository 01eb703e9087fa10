"""Digests, marks and who is active, in the `digests` table.

    pk                    sk                    what
    <kind>/<partition>    first bound           a digest: end, at, v, d (its packed rest)
    mark/<partition>      first/end/at          late events are being written there
    standing/<partition>  standing              how far blocks and segments reach; who is at it
    active                <partition>/<slot>    something was written in that span of five minutes

Writers only insert here, what nobody changes afterwards: marks, and that they are
active. Only `seal` writes digests, and only it, `retain` and `erase` remove anything.
Everything is derived from the log: without this table answers cost more, and are
the same.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from auditlog import clock, digest
from auditlog.digest import Mark, Stored
from auditlog.errors import StoreError, UnavailableError
from auditlog.reads import (
    BLOCK,
    BLOCK_COUNTS,
    SEGMENT,
    SEGMENT_COUNTS,
    Shelf,
    ShelfRead,
    Standing,
    StandingRead,
    bucket_kind,
)
from auditlog.span import BEGIN, Span
from auditlog.store import aws

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: DynamoDB's own limits of a call.
_STATEMENTS = 25
_KEYS = 100
_WRITES = 25
_ITEMS = 100
#: An item has at most 400 KB. What is larger is stored as nothing that can be read.
_MOST_BYTES = 390 * 1024
_TOO_LARGE = b"-"
#: A writer says no more than once in so long that an org is active.
ACTIVE_SLOT = 5 * clock.MINUTE
_TRIES = 5


class DigestStore:
    """Reads and writes digests and marks. Safe to share between threads."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self.table = table

    # -- what writers say -------------------------------------------------------------------

    def mark(self, marks: Iterable[tuple[str, Mark]]) -> None:
        """Inserts marks, each over a span of a partition; once this returns, all readers see them.

        One write unit each, 25 a call. Raises `UnavailableError` where the table
        does not take all of them: then what they stand for must not be written.
        """
        self._insert(
            {
                "pk": {"S": f"mark/{partition}"},
                "sk": {"S": f"{mark.span.first}/{mark.span.end}/{mark.at}"},
            }
            for partition, mark in marks
        )

    def say_active(self, partitions: Iterable[str], now: int) -> None:
        """Says that something is written there now. One write unit each, also where it was said."""
        slot = now // ACTIVE_SLOT
        self._insert({"pk": {"S": "active"}, "sk": {"S": f"{p}/{slot}"}} for p in partitions)

    # -- what plans read --------------------------------------------------------------------

    def standing(self, partition: str, *, consistent: bool = False) -> Standing:
        """How far a partition is digested, without its marks; half a read unit.

        Eventually consistent unless asked otherwise: what it lags behind costs reads.
        """
        with aws.translated("dynamodb:GetItem"):
            found = self._client.get_item(
                TableName=self.table,
                Key={"pk": {"S": f"standing/{partition}"}, "sk": {"S": "standing"}},
                ConsistentRead=consistent,
            )
        item: Any = found.get("Item")
        if item is None or not _is_current(item):
            return Standing()
        return Standing(item["sealed"]["S"], item["segmented"]["S"], int(item["loose"]["N"]))

    def marks(self, read: StandingRead) -> tuple[Mark, ...] | None:
        """The marks that meet a span, strongly consistent; None where there are too many.

        Reads all that begin before the end of the span, at most 1 MB of them, some
        8,000: one read unit for each 4 KB, some 30 marks.
        """
        with aws.translated("dynamodb:Query"):
            found = self._client.query(
                TableName=self.table,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :end",
                ExpressionAttributeValues={
                    ":pk": {"S": f"mark/{read.partition}"},
                    ":first": {"S": _ANY[0]},
                    ":end": {"S": read.span.end},
                },
                ConsistentRead=True,
            )
        if "LastEvaluatedKey" in found:
            return None
        return tuple(mark for mark in map(_mark, found["Items"]) if mark.span.meets(read.span))

    def shelf(self, read: ShelfRead) -> Shelf:
        """Up to `read.count` digests of a kind that begin within a span, at most 1 MB of them.

        Half a read unit for each 4 KB; eventually consistent, which a mark that
        is removed long after its digest was stored makes good.
        """
        if read.span.is_empty:
            return Shelf([], complete=True)
        with aws.translated("dynamodb:Query"):
            found = self._client.query(
                TableName=self.table,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :end",
                ExpressionAttributeValues={
                    ":pk": {"S": f"{read.kind}/{read.partition}"},
                    ":first": {"S": read.span.first},
                    ":end": {"S": aws.just_below(read.span.end)},
                },
                ScanIndexForward=read.order == "asc",
                Limit=read.count,
            )
        digests = [stored for item in found["Items"] if (stored := _stored(item)) is not None]
        complete = "LastEvaluatedKey" not in found
        if not complete and not digests:
            # All of another version. What is behind them is read from the log.
            complete = True
        return Shelf(digests, complete=complete)

    def blocks(self, partition: str, firsts: Sequence[str]) -> list[Stored | None]:
        """The blocks that begin at these bounds, in order; None where there is none.

        Half a read unit for each 4 KB of each; 100 a call, eventually consistent.
        """
        found: dict[str, Stored | None] = {}
        keys: list[Any] = [
            {"pk": {"S": f"{BLOCK}/{partition}"}, "sk": {"S": f}} for f in set(firsts)
        ]
        for start in range(0, len(keys), _KEYS):
            left: Any = {self.table: {"Keys": keys[start : start + _KEYS]}}
            for _ in range(_TRIES):
                with aws.translated("dynamodb:BatchGetItem"):
                    answer = self._client.batch_get_item(RequestItems=left)
                items: list[Any] = answer["Responses"].get(self.table, [])
                found.update({item["sk"]["S"]: _stored(item) for item in items})
                left = answer.get("UnprocessedKeys")
                if not left:
                    break
            # What did not come is read from the log instead.
        return [found.get(first) for first in firsts]

    # -- what `seal` does -------------------------------------------------------------------

    def active(self) -> Iterator[tuple[str, int]]:
        """Each partition in which something was written, and when last, in microseconds.

        Half a read unit for each 4 KB, some 60 of them; strongly consistent twice that.
        """
        last: dict[str, int] = {}
        for item in self._items("active", _ANY, consistent=True):
            partition, _, slot = item["sk"]["S"].rpartition("/")
            last[partition] = max(last.get(partition, 0), int(slot) * ACTIVE_SLOT)
        yield from last.items()

    def forget_active(self, partition: str, until: int) -> None:
        """Removes what was said of a partition up to a time. One write unit each."""
        bounds = (f"{partition}/", f"{partition}/~")
        gone = [
            item["sk"]["S"]
            for item in self._items("active", bounds, consistent=True)
            if int(item["sk"]["S"].rpartition("/")[2]) * ACTIVE_SLOT <= until
        ]
        self._delete("active", gone)

    def digests(
        self, partition: str, kind: str, span: Span, *, most: int | None = None
    ) -> list[Stored]:
        """The digests of a kind that meet a span, in order, strongly consistent.

        All of them, or of those that begin in it the first `most`. One read unit
        for each 4 KB, and one for the digest before them.
        """
        pk = f"{kind}/{partition}"
        bounds = (span.first, aws.just_below(span.end))
        items = list(islice(self._items(pk, bounds, consistent=True), most))
        with aws.translated("dynamodb:Query"):
            before = self._client.query(
                TableName=self.table,
                KeyConditionExpression="pk = :pk AND sk < :first",
                ExpressionAttributeValues={":pk": {"S": pk}, ":first": {"S": span.first}},
                ScanIndexForward=False,
                Limit=1,
                ConsistentRead=True,
            )
        found = [_stored(item) for item in (*before["Items"], *items)]
        return [stored for stored in found if stored is not None and stored.span.meets(span)]

    def put(self, partition: str, digests: Iterable[tuple[str, Stored]]) -> None:
        """Stores digests, each under its kind, in the place of those with the same first bound.

        Not atomic: each stands for itself. One write unit for each 1 KB of each.
        """
        self._write(
            {
                "PutRequest": {
                    "Item": {
                        "pk": {"S": f"{kind}/{partition}"},
                        "sk": {"S": stored.span.first},
                        "end": {"S": stored.span.end},
                        "at": {"N": str(stored.at)},
                        "v": {"N": str(digest.VERSION)},
                        "d": {"B": stored.data if _fits(stored) else _TOO_LARGE},
                    }
                }
            }
            for kind, stored in digests
        )

    def remove(self, partition: str, kind: str, firsts: Sequence[str]) -> None:
        """Removes digests of a kind by their first bounds. One write unit for each 1 KB of each."""
        self._delete(f"{kind}/{partition}", firsts)

    def remove_before(self, partition: str, bound: str) -> None:
        """Removes all digests of what lies below a bound. One write unit for each 1 KB of each.

        Where there are none, two read units.
        """
        for last_stored, others, first_stored in _REMOVED:
            below = Span(BEGIN, bound)
            gone = [s for s in self.digests(partition, first_stored, below) if s.span.end <= bound]
            firsts = [stored.span.first for stored in gone]
            for kind in (last_stored, *others, first_stored):
                self.remove(partition, kind, firsts)

    def remove_marks(self, partition: str, marks: Iterable[Mark]) -> None:
        """Removes exactly these marks. One write unit each."""
        names = [f"{mark.span.first}/{mark.span.end}/{mark.at}" for mark in marks]
        self._delete(f"mark/{partition}", names)

    def all_marks(self, partition: str, *, most: int) -> list[Mark]:
        """The oldest marks of a partition by place, at most so many; strongly consistent."""
        found: list[Mark] = []
        for item in self._items(f"mark/{partition}", _ANY, consistent=True):
            found.append(_mark(item))
            if len(found) == most:
                break
        return found

    def take(self, partition: str, now: int, until: int) -> bool:
        """Takes a partition for one builder until a time, unless another has it. One write unit.

        Two builders at once would do no harm, only work that is not needed.
        """
        try:
            with aws.translated("dynamodb:UpdateItem"):
                self._client.update_item(
                    TableName=self.table,
                    Key={"pk": {"S": f"standing/{partition}"}, "sk": {"S": "standing"}},
                    UpdateExpression="SET taken = :until",
                    ConditionExpression="attribute_not_exists(taken) OR taken <= :now",
                    ExpressionAttributeValues={
                        ":until": {"N": str(until)},
                        ":now": {"N": str(now)},
                    },
                )
        except aws.ConditionFailedError:
            return False
        return True

    def stand(self, partition: str, standing: Standing) -> None:
        """Says how far a partition is digested. One write unit.

        A builder that is behind another may say less than was said: what lies
        between is then built again.
        """
        with aws.translated("dynamodb:UpdateItem"):
            self._client.update_item(
                TableName=self.table,
                Key={"pk": {"S": f"standing/{partition}"}, "sk": {"S": "standing"}},
                UpdateExpression="SET sealed = :sealed, segmented = :segmented, loose = :loose, "
                "v = :v",
                ExpressionAttributeValues={
                    ":sealed": {"S": standing.sealed},
                    ":segmented": {"S": standing.segmented},
                    ":loose": {"N": str(standing.loose)},
                    ":v": {"N": str(digest.VERSION)},
                },
            )

    def leave(self, partition: str) -> None:
        """Gives a partition back that was taken. One write unit."""
        with aws.translated("dynamodb:UpdateItem"):
            self._client.update_item(
                TableName=self.table,
                Key={"pk": {"S": f"standing/{partition}"}, "sk": {"S": "standing"}},
                UpdateExpression="REMOVE taken",
            )

    # -- calls ------------------------------------------------------------------------------

    def _insert(self, items: Iterable[Mapping[str, Any]]) -> None:
        statements: list[Any] = [
            {
                "Statement": f'INSERT INTO "{self.table}" VALUE '
                "{" + ", ".join(f"'{name}': ?" for name in item) + "}",
                "Parameters": list(item.values()),
            }
            for item in items
        ]
        for start in range(0, len(statements), _STATEMENTS):
            batch = statements[start : start + _STATEMENTS]
            with aws.translated("dynamodb:BatchExecuteStatement"):
                answers = self._client.batch_execute_statement(Statements=batch)["Responses"]
            for answer in answers:
                code = answer.get("Error", {}).get("Code")
                if code in aws.PASSING:
                    raise UnavailableError("A store is busy; send the same again.")
                # The same thing was said before, which is as good.
                if code not in {None, "DuplicateItem"}:
                    raise StoreError(f"dynamodb:PartiQLInsert: {code}")

    def _items(self, pk: str, bounds: tuple[str, str], *, consistent: bool) -> Iterator[Any]:
        start: dict[str, Any] = {}
        while True:
            with aws.translated("dynamodb:Query"):
                found = self._client.query(
                    TableName=self.table,
                    KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
                    ExpressionAttributeValues={
                        ":pk": {"S": pk},
                        ":first": {"S": bounds[0]},
                        ":last": {"S": bounds[1]},
                    },
                    Limit=_ITEMS,
                    ConsistentRead=consistent,
                    **start,
                )
            yield from found["Items"]
            if "LastEvaluatedKey" not in found:
                return
            start = {"ExclusiveStartKey": found["LastEvaluatedKey"]}

    def _delete(self, pk: str, names: Iterable[str]) -> None:
        self._write(
            {"DeleteRequest": {"Key": {"pk": {"S": pk}, "sk": {"S": name}}}} for name in names
        )

    def _write(self, requests: Iterable[Any]) -> None:
        left = list(requests)
        for attempt in range(_TRIES):
            again: list[Any] = []
            for start in range(0, len(left), _WRITES):
                with aws.translated("dynamodb:BatchWriteItem"):
                    answer = self._client.batch_write_item(
                        RequestItems={self.table: left[start : start + _WRITES]}
                    )
                again += answer.get("UnprocessedItems", {}).get(self.table, [])
            if not again:
                return
            left = again
            clock.sleep(0.1 * 2**attempt)
        raise UnavailableError("The digests table is busy; the next run goes on.")


_BUCKETS = [bucket_kind(number) for number in range(digest.BUCKETS)]
#: In which order kinds are removed: what tells that the others are there goes last.
_REMOVED = ((BLOCK_COUNTS, (), BLOCK), (SEGMENT_COUNTS, _BUCKETS, SEGMENT))

#: Bounds of every sort key.
_ANY = ("!", "~")


def _mark(item: Any) -> Mark:
    first, end, at = item["sk"]["S"].split("/")
    return Mark(Span(first, end), int(at))


def _stored(item: Any) -> Stored | None:
    """A digest of this version; None of any other."""
    if not _is_current(item):
        return None
    return Stored(Span(item["sk"]["S"], item["end"]["S"]), int(item["at"]["N"]), item["d"]["B"])


def _fits(stored: Stored) -> bool:
    return len(stored.data) <= _MOST_BYTES


def _is_current(item: Any) -> bool:
    return item.get("v", {}).get("N") == str(digest.VERSION)
