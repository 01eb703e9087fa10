"""Lookups in the catalog: by name, by filter, and the sentences that it gives."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog.catalog import MAX_NAME_LENGTH, Catalog, TypeMatch
from tests.unit.catalogs import CATALOG, NAMES

# Enough scopes and types for rules that our own catalog has no case of yet.
SMALL = Catalog.parse("""
[scopes]
repo = {}
team = {}
vault = {}
empty = {}
[scopes.cloud]
open = true
group = "Cloud"
operation = "access"
sentence = "{actor} called {type}[ on {targets}]"

[types.Repositories]
"repo.access.grant" = { operation = "modify", sentence = "{actor} granted" }
[types.Repositories."repo.create"]
operation = "create"
sentence = "{actor} made it"
was = ["repo.make", "git.new"]
[types.Repositories."repo.access"]
operation = "access"
sentence = "{actor} looked"
hidden = true
was = ["repo.see"]

[types.Others]
"vault.seal" = { operation = "modify", sentence = "{actor} sealed", was = ["team.close"] }
"cloud.login" = { operation = "authentication", sentence = "{actor} logged in" }
""")

type_names = st.one_of(
    st.sampled_from(NAMES),
    st.from_regex(r"(aws|cloud|repo|other)(\.[A-Za-z0-9_]{1,5}){0,3}", fullmatch=True),
    st.text(max_size=20),
)


class TestGet:
    def test_a_listed_type(self) -> None:
        found = CATALOG.get("repo.create")
        assert found is not None
        assert dataclasses.asdict(found) == {
            "name": "repo.create",
            "scope": "repo",
            "group": "Content and Resource Management",
            "sentence": "{actor} created a repository[: {targets}]",
            "operation": "create",
            "hidden": False,
            "was": (),
        }

    def test_an_earlier_name(self) -> None:
        assert SMALL.get("repo.make") is SMALL.get("git.new") is SMALL.get("repo.create")
        assert SMALL.known("repo.make")

    @pytest.mark.parametrize(
        "name", ["repo", "repo.", "repo.crea", "repo.create.x", "Repo.create", "", ".", "repo.*"]
    )
    def test_nothing_else_in_a_closed_scope(self, name: str) -> None:
        assert CATALOG.get(name) is None
        assert not CATALOG.known(name)

    def test_an_open_scope_takes_any_action(self) -> None:
        found = SMALL.get("cloud.s3.GetObject")
        assert found is not None
        assert found.name == "cloud.s3.GetObject"
        assert (found.scope, found.group, found.operation) == ("cloud", "Cloud", "access")
        assert not found.hidden

    def test_a_listed_type_of_an_open_scope_keeps_what_is_said_of_it(self) -> None:
        found = SMALL.get("cloud.login")
        assert found is not None
        assert (found.group, found.operation) == ("Others", "authentication")

    @pytest.mark.parametrize(
        "action",
        ["", ".", ".a.", ".a..b", ".a-b", ".a b", ".é", ".a:b", ".a\n", ".\u0661", ".*", ".a.*"],
    )
    def test_an_open_scope_takes_well_formed_names_only(self, action: str) -> None:
        assert CATALOG.get(f"aws{action}") is None

    def test_the_longest_name(self) -> None:
        assert CATALOG.known("aws." + "x" * (MAX_NAME_LENGTH - 4))
        assert not CATALOG.known("aws." + "x" * (MAX_NAME_LENGTH - 3))

    @given(type_names)
    def test_what_is_found_bears_the_name_that_was_asked_for(self, name: str) -> None:
        found = CATALOG.get(name)
        assert CATALOG.known(name) == (found is not None)
        if found:
            assert name in found.names
            assert name.startswith(f"{found.scope}.")


class TestNamesMatching:
    def test_a_known_name_is_exact(self) -> None:
        match = CATALOG.names_matching("org.settings.sso")
        assert match == TypeMatch(frozenset({"org.settings.sso"}), ())
        assert match is not None
        assert not match.matches("org.settings.sso.enable")

    def test_a_star_takes_the_name_and_all_below_it(self) -> None:
        match = CATALOG.names_matching("org.settings.sso.*")
        assert match is not None
        assert [name for name in NAMES if match.matches(name)] == [
            "org.settings.sso",
            "org.settings.sso.enable",
            "org.settings.sso.disable",
        ]

    @pytest.mark.parametrize("pattern", ["repo", "repo.*"])
    def test_a_scope(self, pattern: str) -> None:
        match = CATALOG.names_matching(pattern)
        assert match == TypeMatch(frozenset(), ("repo.",))
        assert match is not None
        assert {name for name in NAMES if match.matches(name)} == {
            each.name for each in CATALOG.types if each.scope == "repo"
        }
        # Stored once, and since dropped from the catalog: still of this scope.
        assert match.matches("repo.dropped_since")

    @pytest.mark.parametrize("pattern", ["org.invite", "org.invite.*"])
    def test_a_dotted_prefix_ends_at_a_dot(self, pattern: str) -> None:
        match = CATALOG.names_matching(pattern)
        assert match is not None
        taken = [name for name in NAMES if match.matches(name)]
        assert taken == ["org.invite.accept", "org.invite.email"]

    @pytest.mark.parametrize(
        "pattern",
        ["", "*", ".*", "rep", "repo.", "repo.cre", "repo.create.x", "repo.*.*", "*.create",
         "REPO", "repo.crea*", "aws.", "aws.a-b", "aws..*", "aws." + "x" * 200, "github", "repo\n"],
    )  # fmt: skip
    def test_what_is_not_known(self, pattern: str) -> None:
        assert CATALOG.names_matching(pattern) is None

    def test_a_declared_scope_without_types_matches_nothing_but_is_known(self) -> None:
        assert SMALL.names_matching("empty") == TypeMatch(frozenset(), ("empty.",))

    @pytest.mark.parametrize("pattern", ["repo.create", "repo.make", "git.new"])
    def test_any_of_a_types_names_takes_them_all(self, pattern: str) -> None:
        assert SMALL.names_matching(pattern) == TypeMatch(
            frozenset({"repo.create", "repo.make", "git.new"}), ()
        )

    def test_a_family_takes_its_types_other_names_along(self) -> None:
        match = SMALL.names_matching("repo")
        assert match is not None
        assert match.matches("git.new")
        assert not match.matches("git.other")

    @pytest.mark.parametrize("pattern", ["git", "git.*"])
    def test_an_earlier_name_makes_a_family_known(self, pattern: str) -> None:
        match = SMALL.names_matching(pattern)
        assert match is not None
        assert match.matches("git.new")
        assert match.matches("repo.create")
        assert not match.matches("repo.access")

    def test_a_type_that_moved_to_another_scope_is_found_under_both(self) -> None:
        for pattern in ("team", "vault"):
            match = SMALL.names_matching(pattern)
            assert match is not None
            assert match.matches("team.close")
            assert match.matches("vault.seal")

    @pytest.mark.parametrize("pattern", ["aws", "aws.*"])
    def test_an_open_scope(self, pattern: str) -> None:
        assert CATALOG.names_matching(pattern) == TypeMatch(frozenset(), ("aws.",))

    @pytest.mark.parametrize("pattern", ["aws.s3", "aws.s3.*"])
    def test_below_an_open_scope_a_name_is_both(self, pattern: str) -> None:
        match = CATALOG.names_matching(pattern)
        assert match == TypeMatch(frozenset({"aws.s3"}), ("aws.s3.",))
        assert match is not None
        assert match.matches("aws.s3")
        assert match.matches("aws.s3.GetObject")
        assert not match.matches("aws.s3tables.GetTable")

    def test_a_listed_name_of_an_open_scope_is_exact(self) -> None:
        assert SMALL.names_matching("cloud.login") == TypeMatch(frozenset({"cloud.login"}), ())

    def test_an_exact_name_asks_for_a_hidden_type(self) -> None:
        match = CATALOG.names_matching("org.audit_log.export")
        assert match is not None
        assert match.names_hidden == {"org.audit_log.export"}

    @pytest.mark.parametrize("pattern", ["repo.access", "repo.see"])
    def test_either_name_of_a_hidden_type_shows_what_bears_either(self, pattern: str) -> None:
        match = SMALL.names_matching(pattern)
        assert match is not None
        assert match.names_hidden == {"repo.access", "repo.see"} == SMALL.hidden_names

    @pytest.mark.parametrize("pattern", ["org", "org.*", "org.audit_log", "org.audit_log.export.*"])
    def test_a_prefix_matches_a_hidden_type_without_asking_for_it(self, pattern: str) -> None:
        match = CATALOG.names_matching(pattern)
        assert match is not None
        assert match.matches("org.audit_log.export")
        assert not match.names_hidden

    @given(type_names)
    def test_every_known_name_is_matched_by_itself_and_by_all_its_families(self, name: str) -> None:
        if not CATALOG.known(name):
            return
        segments = name.split(".")
        families = [".".join(segments[:length]) for length in range(1, len(segments) + 1)]
        exact = CATALOG.names_matching(name)
        assert exact is not None
        assert exact.matches(name)
        for family in families:
            match = CATALOG.names_matching(f"{family}.*")
            assert match is not None
            assert match.matches(name)

    @given(st.sampled_from(NAMES), type_names)
    def test_a_family_is_what_its_name_says(self, name: str, other: str) -> None:
        family = name.rpartition(".")[0]
        match = CATALOG.names_matching(f"{family}.*")
        assert match is not None
        below = other.startswith(f"{family}.")
        assert match.matches(other) == (below or (other == family and other in NAMES))


class TestSentenceFor:
    @pytest.mark.parametrize(
        ("targets", "expected"),
        [
            ([], "Ada created a repository"),
            (["a"], "Ada created a repository: a"),
            (["a", "b"], "Ada created a repository: a and b"),
            (["a", "b", "c"], "Ada created a repository: a, b and c"),
            (["a", "b", "c", "d"], "Ada created a repository: a, b and 2 more"),
            (["a", "b", "c", "d", "e"], "Ada created a repository: a, b and 3 more"),
            ([str(n) for n in range(16)], "Ada created a repository: 0, 1 and 14 more"),
        ],
    )
    def test_targets(self, targets: list[str], expected: str) -> None:
        assert CATALOG.sentence_for("repo.create", "Ada", targets) == expected

    def test_an_open_scope_names_the_type(self) -> None:
        summary = CATALOG.sentence_for("aws.s3.GetObject", "deploy", ["logs"])
        assert summary == "deploy called aws.s3.GetObject on logs"

    def test_an_earlier_name(self) -> None:
        assert SMALL.sentence_for("git.new", "Ada", []) == "Ada made it"

    def test_a_type_that_the_catalog_has_lost_is_still_told(self) -> None:
        assert CATALOG.sentence_for("old.thing", "Ada", []) == "Ada performed old.thing"
        assert CATALOG.sentence_for("old.thing", "Ada", ["x"]) == "Ada performed old.thing on x"

    @given(st.text(), st.lists(st.text(), min_size=1, max_size=2))
    def test_values_are_data(self, actor: str, targets: list[str]) -> None:
        summary = CATALOG.sentence_for("repo.create", actor, targets)
        assert summary == f"{actor} created a repository: {' and '.join(targets)}"

    @pytest.mark.parametrize("value", ["{targets}", "{actor}", "{type}", "[x]", r"\1", r"\g<0>"])
    def test_templates_within_values_are_data(self, value: str) -> None:
        summary = CATALOG.sentence_for("repo.create", value, [value])
        assert summary == f"{value} created a repository: {value}"
