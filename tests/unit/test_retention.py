"""What may go, and when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import clock
from auditlog.orgs import Org, is_name
from auditlog.retention import (
    GRACE,
    MAX_RETENTION_DAYS,
    TTL_PATIENCE,
    expiry,
    left_behind_before,
    oldest_kept,
)

NOW = clock.parse("2026-06-01T12:00:00Z")
times = st.integers(0, 2**53)
days = st.integers(1, MAX_RETENTION_DAYS)


def test_grace_is_seven_days() -> None:
    assert GRACE == 7 * clock.DAY


def test_for_ever() -> None:
    assert oldest_kept(NOW, None) == 0
    assert expiry(NOW, None) is None
    assert left_behind_before(NOW, None) == 0


def test_ninety_days() -> None:
    assert clock.text(oldest_kept(NOW, 90)) == "2026-03-03T12:00:00.000000Z"
    expires_at = expiry(clock.parse("2026-03-03T12:00:00Z"), 90)
    assert expires_at == clock.parse("2026-06-08T12:00:00Z") // clock.SECOND


def test_nothing_is_older_than_1970() -> None:
    assert oldest_kept(5, 90) == 0
    assert left_behind_before(clock.DAY, 1) == 0


@given(times, days)
def test_an_expiry_is_whole_seconds_and_never_early(occurred_at: int, kept: int) -> None:
    expires_at = expiry(occurred_at, kept)
    assert expires_at is not None
    due = occurred_at + kept * clock.DAY + GRACE
    assert 0 <= expires_at * clock.SECOND - due < clock.SECOND


@given(times, times, days)
def test_nothing_that_is_shown_has_expired(now: int, occurred_at: int, kept: int) -> None:
    if occurred_at >= oldest_kept(now, kept):
        expires_at = expiry(occurred_at, kept)
        assert expires_at is not None
        assert expires_at * clock.SECOND >= min(now, occurred_at + kept * clock.DAY) + GRACE


@given(times, times, days)
def test_only_what_has_expired_for_long_was_left_behind(
    now: int, occurred_at: int, kept: int
) -> None:
    if occurred_at < left_behind_before(now, kept):
        expires_at = expiry(occurred_at, kept)
        assert expires_at is not None
        assert expires_at * clock.SECOND <= now - TTL_PATIENCE + clock.SECOND
        assert occurred_at < oldest_kept(now, kept)


@pytest.mark.parametrize("name", ["a", "A", "0", "acme", "Acme-Labs_2.x", "a" * 64, "a.", "a-"])
def test_names_of_orgs(name: str) -> None:
    assert is_name(name)
    assert Org(name, None, 0).name == name


@pytest.mark.parametrize(
    "name", ["", "-a", ".a", "_a", "a" * 65, "a b", "a/b", "a#1", "é", "a\n", "٣", "%61"]
)
def test_what_names_no_org(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(ValueError, match="an org's name"):
        Org(name, None, 0)


@pytest.mark.parametrize("kept", [0, -1, MAX_RETENTION_DAYS + 1])
def test_a_retention_that_is_none(kept: int) -> None:
    with pytest.raises(ValueError, match="retention is 1 to"):
        Org("acme", kept, 0)


@pytest.mark.parametrize("kept", [None, 1, MAX_RETENTION_DAYS])
def test_a_retention(kept: int | None) -> None:
    assert Org("acme", kept, 0).retention_days == kept
