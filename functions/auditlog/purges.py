"""Purges: what an org's log lost because its time was over, stretch by stretch.

A purge takes one stretch of time, in this order: its events are counted, nothing
below its end is shown or taken any more, what DynamoDB will not delete by itself
is deleted, and the log of the org says how much it was. Purges of an org come
one after the other and leave nothing out.

DynamoDB deletes by itself once an expiry has come, so a stretch is counted
before that wherever it can be; `at_least` says where it could not.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from auditlog import clock


class Step(StrEnum):
    """What is being done for a purge."""

    COUNT = "count"
    WAIT = "wait"
    DELETE = "delete"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class Purge:
    """All events that occurred from `since` (inclusive) until `until`. Times in microseconds.

    `policy_at` is the policy's `changed_at` under which it was begun. `events` are
    those counted so far, `lasting` those of them that DynamoDB will not delete when
    they are due, `deleted` those that we had to. What comes before the id `position`
    is done in this step. `ended_at` is when the stretch was closed for good.
    """

    since: int
    until: int
    policy_at: int
    retention_days: int | None
    step: Step = Step.COUNT
    position: str = ""
    events: int = 0
    at_least: bool = False
    lasting: int = 0
    deleted: int = 0
    ended_at: int | None = None

    @property
    def is_closed(self) -> bool:
        """Whether nothing can stop it any more but a hold."""
        return self.ended_at is not None

    def metadata(self) -> dict[str, Any]:
        """What the log of the org says of it."""
        policy: dict[str, Any] = {"retention_days": self.retention_days}
        if self.retention_days is None:
            # It was past its time under a policy of before, which a later one cannot undo.
            policy = {"purged_before": clock.text(self.until)}
        return {
            "policy": policy,
            "range": {"from": clock.text(self.since), "until": clock.text(self.until)},
            "events": self.events,
            **({"at_least": True} if self.at_least else {}),
        }

    def answer(self) -> dict[str, Any]:
        """As the settings show it."""
        return {
            "from": clock.text(self.since),
            "until": clock.text(self.until),
            "events": self.events,
            "deleted": self.deleted,
        }


@dataclass(frozen=True, slots=True)
class Progress:
    """How far `retain` has got with an org. Times in microseconds.

    Everything before `recorded_to` was purged, the last of it at `recorded_at`, and
    the log says of `removed` events that they went. `swept_to`: what was left there,
    and its digests, are gone too. `kept` says of the hold placed at its first number
    that nothing below the second carries an expiry any more. `due` says at what times a
    run has seen that all before the second number was to go. `is_whole` and `is_overdue`
    are what the last run said.
    """

    org: str
    recorded_to: int = 0
    recorded_at: int = 0
    removed: int = 0
    swept_to: int = 0
    kept: tuple[int, int] = (0, 0)
    due: tuple[tuple[int, int], ...] = ()
    purges: tuple[Purge, ...] = ()
    last_run_at: int | None = None
    is_whole: bool = True
    is_overdue: bool = False

    def with_first(self, purge: Purge) -> "Progress":
        """The same with another state of the first purge."""
        return replace(self, purges=(purge, *self.purges[1:]))

    def answer(self, changed_at: int) -> dict[str, Any]:
        """As the settings show it, of a policy that was last changed then."""
        run = self.last_run_at
        is_current = self.is_whole and run is not None and run >= changed_at
        # What waits is counted ahead, and stays for now.
        purge = next((p for p in self.purges if p.step is not Step.WAIT), None)
        return {
            "state": "current" if is_current else "working",
            "last_run_at": None if run is None else clock.text(run),
            "purge": None if purge is None else purge.answer(),
            "removed": self.removed,
            "behind": self.is_overdue,
        }
