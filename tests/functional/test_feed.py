"""The events of a stretch of the log, as an export reads them: each once, in order, in time."""

import dataclasses
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from auditlog import canonical, clock, filters
from auditlog.answers import Entry
from auditlog.catalog import Catalog
from auditlog.errors import DamagedRecordError, StoreError, UnavailableError
from auditlog.event import NewEvent, Record, Rules, admit
from auditlog.filters import Filter
from auditlog.layout import MAX_SHARDS, Layout
from auditlog.reads import EventsRead
from auditlog.reads import Rows as ReadRows
from auditlog.span import BEGIN, END, EVERYTHING, Span, just_above
from auditlog.store.events import EventStore
from auditlog.store.meter import METER
from auditlog.store.reader import Reader
from auditlog.store.rows import Row, RowStore
from export import feed, patience
from export.feed import Batch, Feed
from tests.functional.conftest import ORG, Watched, World, an_event

CATALOG = Catalog.default()
NOON = clock.parse("2026-06-02T12:00:00Z")
RULES = Rules(CATALOG, ORG, None, NOON + clock.DAY)
LAYOUTS = {
    "one": ((0, 1),),
    "three": ((0, 3),),
    "sixteen": ((0, 16),),
    "changing": (
        (0, 1),
        (NOON - clock.HOUR, 16),
        (NOON, 3),
        (NOON + clock.MINUTE, 2),  # an era without an event
        (NOON + clock.MINUTE + 1, 3),
        (NOON + clock.HOUR, 1),
    ),
}


def asks(**given: list[str]) -> Filter:
    return filters.parse(given, CATALOG, hidden_by_default=False)


WHOLE = asks()
FILTERS: dict[str, tuple[Filter, Callable[[Record], bool]]] = {
    "the whole log": (WHOLE, lambda _: True),
    "a type": (asks(type=["repo.create"]), lambda r: r.type == "repo.create"),
    "an actor": (asks(actor=["bob"]), lambda r: b'"id":"bob"' in r.data),
    "nobody": (asks(actor=["nobody"]), lambda _: False),
    "nothing hidden": (asks(include_hidden=["false"]), lambda r: r.type not in HIDDEN),
}
HIDDEN = asks(include_hidden=["false"]).hidden


class Rows(RowStore):
    """Pages of so many rows at most; `before` is called before each."""

    def __init__(
        self, world: World, most: int, before: Callable[[], object] = lambda: None
    ) -> None:
        super().__init__(world.log_rows, world.events_table)
        self.most, self.before = most, before

    def page(self, partition: str, span: Span, count: int = 0) -> tuple[list[Row], bool]:
        self.before()
        return super().page(partition, span, min(count, self.most))


@dataclasses.dataclass
class Log:
    """A log of a layout, and what was put into it."""

    world: World
    layout: Layout
    threads: ThreadPoolExecutor
    events: list[NewEvent] = dataclasses.field(default_factory=list[NewEvent])

    def put(self, *events: dict[str, Any]) -> None:
        for number, event in enumerate(events):
            record = admit(event, RULES, b"secret")
            partition = self.layout.partition(record.id)
            self.events.append(NewEvent(partition, record, NOON + number, None))
        self.world.log.insert(self.events, deadline=clock.monotonic() + 20)
        self.events.sort(key=lambda each: each.record.id)

    @property
    def ids(self) -> list[str]:
        return [each.record.id for each in self.events]

    def expected(
        self, span: Span = EVERYTHING, take: Callable[[Record], bool] = lambda _: True
    ) -> list[Entry]:
        return [
            (each.record.id, str(each.recorded_at), each.record.data, each.record.described)
            for each in self.events
            if span.first <= each.record.id < span.end and take(each.record)
        ]

    def read(
        self,
        wanted: Filter = WHOLE,
        span: Span = EVERYTHING,
        *,
        rows: RowStore | None = None,
        events: EventStore | None = None,
        alive: Callable[[], None] = lambda: None,
    ) -> Iterator[Batch]:
        rows = rows or RowStore(self.world.log_rows, self.world.events_table)
        reader = Reader(events or self.world.log, consistent=True)
        return Feed(rows, reader, self.threads, alive).read(self.layout, wanted, span)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(MAX_SHARDS) as pool:
        yield pool


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "_FIRST_WAIT", 0.0001)
    monkeypatch.setattr(patience, "_LONGEST_WAIT", 0.0001)


def uneven(seed: str, count: int = 120) -> Iterator[dict[str, Any]]:
    """Events that come in bursts, many at once, some alone; around every change of a layout.

    The same for the same seed, in every run.
    """
    chance = random.Random(seed)
    at = NOON - 2 * clock.HOUR
    for number in range(count):
        at += chance.choice([0, 0, 0, 1, 1, clock.SECOND, 8 * clock.MINUTE])
        moment = at if number % 10 else NOON + chance.choice([-clock.HOUR, 0, clock.HOUR]) - 1
        yield an_event(
            key=f"{seed} {number}",  # the id is of the content, and the partition of the id
            occurred_at=clock.text(moment + number % 2),
            type=chance.choice(["repo.create", "org.invite.accept", "org.audit_log.export"]),
            actor={"id": chance.choice(["ada", "ada", "bob"])},
            description=chance.choice([None, "said"]),
        )


@pytest.fixture
def log(world: World, threads: ThreadPoolExecutor) -> Log:
    """One partition, and so many events that their number says something."""
    made = Log(world, Layout(ORG), threads)
    made.put(*uneven("one", 40))
    return made


def is_all(batches: Sequence[Batch], expected: Sequence[Entry], span: Span = EVERYTHING) -> None:
    """Whether each event came once, in order, and `reached` said what had come by then."""
    entries = [entry for batch in batches for entry in batch.entries]
    assert entries == expected
    reached = [batch.reached for batch in batches]
    assert reached == sorted(reached)
    assert reached[-1] == span.end
    came = 0
    for batch in batches:
        came += len(batch.entries)
        assert [e[0] for e in entries[:came]] == [e[0] for e in expected if e[0] < batch.reached]


# -- what comes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shards", LAYOUTS.values(), ids=list(LAYOUTS))
def test_every_event_comes_once_and_in_order_whatever_the_pages_are(
    world: World,
    threads: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
    shards: tuple[tuple[int, int], ...],
) -> None:
    log = Log(world, Layout(ORG, shards), threads)
    log.put(*uneven(str(shards)))
    ids = log.ids
    part, begun, none = Span(ids[20], ids[-20]), Span(just_above(ids[70]), END), Span(BEGIN, ids[0])
    tried = [("the whole log", most, EVERYTHING) for most in (1, 7, 4_000)]
    tried += [("the whole log", 7, span) for span in (part, begun, none)]
    tried += [("an actor", 30, span) for span in (EVERYTHING, part, none)]
    tried += [(name, 4_000, EVERYTHING) for name in FILTERS]
    for name, most, span in tried:
        monkeypatch.setattr(feed, "_PER_PAGE", min(most, 999))
        monkeypatch.setattr(feed, "_BATCH_BYTES", 700 * most)
        wanted, take = FILTERS[name]
        batches = list(log.read(wanted, span, rows=Rows(world, most)))
        is_all(batches, log.expected(span, take), span)
        assert max(len(batch.entries) for batch in batches) <= most * MAX_SHARDS
    assert {each.partition for each in log.events} <= set(log.layout.partitions)
    assert len({each.partition for each in log.events}) >= max(n for _, n in shards)


def test_a_log_without_an_event_is_read_to_its_end(
    world: World, threads: ThreadPoolExecutor
) -> None:
    for shards in LAYOUTS.values():
        for asked in ("the whole log", "an actor"):
            log = Log(world, Layout(ORG, shards), threads)
            is_all(list(log.read(FILTERS[asked][0])), [])


def test_what_it_says_that_it_took_is_what_the_table_charged(
    world: World, threads: ThreadPoolExecutor
) -> None:
    for shards in (1, 4):
        log = Log(world, Layout(f"org{shards}", ((0, shards),)), threads)
        log.put(*uneven(f"units {shards}"))
        before = METER.spent
        spent = sum(batch.units for batch in log.read(rows=Rows(world, 20)))
        assert spent * shards == pytest.approx(METER.spent.since(before).read, rel=0.2)


@pytest.mark.parametrize("shards", [1, 3])
def test_batches_are_a_megabyte_however_far_records_inflate(
    world: World, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, shards: int
) -> None:
    log = Log(world, Layout(ORG, ((0, shards),)), threads)
    large = 200_000
    log.put(
        *(
            an_event(occurred_at=clock.text(NOON + n % 5), metadata={"x": f"{n % 10}" * large})
            for n in range(30)
        )
    )
    stored = [row["r"]["B"] for row in world.rows()]
    assert max(map(len, stored)) * 100 < large
    unpacked: list[int] = []
    unpack = canonical.unpack

    def counted(stored: bytes) -> bytes:
        unpacked.append(len(stored))
        return unpack(stored)

    monkeypatch.setattr(canonical, "unpack", counted)
    batches: list[Batch] = []
    for batch in log.read():
        batches.append(batch)
        # Nothing is unpacked before it is somebody's turn.
        assert len(unpacked) == sum(len(each.entries) for each in batches)
    sizes = [sum(len(entry[2]) for entry in batch.entries) for batch in batches]
    assert max(sizes) <= 1024 * 1024 + large + 1_000
    assert min(sizes[:-1]) > 1024 * 1024
    is_all(batches, log.expected())


def test_a_record_that_cannot_be_unpacked_ends_it(log: Log) -> None:
    row = log.world.rows()[20]
    row["r"] = {"B": row["r"]["B"][:-9]}
    log.world.dynamodb.put_item(TableName=log.world.events_table, Item=row)
    for wanted in (WHOLE, asks(actor=["ada", "bob"])):
        with pytest.raises(DamagedRecordError):
            list(log.read(wanted))


def test_a_row_that_lacks_something_ends_it(log: Log) -> None:
    for missing in ("at", "r"):
        whole = log.world.rows()[20]
        row = {name: value for name, value in whole.items() if name != missing}
        log.world.dynamodb.put_item(TableName=log.world.events_table, Item=row)
        with pytest.raises(AttributeError):
            list(log.read(rows=Rows(log.world, 7)))
        log.world.dynamodb.put_item(TableName=log.world.events_table, Item=whole)


# -- a busy table -------------------------------------------------------------------------------


def fault(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "Query")


@dataclasses.dataclass
class Broken:
    """How a log is read whose table does not answer some of the Queries."""

    log: Log
    is_refused: Callable[[int], bool]
    code: str = "ThrottlingException"

    def __post_init__(self) -> None:
        self.watched = Watched(self.log.world.log_rows, self._fault)
        self.slow_way = Watched(self.log.world.dynamodb, self._fault)

    def _fault(self, _name: str, number: int, call: Callable[[], Any]) -> Any:
        if self.is_refused(number):
            raise fault(self.code)
        return call()

    @property
    def calls(self) -> int:
        return len(self.watched.calls) + len(self.slow_way.calls)

    def read(self, wanted: Filter) -> Iterator[Batch]:
        world: World = self.log.world
        rows = Rows(dataclasses.replace(world, log_rows=self.watched), 7)
        # The filters here have no digests to look at: how the table of those stands is not asked.
        events = EventStore(self._only_events(world), world.events_table, world.digests_table)
        return self.log.read(wanted, rows=rows, events=events)

    def _only_events(self, world: World) -> Any:
        sound, broken = world.dynamodb, self.slow_way

        class Client:
            def query(self, **arguments: Any) -> Any:
                client: Any = broken if arguments["TableName"] == world.events_table else sound
                return client.query(**arguments)

            def __getattr__(self, name: str) -> Any:
                return getattr(sound, name)

        return Client()


ASKED = pytest.mark.parametrize("asked", ["the whole log", "an actor"])


@ASKED
def test_a_busy_table_is_asked_again_until_all_has_come(
    log: Log, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setattr(feed, "_PER_PAGE", 4)
    wanted, take = FILTERS[asked]
    broken = Broken(log, lambda number: number % 6 < 3)
    is_all(list(broken.read(wanted)), log.expected(take=take))
    assert broken.calls > 6


@ASKED
@pytest.mark.parametrize("sound", [0, 2])
def test_a_table_that_stays_busy_ends_it(
    log: Log, monkeypatch: pytest.MonkeyPatch, asked: str, sound: int
) -> None:
    monkeypatch.setattr(feed, "_PER_PAGE", 4)
    broken = Broken(log, lambda number: number >= sound)
    with pytest.raises(UnavailableError):
        list(broken.read(FILTERS[asked][0]))
    assert broken.calls == sound + 9


@ASKED
def test_a_table_that_refuses_is_not_asked_again(log: Log, asked: str) -> None:
    broken = Broken(log, lambda number: number == 0, "AccessDeniedException")
    with pytest.raises(StoreError):
        list(broken.read(FILTERS[asked][0]))
    assert broken.calls == 1


# -- while a page does not come -----------------------------------------------------------------


class Held:
    """A store that gives `sound` pages, and the next when it is let go."""

    def __init__(self, log: Log, sound: int) -> None:
        self.rows = Rows(log.world, 7, self._wait)
        self.waits = threading.Event()
        self._sound = threading.Semaphore(sound)
        self._gone = threading.Event()

    def _wait(self) -> None:
        if not self._sound.acquire(blocking=False):
            self.waits.set()
            assert self._gone.wait(10)

    def let_go(self) -> None:
        self._gone.set()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "_LOOK_EVERY", 0.002)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("sound", [0, 2])
def test_it_shows_that_it_is_alive_while_a_page_does_not_come(log: Log, sound: int) -> None:
    held = Held(log, sound)
    looks: list[None] = []

    def alive() -> None:
        if held.waits.is_set():
            looks.append(None)
        if len(looks) == 5:
            held.let_go()

    is_all(list(log.read(rows=held.rows, alive=alive)), log.expected())
    assert len(looks) >= 5


class StoppedError(Exception):
    """Nobody wants it any more."""


@pytest.mark.usefixtures("impatient")
def test_what_is_raised_while_it_waits_ends_it(log: Log) -> None:
    held = Held(log, 2)

    def alive() -> None:
        if held.waits.is_set():
            raise StoppedError

    came: list[Entry] = []

    def read() -> None:
        for batch in log.read(rows=held.rows, alive=alive):
            came.extend(batch.entries)

    try:
        with pytest.raises(StoppedError):
            read()
        assert came == log.expected()[:14]
    finally:
        held.let_go()


def test_it_does_not_look_up_where_pages_come_at_once(log: Log) -> None:
    def alive() -> None:
        raise StoppedError

    is_all(list(log.read(rows=Rows(log.world, 7), alive=alive)), log.expected())


def test_the_next_page_is_asked_for_while_one_is_worked_on(log: Log) -> None:
    asked = threading.Semaphore(0)
    batches = log.read(rows=Rows(log.world, 7, asked.release))
    came = [next(batches)]
    assert [entry[0] for entry in came[0].entries] == log.ids[:7]
    assert asked.acquire(timeout=5)
    assert asked.acquire(timeout=5)
    # And none after that, which would have to be kept.
    assert not asked.acquire(timeout=0.05)
    is_all([*came, *batches], log.expected())


# -- what a filter asks for ---------------------------------------------------------------------


class Slow(EventStore):
    """Reads of events that last until somebody has shown `enough` times that he is alive."""

    def __init__(self, world: World, enough: threading.Event) -> None:
        super().__init__(world.dynamodb, world.events_table, world.digests_table)
        self.enough, self.waited = enough, threading.Event()

    def rows(self, read: EventsRead, *, consistent: bool = False) -> ReadRows:
        self.waited.set()
        self.enough.wait(2)
        return super().rows(read, consistent=consistent)


@pytest.mark.usefixtures("impatient")
def test_it_shows_that_it_is_alive_while_a_filter_looks_for_what_it_asks(log: Log) -> None:
    enough = threading.Event()
    slow = Slow(log.world, enough)
    looks: list[None] = []

    def alive() -> None:
        if slow.waited.is_set():
            looks.append(None)
        if len(looks) == 5:
            enough.set()

    wanted, take = FILTERS["an actor"]
    is_all(list(log.read(wanted, events=slow, alive=alive)), log.expected(take=take))
    assert len(looks) >= 5


def test_what_a_filter_takes_is_not_read_again_and_again_however_far_it_inflates(
    world: World, threads: ThreadPoolExecutor
) -> None:
    """A page of an HTTP answer holds few large events; an export goes on with what was read."""
    log = Log(world, Layout(ORG), threads)
    made = (
        an_event(occurred_at=clock.text(NOON + n), metadata={"x": f"{n % 10}" * 200_000})
        for n in range(120)
    )
    log.put(*made)
    wanted, _ = FILTERS["a type"]
    before = METER.spent
    batches = list(log.read(wanted))
    spent = METER.spent.since(before).read
    is_all(batches, log.expected())
    before = METER.spent
    list(log.read(rows=RowStore(world.log_rows, world.events_table)))
    assert spent <= 3 * METER.spent.since(before).read + 10
