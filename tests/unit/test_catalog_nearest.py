"""The names that the catalog offers for one that it does not know."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog.catalog import Catalog
from tests.unit.catalogs import CATALOG, GOOD, NAMES, SCOPE


class TestNearest:
    @pytest.mark.parametrize(
        ("name", "best"),
        [
            ("repo.craete", "repo.create"),
            ("Repo.Create", "repo.create"),
            ("repo.removedisable", "repo.removeDisable"),
            ("org.security.2fa.enable", "org.settings.security.2fa.enable"),
            ("scheduled_jobs.run", "scheduled_job.run"),
            ("billing.cancel", "billing.cancel_subscription"),
        ],
    )
    def test_the_best_comes_first(self, name: str, best: str) -> None:
        assert CATALOG.nearest(name)[0] == best

    @given(st.text(max_size=300), st.integers(0, 130))
    def test_there_are_always_n_different_ones(self, name: str, n: int) -> None:
        found = CATALOG.nearest(name, n)
        assert len(set(found)) == len(found) == min(n, 129)
        assert set(found) <= set(NAMES)

    @given(st.sampled_from(NAMES), st.integers(0, 60))
    def test_a_name_with_one_letter_missing_is_found(self, name: str, at: int) -> None:
        at %= len(name)
        assert name in CATALOG.nearest(name[:at] + name[at + 1 :])

    @given(st.sampled_from(NAMES), st.integers(0, 60), st.integers(1, 129))
    def test_names_that_begin_so_come_first(self, name: str, length: int, n: int) -> None:
        start = name[:length]
        begin_so = {each for each in NAMES if each.lower().startswith(start.lower())}
        found = CATALOG.nearest(start, n)
        assert set(found[: len(begin_so)]) <= begin_so

    @given(st.text(string.printable, max_size=40))
    def test_one_more_name_does_not_change_the_ones_before(self, name: str) -> None:
        assert CATALOG.nearest(name, 4)[:3] == CATALOG.nearest(name, 3)

    @pytest.mark.parametrize("unit", ["a", "org.settings.", "\N{GRINNING FACE}", "e."])
    def test_what_is_beyond_any_name_is_not_looked_at(self, unit: str) -> None:
        assert CATALOG.nearest(unit * 1_000_000) == CATALOG.nearest(unit * 2_000_000)

    def test_case_does_not_matter(self) -> None:
        catalog = Catalog.parse(
            f"{SCOPE}[types.G]\n'x.LOGIN' = {{ {GOOD} }}\n'x.logout' = {{ {GOOD} }}"
        )
        assert catalog.nearest("X.Login")[0] == "x.LOGIN"

    def test_a_catalog_without_types_has_none(self) -> None:
        assert Catalog.parse("").nearest("repo.create") == ()
