"""The budget of property tests: the same examples in every run, on every machine."""

from hypothesis import settings

settings.register_profile("unit", max_examples=100, derandomize=True, deadline=None, database=None)
settings.load_profile("unit")
