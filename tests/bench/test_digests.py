"""What a search costs among a million events, and what the digests cost that make it so.

Read and write units are computed by DynamoDB's documented rounding from the size of
each item (`auditlog.units`), and shown beside what the engine reports of itself.
`AUDITLOG_BENCH_EVENTS=10000000 make bench ARGS='-k test_digests'` takes ten times as many.
"""

import os
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from auditlog import clock, filters, plan, timeline, units
from auditlog.event import id_time
from auditlog.layout import Layout
from auditlog.sieve import Found
from auditlog.span import Order, Span, position
from auditlog.store.events import EventStore
from auditlog.store.reader import Reader
from seal.builder import Builder
from tests.bench import large
from tests.bench.corpus import CATALOG
from tests.bench.measure import spent, table
from tests.bench.meter import Meter
from tests.engines import Dynoxide

COUNT = int(os.environ.get("AUDITLOG_BENCH_EVENTS", "1000000"))
SHARDED_COUNT = 100_000
PAGE = 100
DAY = "2026-04-24"

ACTOR, TYPE = large.COMMON_ACTOR, large.COMMON_TYPE


def _needle(name: str) -> dict[str, list[str]]:
    return {key: [value] for key, value in large.NEEDLES[name].parameters.items()}


QUERIES: dict[str, tuple[dict[str, list[str]], Order]] = {
    "none": ({}, "desc"),
    "none, oldest first": ({}, "asc"),
    "time range": ({"since": ["2026-04-10"], "until": ["2026-04-11"]}, "desc"),
    "common actor (5 %)": ({"actor": [ACTOR]}, "desc"),
    "common actor, oldest first": ({"actor": [ACTOR]}, "asc"),
    "rare actor (12 events)": (_needle("actor"), "desc"),
    "type (9 %)": ({"type": [TYPE]}, "desc"),
    "scope": ({"type": ["repo"]}, "desc"),
    "operation": ({"q": ["operation:remove"]}, "desc"),
    "target (4 events)": (_needle("target"), "desc"),
    "ip block (20 events)": (_needle("ip"), "desc"),
    "credential (15 events)": (_needle("credential"), "desc"),
    "country": ({"country": ["FR"]}, "desc"),
    "actor and type (40 events)": (_needle("actor and type"), "desc"),
    "actor in a week": ({"actor": [ACTOR], "q": ["created:2026-04-06..2026-04-12"]}, "desc"),
    "negation": ({"q": [f"-type:{TYPE} -actor:{ACTOR}"]}, "desc"),
    "free text in a day": ({**_needle("word"), "since": [DAY], "until": ["2026-04-25"]}, "asc"),
}


@dataclass(frozen=True)
class Log:
    """A log in an engine, digested."""

    events: EventStore
    layout: Layout
    meter: Meter


@dataclass(frozen=True)
class Cost:
    """What a page cost."""

    found: int
    least: float
    units: float
    reported: float
    round_trips: int
    pages: int

    @property
    def ratio(self) -> float:
        return self.units / self.least


def a_log(dynoxide: Dynoxide, name: str, count: int, layout: Layout) -> Iterator[Log]:
    client = dynoxide.client()
    events, digests = (dynoxide.create_table(f"bench-{name}-{each}") for each in ("e", "d"))
    large.load(client, events, layout.partition, large.events(count))
    store, meter = EventStore(client, events, digests), Meter(client)
    yield Log(store, layout, meter)
    meter.detach()
    for each in (events, digests):
        client.delete_table(TableName=each)


@pytest.fixture(scope="module")
def log(dynoxide: Dynoxide) -> Iterator[Log]:
    yield from a_log(dynoxide, "digests", COUNT, Layout(large.ORG))


@pytest.fixture(scope="module")
def digested(log: Log) -> Log:
    """The log after `seal`; what that took is printed."""
    builder = Builder(large.ORG, log.events, large.NOW + clock.DAY, lambda: False)
    with log.meter.measured() as cost:
        took = spent(builder.run)
    written = cost.of(log.events.digests.table).write_units
    read = cost.total.read_units
    table(
        f"Digests of {COUNT:,} events",
        ["", "in all", "per event"],
        [
            ("blocks", builder.blocks, ""),
            ("segments", builder.segments, ""),
            ("write units", written, f"{written / COUNT:.4f}"),
            ("read units", read, f"{read / COUNT:.4f}"),
            ("CPU seconds", took.cpu, f"{took.cpu / COUNT * 1e6:.0f} µs"),
            ("seconds with the engine", took.wall, ""),
        ],
    )
    return log


def test_a_page_of_each_kind(digested: Log) -> None:
    costs = {name: cost_of(digested, *query) for name, query in QUERIES.items()}
    rows = [
        (name, c.found, c.least, c.units, c.reported, c.round_trips, c.pages, f"{c.ratio:.1f}")
        for name, c in costs.items()
    ]
    table(
        f"A page of {PAGE} among {COUNT:,} events",
        ["query", "events", "least", "read units", "engine's", "round trips", "pages", "ratio"],
        rows,
    )
    mean = statistics.geometric_mean(cost.ratio for cost in costs.values())
    print(f"\ngeometric mean of the ratios: {mean:.1f} (goal: at most 60)")
    for name, needle in {"rare actor (12 events)": "actor", "target (4 events)": "target"}.items():
        assert costs[name].found == large.NEEDLES[needle].hits


def test_a_timeline(digested: Log) -> None:
    rows: list[Sequence[object]] = []
    for name, query in {
        "all types": {},
        "a scope": {"type": ["repo"]},
        "the last week": {"since": ["2026-05-25"]},
        "a rare actor": _needle("actor"),
        "a common actor": {"actor": [ACTOR]},
    }.items():
        wanted = filters.parse(query, CATALOG, hidden_by_default=True)
        span, reader = plan.span_of(wanted, 0), Reader(digested.events)
        with digested.meter.measured() as cost:
            told = reader.run(timeline.timeline(digested.layout, wanted, span, since=0))
        rows.append(
            (name, told.counts.total, str(told.exact), cost.total.read_units, reader.round_trips)
        )
    table(
        f"A timeline over {COUNT:,} events",
        ["", "counted", "exact", "read units", "round trips"],
        rows,
    )


def test_a_page_of_eight_shards(dynoxide: Dynoxide) -> None:
    layout = Layout(large.ORG, ((0, 8),))
    [log] = list(_first(a_log(dynoxide, "shards", SHARDED_COUNT, layout)))
    rows: list[Sequence[object]] = []
    for name in ("none", "none, oldest first", "time range"):
        query, order = QUERIES[name]
        if name == "time range":
            query = {"since": ["2026-03-10"], "until": ["2026-06-01"]}
        for limit in (100, 1_000):
            cost = cost_of(log, query, order, limit)
            rows.append(
                (name, cost.found, cost.least, cost.units, cost.round_trips, f"{cost.ratio:.2f}")
            )
    table(
        f"A page over 8 shards, {SHARDED_COUNT:,} events",
        ["query", "events", "least", "read units", "round trips", "ratio"],
        rows,
    )


def _first(made: Iterator[Log]) -> Iterator[Log]:
    yield next(made)


def cost_of(log: Log, query: dict[str, list[str]], order: Order, limit: int = PAGE) -> Cost:
    """The mean page: of five that begin at different places, where one page is not all there is."""
    wanted = filters.parse(query, CATALOG, hidden_by_default=True)
    whole = plan.span_of(wanted, 0)
    pages: list[Cost] = []
    for start in _starts(whole, order):
        reader = Reader(log.events)
        with log.meter.measured() as cost:
            page = reader.run(plan.page(log.layout, wanted, start, order=order, limit=limit))
        pages.append(
            Cost(
                len(page.found),
                units.read_units(sum(map(_item_size, page.found))),
                cost.total.read_units,
                cost.total.reported_read_units,
                reader.round_trips,
                1,
            )
        )
        if page.position is None:
            break
    return Cost(
        round(statistics.mean(page.found for page in pages)),
        statistics.mean(page.least for page in pages),
        statistics.mean(page.units for page in pages),
        statistics.mean(page.reported for page in pages),
        max(page.round_trips for page in pages),
        len(pages),
    )


def _starts(span: Span, order: Order) -> Iterator[Span]:
    """The whole span, and what is left of it behind four places within the log."""
    yield span
    first, end = max(large.SINCE, _time(span.first)), min(large.NOW, _time(span.end))
    for part in range(1, 5):
        moment = first + (end - first) * part // 6 + 12_345_678
        place = Span.between(moment, None).first
        yield span.after(position(place, order), order)


def _time(bound: str) -> int:

    return id_time(position(bound, "desc"))


def _item_size(found: Found) -> int:
    event = found.event
    item: dict[str, Any] = {
        "pk": {"S": large.ORG},
        "sk": {"S": event.id},
        "r": {"B": event.packed},
        "t": {"S": event.type},
        "at": {"N": str(event.recorded_at)},
        **({} if event.described else {"s": {"BOOL": True}}),
    }
    return units.item_size(item)
