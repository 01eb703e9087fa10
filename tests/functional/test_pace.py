"""How fast exports read: all workers together at one rate, however many there are.

Workers run in threads of which one at a time goes on, by a clock that moves only while all
of them sleep: what happens is the same in every run.
"""

import threading
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

import pytest
from botocore.exceptions import ClientError

from auditlog import clock
from auditlog.errors import StoreError, UnavailableError
from auditlog.store import pace
from auditlog.store.pace import READ_UNITS, Pace
from export.job import Stopped
from tests.functional.conftest import ORG, Watched, World

START = 1_780_000_000_000_000
#: Of one read, and how long it takes: 3,000 units a second, twice what one partition may have.
BATCH, READING = 60.0, 0.02


def nobody() -> None:
    pass


class Time:
    """A clock for workers that take turns."""

    def __init__(self) -> None:
        self.at = START
        self._turn = threading.Condition()
        self._asleep: list[tuple[int, int]] = []
        self._awake: int | None = None
        self._own = threading.local()

    def now(self) -> int:
        return self.at

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        with self._turn:
            heappush(
                self._asleep, (self.at + max(1, round(seconds * clock.SECOND)), self._own.number)
            )
            self._next()
            self._turn.wait_for(lambda: self._awake == self._own.number)

    def run(self, *workers: Callable[[], None]) -> None:
        """Lets all of them work until they are done; raises what one of them raised."""
        raised: list[BaseException] = []

        def work(number: int, worker: Callable[[], None]) -> None:
            self._own.number = number
            with self._turn:
                self._turn.wait_for(lambda: self._awake == number)
            try:
                worker()
            except BaseException as error:  # noqa: BLE001 -- raised again below
                raised.append(error)
            with self._turn:
                self._next()

        threads = [threading.Thread(target=work, args=each) for each in enumerate(workers)]
        for number, thread in enumerate(threads):
            heappush(self._asleep, (self.at, number))
            thread.start()
        with self._turn:
            self._next()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
        if raised:
            raise raised[0]

    def _next(self) -> None:
        self._awake = None
        if self._asleep:
            at, self._awake = heappop(self._asleep)
            self.at = max(self.at, at)
        self._turn.notify_all()


@dataclass
class Reading:
    """What was read, and when."""

    world: World
    time: Time = field(default_factory=Time)
    read: list[tuple[int, float]] = field(default_factory=list)

    def pace(self, client: Any = None, org: str = ORG) -> Pace:
        return Pace(
            client or self.world.dynamodb,
            self.world.control_table,
            org,
            now=self.time.now,
            sleep=self.time.sleep,
        )

    def worker(self, seconds: float) -> Callable[[], None]:
        """One that reads as fast as it may."""

        def work() -> None:
            own, end = self.pace(), self.time.at + seconds * clock.SECOND
            while self.time.at < end:
                self.time.sleep(READING)
                self.read.append((self.time.at, BATCH))
                own.spend(BATCH, nobody)

        return work

    def within(self, since: int, until: int) -> float:
        times = [at for at, _ in self.read]
        return sum(u for _, u in self.read[bisect_left(times, since) : bisect_left(times, until)])

    def most(self, seconds: int, *, since: int = START) -> float:
        """The most that was read in any so many seconds from then on."""
        starts = [at for at, _ in self.read if at >= since]
        return max(self.within(at, at + seconds * clock.SECOND) for at in starts)


@pytest.fixture
def reading(world: World) -> Reading:
    return Reading(world)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_workers_together_read_at_the_rate_and_no_faster(reading: Reading, workers: int) -> None:
    seconds, rate = 30, READ_UNITS
    # Each has a stretch that it read and did not book, and one that it reads in any case.
    slack = workers * (pace._BOOKED_AT_ONCE + 2 * BATCH)
    reading.time.run(*[reading.worker(seconds) for _ in range(workers)])
    burst = rate * pace._BURST / clock.SECOND
    for number, (at, _) in enumerate(reading.read):
        so_far = sum(units for _, units in reading.read[: number + 1]) if number % 50 == 0 else 0
        assert so_far <= rate * (at - START) / clock.SECOND + burst + slack
    assert reading.most(1) <= rate + burst + slack
    # Once the burst is over there is none any more.
    later = START + 5 * clock.SECOND
    assert reading.most(1, since=later) <= rate + slack
    assert reading.most(10, since=later) <= 10 * rate + slack
    # And what may be read is read.
    assert reading.within(later, later + 20 * clock.SECOND) >= 20 * rate - slack


def test_no_worker_starves(reading: Reading) -> None:
    shares = [0.0] * 5

    def watched(number: int) -> Callable[[], None]:
        def work() -> None:
            own = reading.pace()
            while reading.time.at < START + 30 * clock.SECOND:
                reading.time.sleep(READING)
                shares[number] += BATCH
                own.spend(BATCH, nobody)

        return work

    reading.time.run(*map(watched, range(5)))
    assert min(shares) * 1.5 > max(shares)


def test_a_small_export_does_not_wait(reading: Reading) -> None:
    """20,000 events are some 1,200 units."""
    slept: list[float] = []
    own = reading.pace()
    own.sleep = slept.append
    for _ in range(20):
        own.spend(BATCH, nobody)
    assert slept == []
    # It goes on, and does.
    for _ in range(20):
        own.spend(BATCH, nobody)
        reading.time.at += 1_000
    assert slept


def test_one_that_reads_slower_than_it_may_does_not_wait(reading: Reading) -> None:
    own = reading.pace()
    own.sleep = pytest.fail
    for _ in range(300):
        reading.time.at += round(BATCH / READ_UNITS * 1.01 * clock.SECOND)
        own.spend(BATCH, nobody)


def test_idle_time_is_not_saved_up(reading: Reading) -> None:
    """After an hour in which nobody read there is one burst, as at the beginning."""

    def work() -> None:
        reading.worker(10)()
        reading.time.sleep(3_600)
        reading.worker(10)()

    reading.time.run(work)
    slack = pace._BOOKED_AT_ONCE + 2 * BATCH
    again = START + 3_610 * clock.SECOND
    assert reading.within(again, again + clock.SECOND) > READ_UNITS + slack
    assert reading.most(1, since=again - clock.SECOND) <= 2 * READ_UNITS + slack
    assert reading.most(1, since=again + 3 * clock.SECOND) <= READ_UNITS + slack


def test_orgs_do_not_wait_for_one_another(reading: Reading) -> None:
    full, other = reading.pace(), reading.pace(org="umbrella")
    naps: list[float] = []
    full.sleep = lambda seconds: (
        naps.append(seconds)
        or setattr(reading.time, "at", reading.time.at + round(seconds * clock.SECOND))
    )
    other.sleep = pytest.fail
    full.spend(100 * READ_UNITS, nobody)
    assert sum(naps) == pytest.approx(99, abs=0.01)
    reading.time.at = START
    other.spend(READ_UNITS / 2, nobody)


def test_while_it_waits_it_says_that_it_lives(reading: Reading) -> None:
    lived: list[int] = []

    def work() -> None:
        reading.pace().spend(61 * READ_UNITS, lambda: lived.append(reading.time.at))

    reading.time.run(work)
    gaps = [b - a for a, b in zip([START, *lived], lived, strict=False)]
    assert max(gaps) <= 5 * clock.SECOND
    assert lived[-1] == START + 60 * clock.SECOND


def test_one_that_is_not_wanted_any_more_does_not_wait_on(reading: Reading) -> None:
    def stop() -> None:
        raise Stopped

    def work() -> None:
        with pytest.raises(Stopped):
            reading.pace().spend(100 * READ_UNITS, stop)

    reading.time.run(work)
    assert reading.time.at <= START + 5 * clock.SECOND


def test_what_it_costs(reading: Reading) -> None:
    """A write for each 250 units that were read, and one more after a pause."""
    watched = Watched(reading.world.dynamodb, lambda _name, _number, call: call())
    own = reading.pace(watched)
    own.sleep = lambda seconds: setattr(
        reading.time, "at", reading.time.at + round(seconds * clock.SECOND)
    )
    own.spend(249, nobody)
    assert watched.calls == []
    own.spend(1, nobody)
    assert watched.calls == ["update_item"] * 2
    for number in range(40):
        own.spend(125, nobody)
        assert len(watched.calls) == 2 + (number + 1) // 2
    reading.time.at += clock.HOUR
    own.spend(250, nobody)
    assert len(watched.calls) == 2 + 20 + 2


def test_two_who_find_it_free_at_the_same_time_book_one_behind_the_other(reading: Reading) -> None:
    """Between the two writes of one, the other books."""
    second = reading.pace()
    done: list[str] = []

    def meanwhile(_name: str, number: int, call: Callable[[], Any]) -> Any:
        if number == 1 and not done:
            done.append("booked")
            second.spend(READ_UNITS / 2, nobody)
        return call()

    first = reading.pace(Watched(reading.world.dynamodb, meanwhile))
    first.spend(READ_UNITS / 4, nobody)
    assert done
    [item] = [
        row
        for row in reading.world.rows(reading.world.control_table)
        if row["pk"]["S"] == f"reads#{ORG}"
    ]
    assert int(item["booked"]["N"]) == START + 3 * clock.SECOND // 4


@pytest.mark.parametrize(
    ("code", "expected"),
    [("ThrottlingException", UnavailableError), ("AccessDeniedException", StoreError)],
)
def test_aws_errors_in_our_own_words(
    reading: Reading, code: str, expected: type[Exception]
) -> None:
    def fail(name: str, _number: int, _call: Any) -> Any:
        raise ClientError({"Error": {"Code": code}}, name)

    with pytest.raises(expected):
        reading.pace(Watched(reading.world.dynamodb, fail)).spend(READ_UNITS, nobody)
