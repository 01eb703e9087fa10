"""What only erasures do to the log: a record becomes a tombstone, and no digest tells of it.

The one place that changes an item of `events`: its attribute `r`, and `s`, which goes.
Its key, its type, when it was recorded and when it expires stay as they are.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from heapq import nlargest
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from auditlog import canonical, clock, digest
from auditlog.digest import MAX_WRITE, Mark, Stored
from auditlog.errors import UnavailableError
from auditlog.event import Record, first_id, id_time
from auditlog.reads import BLOCK, BLOCK_COUNTS, SEGMENT, SEGMENT_COUNTS, bucket_kind
from auditlog.span import BEGIN, Span, just_above
from auditlog.store import aws
from auditlog.store.digests import DigestStore

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: Fewer than the client keeps connections for: what must go is in no hurry.
_AT_ONCE = 8
_TRIES = 8
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 5.0
#: So long after a look nothing more is begun. With what is under way then it is far less
#: than a hold takes to be effective (`policy.SETTLED`).
_PATIENCE = 30 * clock.SECOND
#: Marks over one batch, and how far apart those are that have one each.
_MARKS = 16
_APART = clock.HOUR
#: More marks than `seal` looks at in one run are never read at once.
_MOST_MARKS = 1_000_000
#: In the place of a digest that tells of erased events: none that can be read.
_NOTHING = b"-"
_BUCKETS = [bucket_kind(number) for number in range(digest.BUCKETS)]


class TombstoneStore:
    """Puts tombstones in the place of records. Safe to share between threads."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        digests_table: str,
        *,
        now: Callable[[], int],
        sleep: Callable[[float], None] = clock.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self._digests_table = digests_table
        self._digests = DigestStore(client, digests_table)
        self._now = now
        self._sleep = sleep

    def put(
        self,
        partition: str,
        tombstones: Sequence[Record],
        look: Callable[[], None] = lambda: None,
    ) -> None:
        """Puts each in the place of the record that has its id; in order of ids.

        `look` is called before each eight of them, and may raise to end it there; a change
        is begun within half a minute of that. Idempotent; an item that is not there any more
        is not made again. Once this
        returns, all readers that are strongly consistent see them, and no digest that
        was begun before is relied on where they lie. One write unit for each 1 KB of
        each item, as it was or as it is, and one for each of up to 16 marks. What a
        busy table does not take is tried again for some 20 seconds; raises
        `UnavailableError` then.
        """
        if not tombstones:
            return
        began = self._now()
        self._mark(partition, tombstones, began)
        # A crash here leaves marks over what was not changed. They cost reads, until
        # `seal` has built the digests anew and removes them.
        try:
            for start in range(0, len(tombstones), _AT_ONCE):
                look()
                until = self._now() + _PATIENCE
                put = partial(self._put, partition, until)
                for _ in _pool().map(put, tombstones[start : start + _AT_ONCE]):
                    pass
        finally:
            if self._now() - began > MAX_WRITE:
                # So late that a digest may have been begun in between.
                self._mark(partition, tombstones, self._now())
        self._digests.say_active([partition], began)

    def builds_until(self, partition: str) -> int:
        """Until when a builder of digests may be at work that has read the log before now.

        In microseconds; 0 where none is. One read unit.
        """
        with aws.translated("dynamodb:GetItem"):
            found = self._client.get_item(
                TableName=self._digests_table,
                Key={"pk": {"S": f"standing/{partition}"}, "sk": {"S": "standing"}},
                ConsistentRead=True,
            )
        until = int(found.get("Item", {}).get("taken", {}).get("N", "0"))
        return until if until > self._now() else 0

    def forget_gone(self, partition: str, before: int) -> None:
        """Has no counts tell of what occurred before a time, and is gone by its expiry.

        Nothing is left there to be found, and yet counts have who did it. Digests of that
        alone go, as they would soon; what reaches beyond it is marked, for `forget`. To be
        called as that is. Idempotent. Two read units where nothing is there, else a write
        unit for each KB of what goes, and one for each of two marks.
        """
        if before <= 0:
            return
        bound = first_id(before)
        self._digests.remove_before(partition, bound)
        left = {
            stored.span.first
            for counts, whole, _ in _KINDS
            for kind in (counts, whole)
            for stored in self._digests.digests(partition, kind, Span(BEGIN, bound))
        }
        if left:
            at = self._now()
            self._digests.mark((partition, Mark(Span(first, bound), at)) for first in sorted(left))
            self._digests.say_active([partition], at)

    def forget(self, partition: str, since: int) -> None:
        """Has no digest tell of what was marked from a time on, if it was begun before.

        The counts go, in which actors have their ids and names; the digests become
        unreadable, and are built again by `seal`, since their places are still known
        and marked. Right only where `builds_until` was 0 after the last tombstone was
        put. Idempotent. Reads the marks and the digests under them, strongly consistent;
        one write unit for each KB of the counts, for each block, and 65 for each segment.
        """
        marks = self._digests.all_marks(partition, most=_MOST_MARKS)
        own = [mark for mark in marks if mark.at >= since]
        for span in _joined([mark.span for mark in own]):
            under = [mark for mark in own if mark.span.meets(span)]
            for counts, whole, others in _KINDS:
                for kind in (counts, whole):
                    stale = [
                        stored
                        for stored in self._digests.digests(partition, kind, span)
                        if digest.is_stale(stored.at, stored.span, under)
                        and stored.data != _NOTHING
                    ]
                    if kind == counts:
                        firsts = [stored.span.first for stored in stale]
                        self._digests.remove(partition, counts, firsts)
                        continue
                    # Begun at no time, so that they are stale as long as there is a mark.
                    # The one by which they are found is the last.
                    empty = [Stored(stored.span, 0, _NOTHING) for stored in stale]
                    for each in (*others, whole):
                        self._digests.put(partition, [(each, stored) for stored in empty])

    def _mark(self, partition: str, tombstones: Sequence[Record], at: int) -> None:
        spans = list(_stretches([each.id for each in tombstones]))
        self._patiently(lambda: self._digests.mark([(partition, Mark(span, at)) for span in spans]))

    def _put(self, partition: str, until: int, tombstone: Record) -> None:
        values: Mapping[str, Any] = {":r": {"B": canonical.pack(tombstone.data)}}

        def update() -> None:
            try:
                with aws.translated("dynamodb:UpdateItem"):
                    self._client.update_item(
                        TableName=self._table,
                        Key={"pk": {"S": partition}, "sk": {"S": tombstone.id}},
                        UpdateExpression="SET r = :r REMOVE s",
                        ConditionExpression="attribute_exists(pk)",
                        ExpressionAttributeValues=values,
                    )
            except aws.ConditionFailedError:
                return  # It is past its time, and gone.

        self._patiently(update, until)

    def _patiently(self, call: Callable[[], None], until: int | None = None) -> None:
        for attempt in range(_TRIES):
            try:
                return call()
            except UnavailableError:
                longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt)
                self._sleep(random.uniform(longest / 2, longest))  # noqa: S311 -- jitter, not a secret
                if until is not None and self._now() >= until:
                    raise
        return call()


_KINDS: Sequence[tuple[str, str, Sequence[str]]] = (
    (BLOCK_COUNTS, BLOCK, ()),
    (SEGMENT_COUNTS, SEGMENT, _BUCKETS),
)


def _stretches(ids: Sequence[str]) -> Iterator[Span]:
    """A few stretches around ids that are in order, between which there is most time."""
    gaps = [id_time(two) - id_time(one) for one, two in pairwise(ids)]
    largest = nlargest(_MARKS - 1, range(len(gaps)), key=gaps.__getitem__)
    cuts = sorted(number + 1 for number in largest if gaps[number] > _APART)
    for start, end in pairwise([0, *cuts, len(ids)]):
        yield Span(ids[start], just_above(ids[end - 1]))


def _joined(spans: Sequence[Span]) -> list[Span]:
    """Spans in order, those that meet or touch as one."""
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.first <= joined[-1].end:
            joined[-1] = Span(joined[-1].first, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="tombstones")
