"""A log of any length without a table, and stores that agree: for what memory a job takes."""

import base64
import json
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import islice
from typing import Any, TypeAlias

from auditlog import canonical
from auditlog.event import event_id, first_id
from auditlog.exports import Cuts, Export, Slice
from auditlog.span import Span
from export.cuts import SLICE_EVENTS
from tests.bench import large

#: Microseconds from one event to the next.
STEP = 700_000
_DIFFERENT = 3_000
#: What DynamoDB answers at once, in bytes of rows as they are stored.
_PAGE_BYTES = 1024 * 1024
_KEY_BYTES = 110


#: A row as JSON, what is before its id and what is behind, and its size.
Template: TypeAlias = tuple[str, str, int]


class Pages:
    """In the place of the client of a `RowStore`: `count` events, like these again and again.

    Each page is an answer of DynamoDB, made when it is asked for, and read by what
    `rows.attach` has registered.
    """

    def __init__(self, count: int, like: Sequence[Template]) -> None:
        self.meta = self.events = self
        self._numbers = range(count)
        self._like = like
        self._parse: Any = None

    def register(self, _name: str, parse: Any) -> None:
        """As botocore's `client.meta.events.register`."""
        self._parse = parse

    def query(
        self,
        *,
        ExpressionAttributeValues: dict[str, dict[str, str]],  # noqa: N803 -- boto3's own names
        Limit: int,  # noqa: N803 -- the same
        **_: Any,
    ) -> dict[str, Any]:
        """The rows from `:first` up to `:last`, both included."""
        values = ExpressionAttributeValues
        first = bisect_left(self._numbers, values[":first"]["S"], key=_id)
        end = bisect_right(self._numbers, values[":last"]["S"], key=_id)
        rows: list[str] = []
        size = 0
        for number in range(first, min(end, first + Limit)):
            before, after, stored = self._like[number % len(self._like)]
            rows.append(f"{before}{_id(number)}{after}")
            size += stored
            if size > _PAGE_BYTES:
                break
        last = f',"LastEvaluatedKey":{{"sk":{{"S":"{_id(first + len(rows) - 1)}"}}}}'
        is_whole = first + len(rows) == end
        body = f'{{"Items":[{",".join(rows)}]{"" if is_whole else last}}}'
        answer: dict[str, Any] = {}
        self._parse({"status_code": 200, "body": body.encode()}, answer)
        return answer


def span(count: int) -> Span:
    """All of so many events."""
    return Span(first_id(large.SINCE), first_id(large.SINCE + count * STEP))


def bounds(count: int) -> list[str]:
    """Where so many are cut into slices."""
    numbers = range(SLICE_EVENTS, count - SLICE_EVENTS // 2, SLICE_EVENTS)
    return [first_id(large.SINCE + number * STEP) for number in numbers]


def templates() -> list[Template]:
    """Different rows."""
    return [_template(entry) for entry in islice(large.events(large.MIN_EVENTS), _DIFFERENT)]


def _template(entry: large.Entry) -> Template:
    packed = canonical.pack(entry.record.data)
    row: dict[str, Any] = {"r": {"B": base64.b64encode(packed).decode()}}
    row["at"] = {"N": str(entry.recorded_at)}
    if not entry.record.described:
        row["s"] = {"BOOL": True}
    rest = json.dumps(row, separators=(",", ":"))
    return '{"sk":{"S":"', f'"}},{rest[1:]}', len(packed) + _KEY_BYTES


def _id(number: int) -> str:
    return event_id(large.SINCE + number * STEP, number.to_bytes(16, "big"))


class Agreeing:
    """In the place of `ExportStore`, `SliceStore` and `Pace`: whoever asks has won."""

    def __init__(self) -> None:
        self._cuts: Cuts | None = None
        self._written: list[Slice] = []

    def cut(self, _export: Export, cuts: Cuts, _now: int) -> bool:
        """So it is cut."""
        self._cuts = cuts
        return True

    def cuts(self, _export: Export) -> Cuts | None:
        """How it was cut."""
        return self._cuts

    def is_running(self, _export: Export) -> bool:
        """It is wanted."""
        return True

    def complete(self, _export: Export, **_: int) -> bool:
        """It is ready."""
        return True

    def won(self, _export: Export, _first: str) -> Slice | None:
        """Nobody has written it before."""
        return None

    def win(self, _export: Export, written: Slice, **_: object) -> bool:
        """This one wins."""
        self._written.append(written)
        return True

    def written(self, _export: Export) -> list[Slice]:
        """All of them, in the order in which they were written."""
        return self._written

    def spend(self, _units: float, _alive: object) -> None:
        """There is no limit."""
