"""One erasure, a step at a time: pass after pass over all that may hold the subject.

A pass takes the subject out of the log, then out of the `control` table, then out of the
queues. Writers that began before the erasure was asked for may still write what they
have, until `SETTLED` after it; so the last pass is one that was begun no earlier. After
it no digest is left that tells of what was erased, the end is recorded, and nobody is told
any more whose events they were.

A crash anywhere repeats a part of a pass, which changes nothing: a tombstone is nobody's.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from auditlog import canonical, clock, trail, units
from auditlog.catalog import Catalog
from auditlog.erasures import SETTLED, Erasure, Progress, State, Subject, is_tombstone, tombstone
from auditlog.event import Record, StoredEvent, id_time
from auditlog.orgs import Org
from auditlog.reads import EventsRead
from auditlog.sieve import Found
from auditlog.span import BEGIN, END, Span, just_above
from auditlog.store.backlog import Backlog, Waiting
from auditlog.store.control import ControlStore
from auditlog.store.erasures import ErasureStore
from auditlog.store.pace import Pace
from auditlog.store.reader import Reader
from auditlog.store.tombstones import TombstoneStore
from auditlog.store.traces import TraceStore
from erase.leftovers import without_subject
from erase.searches import searches, stretches
from erase.step import STOPPED, Ended, OutOfTime, Stopped, later

#: Events of which the ids are written down before they are erased.
BATCH = 250
HELD = "A hold was placed; ask again when it is released."


@dataclass(slots=True)
class Erasing:
    """A step of one erasure of `org`; `deadline` of the monotonic clock is when it has to end."""

    erasure: Erasure
    subject: Subject
    org: Org
    catalog: Catalog
    secret: bytes
    control: ControlStore
    erasures: ErasureStore
    reader: Reader
    tombstones: TombstoneStore
    traces: TraceStore
    backlogs: list[Backlog]
    pace: Pace
    deadline: float
    now: Callable[[], int]
    monotonic: Callable[[], float]

    def step(self) -> Ended:
        """Goes on until there is no more time, or nothing more to do for now."""
        try:
            self._look()
            return self._pass()
        except OutOfTime:
            return Ended("running", 1)
        except Stopped:
            return STOPPED if self.erasure.state is State.RUNNING else Ended("failed")

    def _pass(self) -> Ended:
        progress = self.erasure.progress
        if progress is None:
            progress = Progress(self.now())
            self._save(replace(self.erasure, progress=progress))
        if not progress.is_read:
            self._read_log(progress)
        self._look()
        self.traces.erase(self.org.name, self.subject, self.erasure.before, self.now())
        self._clear_backlogs()
        if progress.pass_at < self.erasure.asked_at + SETTLED:
            # A crash before this repeats the pass from where it was; after it, the
            # message comes too early and begins one that is not the last either.
            self._save(replace(self.erasure, progress=None))
            left = self.erasure.asked_at + SETTLED - self.now()
            return Ended("settling", later(left / clock.SECOND))
        builds_until = max(map(self.tombstones.builds_until, self.org.layout.partitions))
        if builds_until:
            return Ended("settling", later((builds_until - self.now()) / clock.SECOND))
        gone_before = self.org.policy.purged_at(self.now())
        for partition in self.org.layout.partitions:
            self._look()
            self.tombstones.forget_gone(partition, gone_before)
            self.tombstones.forget(partition, self.erasure.asked_at)
        self._look()
        self._complete()
        return Ended("completed")

    # -- the log ----------------------------------------------------------------------------

    def _read_log(self, progress: Progress) -> None:
        partitions = self.org.layout.partitions
        for number, wanted in enumerate(searches(self.subject, self.catalog)):
            for partition in partitions:
                done = (progress.search, progress.partition)
                if (number, partition) < done:
                    continue
                first = progress.reached if (number, partition) == done else BEGIN
                for stretch in stretches(partition, wanted, Span(first, END), self.reader):
                    spent = units.read_units(stretch.bytes, consistent=True)
                    self.pace.spend(spent, self._look)
                    self._erase(number, partition, stretch.found)
                    self._reached(number, partition, stretch.reached)
                    self._look()
        self._save(replace(self.erasure, progress=replace(self._progress, is_read=True)))

    def _erase(self, number: int, partition: str, found: list[Found]) -> None:
        """Erases what of it is the subject's, oldest first; counts each event once."""
        own = [each for each in found if self._takes(each)]
        for start in range(0, len(own), BATCH):
            batch = own[start : start + BATCH]
            ids = [each.event.id for each in batch]
            known = set(self._progress.counted)
            # A crash after this finds some of them again, and knows that they are counted.
            self._save(
                replace(
                    self.erasure,
                    events=self.erasure.events + sum(each not in known for each in ids),
                    progress=replace(
                        self._progress,
                        search=number,
                        partition=partition,
                        reached=ids[0],
                        counted=tuple(ids),
                    ),
                )
            )
            erased_at = self.now()
            left = [self._tombstone(each, erased_at) for each in batch]
            self.tombstones.put(partition, left, self._look)
            self._reached(number, partition, just_above(ids[-1]))
            self._look()

    def _takes(self, found: Found) -> bool:
        occurred_at, recorded_at = id_time(found.event.id), found.event.recorded_at
        is_before = self.erasure.takes(occurred_at, recorded_at)
        return is_before and self.subject.is_of(json.loads(found.record))

    def _tombstone(self, found: Found, erased_at: int) -> Record:
        event = found.event
        record = Record(event.id, event.type, id_time(event.id), event.described, found.record)
        return tombstone(self.org.name, record, erased_at)

    def _reached(self, number: int, partition: str, bound: str) -> None:
        """Notes in memory how far it is; it is written with the next batch, or at the end."""
        progress = replace(self._progress, search=number, partition=partition, reached=bound)
        self.erasure = replace(self.erasure, progress=progress)

    # -- everything else --------------------------------------------------------------------

    def _clear_backlogs(self) -> None:
        for backlog in self.backlogs:
            is_done = backlog.go_through(
                self._left_of, deadline=self.deadline, monotonic=self.monotonic
            )
            if not is_done:
                raise OutOfTime

    def _left_of(self, message: Waiting) -> str | None:
        left = without_subject(message, self.org.name, self.subject)
        if left != message.body:
            self._look()
        return left

    def _complete(self) -> None:
        """Records the end, which is when the last pass began, and lets the subject go."""
        progress, org = self._progress, self.control.org(self.org.name)
        if org is None:
            raise Stopped
        if progress.pass_at < org.policy.refused_before(self.now()):
            # It would be purged itself, and may be counted already; so would one that was
            # recorded then.
            progress = replace(progress, pass_at=self.now())
            self._save(replace(self.erasure, progress=progress))
        erasure = self.erasure
        entry = trail.Entry(
            trail.ERASURE_COMPLETE,
            key=erasure.id,
            occurred_at=progress.pass_at,
            targets=[{"type": "erasure", "id": erasure.id}],
            metadata={"events": erasure.events},
        )
        trail.record(entry, self.org, self.catalog)
        # A crash here leaves the end in the log, and an erasure that ends once more.
        now = self.now()
        exports = self.traces.may_hold(self.org.name, now)
        self._end(replace(erasure, state=State.COMPLETED, exports=exports, completed_at=now))
        # A crash here leaves writers more to read, until the subject is erased once more.
        self.erasures.supersede(erasure, self._digest)

    def _look(self) -> None:
        """Looks whether to go on: raises `OutOfTime` or `Stopped`, which may be for a hold."""
        org = self.control.org(self.org.name)
        if org is None:
            raise Stopped
        if org.hold is not None:
            self._fail()
            raise Stopped
        if self.monotonic() >= self.deadline:
            self._save(self.erasure)
            raise OutOfTime

    def _fail(self) -> None:
        # First, so that nothing more is erased; a crash after it fails it once more.
        self.erasures.withdraw(self.erasure, self._digest)
        events = self.erasure.events - self._counted_too_early()
        exports = self.traces.may_hold(self.org.name, self.now())
        self._end(
            replace(
                self.erasure,
                state=State.FAILED,
                events=events,
                exports=exports,
                completed_at=self.now(),
                error=HELD,
            )
        )

    def _counted_too_early(self) -> int:
        """How many of the events that were counted last are not erased: after a crash, or none."""
        progress = self.erasure.progress
        if progress is None:
            return 0
        return sum(
            not is_tombstone(_read(event))
            for each in progress.counted
            for event in self._rows_of(progress.partition, each)
        )

    def _rows_of(self, partition: str, event_id: str) -> list[StoredEvent]:
        # By a Query: the function may not ask for single items of the log.
        one = EventsRead(partition, Span(event_id, just_above(event_id)), "asc", 1)
        return self.reader.events.rows(one, consistent=True).events

    def _end(self, ended: Erasure) -> None:
        self._save(replace(ended, subject=None, progress=None))

    @property
    def _digest(self) -> str:
        return self.subject.digest(self.org.name, self.secret)

    @property
    def _progress(self) -> Progress:
        progress = self.erasure.progress
        if progress is None:
            raise Stopped
        return progress

    def _save(self, erasure: Erasure) -> None:
        """Writes it down; raises `Stopped` where somebody else has gone on with it."""
        saved = self.erasures.save(erasure)
        if saved is None:
            raise Stopped
        self.erasure = saved


def _read(event: StoredEvent) -> dict[str, Any]:
    return json.loads(canonical.unpack(event.packed))
