"""How fast exports read: all workers of an org together at one rate, however many there are.

Each worker has a clock of its own, which its reading and its sleeping move; of
several the one that is behind goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from auditlog import clock
from auditlog.store.pace import READ_UNITS, Pace
from tests.functional.conftest import ORG, World

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
