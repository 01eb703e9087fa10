"""The only module that reads the system's clock; everything else is handed a time.

Times inside the code are whole microseconds since 1970-01-01T00:00:00Z, as
`int`: they sort, they are exact, and an id is made of one. Text is RFC 3339
in UTC with six digits and `Z`.
"""

import re
import time
from datetime import UTC, datetime, timedelta

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = _EPOCH.replace(tzinfo=None)
# RFC 3339 section 5.6; [0-9] because \d takes every script's digits.
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def now() -> int:
    """The present, in microseconds since the epoch."""
    return time.time_ns() // 1_000


def monotonic() -> float:
    """Seconds of a clock that never goes back; for deadlines, not for times."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Waits; here so that whoever waits can be handed another way to."""
    time.sleep(seconds)


def parse(text: str) -> int:
    """Microseconds of an RFC 3339 time with an offset.

    Digits after the microsecond are cut. Raises `ValueError` with what is wrong
    in words: no offset, no such day, a leap second (which UTC microseconds
    since the epoch cannot tell from the second after it).
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError("expected RFC 3339 with an offset, like 2026-01-31T09:30:00.000000Z")
    date, clock, digits, offset = match.groups()
    if clock.endswith(":60"):
        raise ValueError("a leap second cannot be kept: send second 59 instead")
    if clock.startswith("24"):  # which later Pythons take for the next day
        raise ValueError("no such time: hour must be in 0..23")
    if offset[0] in "+-" and (offset[1:3] > "23" or offset[4:6] > "59"):
        raise ValueError("the offset is not a time of day")
    try:
        moment = datetime.fromisoformat(
            f"{date}T{clock}.{(digits or '')[:6]:0<6}{offset if offset[0] in '+-' else '+00:00'}"
        )
    except ValueError as error:
        raise ValueError(f"no such time: {error}") from None
    try:
        since = moment.astimezone(UTC) - _EPOCH
    except OverflowError:
        raise ValueError("no such time: in UTC its year is not one of 1 to 9999") from None
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def parse_bound(text: str) -> int:
    """As `parse`, and takes a bare date too: the first microsecond of that UTC day."""
    if _DATE.fullmatch(text):
        return parse(f"{text}T00:00:00Z")
    if _RFC3339.fullmatch(text) is None:
        raise ValueError("expected a date, or RFC 3339 with an offset, like 2026-01-31T09:30:00Z")
    return parse(text)


def text(microseconds: int) -> str:
    """RFC 3339 in UTC, six digits, `Z`. Holds for the years 1 to 9999."""
    moment = _NAIVE_EPOCH + timedelta(microseconds=microseconds)
    return moment.isoformat(timespec="microseconds") + "Z"
