"""Times as microseconds and as text."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auditlog import clock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = -62_135_596_800_000_000
LAST = 253_402_300_799_999_999

offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(timezones=offsets)


@given(moments)
def test_parse_is_what_datetime_counts(moment: datetime) -> None:
    sent = moment.isoformat()
    exact = moment - EPOCH
    if not FIRST <= exact // timedelta(microseconds=1) <= LAST:
        with pytest.raises(ValueError, match="year"):
            clock.parse(sent)
        return
    assert clock.parse(sent) == exact // timedelta(microseconds=1)


@given(st.integers(FIRST, LAST))
@example(FIRST)
@example(LAST)
@example(-1)
@example(0)
def test_text_and_back(moment: int) -> None:
    text = clock.text(moment)
    assert len(text) == 27
    assert text.endswith("Z")
    assert clock.parse(text) == moment


@given(st.integers(FIRST, LAST), st.integers(FIRST, LAST))
def test_texts_sort_as_their_times(one: int, other: int) -> None:
    assert (clock.text(one) < clock.text(other)) == (one < other)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-03-04T05:06:07Z", "2026-03-04T05:06:07.000000Z"),
        ("2026-03-04t05:06:07z", "2026-03-04T05:06:07.000000Z"),
        ("2026-03-04T05:06:07.1Z", "2026-03-04T05:06:07.100000Z"),
        ("2026-03-04T05:06:07.123456999Z", "2026-03-04T05:06:07.123456Z"),
        ("1969-12-31T23:59:59.9999999Z", "1969-12-31T23:59:59.999999Z"),
        ("2026-03-04T05:06:07.0000009999Z", "2026-03-04T05:06:07.000000Z"),
        ("2026-03-04T05:06:07+00:00", "2026-03-04T05:06:07.000000Z"),
        ("2026-03-04T05:06:07-00:00", "2026-03-04T05:06:07.000000Z"),
        ("2026-03-04T05:06:07+05:45", "2026-03-03T23:21:07.000000Z"),
        ("2026-12-31T23:59:59-23:59", "2027-01-01T23:58:59.000000Z"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z"),
    ],
)
def test_one_normal_form(text: str, same: str) -> None:
    assert clock.text(clock.parse(text)) == same


@pytest.mark.parametrize(
    "text",
    [
        "", "2026-03-04", "2026-03-04T05:06:07", "2026-03-04 05:06:07Z", "2026-03-04T05:06Z",
        "2026-03-04T05:06:07.Z", "2026-03-04T05:06:07,5Z", "2026-03-04T05:06:07+01",
        "2026-03-04T05:06:07+0100", "2026-03-04T05:06:07 Z", " 2026-03-04T05:06:07Z",
        "2026-03-04T05:06:07Z\n", "2026-3-4T05:06:07Z", "+2026-03-04T05:06:07Z",
        "20260304T050607Z", "2026-W10-3T05:06:07Z", "2026-03-04T05:06:07UTC", "1772600767",
        "２０２６-03-04T05:06:07Z", "2026-03-04T05:06:0٧Z",
    ],
)  # fmt: skip
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected RFC 3339 with an offset"):
        clock.parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-02-29T00:00:00Z", "no such time"),
        ("2026-13-01T00:00:00Z", "no such time"),
        ("2026-00-01T00:00:00Z", "no such time"),
        ("2026-01-01T24:00:00Z", "no such time"),
        ("2026-01-01T25:00:00Z", "no such time"),
        ("2026-01-01T23:60:00Z", "no such time"),
        ("2026-01-01T23:59:61Z", "no such time"),
        ("0000-01-01T00:00:00Z", "no such time"),
        ("0001-01-01T00:00:00+00:01", "no such time"),
        ("9999-12-31T23:59:59-00:01", "no such time"),
        ("2016-12-31T23:59:60Z", "leap second"),
        ("2016-12-31T18:29:60.5-05:30", "leap second"),
        ("2026-01-01T00:00:00+24:00", "offset is not a time of day"),
        ("2026-01-01T00:00:00-99:00", "offset is not a time of day"),
        ("2026-01-01T00:00:00+01:60", "offset is not a time of day"),
    ],
)
def test_what_is_no_time_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        clock.parse(text)
    assert text not in str(refused.value)


def test_a_bound_may_be_a_bare_date() -> None:
    assert clock.parse_bound("2026-01-31") == clock.parse("2026-01-31T00:00:00Z")
    assert clock.parse_bound("2026-01-31T07:00:00+07:00") == clock.parse("2026-01-31T00:00:00Z")


@pytest.mark.parametrize("text", ["2026-02-30", "2026", "2026-01", "today", "2026-01-31T00:00:00"])
def test_a_bound_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a date, or RFC 3339|no such time"):
        clock.parse_bound(text)


def test_the_present_is_in_microseconds() -> None:
    now = datetime.now(UTC)
    assert abs(clock.now() - (now - EPOCH) // timedelta(microseconds=1)) < clock.MINUTE
