"""The deletion of an org, a step at a time: run after run over all that it has.

Nobody gets into the org any more once its deletion was asked for. Who was in by then may
still write what they have, until `SETTLED` after it; so the last run is one that was begun
no earlier. Only that one removes what tells where to look: exports, and the org's settings.

Events are counted before they are removed, a thousand at a time, and how far was counted
is written down with the number. So a crash repeats no count; what a writer that was still
under way stored behind that place is counted by the next run. All that is not counted is
what such a writer stored there between a crash and the step after it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from auditlog import clock
from auditlog.erasures import SETTLED, State
from auditlog.errors import ConflictError
from auditlog.exports import UNDER_WAY, Export
from auditlog.orgs import Deletion, Org
from auditlog.span import BEGIN, END, Span, just_above
from auditlog.store.backlog import Backlog
from auditlog.store.control import ControlStore
from auditlog.store.erasures import ErasureStore
from auditlog.store.exports import ExportStore
from auditlog.store.objects import ObjectStore
from auditlog.store.remains import RemainsStore, Removal
from auditlog.store.tombstones import TombstoneStore
from erase.leftovers import is_of_org
from erase.step import STOPPED, Ended, OutOfTime, Stopped, later

_TRIES = 5
_GOES = "The org is being deleted."


@dataclass(slots=True)
class Deleting:
    """A step of the deletion of `org`; `deadline` of the monotonic clock is when it has to end."""

    org: Org
    deletion: Deletion
    control: ControlStore
    exports: ExportStore
    erasures: ErasureStore
    remains: RemainsStore
    tombstones: TombstoneStore
    objects: ObjectStore
    backlogs: list[Backlog]
    deadline: float
    now: Callable[[], int]
    monotonic: Callable[[], float]

    def step(self) -> Ended:
        """Goes on until there is no more time, or nothing more to do for now."""
        try:
            return self._run()
        except OutOfTime:
            return Ended("deleting", 1)
        except Stopped:
            return STOPPED

    def _run(self) -> Ended:
        name = self.org.name
        if self.deletion.completed_at is not None:
            # Of a step that ended right behind the end.
            self.remains.forget_removal(name)
            return STOPPED
        removal = self.remains.removal(name) or Removal()
        if removal.begun_at is None:
            removal = self._save(replace(removal, begun_at=self.now()))
        self._end_erasures()
        # Workers that write downloads look whether they still may; and nobody has a key.
        for export in self._under_way():
            self.exports.cancel(export, self.now())
        self.remains.remove_keys(name)
        removal = self._remove_log(removal)
        for partition in self.org.layout.partitions:
            self._look()
            self.remains.remove_digests(partition)
        self._clear_backlogs()
        self.objects.delete_folder(f"{name}/")
        if (removal.begun_at or 0) < self.deletion.asked_at + SETTLED:
            self._save(Removal(events=removal.events, revision=removal.revision))
            left = self.deletion.asked_at + SETTLED - self.now()
            return Ended("settling", later(left / clock.SECOND))
        builds_until = max(map(self.tombstones.builds_until, self.org.layout.partitions))
        if builds_until:
            return Ended("settling", later((builds_until - self.now()) / clock.SECOND))
        self.remains.remove_exports(name)
        self.remains.remove_rest(name)
        self._complete(removal.events)
        return Ended("deleted")

    def _end_erasures(self) -> None:
        """Ends what is still being erased of the org, which nobody may ask for any more.

        Whoever is at it looks whether the org is there before it writes, and stops.
        """
        while running := self.erasures.running(self.org.name):
            for erasure in running:
                ended = replace(
                    erasure,
                    state=State.FAILED,
                    subject=None,
                    progress=None,
                    completed_at=self.now(),
                    error=_GOES,
                )
                # None where it got further meanwhile; then it is ended by the next round.
                self.erasures.save(ended)
            self._look()

    def _remove_log(self, removal: Removal) -> Removal:
        for partition in self.org.layout.partitions:
            if partition < removal.partition:
                continue
            if partition > removal.partition:
                removal = replace(removal, partition=partition, counted=BEGIN)
            # What was counted before a crash, and not removed.
            self._remove_all(partition, Span(BEGIN, removal.counted))
            while ids := self.remains.ids(partition, Span(removal.counted, END)):
                removal = self._save(
                    replace(
                        removal,
                        events=removal.events + len(ids),
                        counted=just_above(ids[-1]),
                    )
                )
                self.remains.remove_events(partition, ids)
                self._look()
        return removal

    def _remove_all(self, partition: str, span: Span) -> None:
        while ids := self.remains.ids(partition, span):
            self.remains.remove_events(partition, ids)
            self._look()

    def _under_way(self) -> list[Export]:
        return [each for each in self.exports.newest(self.org.name) if each.state in UNDER_WAY]

    def _clear_backlogs(self) -> None:
        for backlog in self.backlogs:
            is_done = backlog.go_through(
                lambda message: None if is_of_org(message, self.org.name) else message.body,
                deadline=self.deadline,
                monotonic=self.monotonic,
            )
            if not is_done:
                raise OutOfTime

    def _complete(self, events: int) -> None:
        """Leaves of the org its name, when it was made and removed, and how much that was."""
        for _ in range(_TRIES):
            org = self.control.any_org(self.org.name)
            if org is None or org.deletion is None:
                raise Stopped
            deletion = replace(self.deletion, completed_at=self.now(), events=events)
            left = Org(
                org.name,
                None,
                org.created_at,
                version=org.version,
                revision=org.revision,
                deletion=deletion,
            )
            try:
                self.control.save_org(left)
            except ConflictError:
                continue
            # A crash here leaves a note that the message takes with it when it comes again.
            self.remains.forget_removal(org.name)
            return
        raise Stopped

    def _look(self) -> None:
        if self.monotonic() >= self.deadline:
            raise OutOfTime

    def _save(self, removal: Removal) -> Removal:
        """Writes it down; raises `Stopped` where somebody else has gone on with it."""
        saved = self.remains.save(self.org.name, removal)
        if saved is None:
            raise Stopped
        return saved
