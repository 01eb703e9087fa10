"""Where an export is cut: about evenly, whatever the log looks like and whatever is digested.

Numbers are small here, in the proportions of the real ones: a slice is eight segments
of digests, and there are more events than one read gives.
"""

import copy
import random
from bisect import bisect_left
from collections.abc import Callable, Iterable
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import seal.builder
from auditlog import canonical, clock, digest
from auditlog.event import StoredEvent, event_id, first_id
from auditlog.layout import Layout
from auditlog.reads import BLOCK_COUNTS, SEGMENT, SEGMENT_COUNTS, EventsRead, Rows
from auditlog.span import EVERYTHING, Span, fold, unfold
from export import cuts
from seal.builder import Builder
from tests.unit.memory import Digests, Events, run

START = clock.parse("2026-01-01T00:00:00Z")
NOW = START + 400 * clock.DAY
#: As an export freezes it: from the beginning of time to a little ahead.
WHOLE = Span(first_id(0), first_id(NOW))
PACKED = canonical.pack(canonical.encode({"type": "repo.create", "actor": {"id": "usr_1"}}))
EVENTS = 4_800
SLICE = 240
ROWS = 50
LAYOUTS = {
    "one": Layout("acme"),
    "three": Layout("acme", ((0, 3),)),
    "sixteen": Layout("acme", ((0, 16),)),
    "eras": Layout("acme", ((0, 1), (START + 20 * clock.DAY, 8), (START + 50 * clock.DAY, 2))),
}


class Log(Events):
    """A log in memory that is quick to read, and knows how much is where."""

    def __init__(self, layout: Layout, times: Iterable[int], seed: int = 1) -> None:
        super().__init__(digests=Digests())
        self.layout = layout
        chance = random.Random(seed)
        for at in times:
            made = event_id(at, chance.randbytes(32))
            row = StoredEvent(made, "repo.create", at, described=True, packed=PACKED)
            self.rows_of.setdefault(layout.partition(made), {})[made] = row
        self.order = {partition: sorted(rows) for partition, rows in self.rows_of.items()}
        self.ids = sorted(each for ids in self.order.values() for each in ids)
        self.rows_read = 0

    def rows(self, read: EventsRead, *, consistent: bool = False) -> Rows:
        ids = self.order.get(read.partition, [])
        inside = ids[bisect_left(ids, read.span.first) : bisect_left(ids, read.span.end)]
        if read.order == "desc":
            inside.reverse()
        taken = inside[: min(read.count, self.stingy)]
        self.rows_read += len(taken)
        rows = [self.rows_of[read.partition][each] for each in taken]
        return Rows(rows, complete=len(taken) == len(inside))

    def seal(self, now: int = NOW) -> None:
        """Digests what has passed the watermark."""
        for partition in self.layout.partitions:
            Builder(partition, self, now, lambda: False).run()  # type: ignore[arg-type] -- in memory

    def sizes(self, bounds: list[str], span: Span = WHOLE) -> list[int]:
        """How many events there are in each slice."""
        at = [span.first, *bounds, span.end]
        return [self.count(Span(first, end)) for first, end in pairwise(at)]

    def count(self, span: Span) -> int:
        return bisect_left(self.ids, span.end) - bisect_left(self.ids, span.first)


def cut(log: Log, span: Span = WHOLE) -> list[int]:
    """The sizes of the slices, after looking at the bounds and at what they cost."""
    trips: list[int] = []
    log.rows_read = 0
    bounds = list(run(cuts.cut(log.layout, span), log, trips=trips).bounds)
    assert bounds == sorted(set(bounds)) == unfold(fold(bounds))
    assert all(span.first < bound < span.end for bound in bounds)
    assert len(bounds) < cuts.MOST_SLICES
    places = sum(len(era.partitions) for era in log.layout.eras(span, "asc"))
    digests = sum(len(shelf) for shelf in log.digests.items.values())
    # Each look, and one more at what still seems large.
    assert sum(trips) <= places * (2 * cuts._LOOKS + 10) + digests
    assert log.rows_read <= places * (2 * cuts._LOOKS * cuts._ROWS + ROWS + 2)
    assert len(trips) <= 42 + digests // cuts._DIGESTS_PER_READ
    sizes = log.sizes(bounds, span)
    assert sum(sizes) == log.count(span)
    return sizes


def is_even(sizes: list[int], times: float = 2.0) -> bool:
    """Whether the largest is not much more than the mean, and there are as many as there should."""
    wanted = sum(sizes) / cuts.SLICE_EVENTS
    assert wanted / 2 <= len(sizes) <= wanted * 1.5 + 1, (len(sizes), wanted, sizes)
    assert max(sizes) * len(sizes) <= times * sum(sizes), (max(sizes), sum(sizes) / len(sizes))
    return True


def uniform(chance: random.Random) -> int:
    return START + chance.randrange(90 * clock.DAY)


def growing(chance: random.Random) -> int:
    return START + int(90 * clock.DAY * chance.random() ** 0.25)


def by_day(chance: random.Random) -> int:
    """Nobody is there at night."""
    noon = START + chance.randrange(90) * clock.DAY + 12 * clock.HOUR
    return noon + int(chance.gauss(0, 2) * clock.HOUR)


def old_and_new(chance: random.Random) -> int:
    """Half of it an import of a day in 1970."""
    return chance.choice([0, START]) + chance.randrange(clock.DAY)


def one_burst(chance: random.Random) -> int:
    return START + chance.randrange(2_000)


def two_bursts(chance: random.Random) -> int:
    return START + chance.choice([0, 300 * clock.DAY]) + chance.randrange(1_000)


def whole_seconds(chance: random.Random) -> int:
    """A publisher whose clock has no more: 27 events in each second."""
    return START + chance.randrange(300) * clock.SECOND


def nightly(chance: random.Random) -> int:
    """Jobs that say what they did in one moment, 200 events at a time."""
    return START + chance.randrange(40) * clock.DAY + chance.randrange(10)


Shape = Callable[[random.Random], int]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuts, "SLICE_EVENTS", SLICE)
    monkeypatch.setattr(cuts, "_FINE", SLICE / 2)
    monkeypatch.setattr(cuts, "ROWS_PER_READ", ROWS)
    monkeypatch.setattr(cuts, "_DIGESTS_PER_READ", 20)
    for module in (digest, seal.builder, cuts):
        monkeypatch.setattr(module, "BLOCK_EVENTS", 6)
        monkeypatch.setattr(module, "SEGMENT_BLOCKS", 5)


def times_of(shape: Shape, count: int = EVENTS) -> list[int]:
    chance = random.Random(shape.__name__)
    return [shape(chance) for _ in range(count)]


@cache
def made(layout: str, shape: Shape, digested: str) -> Log:
    """A log that nobody changes."""
    times = times_of(shape)
    log = Log(LAYOUTS[layout], times)
    if digested == "all":
        log.seal()
    elif digested == "half":
        log.seal(sorted(times)[EVENTS // 2] + digest.WATERMARK)
    assert (digested != "none") == bool(log.digests.items)
    return log


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [uniform, growing, by_day, old_and_new, one_burst, two_bursts])
def test_a_log_that_is_digested_is_cut_evenly(layout: str, shape: Shape) -> None:
    log = made(layout, shape, "all")
    assert is_even(cut(log), 2.5 if "burst" in shape.__name__ else 2.0)
    # And cheaply: a few rows of each partition beside what is counted.
    assert log.rows_read <= len(log.layout.partitions) * (ROWS + 2)


@pytest.mark.parametrize("digested", ["none", "half"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [uniform, growing])
def test_a_log_that_is_not_digested_is_cut_evenly_by_a_few_looks(
    layout: str, shape: Shape, digested: str
) -> None:
    assert is_even(cut(made(layout, shape, digested)))


@pytest.mark.parametrize("digested", ["none", "half"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [one_burst, two_bursts, old_and_new])
def test_bursts_that_are_not_digested_are_found(layout: str, shape: Shape, digested: str) -> None:
    assert is_even(cut(made(layout, shape, digested)), 2.5)


@pytest.mark.parametrize("digested", ["none", "half"])
@pytest.mark.parametrize("layout", ["one", "three", "sixteen", "eras"])
@pytest.mark.parametrize("shape", [whole_seconds, nightly])
def test_many_small_bursts_do_not_look_like_a_thousand_times_as_much(
    layout: str, shape: Shape, digested: str
) -> None:
    """What is taken for much more than it is costs a message, a run and an object for each slice.

    Where it is taken for less, whoever writes a slice parts it.
    """
    sizes = cut(made(layout, shape, digested))
    assert len(sizes) <= 5 * EVENTS // SLICE


@pytest.mark.parametrize("shape", [whole_seconds, nightly])
def test_a_small_log_of_bursts_is_one_slice_with_the_real_numbers(
    monkeypatch: pytest.MonkeyPatch, shape: Shape
) -> None:
    monkeypatch.undo()
    assert cuts.SLICE_EVENTS == 131_072
    log = Log(LAYOUTS["one"], times_of(shape, 5_000))
    assert len(run(cuts.cut(log.layout, WHOLE), log).bounds) + 1 <= 3


@pytest.mark.parametrize("digested", ["all", "half", "none"])
@pytest.mark.parametrize("layout", ["one", "three", "eras"])
def test_a_part_of_the_log_is_cut_evenly(layout: str, digested: str) -> None:
    log = made(layout, uniform, digested)
    for since, until in ((10, 80), (45, 60), (0, 30), (70, 400)):
        span = Span(first_id(START + since * clock.DAY), first_id(START + until * clock.DAY))
        assert is_even(cut(log, span))


def test_a_year_that_is_spread_over_more_and_more_shards() -> None:
    changes = ((0, 1), *((START + n * 10 * clock.DAY, n) for n in range(2, 9)))
    log = Log(Layout("acme", changes), times_of(uniform))
    log.seal()
    assert is_even(cut(log))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("digested", ["all", "none"])
def test_what_fits_into_one_slice_is_not_cut(layout: str, digested: str) -> None:
    log = Log(LAYOUTS[layout], times_of(uniform, SLICE // 2))
    if digested == "all":
        log.seal()
    assert cut(log) == [SLICE // 2]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("slice_events", [SLICE, 1])
def test_of_no_event_and_of_one_there_is_one_slice(
    monkeypatch: pytest.MonkeyPatch, layout: str, count: int, slice_events: int
) -> None:
    monkeypatch.setattr(cuts, "SLICE_EVENTS", slice_events)
    for seals in (False, True):
        log = Log(LAYOUTS[layout], times_of(uniform, count))
        if seals:
            log.seal()
        assert cut(log) == [count]
        assert cut(log, EVERYTHING) == [count]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_empty_range_is_not_read(layout: str) -> None:
    log = Log(LAYOUTS[layout], times_of(uniform, 200))
    span = Span(first_id(START + 60 * clock.DAY), first_id(START + 30 * clock.DAY))
    trips: list[int] = []
    assert run(cuts.cut(log.layout, span), log, trips=trips).bounds == ()
    assert trips == []


@pytest.mark.parametrize("layout", ["one", "three"])
def test_what_one_read_gives_whole_is_cut_to_the_event(
    monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    monkeypatch.setattr(cuts, "SLICE_EVENTS", 10)
    for count in (20, 31, 40, 49):
        log = Log(LAYOUTS[layout], [START + n * clock.MINUTE for n in range(count)])
        sizes = cut(log)
        assert len(sizes) == round(count / 10)
        assert max(sizes) - min(sizes) <= 2


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("digested", ["all", "half", "none"])
def test_there_are_never_more_slices_than_s3_joins(
    monkeypatch: pytest.MonkeyPatch, layout: str, digested: str
) -> None:
    assert 5_000 < cuts.MOST_SLICES < 9_000  # S3 takes 10,000 parts; some slices are parted
    monkeypatch.setattr(cuts, "MOST_SLICES", 7)
    sizes = cut(made(layout, uniform, digested))
    assert 4 <= len(sizes) <= 7
    assert max(sizes) <= 2 * EVENTS / len(sizes)


@pytest.mark.parametrize("layout", ["one", "three"])
def test_where_the_digests_are_lost_the_log_is_looked_at(layout: str) -> None:
    log = copy.deepcopy(made(layout, uniform, "all"))
    for kind, partition in list(log.digests.items):
        if kind in {SEGMENT, SEGMENT_COUNTS, BLOCK_COUNTS}:
            del log.digests.items[kind, partition]
    assert is_even(cut(log))


@pytest.mark.parametrize("lost", [SEGMENT, SEGMENT_COUNTS, BLOCK_COUNTS])
def test_digests_that_are_lost_or_damaged_cost_evenness_alone(lost: str) -> None:
    log = copy.deepcopy(made("three", uniform, "all"))
    for (kind, _), shelf in log.digests.items.items():
        for number, (first, stored) in enumerate(sorted(shelf.items())):
            if kind == lost and number % 3 == 0:
                shelf[first] = digest.Stored(stored.span, stored.at, b"damaged")
            elif kind == lost and number % 3 == 1:
                del shelf[first]
    assert len(cut(log)) >= EVENTS / SLICE / 4


def test_a_moment_cannot_be_cut() -> None:
    """All in one microsecond, and next to it: whatever is cut is cut in order."""
    for times in ([START] * 3_000, [START + n % 9 for n in range(3_000)]):
        for seals in (False, True):
            log = Log(LAYOUTS["one"], times)
            if seals:
                log.seal()
            assert max(cut(log)) >= 300


def test_a_stingy_table_changes_nothing_but_the_number_of_reads() -> None:
    """DynamoDB ends a page after 1 MB, wherever that is."""
    log = Log(LAYOUTS["one"], times_of(uniform))
    log.stingy = 7
    assert is_even(cut(log), 3.0)


clumps = st.lists(
    st.tuples(
        st.integers(0, 399 * clock.DAY),
        st.sampled_from([1, 2, 9, 1_000, clock.SECOND, clock.HOUR, 30 * clock.DAY]),
        st.integers(1, 400),
    ),
    max_size=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    clumps,
    st.sampled_from(sorted(LAYOUTS)),
    st.none() | st.integers(0, 400 * clock.DAY),
    st.integers(0, 2**32),
    st.tuples(st.integers(0, 400 * clock.DAY), st.integers(0, 400 * clock.DAY)) | st.none(),
    st.sampled_from([1, 7, 50, SLICE]),
)
def test_whatever_the_log_is_the_bounds_are_bounds(
    made_of: list[tuple[int, int, int]],
    layout: str,
    sealed: int | None,
    seed: int,
    part: tuple[int, int] | None,
    slice_events: int,
) -> None:
    chance = random.Random(seed)
    times = [START + at + chance.randrange(w) for at, w, count in made_of for _ in range(count)]
    log = Log(LAYOUTS[layout], times, seed)
    if sealed is not None:
        log.seal(START + sealed)
    span = WHOLE
    if part is not None:
        span = Span(*(first_id(START + at) for at in sorted(part)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuts, "SLICE_EVENTS", slice_events)
        patch.setattr(cuts, "_FINE", slice_events / 2)
        patch.setattr(cuts, "MOST_SLICES", 60)
        if not span.is_empty:
            sizes = cut(log, span)
            assert all(size >= 0 for size in sizes)


@pytest.mark.parametrize(("layout", "at_once"), [("one", 2), ("three", 6), ("sixteen", 16)])
def test_how_many_slices_are_written_at_once_and_how_large_one_may_get(
    layout: str, at_once: int
) -> None:
    log = made(layout, uniform, "all")
    found = run(cuts.cut(log.layout, WHOLE), log)
    assert (found.at_once, found.most_events) == (at_once, 4 * SLICE)
