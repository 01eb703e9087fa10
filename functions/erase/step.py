"""What both kinds of work have in common: how a step of one ends."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ended:
    """A step has ended in `state`; what is left goes on `after` seconds, None where nothing is."""

    state: str
    after: int | None = None


#: So long SQS holds a message back at the most.
LONGEST_DELAY = 900

#: Somebody else has done it, or is at it, or it is not to be done any more.
STOPPED = Ended("stopped")


class Stopped(Exception):  # noqa: N818 -- nothing is wrong
    """There is nothing more to do for this step: `STOPPED`."""


class OutOfTime(Exception):  # noqa: N818 -- nothing is wrong: the next step goes on
    """The function has to come to an end."""


def later(seconds: float) -> int:
    """Whole seconds after which to look again."""
    return min(LONGEST_DELAY, max(1, -int(-seconds // 1)))
