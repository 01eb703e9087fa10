"""Search against brute force on the real stores; `tests/unit/test_search_model.py` goes further."""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditlog import clock, event, filters, intake, plan
from auditlog.event import StoredEvent
from auditlog.filters import Filter
from auditlog.layout import Layout
from auditlog.orgs import Org
from auditlog.reads import EventsRead, Plan, T
from auditlog.span import EVERYTHING, Order
from auditlog.store.events import EventStore, Outcome
from auditlog.store.reader import Reader
from seal.builder import Builder
from tests import budget
from tests.functional.conftest import World
from tests.unit import test_search_model as model
from tests.unit.published import CATALOG, SECRET

_orgs = itertools.count(1)

AGES = st.sampled_from([-clock.MINUTE, 0, 1, clock.MINUTE, clock.HOUR, clock.HOUR + 1])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.lists(model.contents(), min_size=1, max_size=30), AGES),
        st.tuples(st.just("publish"), st.lists(model.contents(), min_size=1, max_size=30), AGES),
        st.tuples(st.just("seal"), st.just([]), st.just(0)),
        st.tuples(st.just("wait"), st.just([]), st.sampled_from([clock.MINUTE, clock.HOUR])),
    ),
    min_size=2,
    max_size=8,
)
SEARCHES = st.lists(
    st.tuples(
        model.queries(), st.sampled_from(["asc", "desc"]), st.sampled_from([1, 3, 10, 1_000])
    ),
    min_size=2,
    max_size=4,
)


class Log:
    """An org of its own in tables that it shares with others, and a clock of its own."""

    def __init__(self, world: World, changes: tuple[tuple[int, int], ...]) -> None:
        self.org = Org(f"org{next(_orgs)}", None, 0, changes)
        self.now = model.START
        self.events = EventStore(
            world.dynamodb, world.events_table, world.digests_table, now=lambda: self.now
        )
        self.numbers = itertools.count()

    def publish(self, contents: list[dict[str, Any]], age: int) -> None:
        records: list[event.Record] = []
        for content in contents:
            number = next(self.numbers)
            at = clock.text(self.now - age - number % 3)
            normal: Any = {**content, "occurred_at": at, "key": f"k{number}"}
            if "ip" in normal:
                normal["ip"] = event.privacy.truncate(normal["ip"])
            records.append(event.build(normal, self.org.name, SECRET))
        new = intake.new_events(records, self.org, self.now)
        outcomes = self.events.insert(new, deadline=clock.monotonic() + 30)
        assert set(outcomes) == {Outcome.RECORDED}

    def seal(self) -> None:
        for partition in self.org.layout.partitions:
            Builder(partition, self.events, self.now, lambda: False).run()

    def everything(self) -> list[StoredEvent]:
        rows: list[StoredEvent] = []
        for partition in self.org.layout.partitions:
            read = self.events.rows(EventsRead(partition, EVERYTHING, "asc", 1_000))
            assert read.complete
            rows += read.events
        return sorted(rows)

    def run(self, what: Plan[T]) -> T:
        return Reader(self.events).run(what)

    def search(self, wanted: Filter, order: Order, limit: int) -> list[str]:
        span, found = plan.span_of(wanted, 0), list[str]()
        while True:
            asked = plan.page(self.org.layout, wanted, span, order=order, limit=limit)
            page = self.run(asked)
            found += [one.event.id for one in page.found]
            if page.position is None:
                return found
            span = span.after(page.position, order)


@pytest.mark.parametrize("layout", model.LAYOUTS, ids=["one", "three", "changing"])
@settings(
    max_examples=budget.examples(12),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS, searches=SEARCHES)
def test_a_search_on_the_real_stores_misses_nothing(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    layout: Layout,
    steps: list[tuple[str, list[dict[str, Any]], int]],
    searches: list[tuple[dict[str, list[str]], Order, int]],
) -> None:
    with monkeypatch.context() as patch:
        model.small(patch)
        log = Log(world, layout.changes)
        for what, contents, amount in steps:
            if what == "publish":
                log.publish(contents, amount)
            elif what == "seal":
                log.seal()
            else:
                log.now += amount
        rows = log.everything()
        for query, order, limit in searches:
            wanted = filters.parse(query, CATALOG, hidden_by_default=True)
            expected = model.World.expected(rows, wanted, 0)
            assert log.search(wanted, order, limit) == (
                expected if order == "asc" else expected[::-1]
            )
