"""One org in one run: what it works with, and how far it is."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from auditlog import clock
from auditlog.errors import ConflictError
from auditlog.orgs import Org
from auditlog.policy import Policy
from auditlog.purges import Progress, Purge
from auditlog.span import Span
from auditlog.store.control import ControlStore
from auditlog.store.digests import DigestStore
from auditlog.store.erasures import ErasureStore
from auditlog.store.expiries import Carried, ExpiryStore
from auditlog.store.retention import RetentionStore
from auditlog.trail import Entry

#: Rows after which it is stored how far a walk is: so much a run that dies does again.
SAVED_EVERY = 5_000
#: Seconds in which a batch that was begun may still be sent again.
LAST_BATCH = 5.0


@dataclass(frozen=True, slots=True)
class Stores:
    """What all orgs of a run have in common. `deadline` is of the monotonic clock."""

    control: ControlStore
    log: ExpiryStore
    digests: DigestStore
    progress: RetentionStore
    erasures: ErasureStore
    record: Callable[[Entry, Org], None]
    deadline: float
    now: Callable[[], int] = clock.now
    monotonic: Callable[[], float] = clock.monotonic
    saved_every: int = SAVED_EVERY

    @property
    def is_over(self) -> bool:
        """Whether the run has no time left."""
        return self.monotonic() >= self.deadline


@dataclass(slots=True)
class Case:
    """An org that this run has until `lease`, as it is by now."""

    org: Org
    progress: Progress
    lease: int
    stores: Stores
    deleted: int = 0
    extended: int = 0

    @property
    def now(self) -> int:
        """The present."""
        return self.stores.now()

    @property
    def policy(self) -> Policy:
        """The org's policy."""
        return self.org.policy

    def set_policy(self, policy: Policy) -> None:
        """Stores another policy. Raises `ConflictError` where somebody else changed the org."""
        self.org = self.stores.control.save_org(self.org.under(policy))

    def note(self, **changes: Any) -> None:
        """Stores how far the org is."""
        progress = replace(self.progress, **changes)
        self.stores.progress.save(progress, self.lease)
        self.progress = progress

    def leave(self, **said: Any) -> None:
        """Stores how far the org is, and gives it back."""
        self.stores.progress.leave(replace(self.progress, **said), self.lease)

    def note_first(self, purge: Purge) -> None:
        """Stores how far the first purge is."""
        self.note(purges=self.progress.with_first(purge).purges)

    def check(self) -> None:
        """Raises `ConflictError` where somebody else changed the org. One read unit."""
        found = self.stores.control.org(self.org.name)
        if found is None or found.revision != self.org.revision:
            raise ConflictError(f"The org {self.org.name} was changed meanwhile.")

    @property
    def is_being_erased(self) -> bool:
        """Whether an erasure is not done yet; it ends once it sees a hold. See `is_any_running`."""
        was_asked_for = self.org.erased_at is not None
        return was_asked_for and self.stores.erasures.is_any_running(self.org.name)

    def rows(self, span: Span) -> Iterator[Carried]:
        """The rows of a span of the org's log, oldest first."""
        return self.stores.log.rows(self.org.layout.partitions, span)

    def give(self, rows: Iterable[tuple[Carried, int | None]]) -> None:
        """Gives rows another expiry."""
        changes = list(rows)
        self.stores.log.give(changes, deadline=self.stores.deadline + LAST_BATCH)
        self.extended += len(changes)

    def delete(self, rows: Iterable[Carried]) -> None:
        """Deletes rows."""
        gone = list(rows)
        self.stores.log.delete(gone, deadline=self.stores.deadline + LAST_BATCH)
        self.deleted += len(gone)
