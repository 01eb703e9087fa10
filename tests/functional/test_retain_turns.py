"""Many orgs in one run: that those with much to do keep nobody waiting."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from auditlog import bootstrap, clock, event
from auditlog.errors import StoreError
from auditlog.orgs import Org
from auditlog.span import Span
from auditlog.store.digests import DigestStore
from auditlog.store.erasures import ErasureStore
from auditlog.store.expiries import Carried, ExpiryStore
from auditlog.store.retention import RetentionStore
from retain import turns
from retain.case import Stores
from retain.run import Told
from tests.functional.conftest import World
from tests.functional.memory_dynamodb import MemoryDynamoDB

DAY = clock.DAY
START = clock.parse("2026-03-01T00:00:00Z")
#: Seconds of a run, and between two.
LONG, PERIOD = 870.0, 900.0


@dataclass
class Time:
    """The clock of everything, in seconds since `START`; it goes on with what is done."""

    seconds: float = 0.0

    def now(self) -> int:
        return START + int(self.seconds * clock.SECOND)

    def monotonic(self) -> float:
        return self.seconds


class Endless(ExpiryStore):
    """A log of which some orgs have more than anybody ever comes to the end of."""

    def __init__(self, time: Time, heavy: set[str]) -> None:
        self.time, self.heavy = time, heavy

    def rows(
        self, partitions: Iterable[str], span: Span, *, page: int = 1_000
    ) -> Iterator[Carried]:
        [partition] = partitions
        self.time.seconds += 0.05
        moment = event.id_time(span.first[:39])
        while partition in self.heavy:
            self.time.seconds += 0.05
            moment += 1
            yield Carried(event.event_id(moment, bytes(32)), partition, 1)

    def oldest(self, partition: str) -> Carried | None:
        self.time.seconds += 0.005
        if partition not in self.heavy:
            return None
        return Carried(event.event_id(START - 399 * DAY, bytes(32)), partition, 1)

    def give(self, rows: Any, *, deadline: float) -> None:
        self.time.seconds += 0.01

    def delete(self, rows: Any, *, deadline: float) -> None:
        self.time.seconds += 0.01


@pytest.fixture
def memory(world: World) -> World:
    world.dynamodb = MemoryDynamoDB()
    return world


def make(world: World, name: str, **changed: Any) -> None:
    org, minted = bootstrap.new_org(name, retention_days=30, now=START - 400 * DAY)
    world.control.create_org(replace(org, **changed), minted.key)


def stores(world: World, time: Time, log: ExpiryStore) -> Stores:
    return Stores(
        control=world.control,
        log=log,
        digests=DigestStore(world.dynamodb, world.digests_table),
        progress=RetentionStore(world.dynamodb, world.control_table),
        erasures=ErasureStore(world.dynamodb, world.control_table),
        record=lambda _entry, _org: None,
        deadline=time.seconds + LONG,
        now=time.now,
        monotonic=time.monotonic,
    )


def run(world: World, time: Time, log: ExpiryStore, names: list[str]) -> dict[str, Told]:
    began = time.seconds
    told = turns.take_turns(
        [org for name in names if (org := world.control.org(name))], stores(world, time, log)
    )
    assert time.seconds < began + LONG + 1
    time.seconds = began + PERIOD
    return told


def place_hold(world: World, time: Time, name: str) -> None:
    org = world.control.org(name)
    assert org is not None
    policy = org.policy.changed(retention_days=30, hold_reason="a case", now=time.now())
    world.control.save_org(org.under(policy))


def is_held(world: World, name: str) -> bool:
    org = world.control.org(name)
    assert org is not None
    return org.hold is not None and org.hold.effective_at is not None


@pytest.mark.parametrize("heavy", [{"org07"}, {f"org{number:02}" for number in range(0, 50, 2)}])
def test_those_that_are_endless_keep_nobodys_hold_waiting(memory: World, heavy: set[str]) -> None:
    time, names = Time(), [f"org{number:02}" for number in range(50)]
    for name in names:
        make(memory, name)
        place_hold(memory, time, name)
    time.seconds += PERIOD
    log = Endless(time, heavy)
    for _ in range(2):
        told = run(memory, time, log, names)
        assert told.keys() == set(names)
    assert [name for name in names if is_held(memory, name)] == sorted(set(names) - heavy)


def test_purges_without_an_end_keep_nobodys_hold_waiting(memory: World) -> None:
    time, names = Time(), [f"org{number:03}" for number in range(250)]
    for name in names:
        make(memory, name)
    log = Endless(time, set(names[:200]))
    run(memory, time, log, names)
    for name in names[200:]:
        place_hold(memory, time, name)
    time.seconds += PERIOD
    run(memory, time, log, names)
    assert all(is_held(memory, name) for name in names[200:])


def test_more_orgs_than_a_run_has_turns_for_have_theirs_in_the_next_ones(memory: World) -> None:
    time, names = Time(), [f"org{number:03}" for number in range(400)]
    for name in names:
        make(memory, name)
    log, seen = Endless(time, set(names)), set[str]()
    for _ in range(3):
        run(memory, time, log, names)
        progress = RetentionStore(memory.dynamodb, memory.control_table)
        seen = {name for name in names if progress.get(name).last_run_at is not None}
    assert seen == set(names)


def test_one_that_ends_every_run_is_not_the_first_for_ever(
    memory: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    time, names, had = Time(), ["org1", "org2", "org3"], set[str]()
    for name in names:
        make(memory, name)

    def dies(org: Org, _stores: Stores) -> Told | None:
        had.add(org.name)
        if org.name == "org1":
            raise MemoryError
        return None

    monkeypatch.setattr(turns, "run", dies)
    for _ in range(2):
        with pytest.raises(MemoryError):
            run(memory, time, Endless(time, set()), names)
    assert had == set(names)


def test_what_one_raises_is_told_and_the_others_have_their_turns(
    memory: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    time, names = Time(), ["org1", "org2", "org3"]
    for name in names:
        make(memory, name)
    sound, error = turns.run, StoreError("no")

    def fails(org: Org, stores: Stores) -> Told | None:
        if org.name == "org2":
            raise error
        return sound(org, stores)

    monkeypatch.setattr(turns, "run", fails)
    told = run(memory, time, Endless(time, set()), names)
    assert told == {
        "org1": Told(is_whole=True),
        "org2": Told(error=error),
        "org3": Told(is_whole=True),
    }
