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
- Under an effective hold nothing is removed, and `purged_at` stands still, as long
  as `retain` runs once a day. What it could not save in time `purged_at` leaves out.

Who writes under a hold writes no expiry at all, so nothing has to be reached twice.
"""

from dataclasses import dataclass, replace

from auditlog import clock
from auditlog.retention import GRACE, MAX_RETENTION_DAYS, expiry, oldest_kept

#: DynamoDB's clock and ours may differ by so much.
SKEW = 5 * clock.MINUTE
#: What was begun before a change may be stored so long after it, and dated ahead.
IN_FLIGHT = 20 * clock.MINUTE
#: A writer that has read the settings of before a change is done so long after it.
SETTLED = 2 * clock.MINUTE
#: Expiries are changed so long before they come.
AHEAD = 2 * clock.DAY
#: What is about to expire is counted first; nothing so near to its expiry is taken.
COUNTED_AHEAD = 4 * clock.HOUR
#: Retentions, but for the one in force, that events may still carry an expiry of. Each is
#: read with the org.
MAX_FORMER = 20
#: With more of them `retain` does not wait until an expiry is near.
_CROWDED = MAX_FORMER // 2


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing is removed. It is `effective_at` (microseconds) once nothing can go any more."""

    reason: str
    placed_at: int
    effective_at: int | None = None


@dataclass(frozen=True, slots=True)
class Former:
    """A retention whose expiries do not count any more, or under a hold do not count now.

    Events stored until `ended_at` carry them. Every event that occurred before
    `reached` has another expiry by now, or none, or is purged.
    """

    days: int
    ended_at: int
    reached: int

    def due(self, moment: int) -> int:
        """Events that occurred before this may be deleted by `moment`, if they carry its expiry."""
        return _due(self.days, moment)

    @property
    def end(self) -> int:
        """Events that occurred from here on do not carry its expiry."""
        return self.ended_at + IN_FLIGHT

    def lost_before(self, now: int) -> int:
        """Below this some may have gone that were to stay; 0 where all was reached in time."""
        due = min(self.due(now + SKEW), self.end)
        return due if due > self.reached else 0

    def target(self, now: int) -> int:
        """To where its expiries are to be changed by now, so that none comes before the next run.

        It moves on once a day, and not with each run.
        """
        needed = min(self.due(now + AHEAD // 2), self.end)
        return min(self.due(now + AHEAD), self.end) if self.reached < needed else self.reached


@dataclass(frozen=True, slots=True)
class Policy:
    """An org's retention and hold. Times in microseconds.

    `changed_at` is when something of it last changed that writers go by. No event that
    occurred before `carried_from` carries an expiry of the current retention; under a
    hold nothing is known of that.
    """

    retention_days: int | None = None
    hold: Hold | None = None
    purged_before: int = 0
    former: tuple[Former, ...] = ()
    changed_at: int = 0
    carried_from: int = 0

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
        return max(oldest_kept(now, self.retention_days), self.refused_before(now))

    def refused_before(self, now: int) -> int:
        """Nothing older is taken, however long it was under way.

        Most of what is purged has to be counted before it goes; from then on its
        number stands.
        """
        return max(self.purged_at(now), self.purge_line(now + COUNTED_AHEAD))

    def expiry(self, occurred_at: int) -> int | None:
        """When DynamoDB may delete an event that is stored now, in seconds; None for never."""
        return None if self.hold else expiry(occurred_at, self.retention_days)

    def purge_line(self, now: int) -> int:
        """Events that occurred before this may be removed; 0 under a hold or without a retention.

        What lies below `purged_before` is past that already.
        """
        if self.hold or self.retention_days is None:
            return 0
        return _due(self.retention_days, now)

    def purged_at(self, now: int) -> int:
        """No read goes below this: something of it may be gone. It only ever grows."""
        line = self.purge_line(now + SKEW)
        return max(self.purged_before, line, *(each.lost_before(now) for each in self.former), 0)

    def uncounted(self, now: int) -> list[tuple[int, int]]:
        """Stretches of which some may have gone by themselves by now; in order, and apart."""
        ends = [(0, self.purged_before), (self.carried_from, self.purge_line(now + SKEW))]
        ends += [(each.reached, each.lost_before(now)) for each in self.former]
        apart: list[tuple[int, int]] = []
        for since, until in sorted(ends):
            if until <= since:
                continue
            if apart and since <= apart[-1][1]:
                apart[-1] = (apart[-1][0], max(apart[-1][1], until))
            else:
                apart.append((since, until))
        return apart

    def to_reach(self, each: Former) -> bool:
        """Whether events with this expiry are to be given another one."""
        return self.hold is not None or self.retention_days is None or self.is_longer(each)

    def is_longer(self, than: Former) -> bool:
        """Whether events stay longer than that retention would have kept them."""
        return self.retention_days is None or self.retention_days > than.days

    def to_be_reached(self, now: int) -> tuple[int, int] | None:
        """The next stretch in which events are to be given the expiry that they have now."""
        crowded = len(self.former) > _CROWDED
        targets = [
            (each.reached, each.end if crowded else each.target(now))
            for each in self.former
            if self.to_reach(each)
        ]
        return min((each for each in targets if each[0] < each[1]), default=None)

    def reached(self, since: int, until: int, now: int) -> "Policy":
        """The policy once all events from `since` until there carry its own expiry, by `now`.

        What may have been lost before it was reached is purged. That is a change:
        writers may be about to store something of there.
        """
        purged_before, former = self.purged_before, list[Former]()
        for each in self.former:
            if self.to_reach(each) and since <= each.reached < until:
                purged_before = max(purged_before, min(each.lost_before(now), until))
                former.append(replace(each, reached=until))
            else:
                former.append(each)
        changed_at = self.changed_at if purged_before == self.purged_before else now
        policy = replace(self, former=tuple(former), changed_at=changed_at)
        return policy.purged(purged_before)

    def purged(self, before: int) -> "Policy":
        """The policy once nothing below that is to be seen any more."""
        purged_before = max(self.purged_before, before)
        former = (
            replace(each, reached=max(each.reached, purged_before))
            for each in self.former
            if max(each.reached, purged_before) < each.end
        )
        return replace(self, purged_before=purged_before, former=tuple(former))

    def changed(self, *, retention_days: int | None, hold_reason: str | None, now: int) -> "Policy":
        """The policy after a change at `now`; itself where nothing is changed.

        `hold_reason` None is no hold; one can be placed and released whatever was before.
        Raises `ValueError` where the retention breaks a rule, or changes more often than
        `retain` can follow. It can always be none, or one that events still carry.
        """
        before, hold = self.retention_days, None
        if hold_reason is not None:
            hold = replace(self.hold or Hold(hold_reason, now), reason=hold_reason)
        if before == retention_days and (hold is None) == (self.hold is None):
            return replace(self, hold=hold)
        purged_before = self.purged_at(now)
        # What lies below that is gone for everybody, whatever it carries.
        former = {each.days: each for each in self.purged(purged_before).former}
        if before is not None and self.hold is None:
            former[before] = Former(before, now, max(_due(before, now + SKEW), self.carried_from))
        # All but for the one in force: a hold neither adds to them nor takes any away.
        others = former.keys() - {retention_days}
        if retention_days not in {before, None} and len(others) > MAX_FORMER:
            raise ValueError(
                "the retention was changed too often: events still carry the expiry of "
                f"{len(others)} others; change it to one of those, or keep for ever (null) "
                "until `retain` has given the events another expiry"
            )
        carried_from = 0
        if retention_days is not None and hold is None:
            # No event is stored with an expiry that is nearer than this.
            carried_from = _due(retention_days, now + COUNTED_AHEAD)
            if retention_days in former:
                carried_from = min(carried_from, former.pop(retention_days).reached)
        ordered = tuple(former[days] for days in sorted(former))
        return Policy(retention_days, hold, purged_before, ordered, now, carried_from)


def _due(days: int, moment: int) -> int:
    """Events that occurred before this are past their time and their grace."""
    return max(0, moment - days * clock.DAY - GRACE)
