"""Layouts: one place for each event, for ever, whoever writes it and when."""

import base64
import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import clock, layout
from auditlog.event import MAX_AHEAD, first_id, id_time
from auditlog.layout import MAX_CHANGES, MAX_SHARDS, MIN_NOTICE, UNSHARDED, Layout
from auditlog.orgs import Org, is_name
from auditlog.span import BEGIN, END, EVERYTHING, Order, Span

NOW = clock.parse("2026-06-01T12:00:00Z")
#: No writer goes on for longer with the settings that it has read.
A_WRITER = 60 * clock.SECOND
#: AWS refuses what a command signs whose clock is further off.
CLOCK_SKEW = 5 * clock.MINUTE

SHARDS = st.integers(1, MAX_SHARDS)
CONTENT = st.binary(min_size=16, max_size=16)
#: Few and close together, so that bounds are met exactly.
TIMES = st.integers(0, 40)


def an_id(occurred_at: int, content: bytes = bytes(16)) -> str:
    data = occurred_at.to_bytes(8, "big") + content
    return base64.b32hexencode(data).decode().rstrip("=").lower()


IDS = st.builds(an_id, TIMES, CONTENT)
BOUNDS = IDS | st.builds(lambda i: i + "0", IDS) | st.builds(first_id, TIMES)
SPANS = st.builds(Span, BOUNDS | st.just(BEGIN), BOUNDS | st.just(END))


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    times = draw(st.sets(st.integers(1, 40), max_size=6))
    return Layout("acme", tuple((since, draw(SHARDS)) for since in (0, *sorted(times))))


def around(moment: int, within: int) -> st.SearchStrategy[int]:
    """Times at, near and up to `within` before and after a moment."""
    near = st.sampled_from([-within, -1, 0, 1, within])
    return st.builds(lambda by: moment + by, near | st.integers(-within, within))


# -- where an event is --------------------------------------------------------------------------

# An id, and its partition of 2, 3, 8 and 16. This is where stored events are: it is added to,
# never edited.
GOLDEN = [
    ("000000000000000000000000000000000000000", 0, 0, 0, 0),
    ("0000000000003vvvvvvvvvvvvvvvvvvvvvvvvvo", 1, 0, 7, 15),
    ("002l8ffn57001l3jbot2cngmtrg3umbhhedlq0o", 1, 1, 3, 3),
    ("00355pkbmd000jg7822m5fmrhdgcs1e1rr7u7b8", 1, 1, 5, 13),
    ("00355pkbmd002ip2etrt9n8vooe6v22f91i1q0g", 0, 0, 2, 2),
    ("0035nvmq4v141rpd29uu6usk5eld0oa5sl5goo8", 1, 2, 1, 1),
    ("007969mt0f001pvmo08nerkdmv6j62qk2t7tero", 1, 2, 7, 15),
    ("0e24836cedfvuu82d6du8b4ahp3fneq505p6a5o", 1, 2, 7, 7),
    ("0000000000000b3288pcrkh1es999ntr645ck00", 0, 0, 0, 0),
    ("00000000000026ao3ojtsv7d03vhpp8b413uf98", 1, 2, 5, 5),
    ("002l8ffn57000ii4rgajcgg4l07ug3kg752lpg8", 1, 0, 1, 1),
    ("00355pkbmd000ju85cjatiq7qa38ojnrsdc1ecg", 0, 2, 2, 2),
    ("00355pkbmd002qqhqgotunbv2gebtjmcuufduf8", 1, 0, 5, 13),
    ("0035nvmq4v140furkdfg9n4c8okodicinjs7al0", 0, 0, 4, 4),
    ("007969mt0f001197l28u490jd58fucma44lkbf0", 0, 0, 4, 12),
    ("0e24836cedfvvph9v9iphlpieq7nosjb9dh1518", 1, 1, 5, 5),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden[0][:16])
def test_the_partition_of_an_id_is_the_same_for_ever(
    golden: tuple[str, int, int, int, int],
) -> None:
    event_id, *numbers = golden
    assert Layout("acme").partition(event_id) == "acme"
    for shards, number in zip((2, 3, 8, 16), numbers, strict=True):
        assert Layout("acme", ((0, shards),)).partition(event_id) == f"acme#{number}"
        # The number that holds is the one of the event's own time.
        at = id_time(event_id)
        other = shards % MAX_SHARDS + 1
        later = Layout("acme", ((0, shards), (at + 1, other)))
        assert later.partition(event_id) == f"acme#{number}"
        if at:
            earlier = Layout("acme", ((0, other), (at, shards)))
            assert earlier.partition(event_id) == f"acme#{number}"


@given(of=layouts(), event_id=IDS)
def test_an_id_has_one_partition_and_it_is_one_that_is_known(of: Layout, event_id: str) -> None:
    assert of.partition(event_id) in of.partitions
    [era] = [era for era in of.eras(EVERYTHING, "asc") if era.span.first <= event_id < era.span.end]
    assert era.partitions.count(of.partition(event_id)) == 1
    assert len(set(of.partitions)) == len(of.partitions)
    assert {p for era in of.eras(EVERYTHING, "asc") for p in era.partitions} == set(of.partitions)


@pytest.mark.parametrize("shards", range(1, MAX_SHARDS + 1))
def test_no_partition_is_an_org_s_but_its_own(shards: int) -> None:
    partitions = Layout("acme", ((0, shards),)).partitions
    assert len(partitions) == shards
    assert [p for p in partitions if is_name(p)] == (["acme"] if shards == 1 else [])
    assert {p.partition("#")[0] for p in partitions} == {"acme"}


@pytest.mark.parametrize("shards", [2, 3, 7, 8, 16])
def test_events_are_spread_evenly(shards: int) -> None:
    source = random.Random(shards)
    each = 1_000
    ids = [an_id(NOW + n, source.randbytes(16)) for n in range(shards * each)]
    of = Layout("acme", ((0, shards),))
    loads = Counter(of.partition(event_id) for event_id in ids)
    assert set(loads) == set(of.partitions)
    assert all(0.8 * each <= load <= 1.2 * each for load in loads.values())


@pytest.mark.parametrize("text", ["", "acme", "0" * 38, "0" * 40, "w" * 39, "0" * 38 + "1"])
@pytest.mark.parametrize("shards", [1, 8])
def test_what_is_no_id_has_no_partition(text: str, shards: int) -> None:
    with pytest.raises(ValueError, match="expected 39 characters"):
        Layout("acme", ((0, shards),)).partition(text)


# -- eras ---------------------------------------------------------------------------------------


@given(of=layouts(), span=SPANS, order=st.sampled_from(["asc", "desc"]), ids=st.lists(IDS))
def test_eras_are_a_span_whole_and_in_order(
    of: Layout, span: Span, order: Order, ids: list[str]
) -> None:
    eras = of.eras(span, order)
    if span.is_empty:
        assert eras == []
        return
    parts = [era.span for era in eras][:: 1 if order == "asc" else -1]
    assert (parts[0].first, parts[-1].end) == (span.first, span.end)
    assert all(before.end == after.first for before, after in pairwise(parts))
    assert not any(part.is_empty for part in parts)
    for event_id in ids:
        inside = [era for era in eras if era.span.first <= event_id < era.span.end]
        assert len(inside) == (span.first <= event_id < span.end)
        assert all(of.partition(event_id) in era.partitions for era in inside)


def test_an_era_begins_with_the_first_id_of_its_microsecond() -> None:
    of = Layout("acme", ((0, 1), (NOW, 2)))
    before, after = of.eras(EVERYTHING, "asc")
    assert before.partitions == ("acme",)
    assert after.partitions == ("acme#0", "acme#1")
    last, first = an_id(NOW - 1, b"\xff" * 16), an_id(NOW)
    assert before.span.end == after.span.first
    assert last < after.span.first <= first
    assert (of.partition(last), of.partition(first)) == ("acme", "acme#0")


# -- changes ------------------------------------------------------------------------------------


@given(data=st.data(), of=layouts(), shards=SHARDS, content=CONTENT)
def test_a_change_moves_no_event_that_a_writer_may_have_written(
    data: st.DataObject, of: Layout, shards: int, content: bytes
) -> None:
    """The writer has the old or the new layout, its clock and that of the command are off."""
    since = data.draw(
        around(NOW + MIN_NOTICE, clock.MINUTE).filter(lambda t: t >= NOW + MIN_NOTICE)
    )
    new = of.changed(shards, since, now=NOW)
    written = data.draw(around(NOW, A_WRITER))
    dated = data.draw(around(written, MAX_AHEAD + CLOCK_SKEW))
    event_id = an_id(dated, content)
    assert of.partition(event_id) == new.partition(event_id)


@given(data=st.data())
def test_over_many_changes_every_event_stays_where_it_was_written(data: st.DataObject) -> None:
    now, current = NOW, Layout("acme")
    written: dict[str, str] = {}
    for _ in range(data.draw(st.integers(1, 12))):
        now += data.draw(around(20 * clock.MINUTE, 20 * clock.MINUTE))
        before = current
        notice = data.draw(around(MIN_NOTICE, 10 * clock.MINUTE))
        try:
            current = before.changed(data.draw(SHARDS), now + notice, now=now)
        except ValueError:
            assert current is before
        for of, seen_at in ((before, now + A_WRITER), (current, now)):
            dated = data.draw(around(seen_at, MAX_AHEAD))
            event_id = an_id(dated, data.draw(CONTENT))
            written[event_id] = of.partition(event_id)
    assert {event_id: current.partition(event_id) for event_id in written} == written


def test_a_change_that_is_ahead_is_replaced_by_the_next() -> None:
    hour = 60 * clock.MINUTE
    of = Layout("acme").changed(8, NOW + 2 * hour, now=NOW)
    assert of.changes == ((0, 1), (NOW + 2 * hour, 8))
    sooner = of.changed(3, NOW + hour, now=NOW)
    assert sooner.changes == ((0, 1), (NOW + hour, 3))
    after = sooner.changed(1, NOW + 3 * hour, now=NOW + hour + 1)
    assert after.changes == ((0, 1), (NOW + hour, 3), (NOW + 3 * hour, 1))
    assert of.org == sooner.org == after.org == "acme"


def test_a_change_needs_notice_and_one_that_is_too_near_to_be_replaced_comes_first() -> None:
    of = Layout("acme")
    assert of.changed(8, NOW + MIN_NOTICE, now=NOW).changes[-1] == (NOW + MIN_NOTICE, 8)
    for since in (NOW + MIN_NOTICE - 1, NOW, 0, -1):
        with pytest.raises(ValueError, match="at the earliest in 30 minutes"):
            of.changed(8, since, now=NOW)
    pending = of.changed(8, NOW + MIN_NOTICE, now=NOW)
    for now in (NOW + 1, NOW + MIN_NOTICE):
        both = pending.changed(3, now + MIN_NOTICE, now=now)
        assert both.changes == (*pending.changes, (now + MIN_NOTICE, 3))
    assert pending.changed(3, NOW + MIN_NOTICE, now=NOW).changes == (
        (0, 1), (NOW + MIN_NOTICE, 3),
    )  # fmt: skip
    assert len(pending.changed(3, NOW + 2 * MIN_NOTICE + 1, now=NOW + MIN_NOTICE + 1).changes) == 3


@pytest.mark.parametrize("shards", [0, -1, MAX_SHARDS + 1])
def test_a_number_that_is_out_of_range(shards: int) -> None:
    with pytest.raises(ValueError, match="1 to 16 shards"):
        Layout("acme").changed(shards, NOW + MIN_NOTICE, now=NOW)
    with pytest.raises(ValueError, match="1 to 16 shards"):
        Layout("acme", ((0, shards),))


def test_changes_are_bounded() -> None:
    full = Layout("acme", tuple((n, n % 2 + 1) for n in range(MAX_CHANGES)))
    with pytest.raises(ValueError, match="at most 99 times"):
        full.changed(8, NOW + MIN_NOTICE, now=NOW)
    almost = Layout("acme", full.changes[:-1])
    assert len(almost.changed(8, NOW + MIN_NOTICE, now=NOW).changes) == MAX_CHANGES


@pytest.mark.parametrize(
    "changes", [(), ((1, 1),), ((-1, 1),), ((0, 1), (0, 2)), ((0, 1), (2, 3), (1, 4))]
)
def test_changes_that_do_not_begin_at_0_and_go_on(changes: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ValueError, match="begin at 0"):
        Layout("acme", changes)


def test_the_notice_is_longer_than_all_that_it_stands_for() -> None:
    assert layout.MIN_NOTICE >= MAX_AHEAD + A_WRITER + 2 * CLOCK_SKEW


def test_an_org_has_one_partition_unless_it_says_otherwise() -> None:
    org = Org("acme", None, NOW)
    assert org.shards == UNSHARDED
    assert org.layout.partitions == ["acme"]
    assert Org("acme", None, NOW, ((0, 1), (NOW, 3))).layout.partitions == [
        "acme",
        "acme#0",
        "acme#1",
        "acme#2",
    ]
