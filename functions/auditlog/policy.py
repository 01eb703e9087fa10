"""What an org's log keeps, shows and takes, as its settings change over time.

An event carries its expiry from when it was stored, and DynamoDB deletes by
that, whatever the settings say by then. So a policy remembers the retentions
that were in force before: events may still carry an expiry of one of them, and
`retain` gives them another one before it comes (`Former.reached` says how far
it is). What it could not reach in time may be gone or not, and is never shown
again: half a history is worse than none.

What always holds, and the property tests of `retain` rely on:

- `purged_at` never falls, neither with time nor with a change.
- Nothing below `purged_at` is shown or taken; everything from `shown_from` on
  that was acknowledged is in the table.
- Under an effective hold nothing is removed, and `purged_at` stands still.
"""

from dataclasses import dataclass, replace

from auditlog import clock
from auditlog.retention import GRACE, MAX_RETENTION_DAYS, oldest_kept

#: DynamoDB's clock and ours may differ by so much.
SKEW = 5 * clock.MINUTE
#: What was begun before a change may be stored so long after it, and dated ahead.
IN_FLIGHT = 20 * clock.MINUTE
#: Retentions that events may still carry an expiry of. Each is read with the org.
MAX_FORMER = 20


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing is removed. It is `effective_at` (microseconds) once nothing can go any more."""

    reason: str
    placed_at: int
    effective_at: int | None = None


@dataclass(frozen=True, slots=True)
class Former:
    """A retention whose expiries do not count any more, or under a hold do not count now.

    Events stored until `ended_at` carry them (None: they still do). Every event that
    occurred before `reached` has another expiry by now, or none.
    """

    days: int
    ended_at: int | None
    reached: int

    def due(self, moment: int) -> int:
        """Events that occurred before this may be deleted by `moment`, if they carry its expiry."""
        return _at_least_0(moment - self.days * clock.DAY - GRACE)

    @property
    def end(self) -> int | None:
        """Events that occurred from here on do not carry its expiry; None where that is open."""
        return None if self.ended_at is None else self.ended_at + IN_FLIGHT

    def lost_before(self, now: int) -> int:
        """Below this some may have gone that were to stay; 0 where all was reached in time."""
        due = self.due(now + SKEW)
        due = due if self.end is None else min(due, self.end)
        return due if due > self.reached else 0


@dataclass(frozen=True, slots=True)
class Policy:
    """An org's retention and hold. Times in microseconds."""

    retention_days: int | None = None
    hold: Hold | None = None
    purged_before: int = 0
    former: tuple[Former, ...] = ()
    changed_at: int = 0

    def __post_init__(self) -> None:
        days = self.retention_days
        if days is not None and not 1 <= days <= MAX_RETENTION_DAYS:
            raise ValueError(
                f"retention is 1 to {MAX_RETENTION_DAYS} days, or none to keep for ever"
            )

    def shown_from(self, now: int) -> int:
        """The earliest `occurred_at` that is shown."""
        kept = 0 if self.hold else oldest_kept(now, self.retention_days)
        return max(kept, self.purged_at(now))

    def taken_from(self, now: int) -> int:
        """The earliest `occurred_at` that is taken: nothing is acknowledged and never shown."""
        return max(oldest_kept(now, self.retention_days), self.purged_at(now))

    def purge_line(self, now: int) -> int:
        """Events that occurred before this may be removed; 0 under a hold or without a retention.

        What lies below `purged_before` is past that already.
        """
        if self.hold or self.retention_days is None:
            return 0
        return _at_least_0(now - self.retention_days * clock.DAY - GRACE)

    def purged_at(self, now: int) -> int:
        """No read goes below this: something of it may be gone. It only ever grows."""
        line = self.purge_line(now + SKEW)
        return max(self.purged_before, line, *(each.lost_before(now) for each in self.former), 0)

    def to_reach(self, each: Former) -> bool:
        """Whether events with this expiry are to be given another one."""
        return self.hold is not None or self.retention_days is None or self.is_longer(each)

    def is_longer(self, than: Former) -> bool:
        """Whether events stay longer than that retention would have kept them."""
        return self.retention_days is None or self.retention_days > than.days

    def changed(self, *, retention_days: int | None, hold_reason: str | None, now: int) -> "Policy":
        """The policy after a change at `now`; itself where nothing is changed.

        `hold_reason` None is no hold. Raises `ValueError` where the retention breaks a
        rule, or changes more often than `retain` can follow.
        """
        had = None if self.hold is None else self.hold.reason
        if (retention_days, hold_reason) == (self.retention_days, had):
            return self
        purged_before, hold = self.purged_at(now), self.hold
        if hold_reason is None:
            hold = None
        elif hold is None:
            hold = Hold(hold_reason, now)
        else:
            hold = replace(hold, reason=hold_reason)
        former = {each.days: each for each in self.former}
        before = self.retention_days
        if before is not None and before != retention_days:
            reached = former[before].reached if before in former else self._due(before, now)
            former[before] = Former(before, now, reached)
        if retention_days is not None:
            current = former.pop(retention_days, None)
            if hold is not None:
                reached = self._due(retention_days, now) if current is None else current.reached
                if self.hold is None and before == retention_days:
                    reached = 0  # A hold stops what is past its time and still there, too.
                former[retention_days] = Former(retention_days, None, reached)
        if len(former) > MAX_FORMER:
            raise ValueError(
                "the retention was changed too often: events still carry the expiry of "
                f"{MAX_FORMER} others; change it again tomorrow, or to one that was in force"
            )
        ordered = tuple(former[days] for days in sorted(former))
        return Policy(retention_days, hold, purged_before, ordered, now)

    @staticmethod
    def _due(days: int, now: int) -> int:
        return _at_least_0(now + SKEW - days * clock.DAY - GRACE)


def _at_least_0(moment: int) -> int:
    return max(0, moment)
