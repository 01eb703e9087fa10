"""The budget of property tests: the same examples in every run, on every machine.

`make test ARGS='--hypothesis-profile long -k search_model'` looks for as long as
there is time, at others each time; with `hunt` it stops at the first that fails,
without making it smaller.
"""

from hypothesis import Phase, settings

settings.register_profile("unit", max_examples=100, derandomize=True, deadline=None, database=None)
settings.register_profile("long", max_examples=50_000, deadline=None, database=None)
settings.register_profile(
    "hunt", max_examples=2_000, phases=[Phase.generate], deadline=None, database=None
)
if settings.get_current_profile_name() not in {"unit", "long", "hunt"}:
    settings.load_profile("unit")
