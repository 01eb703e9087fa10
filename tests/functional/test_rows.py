"""Rows as an export reads them, past botocore's parser: the same as everybody else reads."""

import base64
import json
import random
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError
from botocore.retries.standard import ExponentialBackoff

from auditlog import clock, units
from auditlog.catalog import Catalog
from auditlog.errors import StoreError, UnavailableError
from auditlog.event import NewEvent, Rules, admit
from auditlog.reads import EventsRead
from auditlog.span import BEGIN, END, EVERYTHING, Span, just_above
from auditlog.store.meter import METER
from auditlog.store.rows import Row, RowStore
from tests.functional.conftest import ORG, Watched, World, an_event

NOON = clock.parse("2026-06-02T12:00:00Z")
RULES = Rules(Catalog.default(), ORG, None, NOON + clock.DAY)

#: Id, packed bytes, `recorded_at`, described.
Known = tuple[str, bytes, int, bool]


def new(number: int, **changes: Any) -> NewEvent:
    event = an_event(occurred_at=clock.text(NOON + number * clock.MINUTE), **changes)
    expires_at = None if number % 3 else NOON // clock.SECOND + 9
    return NewEvent(ORG, admit(event, RULES, b"secret"), NOON + number, expires_at)


def insert(world: World, *events: NewEvent) -> list[str]:
    """Insert events; their ids, in order."""
    world.log.insert(events, deadline=clock.monotonic() + 10)
    return sorted(event.record.id for event in events)


def some(world: World, count: int = 9) -> list[str]:
    return insert(world, *map(new, range(count)))


def store(world: World, client: Any = None) -> RowStore:
    return RowStore(client or world.log_rows, world.events_table)


def known(rows: list[Row]) -> list[Known]:
    return [(row.sk.S, row.r.B, int(row.at.N), row.s is None) for row in rows]


def as_events(
    world: World, span: Span = EVERYTHING, count: int = 1_000
) -> tuple[list[Known], bool]:
    """The same by the store of events."""
    found = world.log.rows(EventsRead(ORG, span, "asc", count), consistent=True)
    events = [(e.id, e.packed, e.recorded_at, e.described) for e in found.events]
    return events, found.complete


def pages(rows: RowStore, span: Span = EVERYTHING, **how: int) -> Iterator[list[Known]]:
    complete = False
    while not complete:
        found, complete = rows.page(ORG, span, **how)
        yield known(found)
        if not complete:
            span = Span(just_above(found[-1].sk.S), span.end)


def answer(body: bytes, status: int = 200, checksum: int | None = None) -> AWSResponse:
    """As DynamoDB sends it; the checksum fits unless there is another."""
    fitting = crc32(body) if checksum is None else checksum
    raw: Any = SimpleNamespace(stream=lambda: iter([body]))
    headers: Any = {"x-amz-crc32": str(fitting)}
    return AWSResponse("http://made.up", status, headers, raw)


def refusal(code: str, status: int = 400) -> AWSResponse:
    return answer(json.dumps({"__type": f"com.amazonaws.dynamodb#{code}"}).encode(), status)


@contextmanager
def answering(client: Any, *made_up: AWSResponse | Exception) -> Generator[list[dict[str, Any]]]:
    """The first Queries are answered with this, those after them by the table; what was asked."""
    asked: list[dict[str, Any]] = []

    def send(request: Any, **_: Any) -> AWSResponse | None:
        asked.append(json.loads(request.body))
        if len(asked) > len(made_up):
            return None
        found = made_up[len(asked) - 1]
        if isinstance(found, Exception):
            raise found
        return found

    client.meta.events.register("before-send.dynamodb.Query", send)
    try:
        yield asked
    finally:
        client.meta.events.unregister("before-send.dynamodb.Query", send)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore does not wait before it asks again."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)


# -- what is read -------------------------------------------------------------------------------


def test_rows_are_what_the_store_of_events_reads(world: World) -> None:
    texts = ["", "plain", "ünï 日本 🚀", '"\\\n\u2028', "x" * 60_000]
    described = [new(n, description=text) for n, text in enumerate(texts)]
    ids = insert(world, *described, *(new(n, metadata={"t": t}) for n, t in enumerate(texts)))
    found, complete = store(world).page(ORG, EVERYTHING)
    assert (known(found), complete) == as_events(world)
    assert [row.sk.S for row in found] == ids
    assert {row.s is None for row in found} == {True, False}
    assert {event.recorded_at for event in described} == {int(row.at.N) for row in found}


def test_a_span_is_its_first_bound_and_not_its_end(world: World) -> None:
    ids = some(world)
    bounds = [BEGIN, ids[2], just_above(ids[2]), ids[2][:12], ids[6], ids[6] + "zz", END]
    for first in bounds:
        for end in bounds:
            found, complete = store(world).page(ORG, Span(first, end))
            assert [row.sk.S for row in found] == [i for i in ids if first <= i < end]
            assert complete


def test_nobody_is_asked_for_an_empty_span(world: World) -> None:
    [first, *_] = some(world)
    watched = Watched(world.log_rows, lambda _name, _number, call: call())
    for span in (Span(first, first), Span(just_above(first), first), Span(END, BEGIN)):
        assert store(world, watched).page(ORG, span) == ([], True)
    assert watched.calls == []


def test_another_partition_has_its_own(world: World) -> None:
    ids = some(world)
    for partition in ("acm", f"{ORG}#0", "umbrella"):
        assert store(world).page(partition, EVERYTHING) == ([], True)
    assert [row.sk.S for row in store(world).page(ORG, EVERYTHING)[0]] == ids


@pytest.mark.parametrize("count", [1, 4, 9, 10])
def test_a_page_has_no_more_rows_than_asked_for_and_the_next_goes_on(
    world: World, count: int
) -> None:
    some(world)
    found = list(pages(store(world), count=count))
    assert [row for page in found for row in page] == as_events(world)[0]
    assert all(len(page) == count for page in found[:-1])
    assert len(found[-1]) < count


def test_a_page_has_a_megabyte_at_most(world: World) -> None:
    for number in range(7):
        item = {
            "pk": {"S": ORG},
            "sk": {"S": f"0{number}"},
            "r": {"B": random.Random(number).randbytes(300_000)},
            "t": {"S": "repo.create"},
            "at": {"N": str(NOON)},
        }
        world.dynamodb.put_item(TableName=world.events_table, Item=item)
    found = list(pages(store(world)))
    assert [row for page in found for row in page] == [
        row for n in range(7) for row in as_events(world, Span(f"0{n}", f"0{n + 1}"))[0]
    ]
    assert len(found) > 1
    assert max(sum(len(row[1]) for row in page) for page in found) <= 1024 * 1024


def test_a_page_that_has_nothing_although_there_is_more_is_not_the_end(world: World) -> None:
    ids = some(world)
    key = {"pk": {"S": ORG}, "sk": {"S": ids[2]}}
    empty = answer(json.dumps({"Items": [], "Count": 0, "LastEvaluatedKey": key}).encode())
    with answering(world.log_rows, empty) as asked:
        found, complete = store(world).page(ORG, EVERYTHING)
    assert ([row.sk.S for row in found], complete) == (ids[3:], True)
    assert [each.get("ExclusiveStartKey") for each in asked] == [None, key]


def test_what_was_just_written_is_there_and_costs_a_unit_for_each_4_kb(world: World) -> None:
    """Strongly consistent, which is twice as much; what is not sent is paid for all the same."""
    insert(
        world,
        *(new(n, metadata={"text": random.Random(n).randbytes(800).hex()}) for n in range(30)),
    )
    before = METER.spent
    with answering(world.log_rows) as asked:
        store(world).page(ORG, EVERYTHING)
    [request] = asked
    assert request["ConsistentRead"] is True
    size = sum(map(units.item_size, world.rows()))
    assert METER.spent.since(before).read == units.read_units(size, consistent=True) > 5
    assert METER.spent.since(before).write == 0


def test_the_client_does_all_else_as_any_other(world: World) -> None:
    [first, *_] = some(world)
    key = {"pk": {"S": ORG}, "sk": {"S": first}}
    one, other = (
        client.get_item(TableName=world.events_table, Key=key)["Item"]
        for client in (world.log_rows, world.dynamodb)
    )
    assert one == other


# -- what goes wrong ----------------------------------------------------------------------------


def sound(world: World) -> bytes:
    """An answer of the table, as it is sent."""
    items = [
        {"sk": row["sk"], "r": {"B": base64.b64encode(row["r"]["B"]).decode()}, "at": row["at"]}
        for row in world.rows()
    ]
    return json.dumps({"Items": items, "Count": len(items), "ScannedCount": len(items)}).encode()


def test_a_sound_answer_is_taken_at_its_word(world: World) -> None:
    """That what follows is about the damage, and not about who has made the answer up."""
    ids = some(world)
    with answering(world.log_rows, answer(sound(world))) as asked:
        found, complete = store(world).page(ORG, EVERYTHING)
    assert ([row.sk.S for row in found], complete, len(asked)) == (ids, True, 1)


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda body: body[:-30],
    "cut off in a row": lambda body: body[: len(body) // 2],
    "not there": lambda _: b"",
    "other letters in it": lambda body: body.replace(b"A", b"B"),
    "rows are missing": lambda _: b'{"Items": [], "Count": 0}',
    "no JSON": lambda body: b"<" + body,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
def test_an_answer_that_was_damaged_on_its_way_is_asked_for_again(
    world: World, damage: Callable[[bytes], bytes]
) -> None:
    some(world)
    body = sound(world)
    damaged = answer(damage(body), checksum=crc32(body))
    with answering(world.log_rows, damaged, damaged) as asked:
        found, complete = store(world).page(ORG, EVERYTHING)
    assert len(asked) == 3
    assert (known(found), complete) == as_events(world)


def test_an_answer_that_says_nothing_of_rows_is_not_taken_for_none(world: World) -> None:
    some(world)
    for body in (b"{}", b'{"Items": nu', b'{"Items": null}', b"[]", b""):
        with (
            answering(world.log_rows, *[answer(body)] * 3),
            pytest.raises((UnavailableError, TypeError, AttributeError)),
        ):
            known(store(world).page(ORG, EVERYTHING)[0])


@pytest.mark.parametrize("missing", ["r", "at"])
def test_a_row_that_lacks_something_is_never_passed_over(world: World, missing: str) -> None:
    some(world)
    item = world.rows()[4]
    del item[missing]
    world.dynamodb.put_item(TableName=world.events_table, Item=item)
    with pytest.raises(AttributeError):
        known(store(world).page(ORG, EVERYTHING)[0])


FAULTS: dict[str, tuple[AWSResponse | Exception, type[Exception]]] = {
    "more than provisioned": (
        refusal("ProvisionedThroughputExceededException"),
        UnavailableError,
    ),
    "throttled": (refusal("ThrottlingException"), UnavailableError),
    "broken": (refusal("InternalServerError", 500), UnavailableError),
    "a gateway's": (answer(b"<html>sorry</html>", 503), UnavailableError),
    "not reached": (EndpointConnectionError(endpoint_url="http://made.up"), UnavailableError),
    "denied": (refusal("AccessDeniedException"), StoreError),
    "not understood": (refusal("ValidationException"), StoreError),
}


@pytest.mark.parametrize(("fault", "expected"), FAULTS.values(), ids=list(FAULTS))
def test_aws_errors_in_our_own_words(
    world: World, fault: AWSResponse | Exception, expected: type[Exception]
) -> None:
    with answering(world.log_rows, *[fault] * 9), pytest.raises(expected) as caught:
        store(world).page(ORG, EVERYTHING)
    assert caught.value.__cause__ is not None


def test_a_table_that_is_not_there_is_an_error_and_not_an_empty_log(world: World) -> None:
    with pytest.raises(StoreError, match="ResourceNotFoundException"):
        RowStore(world.log_rows, "absent").page(ORG, EVERYTHING)


def test_a_busy_table_is_asked_again(world: World) -> None:
    ids = some(world)
    busy = refusal("ProvisionedThroughputExceededException")
    with answering(world.log_rows, busy, refusal("InternalServerError", 500)) as asked:
        found, _ = store(world).page(ORG, EVERYTHING)
    assert ([row.sk.S for row in found], len(asked)) == (ids, 3)
