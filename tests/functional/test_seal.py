"""The scheduled function that digests the log, on the real stores: what it builds, the races."""

import dataclasses
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

import seal.builder
import seal.handler
from auditlog import clock, digest, event, filters, intake, plan, walk
from auditlog.catalog import Catalog
from auditlog.digest import Stored
from auditlog.event import NewEvent, Rules, admit
from auditlog.orgs import Org
from auditlog.reads import BLOCK, BLOCK_COUNTS, SEGMENT, SEGMENT_COUNTS, Standing, bucket_kind
from auditlog.sieve import Blocks, Segments
from auditlog.span import EVERYTHING, Span
from auditlog.store.events import EventStore, Outcome
from auditlog.store.reader import Reader
from seal.builder import Builder, OutOfTime
from tests.functional.conftest import ORG, Context, Watched, World, an_event, sample

LONG = Context(300_000)
CATALOG = Catalog.default()
ACME = Org(ORG, None, 0)


@dataclass
class Clock:
    """The time of a test: what reads it sees it stand still until the test moves it."""

    now: int
    monotonic: float = 1_000.0

    def pass_(self, microseconds: int) -> None:
        self.now += microseconds
        self.monotonic += microseconds / clock.SECOND


@pytest.fixture
def time_(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock(clock.now())
    monkeypatch.setattr(clock, "now", lambda: made.now)
    return made


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests of a few events each."""
    monkeypatch.setattr(digest, "CELL_BYTES", 700)
    monkeypatch.setattr(walk, "_LEAST_ROWS", 2)
    monkeypatch.setattr(walk, "_FIRST_DIGESTS", {Blocks: 1, Segments: 1})
    for module in (digest, seal.builder):
        monkeypatch.setattr(module, "BLOCK_EVENTS", 8)
        monkeypatch.setattr(module, "SEGMENT_BLOCKS", 4)


def store(world: World, time_: Clock) -> EventStore:
    return EventStore(
        world.dynamodb,
        world.events_table,
        world.digests_table,
        now=lambda: time_.now,
        monotonic=lambda: time_.monotonic,
        sleep=lambda seconds: time_.pass_(int(seconds * clock.SECOND)),
    )


def new(time_: Clock, *ages: int, **changes: Any) -> list[NewEvent]:
    """New events of these ages in microseconds."""
    rules = Rules(CATALOG, ORG, None, time_.now)
    made = (an_event(occurred_at=clock.text(time_.now - age), **changes) for age in ages)
    return intake.new_events([admit(each, rules, b"secret") for each in made], ACME, time_.now)


def insert(world: World, time_: Clock, events: list[NewEvent]) -> list[Outcome]:
    return store(world, time_).insert(events, deadline=time_.monotonic + 10)


def build(world: World, time_: Clock) -> Builder:
    builder = Builder(ORG, store(world, time_), time_.now, lambda: False)
    builder.run()
    return builder


def found(world: World, query: dict[str, list[str]]) -> list[str]:
    """The ids that a search finds, following it to the end."""
    wanted = filters.parse(query, CATALOG, hidden_by_default=True)
    span, ids = plan.span_of(wanted, 0), list[str]()
    while True:
        page = Reader(world.log).run(plan.page(ACME.layout, wanted, span, order="desc", limit=7))
        ids += [one.event.id for one in page.found]
        if page.position is None:
            return ids
        span = span.after(page.position, "desc")


def ids(events: list[NewEvent]) -> list[str]:
    return sorted((each.record.id for each in events), reverse=True)


def watched(world: World, name: str, what: Callable[[], None], *names: str) -> Any:
    """A client with which something happens before each call of these names."""

    def fault(called: str, _number: int, call: Callable[[], Any]) -> Any:
        if called in {name, *names}:
            what()
        return call()

    return Watched(world.dynamodb, fault)


def busy() -> None:
    raise ClientError({"Error": {"Code": "ThrottlingException"}}, "BatchExecuteStatement")


ANN = {"actor": {"id": "ann"}}
FOR_ANN = {"actor": ["ann"]}


def test_the_schedule_digests_what_was_published_and_then_leaves_it_alone(
    world: World, time_: Clock
) -> None:
    for _ in range(50):
        world.publish(an_event(occurred_at=clock.text(time_.now)))
        time_.pass_(clock.SECOND)
    assert world.log.digests.standing(ORG) == Standing()
    time_.pass_(digest.WATERMARK)

    first = seal.handler.handler(sample("triggers/schedule-seal"), LONG)

    assert first == {
        "partitions": 1, "blocks": 6, "segments": 1, "marks_removed": 0, "unfinished": 0,
        "failed": 0,
    }  # fmt: skip
    again = seal.handler.handler(sample("triggers/schedule-seal"), LONG)
    assert (again["partitions"], again["blocks"]) == (1, 0)
    time_.pass_(clock.HOUR)
    seal.handler.handler(sample("triggers/schedule-seal"), LONG)
    nothing = seal.handler.handler(sample("triggers/schedule-seal"), LONG)
    assert nothing["partitions"] == 0, "only active orgs cost anything"
    assert len(found(world, {})) == 50


def test_it_says_what_it_did_and_nothing_of_what_the_events_say(
    world: World, time_: Clock, logged: Any
) -> None:
    world.publish(*[an_event(**ANN) for _ in range(20)])
    time_.pass_(clock.HOUR)
    seal.handler.handler(sample("triggers/schedule-seal"), LONG)
    assert '"message":"seal"' in logged.getvalue().replace(" ", "")
    assert "ann" not in logged.getvalue()


def test_each_level_has_its_counts_and_a_segment_all_its_buckets(
    world: World, time_: Clock
) -> None:
    insert(world, time_, new(time_, *range(0, 40 * clock.SECOND, clock.SECOND)))
    time_.pass_(clock.HOUR)
    build(world, time_)
    digests = world.log.digests
    blocks, segments = (digests.digests(ORG, kind, EVERYTHING) for kind in (BLOCK, SEGMENT))
    assert len(blocks) == 4
    assert len(segments) == 1
    for one, two in itertools.pairwise(blocks):
        assert one.span.end == two.span.first
    assert [s.span for s in digests.digests(ORG, BLOCK_COUNTS, EVERYTHING)] == [
        s.span for s in blocks
    ]
    for kind in (SEGMENT_COUNTS, *map(bucket_kind, range(digest.BUCKETS))):
        assert [s.span for s in digests.digests(ORG, kind, EVERYTHING)] == [segments[0].span]


class TestRaces:
    def test_a_write_that_was_judged_on_time_and_stalls_past_the_watermark(
        self, world: World, time_: Clock
    ) -> None:
        """Without the mark behind the write, the digest would say that nothing is there."""
        insert(world, time_, new(time_, *[9 * clock.MINUTE] * 30))
        [stalled] = new(time_, 9 * clock.MINUTE + 1, **ANN)

        def stall() -> None:
            time_.pass_(10 * clock.MINUTE)
            assert build(world, time_).blocks > 0

        late_store = store(world, time_)
        late_store._client = watched(world, "batch_execute_statement", stall)
        outcomes = late_store.insert([stalled], deadline=time_.monotonic + 3_600)

        assert outcomes == [Outcome.RECORDED]
        assert found(world, FOR_ANN) == [stalled.record.id]
        self.settle(world, time_)
        assert found(world, FOR_ANN) == [stalled.record.id]

    def test_a_mark_then_the_span_built_again_then_the_write(
        self, world: World, time_: Clock
    ) -> None:
        insert(world, time_, new(time_, *range(0, 40 * clock.SECOND, clock.SECOND)))
        time_.pass_(clock.HOUR)
        build(world, time_)
        time_.pass_(clock.MINUTE)
        [late] = new(time_, clock.HOUR + 80 * clock.SECOND, **ANN)

        def rebuild() -> None:
            time_.pass_(30 * clock.SECOND)
            for each in world.log.digests.digests(ORG, BLOCK, EVERYTHING):
                Builder(ORG, store(world, time_), time_.now, lambda: False)._rebuild(each.span)

        late_store = store(world, time_)
        late_store._client = watched(world, "batch_execute_statement", rebuild)
        assert late_store.insert([late], deadline=time_.monotonic + 60) == [Outcome.RECORDED]

        assert found(world, FOR_ANN) == [late.record.id]
        self.settle(world, time_)
        assert found(world, FOR_ANN) == [late.record.id]

    def settle(self, world: World, time_: Clock) -> None:
        """Until `seal` has built everything again, and taken the marks away."""
        for _ in range(8):
            time_.pass_(5 * clock.MINUTE)
            build(world, time_)
        assert world.log.digests.all_marks(ORG, most=10) == []

    def test_a_mark_stays_until_what_it_made_stale_is_built_and_a_while_longer(
        self, world: World, time_: Clock
    ) -> None:
        insert(world, time_, new(time_, *range(0, 40 * clock.SECOND, clock.SECOND)))
        time_.pass_(clock.HOUR)
        build(world, time_)
        insert(world, time_, new(time_, clock.HOUR + 5 * clock.SECOND, **ANN))
        digests = world.log.digests
        [before] = digests.all_marks(ORG, most=10)
        assert build(world, time_).blocks == 0, "nobody knows yet whether the writer is done"
        time_.pass_(digest.SETTLED)
        assert build(world, time_).blocks > 0
        assert digests.all_marks(ORG, most=10) == [before]
        time_.pass_(digest.MARK_KEPT)
        assert build(world, time_).blocks == 0
        assert digests.all_marks(ORG, most=10) == []

    def test_what_cannot_be_marked_is_not_written(self, world: World, time_: Clock) -> None:
        late_store = store(world, time_)
        late_store.digests._client = watched(world, "batch_execute_statement", busy)
        late = new(time_, clock.HOUR)
        assert late_store.insert(late, deadline=time_.monotonic + 10) == [Outcome.UNAVAILABLE]
        assert world.rows() == []

    def test_a_busy_table_does_not_keep_a_publisher_from_being_heard(
        self, world: World, time_: Clock
    ) -> None:
        """That it is active can be said next time; the event is in the table."""
        its_store = store(world, time_)
        its_store.digests._client = watched(world, "batch_execute_statement", busy)
        assert its_store.insert(new(time_, 0), deadline=time_.monotonic + 10) == [Outcome.RECORDED]
        assert list(world.log.digests.active()) == []
        insert(world, time_, new(time_, 0))
        assert [partition for partition, _ in world.log.digests.active()] == [ORG]


def test_a_batch_of_history_has_few_marks_and_they_cover_all_of_it(
    world: World, time_: Clock
) -> None:
    hour = clock.HOUR
    ages = [hour * n + 1 for n in (1, 2, 3, 100, 101, 900, 901, 2_000, 9_000, 9_001)]
    late = new(time_, *ages, 0, 9 * clock.MINUTE)
    insert(world, time_, late)
    marks = world.log.digests.all_marks(ORG, most=100)
    assert len(marks) == 4
    for each in late[:-2]:
        assert sum(m.span.first <= each.record.id < m.span.end for m in marks) == 1
    for each in late[-2:]:
        assert not any(m.span.first <= each.record.id < m.span.end for m in marks)
    insert(world, time_, new(time_, *range(11 * clock.MINUTE, 12 * clock.MINUTE, clock.SECOND)))
    assert len(world.log.digests.all_marks(ORG, most=100)) == 5


class TestDigestsThatAreNotAsTheyShouldBe:
    @pytest.fixture
    def log(self, world: World, time_: Clock) -> list[str]:
        """Digested events, three of them ann's; her ids."""
        insert(world, time_, new(time_, *range(0, 70 * clock.SECOND, clock.SECOND)))
        hers = new(time_, 10 * clock.SECOND, 40 * clock.SECOND, 61 * clock.SECOND, **ANN)
        insert(world, time_, hers)
        time_.pass_(clock.HOUR)
        build(world, time_)
        assert world.log.digests.standing(ORG).segmented != "0"
        return ids(hers)

    def test_they_are_used_where_they_are_right(self, world: World, log: list[str]) -> None:
        answer = world.search(actor="ann", explain="true").json
        assert [each["id"] for each in answer["events"]] == log
        explained = answer["explain"]
        assert explained["blocks_skipped"] > 0
        assert explained["digests_used"] > 0
        assert explained["items"] < 40
        assert explained["bytes"] > 0
        assert explained["read_units"] > 0
        assert 2 <= explained["round_trips"] <= 10

    @pytest.mark.parametrize("kinds", [(BLOCK,), (SEGMENT,), (bucket_kind(0),), (BLOCK, SEGMENT)])
    def test_gone(self, world: World, log: list[str], kinds: tuple[str, ...]) -> None:
        digests = world.log.digests
        every = [k for k in kinds if not k.startswith("terms")]
        if len(every) < len(kinds):
            every += map(bucket_kind, range(digest.BUCKETS))
        for kind in every:
            firsts = [s.span.first for s in digests.digests(ORG, kind, EVERYTHING)]
            digests.remove(ORG, kind, firsts[::2])
        assert found(world, FOR_ANN) == log
        assert len(found(world, {"type": ["repo"]})) == 73

    def test_of_another_version(
        self, world: World, log: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(digest, "VERSION", digest.VERSION + 1)
        assert found(world, FOR_ANN) == log
        assert world.log.digests.standing(ORG) == Standing()

    def test_damaged(self, world: World, log: list[str]) -> None:
        digests = world.log.digests
        for kind in (BLOCK, SEGMENT, *map(bucket_kind, range(digest.BUCKETS))):
            damaged = [
                (kind, Stored(s.span, s.at, b"?")) for s in digests.digests(ORG, kind, EVERYTHING)
            ]
            digests.put(ORG, damaged)
        assert found(world, FOR_ANN) == log

    def test_all_of_them_gone_and_built_again(
        self, world: World, log: list[str], time_: Clock
    ) -> None:
        for row in world.rows(world.digests_table):
            world.dynamodb.delete_item(
                TableName=world.digests_table, Key={name: row[name] for name in ("pk", "sk")}
            )
        assert found(world, FOR_ANN) == log
        insert(world, time_, new(time_, 0))
        time_.pass_(clock.HOUR)
        seal.handler.handler(sample("triggers/schedule-seal"), LONG)
        assert world.log.digests.standing(ORG).segmented != "0"
        assert found(world, FOR_ANN) == log

    def test_more_marks_than_can_be_read(self, world: World, log: list[str]) -> None:
        span = Span(log[-1], log[0])
        row = {"pk": {"S": f"mark/{ORG}"}, "x": {"S": "x" * 300_000}}
        for number in range(5):
            sk = {"S": f"{span.first}/{span.end}/{number}"}
            world.dynamodb.put_item(TableName=world.digests_table, Item=row | {"sk": sk})
        assert found(world, FOR_ANN) == log


class TestABuilderThatEnds:
    @pytest.mark.parametrize("after", [*range(12), *range(12, 40, 4)])
    def test_anywhere_is_taken_up_by_the_next(self, world: World, time_: Clock, after: int) -> None:
        insert(world, time_, new(time_, *range(0, 50 * clock.SECOND, clock.SECOND)))
        time_.pass_(clock.HOUR)
        build(world, time_)
        late = new(time_, clock.HOUR + 7 * clock.SECOND, clock.HOUR + 33 * clock.SECOND, **ANN)
        insert(world, time_, late)
        insert(world, time_, new(time_, *range(0, 50 * clock.SECOND, clock.SECOND)))
        time_.pass_(clock.HOUR)
        ending = store(world, time_)
        count = itertools.count()

        def end() -> None:
            if next(count) >= after:
                raise _EndedError

        ending.digests._client = watched(world, "batch_write_item", end, "update_item")
        try:
            Builder(ORG, ending, time_.now, lambda: False).run()
        except _EndedError:
            assert found(world, FOR_ANN) == ids(late)
            assert len(found(world, {"type": ["repo"]})) == 102
        for _ in range(4):
            time_.pass_(5 * clock.MINUTE)
            build(world, time_)
        assert world.log.digests.all_marks(ORG, most=10) == []
        assert found(world, FOR_ANN) == ids(late)
        assert len(found(world, {"type": ["repo"]})) == 102

    def test_two_at_once_keep_out_of_each_others_way(self, world: World, time_: Clock) -> None:
        digests = world.log.digests
        assert digests.take(ORG, time_.now, time_.now + digest.MAX_RUN)
        assert not digests.take(ORG, time_.now, time_.now + digest.MAX_RUN)
        insert(world, time_, new(time_, 0))
        time_.pass_(clock.SECOND)
        skipped = seal.handler.handler(sample("triggers/schedule-seal"), LONG)
        assert skipped["partitions"] == 0
        time_.pass_(digest.MAX_RUN)
        assert seal.handler.handler(sample("triggers/schedule-seal"), LONG)["partitions"] == 1
        assert digests.take(ORG, time_.now, time_.now + digest.MAX_RUN)


class _EndedError(Exception):
    """The builder's process ended."""


def run() -> dict[str, int]:
    return seal.handler.handler(sample("triggers/schedule-seal"), LONG)


def test_what_is_read_to_be_relied_on_is_read_with_strong_consistency(
    world: World, time_: Clock
) -> None:
    insert(world, time_, new(time_, *range(0, 40 * clock.SECOND, clock.SECOND)))
    time_.pass_(clock.HOUR)
    asked: list[dict[str, Any]] = []

    class Noting:
        def query(self, **arguments: Any) -> Any:
            asked.append(arguments)
            return world.dynamodb.query(**arguments)

        def __getattr__(self, name: str) -> Any:
            return getattr(world.dynamodb, name)

    client: Any = Noting()
    events = EventStore(client, world.events_table, world.digests_table)
    Builder(ORG, events, time_.now, lambda: False).run()
    of_events = [each for each in asked if each["TableName"] == world.events_table]
    assert of_events
    assert all(each["ConsistentRead"] for each in of_events)
    asked.clear()
    wanted = filters.parse(FOR_ANN, CATALOG, hidden_by_default=True)
    asked_for = plan.page(ACME.layout, wanted, plan.span_of(wanted, 0), order="desc", limit=7)
    Reader(events).run(asked_for)
    marks = [e for e in asked if e["ExpressionAttributeValues"][":pk"]["S"] == f"mark/{ORG}"]
    assert [each["ConsistentRead"] for each in marks] == [True]


def test_a_mark_that_begins_before_the_range_of_a_search_counts(world: World, time_: Clock) -> None:
    minute = clock.MINUTE
    insert(world, time_, new(time_, *range(0, 60 * minute, minute)))
    start = time_.now
    time_.pass_(3 * clock.HOUR)
    build(world, time_)
    late = new(time_, *(time_.now - start + age * minute for age in (55, 30, 5)), **ANN)
    insert(world, time_, late)
    assert len(world.log.digests.all_marks(ORG, most=9)) == 1
    since = clock.text(start - 40 * minute)
    until = clock.text(start - 10 * minute)
    for _ in range(8):
        assert found(world, {**FOR_ANN, "since": [since], "until": [until]}) == [late[1].record.id]
        time_.pass_(5 * minute)
        build(world, time_)


def test_a_clock_that_is_stuck_does_not_pile_up_marks(world: World, time_: Clock) -> None:
    insert(world, time_, new(time_, *range(0, 40 * clock.SECOND, clock.SECOND)))
    stuck = time_.now - 7 * clock.SECOND
    time_.pass_(clock.HOUR)
    build(world, time_)
    hers: list[NewEvent] = []
    most = 0
    for _ in range(30):
        hers += new(time_, time_.now - stuck, **ANN)
        insert(world, time_, hers[-1:])
        time_.pass_(4 * clock.MINUTE)
        build(world, time_)
        most = max(most, len(world.log.digests.all_marks(ORG, most=100)))
    assert most < 16
    assert found(world, FOR_ANN) == ids(hers)


def test_that_an_org_is_active_is_remembered_once(world: World, time_: Clock) -> None:
    for _ in range(10):
        insert(world, time_, new(time_, 0))
        time_.pass_(6 * clock.MINUTE)
        run()
    rows = [row for row in world.rows(world.digests_table) if row["pk"]["S"] == "active"]
    assert len(rows) == 1


def test_none_waits_for_ever_behind_others_that_use_their_time(
    world: World, time_: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["big#0", "big#1", "big#2", "big#3", "small"]
    world.log.digests.say_active(names, time_.now)
    had_turns: set[str] = set()
    moments = itertools.count(0, 100)
    monkeypatch.setattr(clock, "monotonic", lambda: next(moments))

    def busy_run(builder: Builder) -> bool:
        had_turns.add(builder.partition)
        raise OutOfTime

    monkeypatch.setattr(Builder, "run", busy_run)
    for _ in range(10):
        run()
        time_.pass_(5 * clock.MINUTE)
    assert had_turns == set(names)


def test_one_that_is_broken_does_not_keep_the_others(world: World, time_: Clock) -> None:
    for partition in ("a", "z"):
        for one in new(time_, *range(0, 20 * clock.SECOND, clock.SECOND)):
            insert(world, time_, [dataclasses.replace(one, partition=partition)])
    row = next(row for row in world.rows() if row["pk"]["S"] == "a")
    broken = {**row, "r": {"B": b"\xff?"}}
    world.dynamodb.put_item(TableName=world.events_table, Item=broken)
    time_.pass_(clock.HOUR)
    for _ in range(2):
        assert run()["failed"] == 1
        time_.pass_(5 * clock.MINUTE)
    assert world.log.digests.standing("a").sealed == "0"
    assert world.log.digests.standing("z").sealed != "0"


def test_several_orgs_side_by_side_and_shards(world: World, time_: Clock) -> None:
    world.org("other")
    for org in (ORG, "other"):
        made = (an_event(occurred_at=clock.text(time_.now - n)) for n in range(90))
        rules = Rules(CATALOG, org, None, time_.now)
        records = [event.admit(each, rules, b"s") for each in made]
        layout = Org(org, None, 0, ((0, 2),) if org == "other" else ((0, 1),))
        insert(world, time_, intake.new_events(records, layout, time_.now))
    time_.pass_(clock.HOUR)
    done = seal.handler.handler(sample("triggers/schedule-seal"), LONG)
    assert done["partitions"] == 3
    for partition in (ORG, "other#0", "other#1"):
        assert world.log.digests.standing(partition).sealed != "0"


def test_retention_takes_the_digests_along(world: World, time_: Clock) -> None:
    insert(world, time_, new(time_, *range(0, 40 * clock.SECOND, clock.SECOND)))
    time_.pass_(clock.HOUR)
    build(world, time_)
    digests = world.log.digests
    digests.remove_before(ORG, digests.digests(ORG, BLOCK, EVERYTHING)[1].span.end)
    assert len(digests.digests(ORG, BLOCK, EVERYTHING)) == 2
    assert len(digests.digests(ORG, SEGMENT, EVERYTHING)) == 1
    digests.remove_before(ORG, "w")
    for kind in (BLOCK, BLOCK_COUNTS, SEGMENT, SEGMENT_COUNTS, bucket_kind(7)):
        assert digests.digests(ORG, kind, EVERYTHING) == []
    assert len(found(world, {})) == 40
