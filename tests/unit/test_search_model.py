"""Search against brute force, whatever happens to the digests in between.

A program is made of what publishers, `seal` and time do, with searches among it;
what happens between two round trips of a search, and between the mark of a late
event and its write, is part of it. After each search: every event that was
acknowledged before it began and matches is there, once, in order; every other at
most once. Blocks and segments are small here, so that a few dozen events make many.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import seal.builder
from auditlog import canonical, clock, digest, event, filters, intake, plan, timeline, walk
from auditlog.counts import Counts
from auditlog.digest import Stored
from auditlog.event import StoredEvent
from auditlog.filters import Filter
from auditlog.layout import Layout
from auditlog.orgs import Org
from auditlog.reads import BLOCK, SEGMENT
from auditlog.sieve import Blocks, Segments
from auditlog.span import Order
from seal.builder import Builder
from tests import budget
from tests.unit.memory import Digests, Events, run
from tests.unit.published import CATALOG, SECRET

START = clock.parse("2026-05-01T12:00:00Z")
ACTORS = [
    {"id": "ann"}, {"id": "bob", "name": "Bob"}, {"id": "Bob", "type": "service_account"},
    {"id": "zoë", "name": "Zoë 🚀"}, {"id": "cron", "type": "system"},
]  # fmt: skip
TARGETS = [
    {"type": "repo", "id": "engine"}, {"type": "user", "id": "ann", "name": "Ann"},
    {"type": "repo", "id": "acme/engine"}, {"type": "job", "id": "é/1"},
]  # fmt: skip
TYPES = ["repo.create", "repo.delete", "org.sso_login", "org.audit_log.export", "aws.s3.PutObject"]
IPS = ["192.0.2.7", "192.0.3.9", "198.51.100.1", "2001:db8:1::1", "2001:db8:2::1", "::ffff:1.2.3.4"]
PLACES = [{"country": "FR", "city": "PARIS"}, {"country": "DE"}, {"city": "Straße"}]
CREDENTIALS = [
    {"type": "api_key", "id": "k1"}, {"type": "session", "id": "s1", "name": "k1"},
]  # fmt: skip
WORDS = ["nightly build", "Engine down", "ÉTÉ"]
QUERIES: dict[str, list[str]] = {
    "type": ["repo", "repo.create", "org.*", "aws", "org.audit_log.export"],
    "actor": ["ann", "bob", "Bob", "zoë", "nobody"],
    "target": ["engine", "repo/engine", "ann", "acme/engine", "repo/acme/engine", "é/1"],
    "ip": ["192.0.2.1", "192.0.2.0/23", "192.0.0.0/8", "0.0.0.0/0", "2001:db8::/32", "1.2.3.0/24"],
    "country": ["FR", "de", "JP"],
}
TERMS = [
    "type:repo", "-type:repo", "type:aws", "actor:ann", "-actor:bob", "actor_type:system",
    "actor_type:user", "target:engine", "-target:ann", "ip:192.0.2.0/24", "-ip:2001:db8::/32",
    "country:FR", "city:paris", "city:strasse", "credential:k1", "credential:session",
    "operation:remove", "-operation:create", "created:2026-05-01", "created:>2026-05-01T11:00:00Z",
    "created:<2026-05-01T12:10:00Z", "engine", "-nightly", "été", '"build"',
]  # fmt: skip


@dataclass
class World:
    """An org, its log, its digests, and the clock."""

    layout: Layout
    events: Events = field(default_factory=Events)
    now: int = START
    number: int = 0
    acknowledged: list[StoredEvent] = field(default_factory=list)

    def publish(self, made: list[dict[str, Any]], ages: list[int], between: list[Any]) -> None:
        """Publishes events of these ages; `between` happens once they are marked."""
        records: list[event.Record] = []
        for content, age in zip(made, ages, strict=True):
            self.number += 1
            at = clock.text(self.now - age)
            normal: Any = {**content, "occurred_at": at, "key": f"k{self.number // 2}"}
            if "ip" in normal:
                normal["ip"] = event.privacy.truncate(normal["ip"])
            records.append(event.build(normal, self.layout.org, SECRET))
        org = Org(self.layout.org, None, 0, self.layout.changes)
        new = intake.new_events(records, org, self.now)
        began = self.now

        def meanwhile() -> None:
            for what in between:
                what(self)

        self.events.insert(new, began, between=meanwhile)
        if self.now - began > digest.MAX_WRITE:
            # As the store does it; then, and only then, it is acknowledged.
            self.events.mark_all(new, self.now)
        before = {row.id for row in self.acknowledged}
        rows = {row.id: row for row in self.events.everything()}
        ids = [one.record.id for one in new if one.record.id not in before]
        self.acknowledged += [rows[each] for each in dict.fromkeys(ids)]

    def seal(self, stop_after: int | None = None, other_after: int | None = None) -> None:
        """Builders over all partitions; one may end early, and another run while it is at work."""
        for partition in self.layout.partitions:
            self.events.digests.after = self._interference(partition, [stop_after, other_after])
            try:
                self.build(partition)
            except _KilledError:
                pass
            finally:
                self.events.digests.after = _nothing

    def _interference(self, partition: str, left: list[int | None]) -> Callable[[], None]:
        """What happens after so many changes to the digests: the end, or another builder."""

        def after() -> None:
            left[:] = [None if count is None else count - 1 for count in left]
            stop, other = left
            if stop is not None and stop < 0:
                raise _KilledError
            if other is not None and other < 0:
                left[1] = None
                self.build(partition)

        return after

    def build(self, partition: str) -> None:
        builder = Builder(partition, self.events, self.now, lambda: False)  # type: ignore[arg-type] -- in memory
        builder.run()

    def settle(self) -> None:
        """Left alone for a while, `seal` has everything in order, and no mark is left."""
        for _ in range(60):
            self.now += 5 * clock.MINUTE
            if not any(self.events.digests.set_marks.values()):
                return
            for partition in self.layout.partitions:
                self.build(partition)
        assert not any(self.events.digests.set_marks.values())

    def search(
        self, wanted: Filter, order: Order, limits: list[int], oldest: int, trips: list[Any]
    ) -> None:
        """Follows a search to its end, with something happening before each round trip."""
        owed = self.expected(self.acknowledged, wanted, oldest)
        happening = iter(trips)
        span = plan.span_of(wanted, oldest)
        found: list[str] = []
        for number in range(10_000):
            limit = limits[number % len(limits)]
            budget = plan.Budget(rows=20, bytes_read=20_000, answer_bytes=8_000)
            page = run(
                plan.page(self.layout, wanted, span, order=order, limit=limit, budget=budget),
                self.events,
                between=lambda: next(happening, _nothing_to)(self),
            )
            found += [one.event.id for one in page.found]
            assert len(page.found) <= limit
            if page.position is None:
                break
            left = span.after(page.position, order)
            assert left != span, "a page that gets nowhere"
            span = left
        else:
            pytest.fail("the pages do not end")
        assert found == sorted(set(found), reverse=order == "desc"), "in order, and each once"
        missed = set(owed) - set(found)
        assert not missed, f"missed {len(missed)} of {len(owed)}"
        everything = self.expected(list(self.events.everything()), wanted, oldest)
        assert set(found) <= set(everything)

    def count(self, wanted: Filter, oldest: int, rows: int) -> None:
        """Compares a timeline with counting by hand, also one that may read but a few rows."""
        span = plan.span_of(wanted, oldest)
        budget = plan.Budget(rows=rows, bytes_read=10**9)
        plan_of_it = timeline.timeline(self.layout, wanted, span, since=oldest, budget=budget)
        told = run(plan_of_it, self.events)
        assert told.exact or rows < 10**6
        covered = max(oldest, told.covered_since)
        expected = set(self.expected(list(self.events.everything()), wanted, covered))
        matching = [row for row in self.events.everything() if row.id in expected]
        counted = Counts.of(
            (row, json.loads(canonical.unpack(row.packed))) for row in sorted(matching)
        )
        assert told.counts.hours == counted.hours
        assert told.counts.actors == counted.actors
        assert told.counts.countries == counted.countries

    @staticmethod
    def expected(rows: list[StoredEvent], wanted: Filter, oldest: int) -> list[str]:
        span = plan.span_of(wanted, oldest)
        return [
            row.id
            for row, record in walk.matching(sorted(rows), wanted)
            if record is not None and span.first <= row.id < span.end
        ]


class _KilledError(Exception):
    """The builder's process ended."""


def _nothing() -> None:
    pass


def _nothing_to(_world: World) -> None:
    pass


Action = Callable[[World], None]


def contents() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"type": st.sampled_from(TYPES), "actor": st.sampled_from(ACTORS)},
        optional={
            "targets": st.lists(st.sampled_from(TARGETS), min_size=1, max_size=3),
            "ip": st.sampled_from(IPS),
            "location": st.sampled_from(PLACES),
            "credential": st.sampled_from(CREDENTIALS),
            "description": st.sampled_from(WORDS),
        },
    )


def times() -> st.SearchStrategy[Action]:
    def passes(amount: int) -> Action:
        def action(world: World) -> None:
            world.now += amount

        return action

    return st.sampled_from(
        [1, 20 * clock.SECOND, clock.MINUTE, 5 * clock.MINUTE, 16 * clock.MINUTE, clock.HOUR]
    ).map(passes)


def seals() -> st.SearchStrategy[Action]:
    def sealing(stop: int | None, other: int | None) -> Action:
        return lambda world: world.seal(stop, other)

    return st.builds(
        sealing,
        st.none() | st.none() | st.integers(0, 40),
        st.none() | st.none() | st.integers(0, 40),
    )


def publishing(actions: st.SearchStrategy[list[Action]]) -> st.SearchStrategy[Action]:
    def publish(seed: int, made: list[dict[str, Any]], kind: str, between: list[Action]) -> Action:
        chance = random.Random(seed)
        most = {"ahead": 0, "now": 9 * clock.MINUTE, "late": 3 * clock.HOUR}[kind]
        least = -15 * clock.MINUTE if kind == "ahead" else 0
        # Few different ages, so that many events share a microsecond.
        ages = [chance.randint(least, most) for _ in range(3)]
        return lambda world: world.publish(made, [chance.choice(ages) for _ in made], between)

    return st.builds(
        publish,
        st.integers(0, 2**32),
        st.lists(contents(), min_size=1, max_size=12),
        st.sampled_from(["now", "now", "ahead", "late", "late"]),
        actions,
    )


def losses() -> st.SearchStrategy[Action]:
    """Digests that are gone, or damaged: what is left must not be believed too much."""

    def lose(seed: int, damage: bool) -> Action:
        def action(world: World) -> None:
            chance, digests = random.Random(seed), world.events.digests
            for kind in (BLOCK, SEGMENT, "terms-"):
                shelves = [shelf for key, shelf in digests.items.items() if key[0].startswith(kind)]
                for shelf in shelves:
                    for first in [each for each in shelf if chance.random() < 0.3]:
                        if damage:
                            stored = shelf[first]
                            shelf[first] = Stored(stored.span, stored.at, b"damaged")
                        else:
                            del shelf[first]

        return action

    return st.builds(lose, st.integers(0, 2**32), st.booleans())


def queries() -> st.SearchStrategy[dict[str, list[str]]]:
    parameters = st.fixed_dictionaries(
        {},
        optional={
            name: st.lists(st.sampled_from(values), min_size=1, max_size=2)
            for name, values in QUERIES.items()
        },
    )
    text = st.lists(st.sampled_from(TERMS), max_size=3).map(" ".join)
    bounds = st.fixed_dictionaries(
        {},
        optional={
            "since": st.just([clock.text(START - clock.HOUR)]),
            "until": st.just([clock.text(START + 20 * clock.MINUTE)]),
            "include_hidden": st.just(["true"]),
        },
    )
    return st.builds(
        lambda one, q, two: {**one, **({"q": [q]} if q else {}), **two}, parameters, text, bounds
    )


def searches(actions: st.SearchStrategy[list[Action]]) -> st.SearchStrategy[Action]:
    def searching(
        query: dict[str, list[str]],
        order: Order,
        limits: list[int],
        oldest: int,
        trips: list[Action],
    ) -> Action:
        wanted = filters.parse(query, CATALOG, hidden_by_default=True)
        return lambda world: world.search(wanted, order, limits, oldest, trips)

    return st.builds(
        searching,
        queries(),
        st.sampled_from(["asc", "desc"]),
        st.lists(st.sampled_from([1, 2, 3, 7, 100]), min_size=1, max_size=3),
        st.sampled_from([0, 0, START - 40 * clock.MINUTE]),
        actions,
    )


def few(action: st.SearchStrategy[Action], most: int) -> st.SearchStrategy[list[Action]]:
    return st.lists(action, max_size=most)


def programs() -> st.SearchStrategy[list[Action]]:
    quiet = times() | seals()
    publish = publishing(few(quiet, 2))
    meanwhile = few(quiet | publish | st.just(_nothing_to), 6)
    return st.lists(
        st.one_of(publish, publish, publish, times(), seals(), seals(), losses(),
                  searches(meanwhile), searches(meanwhile)),
        min_size=4, max_size=16,
    )  # fmt: skip


LAYOUTS = [
    Layout("acme"),
    Layout("acme", ((0, 3),)),
    Layout("acme", ((0, 1), (START - clock.HOUR, 4), (START + 5 * clock.MINUTE, 2))),
]


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch)


def small(patch: pytest.MonkeyPatch) -> None:
    """Digests of a few events each, and few of them at once."""
    patch.setattr(digest, "CELL_BYTES", 500)
    patch.setattr(walk, "_LEAST_ROWS", 2)
    patch.setattr(walk, "_FIRST_DIGESTS", {Blocks: 1, Segments: 1})
    patch.setattr(walk, "_DIGESTS_PER_READ", 2)
    for module in (digest, seal.builder):
        patch.setattr(module, "BLOCK_EVENTS", 4)
        patch.setattr(module, "SEGMENT_BLOCKS", 3)
    patch.setattr(seal.builder, "_BLOCKS_PER_WRITE", 2)
    patch.setattr(seal.builder, "_MOST_MARKS", 3)
    patch.setattr(seal.builder, "_MARKS_TOGETHER", 2)


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("layout", LAYOUTS, ids=["one", "three", "changing"])
@settings(
    max_examples=budget.examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(program=programs(), stingy=st.sampled_from([1, 3, 10**9]), last=queries())
def test_a_search_misses_nothing_and_shows_nothing_twice(
    layout: Layout, program: list[Action], stingy: int, last: dict[str, list[str]]
) -> None:
    world = World(layout, Events(digests=Digests(), stingy=stingy))
    for action in program:
        action(world)
    for order in ("asc", "desc"):
        for query in ({}, {"actor": ["ann"]}, {"type": ["repo"]}, last):
            wanted = filters.parse(query, CATALOG, hidden_by_default=True)
            world.search(wanted, order, [3], 0, [])
    world.settle()
    for query in ({}, {"type": ["repo"]}, last):
        wanted = filters.parse(query, CATALOG, hidden_by_default=True)
        for oldest in (0, START - 40 * clock.MINUTE):
            for rows in (1, 10, 10**9):
                world.count(wanted, oldest, rows)
