"""Everything of an org, for its removal: its log, its digests, and all that `control` has of it.

    pk               sk          what
    deletion#<org>   progress    how far the removal of its events is, and how many were removed

Every removal is idempotent, and what is removed is found again by the one key that goes
last. So whoever removes may end anywhere, and begin again.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from auditlog import clock, digest
from auditlog.errors import StoreError, UnavailableError
from auditlog.reads import BLOCK, BLOCK_COUNTS, SEGMENT, SEGMENT_COUNTS, bucket_kind
from auditlog.span import Span
from auditlog.store import aws, spans
from auditlog.store.items import attributes, values

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: DynamoDB's own limits of a call.
_STATEMENTS = 25
_WRITES = 25
#: Events that are counted, and then removed, together.
_BATCH = 1_000
_AT_ONCE = 8
_TRIES = 8
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 5.0
_DIGESTS = (
    *(bucket_kind(number) for number in range(digest.BUCKETS)),
    BLOCK_COUNTS, SEGMENT_COUNTS, BLOCK, SEGMENT, "mark", "standing",
)  # fmt: skip
#: Of `control`, beside keys and exports, which have other items that they lead to.
_OF_CONTROL = ("asked", "count", "erased", "erasure", "reads", "retention", "used")


@dataclass(frozen=True, slots=True)
class Removal:
    """How far a run over an org's log is that was begun at `begun_at`; None before it is.

    `events` were counted by this run and those before it; of `partition` all that lies
    below the bound `counted` was, and need not be removed yet.
    """

    begun_at: int | None = None
    partition: str = ""
    counted: str = ""
    events: int = 0
    revision: int = 0


class RemainsStore:
    """Removes what an org has. Safe to share between threads."""

    def __init__(
        self,
        client: "DynamoDBClient",
        events_table: str,
        digests_table: str,
        control_table: str,
        *,
        sleep: Callable[[float], None] = clock.sleep,
    ) -> None:
        self._client = client
        self._events = events_table
        self._digests = digests_table
        self._control = control_table
        self._sleep = sleep

    # -- how far it is ----------------------------------------------------------------------

    def removal(self, org: str) -> Removal | None:
        """How far the removal is; None before it was begun. One read unit."""
        with aws.translated("dynamodb:GetItem"):
            found = self._client.get_item(
                TableName=self._control, Key=_removal_key(org), ConsistentRead=True
            )
        if "Item" not in found:
            return None
        item = values(found["Item"])
        return Removal(
            item.get("begun_at"),
            item["partition"],
            item["counted"],
            item["events"],
            item["revision"],
        )

    def save(self, org: str, removal: Removal) -> Removal | None:
        """Stores how far it is; None where somebody else has gone on with it. One write unit."""
        saved = replace(removal, revision=removal.revision + 1)
        item = {
            "begun_at": saved.begun_at,
            "partition": saved.partition,
            "counted": saved.counted,
            "events": saved.events,
            "revision": saved.revision,
        }
        first = not removal.revision
        condition = "attribute_not_exists(pk)" if first else "revision = :before"
        bound: Any = {} if first else {":before": removal.revision}
        more: Any = {"ExpressionAttributeValues": attributes(bound)} if bound else {}
        try:
            with aws.translated("dynamodb:PutItem"):
                self._client.put_item(
                    TableName=self._control,
                    Item=_removal_key(org) | attributes(item),
                    ConditionExpression=condition,
                    **more,
                )
        except aws.ConditionFailedError:
            return None
        return saved

    # -- the log ----------------------------------------------------------------------------

    def ids(self, partition: str, span: Span) -> list[str]:
        """The first 1,000 ids of a span of a partition at most; none where nothing is left.

        Strongly consistent; a read unit for each 4 KB of the items.
        """
        found, _ = spans.query(
            self._client,
            self._events,
            partition,
            span,
            ProjectionExpression="sk",
            Limit=_BATCH,
            ConsistentRead=True,
        )
        return [item["sk"]["S"] for item in found]

    def remove_events(self, partition: str, ids: Sequence[str]) -> None:
        """Removes events. One write unit for each 1 KB of each; what is gone costs one.

        Waits for a busy table for some 20 seconds; raises `UnavailableError` then.
        """
        batches = [ids[i : i + _STATEMENTS] for i in range(0, len(ids), _STATEMENTS)]
        for _ in _pool().map(partial(self._remove_batch, partition), batches):
            pass

    def _remove_batch(self, partition: str, ids: Sequence[str]) -> None:
        left = list(ids)
        for attempt in range(_TRIES):
            left = self._not_removed(partition, left)
            if not left:
                return
            longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt)
            self._sleep(random.uniform(longest / 2, longest))  # noqa: S311 -- jitter, not a secret
        raise UnavailableError("The table does not take the deletions now.")

    def _not_removed(self, partition: str, ids: Sequence[str]) -> list[str]:
        # By PartiQL, since who may BatchWriteItem may also overwrite.
        statements: list[Any] = [
            {
                "Statement": f'DELETE FROM "{self._events}" WHERE pk = ? AND sk = ?',  # noqa: S608 -- ours, not a caller's
                "Parameters": [{"S": partition}, {"S": event_id}],
            }
            for event_id in ids
        ]
        try:
            with aws.translated("dynamodb:BatchExecuteStatement"):
                answers = self._client.batch_execute_statement(Statements=statements)["Responses"]
        except UnavailableError:
            return list(ids)
        codes = [answer.get("Error", {}).get("Code") for answer in answers]
        for code in codes:
            if code is not None and code not in aws.PASSING:
                raise StoreError(f"dynamodb:PartiQLDelete: {code}")
        return [i for i, code in zip(ids, codes, strict=True) if code is not None]

    # -- digests ----------------------------------------------------------------------------

    def remove_digests(self, partition: str) -> None:
        """Removes the digests of a partition, its marks, and that anybody should make new ones.

        A builder that is at work may store some again. Some 70 Queries, and one write
        unit for each KB that is there.
        """
        activity = [("active", name) for name in self._names(self._digests, "active", partition)]
        self._write(activity)
        for kind in _DIGESTS:
            pk = f"{kind}/{partition}"
            self._write((pk, name) for name in self._names(self._digests, pk, ""))

    def _write(self, keys: Iterable[tuple[str, str]]) -> None:
        left: list[Any] = [
            {"DeleteRequest": {"Key": attributes({"pk": pk, "sk": sk})}} for pk, sk in keys
        ]
        for attempt in range(_TRIES):
            again: list[Any] = []
            for start in range(0, len(left), _WRITES):
                with aws.translated("dynamodb:BatchWriteItem"):
                    answer = self._client.batch_write_item(
                        RequestItems={self._digests: left[start : start + _WRITES]}
                    )
                again += answer.get("UnprocessedItems", {}).get(self._digests, [])
            if not again:
                return
            left = again
            self._sleep(_FIRST_WAIT * 2**attempt)
        raise UnavailableError("The digests table is busy; the next step goes on.")

    # -- control ----------------------------------------------------------------------------

    def remove_keys(self, org: str) -> None:
        """Removes the org's keys and sessions. Two write units each."""
        pk = f"org#{org}"
        for name in list(self._names(self._control, pk, "")):
            _, _, key_id = name.partition("#")
            if key_id:
                self._remove(f"key#{key_id}", "key")
            # By this one the other is found.
            self._remove(pk, name)

    def remove_exports(self, org: str) -> None:
        """Removes the org's exports and their slices; not their files. A write unit or two each."""
        pk = f"export#{org}"
        for export_id in list(self._names(self._control, pk, "")):
            self._empty(f"slices#{export_id}")
            self._remove(pk, export_id)

    def remove_rest(self, org: str) -> None:
        """Removes all else that `control` has of the org, but for the org itself."""
        for kind in _OF_CONTROL:
            self._empty(f"{kind}#{org}")

    def forget_removal(self, org: str) -> None:
        """Removes what was noted of the removal. One write unit."""
        key = values(_removal_key(org))
        self._remove(key["pk"], key["sk"])

    def _empty(self, pk: str) -> None:
        for name in list(self._names(self._control, pk, "")):
            self._remove(pk, name)

    def _remove(self, pk: str, sk: str) -> None:
        with aws.translated("dynamodb:DeleteItem"):
            self._client.delete_item(TableName=self._control, Key=attributes({"pk": pk, "sk": sk}))

    def _names(self, table: str, pk: str, of: str) -> Iterator[str]:
        """The sort keys of an item collection; with `of` those of `<of>/...`."""
        condition, bound = "pk = :pk", {":pk": pk}
        if of:
            condition, bound = f"{condition} AND begins_with(sk, :of)", bound | {":of": f"{of}/"}
        start: dict[str, Any] = {}
        while True:
            with aws.translated("dynamodb:Query"):
                page = self._client.query(
                    TableName=table,
                    KeyConditionExpression=condition,
                    ExpressionAttributeValues=attributes(bound),
                    ProjectionExpression="sk",
                    ConsistentRead=True,
                    **start,
                )
            yield from (values(item)["sk"] for item in page["Items"])
            last = page.get("LastEvaluatedKey")
            if not last:
                return
            start = {"ExclusiveStartKey": last}


def _removal_key(org: str) -> dict[str, Any]:
    return attributes({"pk": f"deletion#{org}", "sk": "progress"})


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="remains")
