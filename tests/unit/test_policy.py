"""What an org's log keeps, shows and takes, as its settings change."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import clock
from auditlog.policy import AHEAD, COUNTED_AHEAD, MAX_FORMER, SKEW, Former, Policy
from auditlog.retention import GRACE, MAX_RETENTION_DAYS, expiry

NOW = clock.parse("2026-06-01T12:00:00Z")
DAY, HOUR = clock.DAY, clock.HOUR
days = st.none() | st.integers(1, 400)
changes = st.lists(
    st.tuples(days, st.booleans(), st.integers(0, 60 * DAY), st.booleans()), max_size=8
)


def lived(first: int | None, changed: list[Any]) -> list[tuple[int, Policy]]:
    """A policy after each change, with its time; `retain` reaches what it has to, or never."""
    policy, now, seen = Policy(first), NOW, list[tuple[int, Policy]]()
    for kept, hold, wait, is_reached in changed:
        now += wait
        while is_reached and (stretch := policy.to_be_reached(now)):
            policy = policy.reached(*stretch, now)
        seen.append((now, policy))
        policy = policy.changed(retention_days=kept, hold_reason="why" if hold else None, now=now)
        seen.append((now, policy))
    return seen


@given(days, changes)
def test_purged_never_falls(first: int | None, changed: list[Any]) -> None:
    seen = [policy.purged_at(now) for now, policy in lived(first, changed)]
    assert seen == sorted(seen)


@given(days, changes, st.integers(0, 100 * DAY))
def test_it_does_not_fall_with_time_either(
    first: int | None, changed: list[Any], later: int
) -> None:
    for now, policy in lived(first, changed):
        assert policy.purged_at(now + later) >= policy.purged_at(now)


@given(days, changes)
def test_everything_that_is_taken_is_above_what_is_purged_and_counted(
    first: int | None, changed: list[Any]
) -> None:
    for now, policy in lived(first, changed):
        assert policy.taken_from(now) >= policy.refused_before(now) >= policy.purged_at(now)
        assert policy.refused_before(now) >= policy.purge_line(now + COUNTED_AHEAD)
        assert policy.shown_from(now) >= policy.purged_at(now)


@given(days, changes)
def test_what_is_stored_now_does_not_expire_as_if_it_were_stored_before(
    first: int | None, changed: list[Any]
) -> None:
    for now, policy in lived(first, changed):
        oldest = policy.refused_before(now)
        expires_at = policy.expiry(oldest)
        if policy.hold or policy.retention_days is None:
            assert expires_at is None
        else:
            assert expires_at is not None
            assert expires_at * clock.SECOND >= now + COUNTED_AHEAD


@given(days, changes)
def test_what_may_have_gone_uncounted_is_apart_and_in_order_and_not_shown(
    first: int | None, changed: list[Any]
) -> None:
    for now, policy in lived(first, changed):
        stretches = policy.uncounted(now)
        bounds = [bound for stretch in stretches for bound in stretch]
        assert bounds == sorted(set(bounds))
        assert all(end <= policy.purged_at(now) for _, end in stretches)


@given(days, changes)
def test_once_reached_nothing_more_is_lost_for_a_day(first: int | None, changed: list[Any]) -> None:
    for now, policy in lived(first, changed):
        reached = policy
        while stretch := reached.to_be_reached(now):
            assert stretch[0] < stretch[1]
            reached = reached.reached(*stretch, now)
        assert reached.purged_at(now) == policy.purged_at(now)
        to_keep = [each for each in reached.former if reached.to_reach(each)]
        assert not any(each.lost_before(now + DAY - SKEW) for each in to_keep)


def test_the_same_again_is_no_change() -> None:
    policy = Policy(30).changed(retention_days=90, hold_reason="why", now=NOW)
    assert policy.changed(retention_days=90, hold_reason="why", now=NOW + DAY) == policy
    other = policy.changed(retention_days=90, hold_reason="another", now=NOW + DAY)
    assert other.hold is not None
    assert (other.hold.reason, other.hold.placed_at, other.changed_at) == ("another", NOW, NOW)


def test_a_longer_retention_reaches_what_carries_the_former_one() -> None:
    policy = Policy(30).changed(retention_days=90, hold_reason=None, now=NOW)
    due = NOW + SKEW - 30 * DAY - GRACE
    assert policy.former == (Former(30, NOW, due),)
    assert policy.purged_before == due
    assert policy.to_be_reached(NOW) == (due, NOW + AHEAD - 30 * DAY - GRACE)
    assert policy.shown_from(NOW) == due


def test_a_shorter_one_leaves_it_to_be_purged() -> None:
    policy = Policy(90).changed(retention_days=30, hold_reason=None, now=NOW)
    assert policy.to_be_reached(NOW) is None
    assert policy.shown_from(NOW) == NOW - 30 * DAY
    # Nothing in there carries the new expiry yet: all of it can be counted.
    assert policy.uncounted(NOW) == [(0, NOW + SKEW - 90 * DAY - GRACE)]


def test_under_a_hold_what_was_not_purged_is_shown_and_stored_for_ever() -> None:
    policy = Policy(30).changed(retention_days=30, hold_reason="why", now=NOW)
    assert policy.shown_from(NOW + 400 * DAY) >= policy.purged_before
    assert policy.shown_from(NOW) == NOW + SKEW - 30 * DAY - GRACE
    assert policy.taken_from(NOW) == NOW - 30 * DAY
    assert policy.expiry(NOW) is None
    assert policy.purge_line(NOW) == 0
    free = policy.changed(retention_days=30, hold_reason=None, now=NOW + DAY)
    assert free.expiry(NOW) == expiry(NOW, 30)


def at_the_limit() -> Policy:
    policy = Policy(MAX_RETENTION_DAYS)
    for number in range(MAX_FORMER):
        policy = policy.changed(retention_days=3_000 - number, hold_reason=None, now=NOW + number)
    assert len(policy.former) == MAX_FORMER
    return policy


def test_who_changes_it_too_often_is_told() -> None:
    policy = at_the_limit()
    with pytest.raises(ValueError, match="changed too often"):
        policy.changed(retention_days=1, hold_reason=None, now=NOW + DAY)
    back = policy.changed(retention_days=3_000, hold_reason=None, now=NOW + DAY)
    assert len(back.former) == MAX_FORMER


@given(st.lists(st.tuples(st.sampled_from([None, 1, 2_990, 3_000, 3_500]), st.booleans())))
def test_a_hold_can_be_placed_and_released_however_often_the_retention_was_changed(
    changed: list[tuple[int | None, bool]],
) -> None:
    policy, now = at_the_limit(), NOW + HOUR
    for kept, hold in [*changed, (None, False)]:
        now += HOUR
        for reason in ("why", None):
            same = policy.changed(retention_days=policy.retention_days, hold_reason=reason, now=now)
            assert (same.hold is None) == (reason is None)
        carried = {each.days for each in policy.former}
        try:
            policy = policy.changed(
                retention_days=kept, hold_reason="why" if hold else None, now=now
            )
        except ValueError:
            assert kept is not None
            assert kept not in carried
        assert len(policy.former) <= MAX_FORMER + 1


@pytest.mark.parametrize("hold", [False, True])
def test_what_crowds_is_reached_at_once_where_nothing_is_to_go_before(hold: bool) -> None:
    reason = "why" if hold else None
    policy = at_the_limit().changed(retention_days=None, hold_reason=reason, now=NOW + HOUR)
    while stretch := policy.to_be_reached(NOW + 2 * HOUR):
        policy = policy.reached(*stretch, NOW + 2 * HOUR)
    assert len(policy.former) <= MAX_FORMER // 2
    few = Policy(30).changed(retention_days=None, hold_reason=reason, now=NOW)
    [former] = few.former
    assert few.to_be_reached(NOW) == (former.reached, former.target(NOW))
