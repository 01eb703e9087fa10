"""Spans of time as they are typed: `24h`, `30m`, `7d`, or `0`."""

import re

from auditlog.cli.failures import UsageError

_SPAN = re.compile("([0-9]{1,9})([smhd]?)")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def seconds(text: str, option: str) -> int:
    """The seconds of a span. Raises `UsageError` with the option's name where it is none."""
    match = _SPAN.fullmatch(text)
    number, unit = match.groups() if match else ("", "")
    if not match or not (unit or int(number) == 0):
        raise UsageError(
            f"{option}: {text!r} is no span of time", hint="Write it as 24h, 30m, 7d or 0."
        )
    return int(number) * _SECONDS.get(unit, 1)
