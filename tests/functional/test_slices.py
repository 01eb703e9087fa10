"""The work of an export: who does which step, and what was written, each decided once."""

import dataclasses
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from auditlog import clock, units
from auditlog.errors import StoreError, UnavailableError
from auditlog.event import event_id, first_id
from auditlog.exports import KEPT_FOR, Cuts, Export, Requester, Slice, State
from auditlog.formats import Compression, Format, Profile
from auditlog.span import Span, just_above
from auditlog.store.slices import FINISH, PLAN, SliceStore, slice_step
from tests.functional.conftest import ORG, Watched, World

NOW = 1_780_000_000_000_000
LATER = NOW + clock.MINUTE
EXPORT = Export(
    id="x" * 24,
    org=ORG,
    state=State.QUEUED,
    format=Format.JSON,
    compression=Compression.GZIP,
    profile=Profile.NATIVE,
    bom=False,
    filter={},
    span=Span.between(0, NOW),
    requested_by=Requester("usr_1", "Ada", "key1"),
    created_at=NOW,
    updated_at=NOW,
)
BOUNDS = [first_id(NOW // 4), just_above(event_id(NOW // 2, b"r" * 32))]
CUTS = Cuts(tuple(BOUNDS), at_once=4, most_events=1_000)
ENDED = [State.READY, State.FAILED, State.CANCELLED, State.EXPIRED]


class Work:
    """A store, and an export that is in the table."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.store = SliceStore(world.dynamodb, world.control_table)
        self.export = EXPORT
        world.exports.create(EXPORT)

    @property
    def stored(self) -> Export:
        found = self.world.exports.get(ORG, EXPORT.id)
        assert found is not None
        return found

    def change(self, state: State) -> None:
        """Bring the export into a state."""
        self.world.dynamodb.update_item(
            TableName=self.world.control_table,
            Key={"pk": {"S": f"export#{ORG}"}, "sk": {"S": EXPORT.id}},
            UpdateExpression="SET #s = :s",
            ExpressionAttributeNames={"#s": "state"},
            ExpressionAttributeValues={":s": {"S": state.value}},
        )

    def rows(self) -> list[dict[str, Any]]:
        return self.world.rows(self.world.control_table)


@pytest.fixture
def work(world: World) -> Work:
    return Work(world)


@pytest.fixture
def running(work: Work) -> Work:
    assert work.store.cut(EXPORT, CUTS, NOW)
    return work


def a_slice(first: str, end: str, **about: Any) -> Slice:
    known: dict[str, Any] = {
        "object_key": f"k-{first}",
        "lead": 2,
        "bytes": 10,
        "sha256": "ab",
        "events": 3,
        "first_id": "f",
        "last_id": "l",
    }
    return Slice(Span(first, end), **(known | about))


class TestTake:
    STEPS = (PLAN, FINISH, slice_step(BOUNDS[0]))

    @pytest.mark.parametrize("step", STEPS)
    def test_a_step_belongs_to_the_message_that_took_it_first(self, work: Work, step: str) -> None:
        assert work.store.take(EXPORT, step, "m1")
        assert not work.store.take(EXPORT, step, "m2")
        # It may be delivered again, before and after the other one has asked.
        assert work.store.take(EXPORT, step, "m1")
        assert not work.store.take(EXPORT, step, "m2")

    def test_each_step_is_taken_by_itself(self, work: Work) -> None:
        steps = [*self.STEPS, slice_step(BOUNDS[1])]
        for number, step in enumerate(steps):
            assert work.store.take(EXPORT, step, f"m{number}")
        for number, step in enumerate(steps):
            for other in range(len(steps)):
                assert work.store.take(EXPORT, step, f"m{other}") == (number == other)

    def test_exports_do_not_share_their_steps(self, work: Work) -> None:
        other = dataclasses.replace(EXPORT, id="y" * 24)
        assert work.store.take(EXPORT, PLAN, "m1")
        assert work.store.take(other, PLAN, "m2")

    def test_changes_nothing_of_the_export_and_nothing_of_what_was_written(
        self, running: Work
    ) -> None:
        written = a_slice(EXPORT.span.first, BOUNDS[0])
        assert running.store.win(EXPORT, written, wanted=written.span, now=NOW)
        before = running.stored
        assert running.store.take(EXPORT, slice_step(EXPORT.span.first), "m1")
        assert running.store.take(EXPORT, PLAN, "m1")
        assert running.stored == before
        assert running.store.won(EXPORT, EXPORT.span.first) == written
        assert running.store.cuts(EXPORT) == CUTS

    def test_of_many_messages_at_the_same_time_one_takes_it(self, work: Work) -> None:
        together = threading.Barrier(12)

        def take(number: int) -> bool:
            together.wait(10)
            return work.store.take(EXPORT, PLAN, f"m{number}")

        with ThreadPoolExecutor(12) as pool:
            assert sum(pool.map(take, range(12))) == 1

    def test_all_of_it_goes_after_the_file(self, running: Work) -> None:
        for step in self.STEPS:
            running.store.take(EXPORT, step, "m")
        items = [row for row in running.rows() if row["pk"]["S"] == f"slices#{EXPORT.id}"]
        assert len(items) == len(self.STEPS)
        for item in items:
            # The file may be finished a day after it was asked for, and is kept from then on.
            gone_at = int(item["ttl"]["N"]) * clock.SECOND
            assert gone_at >= EXPORT.created_at + KEPT_FOR + clock.DAY


class TestCut:
    @pytest.mark.parametrize("bounds", [[], BOUNDS[:1], BOUNDS])
    def test_the_slices_are_the_range_one_after_the_other(
        self, work: Work, bounds: list[str]
    ) -> None:
        cuts = Cuts(tuple(bounds), at_once=len(bounds) + 1, most_events=7)
        assert work.store.cuts(EXPORT) is None
        assert work.store.cut(EXPORT, cuts, LATER)
        assert work.store.cuts(EXPORT) == cuts
        spans = cuts.spans(EXPORT.span)
        assert [span.first for span in spans] == [EXPORT.span.first, *bounds]
        assert [span.end for span in spans] == [*bounds, EXPORT.span.end]
        assert work.stored == dataclasses.replace(
            EXPORT, state=State.RUNNING, slices=len(bounds) + 1, updated_at=LATER
        )

    def test_is_done_once(self, work: Work) -> None:
        assert work.store.cut(EXPORT, CUTS, NOW)
        before = work.rows()
        assert not work.store.cut(EXPORT, Cuts((), 1, 9), LATER)
        assert not work.store.cut(EXPORT, CUTS, LATER)
        assert work.rows() == before

    def test_whoever_took_the_step_has_not_cut_it_yet(self, work: Work) -> None:
        assert work.store.take(EXPORT, PLAN, "m1")
        assert work.store.cuts(EXPORT) is None
        assert work.store.cut(EXPORT, CUTS, NOW)
        assert work.store.take(EXPORT, PLAN, "m1")
        assert not work.store.take(EXPORT, PLAN, "m2")

    @pytest.mark.parametrize("state", ENDED)
    def test_what_has_ended_is_not_cut_and_stays_as_it_is(self, work: Work, state: State) -> None:
        work.change(state)
        before = work.rows()
        assert not work.store.cut(EXPORT, CUTS, LATER)
        assert work.rows() == before
        assert work.store.cuts(EXPORT) is None

    def test_an_export_that_is_not_there_is_not_made(self, work: Work) -> None:
        before = work.rows()
        absent = dataclasses.replace(EXPORT, id="y" * 24)
        assert not work.store.cut(absent, CUTS, NOW)
        assert work.rows() == before

    def test_of_many_at_the_same_time_one_cuts(self, work: Work) -> None:
        together = threading.Barrier(8)

        def cut(number: int) -> int | None:
            together.wait(10)
            for _ in range(50):
                try:
                    cuts = Cuts(tuple(first_id(NOW // 2 + n) for n in range(number)), number, 9)
                    return number if work.store.cut(EXPORT, cuts, NOW) else None
                except UnavailableError:  # in conflict with another transaction
                    continue
            return None

        with ThreadPoolExecutor(8) as pool:
            [won] = [each for each in pool.map(cut, range(8)) if each is not None]
        cuts = work.store.cuts(EXPORT)
        assert cuts is not None
        assert len(cuts.bounds) == won == cuts.at_once
        assert work.stored.slices == won + 1

    def test_as_many_bounds_as_there_can_be_fit_into_an_item(self, work: Work) -> None:
        """The most that `cuts.MOST_SLICES` allows, as unlike one another as ids are."""
        bounds = sorted(
            just_above(event_id(NOW // 9_000 * n, b"%032d" % n)) for n in range(1, 8_000)
        )
        cuts = Cuts(tuple(bounds), 16, 10**9)
        assert work.store.cut(EXPORT, cuts, NOW)
        assert work.store.cuts(EXPORT) == cuts
        [item] = [row for row in work.rows() if row["sk"]["S"] == PLAN]
        assert len(item["bounds"]["S"]) < 350_000


class TestWin:
    def test_is_read_as_it_was_written(self, running: Work) -> None:
        written = a_slice(
            EXPORT.span.first,
            BOUNDS[0],
            left_out={"aws.s3.Get": 2, "a.b": 1},
            unsaid={"targets": 4},
        )
        assert running.store.won(EXPORT, EXPORT.span.first) is None
        assert running.store.written(EXPORT) == []
        assert running.store.win(EXPORT, written, wanted=written.span, now=LATER)
        assert running.store.won(EXPORT, EXPORT.span.first) == written
        assert running.store.written(EXPORT) == [written]
        assert running.store.won(EXPORT, BOUNDS[0]) is None

    def test_counts_on_the_export(self, running: Work) -> None:
        first = a_slice(EXPORT.span.first, BOUNDS[0], events=3)
        second = a_slice(BOUNDS[0], BOUNDS[1], events=40)
        before = running.stored
        assert running.store.win(EXPORT, first, wanted=first.span, now=LATER)
        assert running.stored == dataclasses.replace(
            before, slices_done=1, events_so_far=3, updated_at=LATER
        )
        assert running.store.win(EXPORT, second, wanted=second.span, now=LATER + 1)
        assert running.stored == dataclasses.replace(
            before, slices_done=2, events_so_far=43, updated_at=LATER + 1
        )

    def test_one_without_events_is_a_slice_too(self, running: Work) -> None:
        empty = Slice(Span(EXPORT.span.first, BOUNDS[0]))
        assert running.store.win(EXPORT, empty, wanted=empty.span, now=LATER)
        assert running.store.won(EXPORT, EXPORT.span.first) == empty
        assert (running.stored.slices_done, running.stored.events_so_far) == (1, 0)

    def test_of_two_attempts_exactly_one_wins(self, running: Work) -> None:
        one = a_slice(EXPORT.span.first, BOUNDS[0], events=3)
        other = dataclasses.replace(one, object_key="other", events=5)
        shorter = dataclasses.replace(one, span=Span(EXPORT.span.first, first_id(7)), events=1)
        assert running.store.win(EXPORT, one, wanted=one.span, now=NOW)
        before = running.rows()
        for late in (other, one, shorter):
            assert not running.store.win(EXPORT, late, wanted=one.span, now=LATER)
        assert running.rows() == before
        assert running.store.won(EXPORT, EXPORT.span.first) == one

    def test_at_the_same_time_too(self, running: Work) -> None:
        together = threading.Barrier(8)
        span = Span(EXPORT.span.first, BOUNDS[0])

        def win(number: int) -> int | None:
            attempt = a_slice(span.first, span.end, object_key=f"k{number}", events=number)
            together.wait(10)
            for _ in range(50):
                try:
                    won = running.store.win(EXPORT, attempt, wanted=span, now=NOW)
                except UnavailableError:  # in conflict with another transaction
                    continue
                return number if won else None
            return None

        with ThreadPoolExecutor(8) as pool:
            [winner] = [n for n in pool.map(win, range(1, 9)) if n is not None]
        assert running.stored.slices_done == 1
        assert running.stored.events_so_far == winner
        won = running.store.won(EXPORT, span.first)
        assert won is not None
        assert won.object_key == f"k{winner}"

    def test_what_is_left_of_one_is_a_slice_of_its_own(self, running: Work) -> None:
        wanted = Span(EXPORT.span.first, BOUNDS[0])
        middle = just_above(event_id(NOW // 8, b"m" * 32))
        begun = a_slice(wanted.first, middle, events=2)
        assert running.store.win(EXPORT, begun, wanted=wanted, now=NOW)
        assert (running.stored.slices, running.stored.slices_done) == (4, 1)
        rest = a_slice(middle, wanted.end, events=1)
        assert running.store.win(EXPORT, rest, wanted=rest.span, now=NOW)
        assert (running.stored.slices, running.stored.slices_done) == (4, 2)
        assert running.store.written(EXPORT) == [begun, rest]
        # How the range was cut stays as it was.
        assert running.store.cuts(EXPORT) == CUTS

    @pytest.mark.parametrize("state", [State.QUEUED, *ENDED])
    def test_not_of_an_export_that_is_not_running(self, running: Work, state: State) -> None:
        running.change(state)
        before = running.rows()
        written = a_slice(EXPORT.span.first, BOUNDS[0])
        assert not running.store.win(EXPORT, written, wanted=written.span, now=LATER)
        assert running.rows() == before
        assert running.store.won(EXPORT, EXPORT.span.first) is None

    def test_not_of_one_that_is_not_there(self, running: Work) -> None:
        before = running.rows()
        written = a_slice(EXPORT.span.first, BOUNDS[0])
        absent = dataclasses.replace(EXPORT, id="y" * 24)
        assert not running.store.win(absent, written, wanted=written.span, now=LATER)
        assert running.rows() == before

    def test_whoever_took_the_step_does_not_hinder_another_delivery(self, running: Work) -> None:
        step = slice_step(EXPORT.span.first)
        assert running.store.take(EXPORT, step, "m1")
        assert running.store.won(EXPORT, EXPORT.span.first) is None
        assert running.store.written(EXPORT) == []
        written = a_slice(EXPORT.span.first, BOUNDS[0])
        assert running.store.win(EXPORT, written, wanted=written.span, now=LATER)
        assert not running.store.take(EXPORT, step, "m2")
        assert running.store.written(EXPORT) == [written]


class TestWritten:
    def test_is_in_the_order_of_the_range_whatever_came_first(self, running: Work) -> None:
        # Bounds of every length, some the beginning of others.
        at = [
            EXPORT.span.first,
            first_id(NOW // 9)[:12],
            first_id(NOW // 9),
            just_above(first_id(NOW // 9)),
            *BOUNDS,
            EXPORT.span.end,
        ]
        at.sort()
        slices = [a_slice(a, b) for a, b in pairwise(at)]
        for written in (*slices[1::2], *slices[::2][::-1]):
            assert running.store.win(EXPORT, written, wanted=written.span, now=NOW)
        assert running.store.written(EXPORT) == slices

    def test_over_many_pages(self, running: Work) -> None:
        """1 MB a page: with a long list of types it takes some 60 slices to fill one."""
        left_out = {f"scope.{'long' * 20}_{number}": number for number in range(200)}
        at = [first_id(n) for n in range(1, 202)]
        slices = [a_slice(a, b, left_out=left_out) for a, b in pairwise(at)]
        for written in slices:
            assert running.store.win(EXPORT, written, wanted=written.span, now=NOW)
        pages: list[str] = []

        def watch(name: str, _number: int, call: Callable[[], Any]) -> Any:
            pages.append(name)
            return call()

        client: Any = Watched(running.world.dynamodb, watch)
        store = SliceStore(client, running.world.control_table)
        assert store.written(EXPORT) == slices
        assert pages.count("query") > 1

    def test_has_nothing_of_another_export(self, running: Work) -> None:
        other = dataclasses.replace(EXPORT, id=EXPORT.id + "x", state=State.RUNNING)
        running.world.exports.create(other)
        written = a_slice(EXPORT.span.first, BOUNDS[0])
        assert running.store.win(other, written, wanted=written.span, now=NOW)
        assert running.store.written(EXPORT) == []
        assert running.store.written(other) == [written]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ClientError({"Error": {"Code": "ThrottlingException"}}, "x"), UnavailableError),
        (ConnectTimeoutError(endpoint_url="x"), UnavailableError),
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "x"), StoreError),
        (
            ClientError(
                {
                    "Error": {"Code": "TransactionCanceledException"},
                    "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}],
                },  # type: ignore[typeddict-item] -- as DynamoDB sends it
                "x",
            ),
            UnavailableError,
        ),
    ],
)
def test_aws_errors_in_our_own_words(
    work: Work, error: Exception, expected: type[Exception]
) -> None:
    def fail(_name: str, _number: int, _call: Any) -> Any:
        raise error

    client: Any = Watched(work.world.dynamodb, fail)
    store = SliceStore(client, work.world.control_table)
    written = a_slice(EXPORT.span.first, BOUNDS[0])
    for attempt in (
        lambda: store.take(EXPORT, PLAN, "m"),
        lambda: store.cut(EXPORT, CUTS, NOW),
        lambda: store.cuts(EXPORT),
        lambda: store.win(EXPORT, written, wanted=written.span, now=NOW),
        lambda: store.won(EXPORT, EXPORT.span.first),
        lambda: store.written(EXPORT),
    ):
        with pytest.raises(expected) as caught:
            attempt()
        assert caught.value.__cause__ is error


def test_what_it_costs_is_what_it_says(work: Work) -> None:
    """Write units of the first time; a transaction costs twice."""
    spent: dict[str, float] = {}

    class Client:
        def __getattr__(self, name: str) -> Any:
            def called(**arguments: Any) -> Any:
                answer = getattr(work.world.dynamodb, name)(
                    **arguments, ReturnConsumedCapacity="TOTAL"
                )
                each = answer["ConsumedCapacity"]
                each = each if isinstance(each, list) else [each]
                spent[name] = sum(one["CapacityUnits"] for one in each)
                return answer

            return called

    client: Any = Client()
    store = SliceStore(client, work.world.control_table)
    assert store.take(EXPORT, PLAN, "m" * 36)
    assert spent.pop("update_item") == 1
    assert store.cut(EXPORT, CUTS, NOW)
    assert spent.pop("transact_write_items") == 4
    written = a_slice(EXPORT.span.first, BOUNDS[0], object_key="k" * 120, sha256="a" * 64)
    assert store.win(EXPORT, written, wanted=written.span, now=NOW)
    assert spent.pop("transact_write_items") == 4
    assert store.won(EXPORT, EXPORT.span.first) == written
    assert spent.pop("get_item") == 1
    assert store.written(EXPORT) == [written]
    assert spent.pop("query") == 1
    assert spent == {}
    other = dataclasses.replace(EXPORT, id="y" * 24)
    work.world.exports.create(other)
    bounds = [first_id(NOW // 100 * n) for n in range(1, 60)]
    assert store.cut(other, Cuts(tuple(bounds), 2, 9), NOW)
    [item] = [r for r in work.rows() if r["pk"]["S"] == f"slices#{other.id}"]
    assert spent["transact_write_items"] == 2 + 2 * units.write_units(units.item_size(item))
