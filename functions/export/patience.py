"""Asking again where a store is busy: what is done twice here has the effect of once."""

import random
from collections.abc import Callable
from typing import TypeVar

from auditlog import clock
from auditlog.errors import UnavailableError

T = TypeVar("T")

_TRIES = 8
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 5.0


def patiently(call: Callable[[], T]) -> T:
    """What `call` returns, which is tried again, later and later, for some 20 seconds at most.

    Raises the last `UnavailableError`, and at once whatever else it raises.
    """
    for attempt in range(_TRIES):
        try:
            return call()
        except UnavailableError:
            longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt)
            clock.sleep(random.uniform(longest / 2, longest))  # noqa: S311 -- jitter, not a secret
    return call()
