"""How fast exports read: all workers of an org together at one rate, however many there are.

Each worker has a clock of its own, which its reading and its sleeping move; of
several the one that is behind goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from auditlog import clock
from auditlog.errors import StoreError, UnavailableError
from auditlog.store.pace import READ_UNITS, Pace
from tests.functional.conftest import ORG, Watched, World

START = 1_780_000_000_000_000
#: Of one read, and how long it takes: twice as fast as one partition may be read.
UNITS, TAKES = 250.0, clock.SECOND // 12
BURST = READ_UNITS
#: What is read before it is counted: a batch of each worker.
SLACK = 2 * UNITS


@dataclass
class Worker:
    world: World
    org: str = ORG
    at: int = START
    slept: float = 0.0
    read: list[tuple[int, float]] = field(default_factory=list)
    alive: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.pace = Pace(
            self.world.dynamodb,
            self.world.control_table,
            self.org,
            now=lambda: self.at,
            sleep=self._sleep,
        )

    def _sleep(self, seconds: float) -> None:
        assert 0 < seconds <= 5
        self.slept += seconds
        self.at += max(1, round(seconds * clock.SECOND))

    def go_on(self) -> None:
        self.at += TAKES
        self.read.append((self.at, UNITS))
        self.pace.spend(UNITS, self.alive)


def work(*workers: Worker, seconds: int) -> None:
    """All of them work for so long, side by side."""
    end = START + seconds * clock.SECOND
    while (behind := min(workers, key=lambda each: each.at)).at < end:
        behind.go_on()


def most_within(workers: list[Worker], seconds: int) -> float:
    """The most that all of them read in any stretch of so many seconds."""
    reads = sorted(each for worker in workers for each in worker.read)
    return max(
        sum(units for at, units in reads[n:] if at < since + seconds * clock.SECOND)
        for n, (since, _) in enumerate(reads)
    )


@pytest.mark.parametrize("count", [1, 2, 5])
def test_together_they_read_no_faster_than_half_of_a_partition(world: World, count: int) -> None:
    workers = [Worker(world) for _ in range(count)]
    work(*workers, seconds=12)
    for seconds in (1, 5, 10):
        assert most_within(workers, seconds) <= READ_UNITS * seconds + BURST + SLACK * count
    total = sum(units for worker in workers for _, units in worker.read)
    assert total >= READ_UNITS * 11


def test_a_small_export_does_not_wait(world: World) -> None:
    worker = Worker(world)
    for _ in range(int(BURST // UNITS)):
        worker.go_on()
    assert worker.slept == 0


def test_idle_time_is_not_saved_up(world: World) -> None:
    one, other = Worker(world), Worker(world, at=START + clock.HOUR)
    work(one, seconds=2)
    while other.at < START + clock.HOUR + 5 * clock.SECOND:
        other.go_on()
    assert most_within([other], 4) <= READ_UNITS * 4 + BURST + SLACK


def test_one_org_does_not_delay_another(world: World) -> None:
    work(Worker(world), Worker(world), seconds=5)
    other = Worker(world, org="umbrella")
    other.go_on()
    assert other.slept == 0


def test_whoever_waits_says_so_and_may_be_stopped(world: World) -> None:
    class StopError(Exception):
        pass

    def stop() -> None:
        raise StopError

    worker = Worker(world)
    worker.alive = stop
    with pytest.raises(StopError):
        work(worker, seconds=10)
    assert worker.slept > 0


def test_few_units_are_not_booked(world: World) -> None:
    worker = Worker(world)
    before = world.rows(world.control_table)
    worker.pace.spend(UNITS - 1, worker.alive)
    assert world.rows(world.control_table) == before
    worker.pace.spend(1, worker.alive)
    assert world.rows(world.control_table) != before


def booked(world: World) -> int:
    """The moment up to which reads are booked."""
    rows = world.rows(world.control_table)
    [item] = [row for row in rows if row["pk"]["S"] == f"reads#{ORG}"]
    return int(item["booked"]["N"])


def test_while_it_waits_it_says_every_few_seconds_that_it_lives(world: World) -> None:
    lived: list[int] = []
    worker = Worker(world)
    worker.alive = lambda: lived.append(worker.at)
    worker.pace.spend(61 * READ_UNITS, worker.alive)  # `_sleep` takes no longer naps than five
    assert worker.at == lived[-1] == START + 60 * clock.SECOND
    assert len(lived) == 12


def test_no_worker_starves(world: World) -> None:
    workers = [Worker(world) for _ in range(5)]
    work(*workers, seconds=20)
    shares = [sum(units for _, units in worker.read) for worker in workers]
    assert min(shares) * 1.5 >= max(shares)


def test_two_who_find_it_free_at_the_same_time_book_one_behind_the_other(world: World) -> None:
    """Between the two writes of one, which are one more than when it is not free, another books."""
    sound = world.dynamodb
    other = Worker(world)
    calls: list[str] = []

    def meanwhile(_name: str, number: int, call: Callable[[], Any]) -> Any:
        if number == 1 and other.at == START:
            other.go_on()
        return call()

    world.dynamodb = Watched(sound, meanwhile, calls)
    one = Worker(world)
    world.dynamodb = sound
    one.go_on()
    assert other.read
    takes = UNITS / READ_UNITS * clock.SECOND
    assert booked(world) == pytest.approx(START + TAKES + 2 * takes, abs=2)
    assert calls == ["update_item"] * 3


def test_what_it_costs(world: World) -> None:
    """A write for each 250 units that were read, and one more after a pause."""
    sound, calls = world.dynamodb, list[str]()
    world.dynamodb = Watched(sound, lambda _name, _number, call: call(), calls)
    worker = Worker(world)
    world.dynamodb = sound
    worker.go_on()
    assert len(calls) == 2
    for number in range(20):
        worker.pace.spend(UNITS / 2, worker.alive)
        assert len(calls) == 2 + (number + 1) // 2
    worker.at += clock.HOUR
    worker.go_on()
    assert len(calls) == 2 + 10 + 2


@pytest.mark.parametrize(
    ("code", "expected"),
    [("ThrottlingException", UnavailableError), ("AccessDeniedException", StoreError)],
)
def test_aws_errors_in_our_own_words(world: World, code: str, expected: type[Exception]) -> None:
    def fail(name: str, _number: int, _call: Any) -> Any:
        raise ClientError({"Error": {"Code": code}}, name)

    world.dynamodb = Watched(world.dynamodb, fail)
    with pytest.raises(expected):
        Worker(world).go_on()
