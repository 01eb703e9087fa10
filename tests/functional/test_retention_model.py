"""Retention against a model: random policies, holds, late events, clocks, crashes and changes.

DynamoDB is one in memory for most lives, since they make thousands of calls, and
dynoxide's for some. Neither has a TTL: the model plays it, with any part of what it
may delete, as late or as early as it may be.
"""

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from auditlog import bootstrap, clock, intake, trail
from auditlog.catalog import Catalog
from auditlog.errors import ConflictError, UnavailableError
from auditlog.event import InvalidEventError, NewEvent, Record, admit, id_time
from auditlog.orgs import Org
from auditlog.policy import Policy
from auditlog.purges import Progress, Purge, Step
from auditlog.retention import TTL_PATIENCE
from auditlog.span import Span
from auditlog.store.control import ControlStore
from auditlog.store.digests import DigestStore
from auditlog.store.erasures import ErasureStore
from auditlog.store.events import EventStore
from auditlog.store.expiries import Carried, ExpiryStore
from auditlog.store.retention import RetentionStore
from retain.case import Stores
from retain.purge import line
from retain.run import LEASE, Told, run
from tests import budget
from tests.functional.conftest import World, an_event
from tests.functional.memory_dynamodb import MemoryDynamoDB

START = clock.parse("2026-01-15T10:20:30Z")
CATALOG = Catalog.default()
MINUTE, HOUR, DAY = clock.MINUTE, clock.HOUR, clock.DAY
#: TTL's clock is ahead of ours by this.
AHEAD = 4 * MINUTE
RETENTIONS = [None, 1, 2, 5, 30, 90]

_names = itertools.count(1)


class CrashError(Exception):
    """The process dies."""


@dataclass
class Client:
    """A client to which something happens around some of its calls; each takes time."""

    sound: Any
    tick: Callable[[int], None]
    happens: dict[int, Callable[[Callable[[], Any]], Any]] = field(default_factory=dict)
    calls: int = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.sound, name)

        def called(**arguments: Any) -> Any:
            self.calls += 1
            self.tick(30_000)
            happening = self.happens.get(self.calls)
            return happening(lambda: method(**arguments)) if happening else method(**arguments)

        return called


class SmallPages(ExpiryStore):
    """Reads few rows at a time, so that there are many calls between which things happen."""

    def rows(self, partitions: Iterable[str], span: Span, *, page: int = 4) -> Iterator[Carried]:
        return super().rows(partitions, span, page=page)


class Watching(RetentionStore):
    """Remembers every purge that came to its end."""

    ended: list[Purge]
    before: dict[str, Progress]

    def save(self, progress: Progress, lease: int) -> None:
        super().save(progress, lease)
        self._see(progress)

    def take(self, org: str, now: int, until: int) -> Progress | None:
        taken = super().take(org, now, until)
        if taken is not None:
            self._see(taken)  # whoever had it before may have died right after it was saved
        return taken

    def _see(self, progress: Progress) -> None:
        had = self.before.get(progress.org, progress)
        if progress.recorded_to > had.recorded_to:
            assert progress.purges == had.purges[1:]
            self.ended.append(had.purges[0])
        self.before[progress.org] = progress


class Log:
    """One org, what was acknowledged of it, and what has to be true of it at any time."""

    def __init__(
        self, world: World, days: int | None, shards: tuple[tuple[int, int], ...], seed: int
    ) -> None:
        self.world, self.now, self.random = world, START, random.Random(seed)
        self.name = f"org{next(_names)}"
        org, minted = bootstrap.new_org(self.name, retention_days=days, now=START - 400 * DAY)
        world.control.create_org(replace(org, shards=shards), minted.key)
        self.ever: set[str] = set()
        self.acknowledged: set[str] = set()
        self.there: set[str] = set()
        self.in_flight: list[tuple[int, list[NewEvent]]] = []
        self.recorded: dict[str, dict[str, Any]] = {}
        self.ended: list[Purge] = []
        self.progress: dict[str, Progress] = {}
        self.purged_before = self.purged_at = 0
        self.deleted = 0

    @property
    def org(self) -> Org:
        found = self.world.control.org(self.name)
        assert found is not None
        return found

    @property
    def policy(self) -> Policy:
        return self.org.policy

    def tick(self, microseconds: int) -> None:
        self.now += microseconds

    # -- what happens -----------------------------------------------------------------------

    def publish(self, ages: list[int], delay: int, *, stays: bool = False) -> None:
        """Publish events so old, which were sent some time ago; `stays`: written only later."""
        org, taken = self.org, list[Any]()
        rules = intake.rules(org, CATALOG, judged_at=self.now - delay, now=self.now)
        for age in ages:
            moment = clock.text(max(0, self.now - age))
            try:
                taken.append(admit(self.event(moment), rules, b"secret"))
            except InvalidEventError:
                continue
        new = intake.new_events(self.as_stored(taken, self.now - delay), org, self.now - delay)
        if stays:
            self.in_flight.append((self.now, new))
        else:
            self._insert(new)

    def event(self, moment: str) -> dict[str, Any]:
        """What is published of a moment."""
        return an_event(occurred_at=moment)

    def as_stored(self, records: list[Record], _recorded_at: int) -> list[Record]:
        """The records as their writers store them."""
        return records

    def publish_at_the_edge(self, offset: int, delay: int, *, stays: bool = False) -> None:
        """Publish what is only just taken, after so long a way."""
        policy = self.policy
        judged_at = self.now - delay
        kept = policy.retention_days
        oldest = 0 if kept is None else judged_at - kept * DAY
        edge = max(oldest, policy.refused_before(self.now)) + offset
        self.publish([self.now - edge], delay, stays=stays)

    def _insert(self, new: list[NewEvent]) -> None:
        if not new:
            return
        store = EventStore(
            self.world.dynamodb, self.world.events_table, self.world.digests_table,
            now=lambda: self.now,
        )  # fmt: skip
        store.insert(new, deadline=clock.monotonic() + 30)
        ids = {each.record.id for each in new}
        self.ever |= ids
        self.acknowledged |= ids

    def land(self) -> None:
        """Whoever was writing is done, a minute after it began at the latest."""
        while self.in_flight:
            _, new = self.in_flight.pop(0)
            self._insert(new)

    def wait(self, microseconds: int) -> None:
        if microseconds >= MINUTE or any(at + MINUTE < self.now for at, _ in self.in_flight):
            self.land()
        self.now += microseconds

    def change(self, days: int | None, *, hold: bool) -> None:
        for _ in range(5):
            org = self.org
            try:
                policy = org.policy.changed(
                    retention_days=days, hold_reason="a reason" if hold else None, now=self.now
                )
            except ValueError:
                return
            assert policy.purged_at(self.now) >= org.policy.purged_at(self.now)
            assert policy.purged_before >= org.policy.purged_before
            try:
                self.world.control.save_org(org.under(policy))
            except ConflictError:
                continue
            return

    def expire(self, share: float) -> None:
        """DynamoDB deletes some of what has expired."""
        client, table = self.world.dynamodb, self.world.events_table
        for row in self._rows():
            due = row.expires_at is not None and row.expires_at * clock.SECOND <= self.now + AHEAD
            if due and self.random.random() < share:
                client.delete_item(
                    TableName=table, Key={"pk": {"S": row.partition}, "sk": {"S": row.id}}
                )

    def run(
        self,
        happens: dict[int, Callable[[Callable[[], Any]], Any]] | None = None,
        *,
        calls: int = 10_000,
        saved_every: int = 5_000,
    ) -> Told | None:
        """One run, with what happens at which of its calls, and time for so many."""
        client = Client(self.world.dynamodb, self.tick, happens or {})
        progress = Watching(client, self.world.control_table)  # type: ignore[arg-type]
        progress.ended, progress.before = self.ended, self.progress
        stores = Stores(
            control=ControlStore(client, self.world.control_table),  # type: ignore[arg-type]
            log=SmallPages(client, self.world.events_table, sleep=lambda _: None),  # type: ignore[arg-type]
            digests=DigestStore(client, self.world.digests_table),  # type: ignore[arg-type]
            progress=progress,
            erasures=ErasureStore(client, self.world.control_table),  # type: ignore[arg-type]
            record=self._record,
            deadline=calls,
            now=lambda: self.now,
            monotonic=lambda: client.calls,
            saved_every=saved_every,
        )
        told = run(self.org, stores)
        self.deleted += 0 if told is None else told.deleted
        return told

    def _record(self, entry: trail.Entry, org: Org) -> None:
        assert entry.type == trail.PURGE
        said = dict(entry.metadata)
        assert self.recorded.setdefault(entry.key, said) == said
        trail.record(entry, org, CATALOG)
        self.ever |= {row.id for row in self._rows()}

    # -- what has to be true ----------------------------------------------------------------

    def _rows(self) -> list[Carried]:
        store = ExpiryStore(self.world.dynamodb, self.world.events_table)
        return list(store.rows(self.org.layout.partitions, Span("0", "w")))

    def check(self) -> None:
        org, there = self.org, {row.id for row in self._rows()}
        policy = org.policy
        shown_from = policy.shown_from(self.now)
        missing = {i for i in self.ever - there if id_time(i) >= shown_from}
        assert not missing, f"gone, and to be shown: {sorted(map(id_time, missing))}, {shown_from}"
        assert policy.purged_before >= self.purged_before
        assert policy.purged_at(self.now) >= self.purged_at
        self.purged_before, self.purged_at = policy.purged_before, policy.purged_at(self.now)
        if self._is_kept(policy):
            assert self.there <= there, f"gone under a hold: {self.there - there}"
        for purge in (
            RetentionStore(self.world.dynamodb, self.world.control_table).get(self.name).purges
        ):
            if purge.step is Step.WAIT and purge.policy_at == policy.changed_at:
                # What was counted of stands: nothing comes to it any more.
                assert purge.until <= policy.refused_before(self.now)
        self.there = there if self._is_kept(policy) else set()

    def _is_kept(self, policy: Policy) -> bool:
        lost = any(each.lost_before(self.now) for each in policy.former)
        return policy.hold is not None and policy.hold.effective_at is not None and not lost

    def settle(self) -> None:
        """Let it come to rest, without TTL's help; then everything past its time is gone."""
        self.wait(LEASE)
        for _ in range(3):
            self.run()
            self.wait(15 * MINUTE)
            self.check()
        for _ in range(4):
            self.run()
            self.wait(13 * HOUR)
        told = self.run()
        assert told is None or told.is_whole
        assert told is None or told.overdue_since is None
        self.check()
        policy = self.policy
        if policy.hold is not None:
            assert policy.hold.effective_at is not None
        else:
            past = line(policy, self.now) - TTL_PATIENCE - HOUR
            left = [row for row in self._rows() if row.occurred_at < past]
            assert not left
        self.account()

    def account(self) -> None:
        """Every event that went is one of a purge that was recorded, or said to be incomplete."""
        progress = RetentionStore(self.world.dynamodb, self.world.control_table).get(self.name)
        ended = sorted(self.ended, key=lambda purge: purge.since)
        edges = [(purge.since, purge.until) for purge in ended]
        assert [since for since, _ in edges] == [0, *(until for _, until in edges)][: len(edges)]
        assert progress.recorded_to == max((until for _, until in edges), default=0)
        for purge in ended:
            went = len([i for i in self.ever if purge.since <= id_time(i) < purge.until])
            if purge.at_least:
                assert purge.events <= went
            else:
                assert purge.events == went, purge
            said = self.recorded.get(f"purge {purge.since} {purge.until}")
            assert (said is None) == (purge.events == 0)
            if said is not None:
                assert (said["events"], said.get("at_least", False)) == (
                    purge.events,
                    purge.at_least,
                )
        assert progress.removed == sum(said["events"] for said in self.recorded.values())


# -- random lives ---------------------------------------------------------------------------

waits = st.one_of(
    st.integers(1, 59).map(lambda n: n * clock.SECOND),
    st.integers(1, 59).map(lambda n: n * MINUTE),
    st.integers(1, 47).map(lambda n: n * HOUR),
)
outages = st.integers(1, 120).map(lambda n: n * DAY)
delays = st.one_of(st.just(0), st.integers(0, 20).map(lambda n: n * HOUR), st.integers(0, 31 * DAY))
ages = st.lists(
    st.one_of(st.integers(0, 20 * DAY), st.integers(0, 120 * DAY), st.integers(-15 * MINUTE, DAY)),
    min_size=1, max_size=40,
)  # fmt: skip
happenings = st.dictionaries(
    st.integers(1, 60),
    st.one_of(
        st.sampled_from(["crash", "crash after", "busy", "expire"]),
        st.tuples(st.sampled_from(RETENTIONS), st.booleans()),
    ),
    max_size=3,
)
regular = [
    st.tuples(st.just("publish"), ages, delays, st.booleans()),
    st.tuples(st.just("crowd"), st.integers(1, 3)),
    st.tuples(st.just("edge"), st.sampled_from([0, 1, MINUTE, HOUR, 5 * HOUR]), delays),
    st.tuples(st.just("wait"), waits),
    st.tuples(st.just("change"), st.sampled_from(RETENTIONS), st.booleans()),
    st.tuples(st.just("expire"), st.sampled_from([0.3, 1.0])),
    st.tuples(st.just("run"), happenings, st.sampled_from([5, 12, 30, 10_000]), st.integers(1, 40)),
    st.tuples(st.just("days"), st.integers(1, 9)),
    st.tuples(st.just("hours"), st.integers(2, 9)),
    st.tuples(st.just("held"), st.integers(0, 31 * DAY), st.sampled_from(RETENTIONS)),
    st.tuples(
        st.just("overlap"), st.integers(0, 31 * DAY), st.sampled_from(RETENTIONS), st.booleans()
    ),
    st.tuples(st.just("shorter"), st.sampled_from([1, 2, 5])),
    st.tuples(st.just("steady"), st.sampled_from([1, 2])),
]
lives = st.one_of(
    st.lists(st.one_of(regular), min_size=5, max_size=16),
    st.lists(st.one_of(*regular, st.tuples(st.just("wait"), outages)), min_size=1, max_size=16),
)
layouts = st.sampled_from([((0, 1),), ((0, 1),), ((0, 2),), ((0, 1), (START + 10 * DAY, 3))])


def happening(log: Log, what: Any) -> Callable[[Callable[[], Any]], Any]:
    def happen(call: Callable[[], Any]) -> Any:
        match what:
            case "crash":
                raise CrashError
            case "crash after":
                call()
                raise CrashError
            case "busy":
                raise ClientError({"Error": {"Code": "ThrottlingException"}}, "call")
            case "expire":
                log.expire(0.5)
            case (days, hold):
                log.change(days, hold=hold)
        return call()

    return happen


def run_disturbed(log: Log, happens: dict[int, Any], calls: int, saved_every: int) -> None:
    told = {number: happening(log, what) for number, what in happens.items()}
    try:
        log.run(told, calls=calls, saved_every=saved_every)
    except (CrashError, UnavailableError) as error:
        event(type(error).__name__)


def live(log: Log) -> None:
    """A run as they are: something may happen to it."""
    what = log.random.choice(["crash", "crash after", "busy", "expire", "nothing", "nothing"])
    calls = log.random.choice([6, 10_000, 10_000, 10_000])
    happens = {log.random.randrange(1, 16): what}
    run_disturbed(log, happens, calls, log.random.choice([1, 3, 10_000]))


def live_days(log: Log, number: int) -> None:
    for _ in range(number):
        log.wait(DAY)
        live(log)
    log.expire(0.5)


def live_hours(log: Log, number: int) -> None:
    """As it is in life: it runs all the time, and TTL goes on."""
    for _ in range(number):
        log.wait(45 * MINUTE)
        log.expire(0.5)
        live(log)


def crowd(log: Log, days: int) -> None:
    """Much of what is about to be due by the retention."""
    later = [log.random.randrange(6 * HOUR) for _ in range(40)]
    kept = log.policy.retention_days or 30
    log.publish([max(0, kept - days) * DAY + each for each in later], 0)


def held(log: Log, delay: int, days: int | None) -> None:
    """A hold that comes to be effective, what arrives late under it, and its end."""
    crowd(log, 0)
    log.change(log.policy.retention_days, hold=True)
    log.wait(15 * MINUTE)
    log.run()
    log.publish_at_the_edge(MINUTE, delay)
    log.check()
    for _ in range(3):
        log.wait(DAY)
        log.expire(1.0)
        log.check()
        live(log)
        log.wait(LEASE)
        live(log)
    log.change(days, hold=False)


def overlap(log: Log, delay: int, days: int | None, hold: bool) -> None:
    """Somebody writes by the settings of before a change, and a run is at once after it."""
    for number in range(3):
        log.publish_at_the_edge(number * HOUR, delay, stays=True)
    log.change(days, hold=hold)
    live(log)
    log.land()
    for _ in range(4):
        log.wait(20 * MINUTE)
        live(log)
    for _ in range(3):
        log.wait(DAY)
        log.expire(1.0)
        log.check()
        live(log)


def shorter(log: Log, days: int) -> None:
    """A log that TTL leaves alone for long, and then does not."""
    log.change(90, hold=False)
    log.publish([log.random.randrange(80 * DAY) for _ in range(40)], 0)
    log.wait(HOUR)
    log.run()
    log.change(days, hold=False)
    for _ in range(4):
        log.wait(20 * MINUTE)
        log.expire(1.0)
        live(log)


def steady(log: Log, days: int) -> None:
    """Events that come to their end while it runs all the time; some arrive as late as can be."""
    log.change(days, hold=False)
    log.wait(HOUR)
    log.publish([log.random.randrange(6 * HOUR) for _ in range(40)], 0)
    for _ in range(days + 6):
        log.wait(DAY)
        log.run()
    log.wait(17 * HOUR)
    for number in range(14):
        live(log)
        log.publish_at_the_edge(number * MINUTE, 20 * DAY)
        log.wait(40 * MINUTE)
        log.expire(1.0)
        log.check()


DO: dict[str, Callable[..., None]] = {
    "publish": lambda log, aged, delay, stays: log.publish(aged, delay, stays=stays),
    "edge": Log.publish_at_the_edge,
    "wait": Log.wait,
    "change": lambda log, days, hold: log.change(days, hold=hold),
    "expire": Log.expire,
    "run": run_disturbed,
    "days": live_days,
    "hours": live_hours,
    "crowd": crowd,
    "held": held,
    "overlap": overlap,
    "shorter": shorter,
    "steady": steady,
}


@pytest.fixture
def lived(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A deployment whose writers need not say that they are active."""
    monkeypatch.setattr(DigestStore, "say_active", lambda *_: None)
    monkeypatch.setattr(DigestStore, "mark", lambda *_: None)
    return world


LIFE: dict[str, Any] = {
    "days": st.sampled_from(RETENTIONS),
    "shards": layouts,
    "life": lives,
    "seed": st.integers(0, 1_000),
}
FEW = settings(
    max_examples=budget.examples(3),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MANY = settings(FEW, max_examples=budget.examples(50))


def is_true_of(world: World, days: int | None, shards: Any, life: list[Any], seed: int) -> None:
    log = Log(world, days, shards, seed)
    for step in life:
        note(f"{clock.text(log.now)} {step}")
        DO[step[0]](log, *step[1:])
        log.check()
    log.land()
    log.settle()
    for purge in log.ended:
        event(f"events: {purge.events > 0}, at least: {purge.at_least}")


@MANY
@given(**LIFE)
def test_a_life(lived: World, **life: Any) -> None:
    lived.dynamodb = MemoryDynamoDB()
    is_true_of(lived, **life)


@FEW
@given(**LIFE)
def test_a_life_on_an_engine(lived: World, **life: Any) -> None:
    is_true_of(lived, **life)
