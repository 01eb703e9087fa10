"""How much of what could be tried a run tries.

`make test` tries the same in every run, on every machine. With
`--hypothesis-profile long` a property goes on for as long as there is time, with other
examples each time, and a test that disturbs something at one call of each kind does so
at every call; with `hunt` a property stops at the first example that fails, without
making it smaller.
"""

import random
from collections import defaultdict
from collections.abc import Hashable, Sequence

from hypothesis import Phase, settings

_LONG = {"long", "hunt"}


def register() -> None:
    """Have these profiles chosen from; what Hypothesis chose by itself is none of them."""
    settings.register_profile(
        "plain", max_examples=100, derandomize=True, deadline=None, database=None
    )
    settings.register_profile("long", max_examples=50_000, deadline=None, database=None)
    settings.register_profile(
        "hunt", max_examples=2_000, phases=[Phase.generate], deadline=None, database=None
    )
    settings.load_profile("plain")


def is_long() -> bool:
    """Whether this run goes on for as long as there is time."""
    return settings.get_current_profile_name() in _LONG


def examples(plain: int) -> int:
    """How many examples a property tries that takes more of them, or fewer, than others."""
    return settings().max_examples * plain // 100


def one_of_each(kinds: Sequence[Hashable], draw: random.Random) -> list[int]:
    """The place of one of each kind, drawn from those that there are; of all in a long run."""
    if is_long():
        return list(range(len(kinds)))
    places = defaultdict[Hashable, list[int]](list)
    for place, kind in enumerate(kinds):
        places[kind].append(place)
    return sorted(map(draw.choice, places.values()))


def share(steps: Sequence[int], turn: int, of: int) -> Sequence[int]:
    """What falls to one of so many tests that take turns; all of it in a long run."""
    return steps if is_long() else steps[turn % of :: of]
