"""Pages against brute force, over a log in memory that grows while it is read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import canonical, clock, cursor, filters, plan, walk
from auditlog.event import StoredEvent, event_id, first_id
from auditlog.filters import Filter
from auditlog.layout import Layout
from auditlog.plan import Page
from auditlog.reads import EventsRead, Rows
from auditlog.span import Order, Span
from auditlog.walk import ROWS_PER_READ
from tests.unit.memory import Events, run
from tests.unit.published import CATALOG, event, record_of, stored

DAY = clock.parse("2026-05-01T00:00:00Z")
TYPES = ["repo.create", "repo.delete", "org.sso_login", "org.audit_log.export"]
QUERIES: list[dict[str, list[str]]] = [
    {},
    {"include_hidden": ["true"]},
    {"type": ["repo"]},
    {"type": ["org.audit_log.export"]},
    {"actor": ["ann"]},
    {"actor": ["nobody"]},
    {"type": ["repo.create"], "actor": ["ann", "bob"]},
    {"since": [clock.text(DAY + 3)], "until": [clock.text(DAY + 7)]},
    {"since": [clock.text(DAY + 9)], "until": [clock.text(DAY + 2)]},
]


# In one partition, in three, and in four that were one before.
LAYOUTS = [
    Layout("acme"),
    Layout("acme", ((0, 3),)),
    Layout("acme", ((0, 1), (DAY + 5, 4))),
]
#: So many cost no more than one.
LEAST = walk._LEAST_ROWS


@dataclass
class Log(Events):
    """An org's log that keeps what it was asked for; with each read one more row arrives."""

    layout: Layout = LAYOUTS[0]
    counts: list[int] = field(default_factory=list)
    arriving: list[StoredEvent] = field(default_factory=list)

    def add(self, *rows: StoredEvent) -> "Log":
        for row in rows:
            self.rows_of.setdefault(self.layout.partition(row.id), {})[row.id] = row
        return self

    def rows(self, read: EventsRead, *, consistent: bool = False) -> Rows:
        self.counts.append(read.count)
        assert len(self.counts) < 5_000, "the reads do not end"
        answer = super().rows(read, consistent=consistent)
        if self.arriving:
            self.add(self.arriving.pop())
        return answer


def row(moment: int, number: int, name: str, actor: str, size: int = 0) -> StoredEvent:
    """A row; `size` adds to what it takes in an answer. Its content does not make its id."""
    record: dict[str, Any] = {"type": name, "actor": {"id": actor}, "description": "x" * size}
    digest = number.to_bytes(2, "big") * 16
    packed = canonical.pack(canonical.encode(record))
    return StoredEvent(event_id(DAY + moment, digest), name, 0, True, packed)


rows = st.lists(
    st.builds(
        row,
        st.integers(0, 10),
        st.integers(0, 9),
        st.sampled_from(TYPES),
        st.sampled_from(["ann", "bob"]),
        st.sampled_from([0, 0, 300]),
    ),
    max_size=30,
    unique_by=lambda made: made.id,
)
layouts = st.sampled_from(LAYOUTS)
orders: st.SearchStrategy[Order] = st.sampled_from(["asc", "desc"])


def parsed(query: dict[str, list[str]]) -> Filter:
    return filters.parse(query, CATALOG, hidden_by_default=True)


def brute_force(
    log: Sequence[StoredEvent], query: dict[str, list[str]], order: Order, oldest: int
) -> list[str]:
    """The ids that a search must give, worked out row by row."""
    names = {
        "repo": {"repo.create", "repo.delete"}, "repo.create": {"repo.create"},
        "org.audit_log.export": {"org.audit_log.export"},
    }  # fmt: skip
    found: list[str] = []
    for made in sorted(log, reverse=order == "desc"):
        record = canonical.unpack(made.packed).decode()
        moment = int.from_bytes(bytes.fromhex(f"{int(made.id + '0', 32):050x}")[:8], "big")
        wanted = query.get("type", [])
        hidden = made.type == "org.audit_log.export" and not (
            "include_hidden" in query or made.type in wanted
        )
        if (
            not hidden
            and (not wanted or any(made.type in names[each] for each in wanted))
            and ("actor" not in query or any(f'"id":"{a}"' in record for a in query["actor"]))
            and clock.text(moment) >= query.get("since", [""])[0]
            and clock.text(moment) < query.get("until", ["a"])[0]
            and moment >= oldest
        ):
            found.append(made.id)
    return found


def one_page(log: Log, wanted: Filter, span: Span, **how: Any) -> Page:
    return run(plan.page(log.layout, wanted, span, **how), log)


def follow(
    log: Log, query: dict[str, list[str]], order: Order, oldest: int = 0, **bounds: Any
) -> list[Page]:
    """All pages, from the first to the one that says that it is the last."""
    wanted = parsed(query)
    span = plan.span_of(wanted, oldest)
    pages: list[Page] = []
    while True:
        pages.append(one_page(log, wanted, span, **{"order": order, "limit": 100, **bounds}))
        position = pages[-1].position
        if position is None:
            return pages
        assert len(pages) <= 20 * (len(list(log.everything())) + 2), "the pages do not end"
        token = cursor.write(position, org="acme", wanted=wanted, order=order)
        again = cursor.read(token, org="acme", wanted=wanted, order=order)
        span = plan.span_of(wanted, oldest).after(again, order)


def ids(pages: Sequence[Page]) -> list[str]:
    return [found.event.id for page in pages for found in page.found]


@given(
    rows,
    layouts,
    st.sampled_from(QUERIES),
    orders,
    st.integers(1, 7),
    st.integers(1, 9),
    st.integers(1, 4),
    st.integers(0, 1_500),
    st.integers(0, 11),
)
def test_pages_are_brute_force(
    made: list[StoredEvent],
    layout: Layout,
    query: dict[str, list[str]],
    order: Order,
    limit: int,
    max_rows: int,
    stingy: int,
    max_bytes: int,
    oldest: int,
) -> None:
    budget = plan.Budget(rows=max_rows, answer_bytes=max_bytes)
    bounds: dict[str, Any] = {"limit": limit, "budget": budget}
    log = Log(stingy=stingy, layout=layout).add(*made)
    pages = follow(log, query, order, DAY + oldest, **bounds)
    assert ids(pages) == brute_force(made, query, order, DAY + oldest)
    for page in pages:
        assert len(page.found) <= limit
        # It stops after the round trip in which it has read as many as it may.
        assert page.spent.rows < max_rows + stingy * len(layout.partitions)
        size = sum(plan.answer_bytes(found.event, found.record) for found in page.found)
        assert size <= max_bytes or len(page.found) == 1
        assert all(found.record == canonical.unpack(found.event.packed) for found in page.found)


@given(
    rows,
    rows,
    layouts,
    st.sampled_from(QUERIES),
    orders,
    st.integers(1, 4),
    st.integers(1, 6),
    st.integers(1, 4),
)
def test_what_arrives_while_pages_are_read(
    before: list[StoredEvent],
    arriving: list[StoredEvent],
    layout: Layout,
    query: dict[str, list[str]],
    order: Order,
    limit: int,
    max_rows: int,
    stingy: int,
) -> None:
    known = {made.id for made in before}
    log = Log(stingy=stingy, layout=layout).add(*before)
    log.arriving = [made for made in arriving if made.id not in known]
    budget = plan.Budget(rows=max_rows)
    wanted = parsed(query)
    span = plan.span_of(wanted, 0)
    seen: list[str] = []
    for _ in range(1_000):
        page = one_page(log, wanted, span, order=order, limit=limit, budget=budget)
        seen += ids([page])
        if page.position is None:
            break
        span = span.after(page.position, order)
    else:
        pytest.fail("the pages do not end")
    assert len(set(seen)) == len(seen)
    assert set(brute_force(before, query, order, 0)) <= set(seen)
    assert set(seen) <= set(brute_force(list(log.everything()), query, order, 0))
    assert seen == sorted(seen, reverse=order == "desc")


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 6])
def test_the_end_is_said_with_the_last_event(order: Order, count: int) -> None:
    log = Log().add(*[row(n, n, "repo.create", "ann") for n in range(count)])
    pages = follow(log, {}, order, limit=2)
    assert len(pages) == max(1, -(-count // 2))
    assert [page.position for page in pages[-1:]] == [None]


def test_an_empty_page_may_have_a_next() -> None:
    log = Log(stingy=1).add(*[row(n, n, "repo.create", "ann") for n in range(5)])
    pages = follow(log, {"actor": ["nobody"]}, "asc", budget=plan.Budget(rows=2))
    assert [len(page.found) for page in pages] == [0, 0, 0]
    assert [page.spent.rows for page in pages] == [2, 2, 1]
    assert pages[0].position == list(log.everything())[1].id


def test_one_event_is_given_however_large_it_is() -> None:
    log = Log().add(*[row(n, n, "repo.create", "ann", size=10_000) for n in range(3)])
    pages = follow(log, {}, "desc", budget=plan.Budget(answer_bytes=1))
    assert [len(page.found) for page in pages] == [1, 1, 1]


def test_a_filter_reads_many_rows_at_once_and_no_filter_few() -> None:
    log = Log().add(*[row(n, n % 10, "repo.create", "ann") for n in range(3_000)])
    follow(log, {"actor": ["nobody"]}, "desc", limit=3)
    # More each time, since nothing was found in those before; 1,000 at the most.
    assert log.counts[0] == LEAST
    assert log.counts == sorted(log.counts)
    assert log.counts[-2:] == [ROWS_PER_READ] * 2
    assert len(log.counts) < 8
    for limit, count in (
        (3, LEAST),
        (20, 21),
        (999, ROWS_PER_READ),
        (ROWS_PER_READ, ROWS_PER_READ),
    ):
        log.counts.clear()
        wanted, whole = parsed({}), Span.between(0, None)
        page = one_page(log, wanted, whole, order="desc", limit=limit)
        assert len(page.found) == limit
        assert log.counts[0] == count
        # A read has at most 1,000 rows, and the next the one that says that there are more.
        assert len(log.counts) == (2 if limit == ROWS_PER_READ else 1)
        assert max(log.counts[1:], default=0) < 100


def test_types_that_do_not_match_are_never_unpacked() -> None:
    damaged = row(1, 1, "repo.create", "ann")._replace(packed=b"\xff")
    pages = follow(Log().add(damaged), {"type": ["org"]}, "asc")
    assert ids(pages) == []


class TestSpan:
    @given(st.integers(0, 10), st.integers(0, 9), orders)
    def test_after_is_strictly_behind(self, moment: int, number: int, order: Order) -> None:
        position = row(moment, number, "repo.create", "ann").id
        rest = Span.between(0, None).after(position, order)
        near = [row(moment, n, "repo.create", "ann").id for n in range(10)]
        inside = [each for each in near if rest.first <= each < rest.end]
        behind = [n for n in near if (n > position if order == "asc" else n < position)]
        assert inside == behind

    def test_after_never_widens(self) -> None:
        span = Span.between(DAY, DAY + 5)
        early, late = first_id(DAY - 9), first_id(DAY + 9)
        assert span.after(early, "asc") == span
        assert span.after(late, "desc") == span
        assert span.after(late, "asc").is_empty
        assert span.after(early, "desc").is_empty

    def test_takes_the_last_time_there_is(self) -> None:
        last = clock.parse("9999-12-31T23:59:59.999999Z")
        span = Span.between(0, None)
        assert span.first <= event_id(last, b"\xff" * 32) < span.end

    @pytest.mark.parametrize(("since", "until"), [(5, 5), (6, 5), (5, 0)])
    def test_is_empty(self, since: int, until: int) -> None:
        assert Span.between(since, until).is_empty
        assert not Span.between(5, 6).is_empty


def test_a_page_stops_at_the_bytes_that_it_may_read_and_at_its_callers_patience() -> None:
    log = Log().add(*[stored(record_of(event(key=str(n)))) for n in range(3_000)])
    ids_in_order = [each.id for each in log.everything()]
    wanted, whole = parsed({"actor": ["nobody"]}), Span.between(0, None)
    for budget in (plan.Budget(bytes_read=1), plan.Budget(give_up=lambda: True)):
        log.counts.clear()
        page = one_page(log, wanted, whole, order="asc", limit=5, budget=budget)
        assert (page.found, page.position) == ([], ids_in_order[LEAST - 1])
        assert log.counts == [LEAST]


def test_what_is_hidden_is_passed_over_in_growing_steps() -> None:
    hidden = event(type="org.audit_log.export")
    log = Log().add(*[stored(record_of(hidden | {"key": str(n)})) for n in range(2_000)])
    page = one_page(log, parsed({}), Span.between(0, None), order="asc", limit=1)
    assert (page.found, page.position) == ([], None)
    assert log.counts == sorted(log.counts)
    assert len(log.counts) < 15
