"""Erasures in the midst of retention, against a model: the lives of `test_retention_model.py`,
in which somebody is erased now and then.

The steps of an erasure and the runs of `retain` may meet anywhere, but for two steps of one
erasure. Nobody searches here, so there are no digests and no downloads.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from hypothesis import event, given, note, settings
from hypothesis import strategies as st

from auditlog import canonical, clock, erasures, trail
from auditlog.catalog import Catalog
from auditlog.erasures import Erasure, State, Subject, subjects
from auditlog.errors import ConflictError, UnavailableError
from auditlog.event import Record, StoredEvent, id_time
from auditlog.reads import EventsRead
from auditlog.span import EVERYTHING
from auditlog.store import reader, tombstones
from auditlog.store.erasures import ErasureStore
from auditlog.store.events import EventStore
from auditlog.store.reader import Reader
from auditlog.store.tombstones import TombstoneStore
from erase import erasing
from erase.erasing import Erasing
from retain.run import Told
from tests import budget
from tests.functional.conftest import World, an_event
from tests.functional.memory_dynamodb import MemoryDynamoDB
from tests.functional.test_retention_model import (
    DO,
    FEW,
    HOUR,
    LIFE,
    MINUTE,
    RETENTIONS,
    Client,
    CrashError,
    Log,
    crowd,
    happening,
    live,
    lived,
    regular,
    waits,
)

__all__ = ["lived"]

CATALOG = Catalog.default()
SECRET = b"of a deployment"
SUBJECTS = [
    Subject("actor", "usr_a"),
    Subject("actor", "usr_b"),
    Subject("target", "one"),
    Subject("target", "one", "repo"),
]
LEFT = {"erased_at", "occurred_at", "org", "record_hash", "type", "v"}

_ids = itertools.count(1)


class OneByOne:
    """In the place of threads, so that the same life goes the same way again."""

    def map(self, do: Callable[[Any], Any], each: Iterable[Any]) -> Iterator[Any]:
        return map(do, each)


class NoTraces:
    """Nobody of the org has asked for a download, or opened a session."""

    def erase(self, *_: Any) -> None:
        """There is nothing."""

    def may_hold(self, *_: Any) -> tuple[str, ...]:
        return ()


class NoPace:
    """Nobody else reads."""

    def spend(self, _units: float, alive: Callable[[], None]) -> None:
        alive()


class ErasedLog(Log):
    """The log of an org of which actors and targets are erased."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.original: dict[str, bytes] = {}
        self.of: dict[str, set[Subject]] = {}
        self.asked: list[Erasure] = []
        self.under_hold: dict[str, bytes] = {}
        self.runs = 0

    @property
    def erasures(self) -> ErasureStore:
        return ErasureStore(self.world.dynamodb, self.world.control_table)

    def event(self, moment: str) -> dict[str, Any]:
        actor = self.random.choice(["usr_a", "usr_b", "usr_c"])
        on = self.random.choice([("repo", "one"), ("space", "one"), ("repo", "two")])
        target = {"type": on[0], "id": on[1]}
        return an_event(occurred_at=moment, actor={"id": actor}, targets=[target])

    def as_stored(self, records: list[Record], recorded_at: int) -> list[Record]:
        for record in records:
            self.original[record.id] = canonical.pack(record.data)
            self.of[record.id] = set(subjects(json.loads(record.data)))
        erased = self.erasures.erased(self.org, SECRET)
        return [erased.applied_to(record, recorded_at, self.now) for record in records]

    def run(self, *happens: Any, **how: Any) -> Told | None:
        self.runs += 1
        return super().run(*happens, **how)

    def ask_erasure(self, subject: Subject) -> None:
        erasure = Erasure(
            f"{next(_ids):012}", self.name, subject.kind, "asked", self.now,
            asked_by="usr_admin", subject=subject,
        )  # fmt: skip
        held = self.org.hold is not None
        try:
            self.erasures.create(erasure, subject, SECRET)
        except ConflictError:
            assert held
        else:
            assert not held
            self.asked.append(erasure)

    def erase(
        self,
        happens: dict[int, Callable[[Callable[[], Any]], Any]] | None = None,
        *,
        calls: int = 10_000,
    ) -> None:
        """One step of each erasure that runs."""
        self.wait(0)
        for erasure in self.erasures.running(self.name):
            client: Any = Client(self.world.dynamodb, self.tick, happens or {})
            log = EventStore(client, self.world.events_table, self.world.digests_table)
            kept, runs = {row.id: row.expires_at for row in self._rows()}, self.runs
            assert erasure.subject is not None
            erase = Erasing(
                erasure,
                erasure.subject,
                self.org,
                CATALOG,
                SECRET,
                control=type(self.world.control)(client, self.world.control_table),
                erasures=ErasureStore(client, self.world.control_table),
                reader=Reader(log, consistent=True),
                tombstones=TombstoneStore(
                    client, self.world.events_table, self.world.digests_table,
                    now=lambda: self.now, sleep=lambda _: None,
                ),
                traces=NoTraces(),  # type: ignore[arg-type]
                backlogs=[],
                pace=NoPace(),  # type: ignore[arg-type]
                deadline=calls,
                now=lambda: self.now,
                monotonic=lambda client=client: client.calls,
            )  # fmt: skip
            try:
                erase.step()
            finally:
                rows = self._rows()
                self.ever |= {row.id for row in rows}
                for row in rows if runs == self.runs else ():
                    assert kept.get(row.id, row.expires_at) == row.expires_at

    # -- what has to be true ----------------------------------------------------------------

    def _events(self) -> dict[str, StoredEvent]:
        store = EventStore(self.world.dynamodb, self.world.events_table, self.world.digests_table)
        found: dict[str, StoredEvent] = {}
        for partition in self.org.layout.partitions:
            read = EventsRead(partition, EVERYTHING, "asc", 5_000)
            found |= {row.id: row for row in store.rows(read, consistent=True).events}
        return found

    def check(self) -> None:
        super().check()
        log, hold = self._events(), self.policy.hold
        done = [each for each in self.asked if self.state_of(each) is State.COMPLETED]
        for row in log.values():
            if row.packed == self.original.setdefault(row.id, row.packed):
                assert not self._takes(row, done), f"{row.id} was to be erased"
            else:
                self._is_what_is_left(row)
        if hold is not None and hold.effective_at is not None:
            assert State.RUNNING not in map(self.state_of, self.asked)
            changed = {i for i, was in self.under_hold.items() if i in log and log[i].packed != was}
            assert not changed, f"altered under a hold: {changed}"
            self.under_hold = {i: row.packed for i, row in log.items()}
        else:
            self.under_hold = {}

    def _is_what_is_left(self, row: StoredEvent) -> None:
        left = json.loads(canonical.unpack(row.packed))
        record = canonical.unpack(self.original[row.id])
        assert set(left) == LEFT
        assert erasures.is_intact(row.id, left)
        assert left["record_hash"] == hashlib.sha256(record).hexdigest()
        assert self._takes(row, self.asked), f"{row.id} was not to be erased"

    def _takes(self, row: StoredEvent, some: list[Erasure]) -> bool:
        of = self.of.get(row.id, set())
        return any(
            each.subject in of and each.takes(id_time(row.id), row.recorded_at) for each in some
        )

    def state_of(self, erasure: Erasure) -> State:
        found = self.erasures.get(self.name, erasure.id)
        assert found is not None
        return found.state

    def settle(self) -> None:
        for _ in range(4):
            self.erase()
            self.wait(15 * MINUTE)
        assert not self.erasures.is_any_running(self.name)
        super().settle()


# -- random lives ---------------------------------------------------------------------------


def step(log: ErasedLog, happens: dict[int, Any], calls: int) -> None:
    told = {number: meeting(log, what) for number, what in happens.items()}
    try:
        log.erase(told, calls=calls)
    except (CrashError, UnavailableError):
        return
    finally:
        log.check()


def meeting(log: ErasedLog, what: Any) -> Callable[[Callable[[], Any]], Any]:
    if what != "a hold":
        return happening(log, what)

    def happen(call: Callable[[], Any]) -> Any:
        """A hold is placed, and a run would make it effective."""
        log.change(log.policy.retention_days, hold=True)
        log.wait(15 * MINUTE)
        log.run()
        log.check()
        return call()

    return happen


def erased(log: ErasedLog, subject: Subject, delay: int, what: Any) -> None:
    """Somebody goes, while others write, and what happened before arrives late."""
    crowd(log, 1)
    log.publish([0, HOUR, delay], 0, stays=True)
    log.ask_erasure(subject)
    log.publish([0, HOUR, delay], delay, stays=True)
    step(log, {log.random.randrange(1, 40): what}, 10_000)
    log.wait(MINUTE)
    live(log)
    log.wait(3 * MINUTE)
    step(log, {}, 10_000)
    log.publish([HOUR, delay, delay + HOUR], delay)
    log.check()


meetings = st.dictionaries(
    st.integers(1, 60),
    st.one_of(
        st.sampled_from(["crash", "crash after", "busy", "expire", "a hold"]),
        st.tuples(st.sampled_from(RETENTIONS), st.booleans()),
    ),
    max_size=3,
)
whom = st.sampled_from(SUBJECTS)
late = st.integers(0, 31 * clock.DAY)
of_erasures = [
    st.tuples(st.just("ask"), whom),
    st.tuples(st.just("step"), meetings, st.sampled_from([5, 12, 30, 10_000])),
    st.tuples(
        st.just("erased"), whom, late,
        st.sampled_from(["crash", "crash after", "busy", "expire", "a hold", "nothing"]),
    ),
    st.tuples(st.just("wait"), waits),
]  # fmt: skip
TO_DO: dict[str, Callable[..., None]] = DO | {
    "ask": ErasedLog.ask_erasure,
    "step": step,
    "erased": erased,
}


@pytest.fixture
def in_order(lived: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The deployment, in which all calls of an erasure are made one after the other."""
    for module in (reader, tombstones):
        monkeypatch.setattr(module, "_pool", OneByOne)
    monkeypatch.setattr(erasing, "BATCH", 4)
    return lived


LIVES = LIFE | {"life": st.lists(st.one_of(*regular, *of_erasures), min_size=4, max_size=14)}


def is_true_of(world: World, days: int | None, shards: Any, life: list[Any], seed: int) -> None:
    log = ErasedLog(world, days, shards, seed)
    for each in life:
        note(f"{clock.text(log.now)} {each}")
        TO_DO[each[0]](log, *each[1:])
        log.check()
    log.land()
    log.settle()
    for each in log.asked:
        event(f"{log.state_of(each).value}")


def test_the_end_of_one_that_stood_still_for_long_is_not_purged_with_its_beginning(
    in_order: World,
) -> None:
    in_order.dynamodb = MemoryDynamoDB()
    log = ErasedLog(in_order, 1, ((0, 1),), 1)
    log.run()
    log.publish([n * MINUTE for n in range(60)], 0)
    log.ask_erasure(SUBJECTS[0])
    log.wait(3 * MINUTE)
    log.erase(calls=8)
    for _ in range(10):
        log.wait(clock.DAY)
        log.run()
    log.erase()
    log.erase()
    log.check()
    assert log.state_of(log.asked[0]) is State.COMPLETED
    shown_from = log.policy.shown_from(log.now)
    kinds = {row.type for row in log._events().values() if id_time(row.id) >= shown_from}
    assert trail.ERASURE_COMPLETE in kinds
    log.settle()


@settings(FEW, max_examples=budget.examples(30))
@given(**LIVES)
def test_a_life(in_order: World, **life: Any) -> None:
    in_order.dynamodb = MemoryDynamoDB()
    is_true_of(in_order, **life)


@settings(FEW, max_examples=budget.examples(2))
@given(**LIVES)
def test_a_life_on_an_engine(in_order: World, **life: Any) -> None:
    is_true_of(in_order, **life)
