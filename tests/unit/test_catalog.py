"""The catalog: its own file, the sources it has to cover, and the rules of lookups and files."""

import dataclasses
import json
import re
import shutil
import string
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import catalog as catalog_module
from auditlog.catalog import MAX_NAME_LENGTH, OPERATIONS, Catalog, TypeMatch
from auditlog.errors import CatalogError

CATALOG = Catalog.default()
NAMES = [each.name for each in CATALOG.types]
FILE = Path(catalog_module.__file__).with_name("catalog.toml")
SHARED = Path(__file__).parents[2].parent / "shared"

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


def source(name: str) -> Any:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"no {name} beside the repository")
    return json.loads(path.read_text("utf-8"))


class TestCatalogFile:
    def test_lists_118_types(self) -> None:
        assert len(NAMES) == len(set(NAMES)) == 118

    def test_covers_the_event_reference(self) -> None:
        groups = source("event-types.json")["groups"]
        types = {name: each["group"] for each in groups for name in each["types"]}
        assert len(types) == 79
        assert {name: each.group for name in types if (each := CATALOG.get(name))} == types

    def test_is_the_union_of_both_sources(self) -> None:
        reference = {
            name for each in source("event-types.json")["groups"] for name in each["types"]
        }
        schema = source("hf-export.schema.json")["response_schema"]
        exported = set(schema["items"]["properties"]["type"]["enum"])
        assert len(exported) == 116
        assert set(NAMES) == reference | exported

    def test_types_of_each_scope_without_the_sources(self) -> None:
        counts = {scope: sum(each.scope == scope for each in CATALOG.types) for scope in SCOPES}
        assert counts == SCOPES
        assert set(CATALOG.scopes) == set(SCOPES)

    def test_only_aws_is_open(self) -> None:
        assert [scope for scope, rest in CATALOG.scopes.items() if rest] == ["aws"]

    def test_only_the_export_of_the_log_is_hidden(self) -> None:
        assert CATALOG.hidden_names == {"org.audit_log.export"}

    def test_fields(self) -> None:
        for each in CATALOG.types:
            assert each.scope == each.name.partition(".")[0]
            assert each.operation in OPERATIONS
            assert each.group
            assert each.sentence.startswith("{actor} ")
            assert not each.was
        assert {each.operation for each in CATALOG.types} == OPERATIONS

    def test_sentences_tell_types_apart(self) -> None:
        assert len({each.sentence for each in CATALOG.types}) == len(NAMES)

    @pytest.mark.parametrize("name", [*NAMES, "aws.s3.GetObject"])
    def test_every_sentence_renders(self, name: str) -> None:
        targets = ["alpha", "beta", "gamma", "delta", "epsilon"]
        shown = {0: "", 1: "alpha", 2: "alpha and beta", 5: "alpha, beta and 3 more"}
        for count, expected in shown.items():
            summary = CATALOG.sentence_for(name, "Ada Okafor", targets[:count])
            assert summary.startswith("Ada Okafor ")
            assert summary.endswith(expected)
            assert ("alpha" in summary) == (count > 0)
            assert not re.search(r"[\[\]{}\n]|  | $|[:,]$|\.$", summary)
        bare = CATALOG.sentence_for(name, "Ada", [])
        assert bare.split(" ")[-1] not in {"to", "of", "for", "from", "on", "in", "the"}

    def test_loading_is_quick_enough_for_a_cold_start(self) -> None:
        def once() -> float:
            begun = time.perf_counter()
            Catalog.load(FILE)
            return time.perf_counter() - begun

        # 3 ms on the machine it was written on; the room is for a busy one.
        assert min(once() for _ in range(5)) < 0.05

    def test_default_is_loaded_once(self) -> None:
        assert Catalog.default() is Catalog.default()
        assert Catalog.load(FILE).types == CATALOG.types[:118]


SCOPES = {
    "org": 54, "repo": 22, "collection": 3, "spaces": 6, "resource_group": 6, "jobs": 4,
    "scheduled_job": 7, "billing": 15, "oauth": 1, "aws": 0,
}  # fmt: skip


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
        assert len(set(found)) == len(found) == min(n, 118)
        assert set(found) <= set(NAMES)

    @given(st.sampled_from(NAMES), st.integers(0, 60))
    def test_a_name_with_one_letter_missing_is_found(self, name: str, at: int) -> None:
        at %= len(name)
        assert name in CATALOG.nearest(name[:at] + name[at + 1 :])

    @given(st.sampled_from(NAMES), st.integers(0, 60), st.integers(1, 118))
    def test_names_that_begin_so_come_first(self, name: str, length: int, n: int) -> None:
        start = name[:length]
        begin_so = {each for each in NAMES if each.lower().startswith(start.lower())}
        found = CATALOG.nearest(start, n)
        assert set(found[: len(begin_so)]) <= begin_so

    @given(st.text(string.printable, max_size=40))
    def test_one_more_name_does_not_change_the_ones_before(self, name: str) -> None:
        assert CATALOG.nearest(name, 4)[:3] == CATALOG.nearest(name, 3)

    @pytest.mark.parametrize("unit", ["a", "org.settings.", "\N{GRINNING FACE}", "e."])
    def test_the_cost_does_not_grow_with_the_input(self, unit: str) -> None:
        CATALOG.nearest("warm up")

        def cost(name: str) -> float:
            begun = time.perf_counter()
            for _ in range(5):
                CATALOG.nearest(name)
            return time.perf_counter() - begun

        short, long = unit * (64 // len(unit)), unit * 1_000_000
        assert min(cost(long) for _ in range(5)) < 4 * min(cost(short) for _ in range(5))

    def test_case_does_not_matter(self) -> None:
        catalog = Catalog.parse(
            f"{SCOPE}[types.G]\n'x.LOGIN' = {{ {GOOD} }}\n'x.logout' = {{ {GOOD} }}"
        )
        assert catalog.nearest("X.Login")[0] == "x.LOGIN"

    def test_a_catalog_without_types_has_none(self) -> None:
        assert Catalog.parse("").nearest("repo.create") == ()


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


SCOPE = "[scopes]\nx = {}\n"
GOOD = 'operation = "create", sentence = "{actor} did"'


def one(fields: str, name: str = "x.y") -> str:
    return f'{SCOPE}[types.G]\n"{name}" = {{ {fields} }}\n'


def with_sentence(sentence: str) -> str:
    return one(f"operation = 'create', sentence = {json.dumps(sentence)}")


def open_scope(fields: str) -> str:
    return f"[scopes]\ns = {{ {fields} }}\n"


class TestFaultsOfFiles:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[scopes", "expected TOML"),
            ("x = 1", "unknown field 'x'; expected only scopes, types"),
            ("scopes = 1", "f.toml: scopes: expected a table"),
            ("[types]\nG = 1", "f.toml: group 'G': expected a table"),
            ("[scopes]\nx = 1", "f.toml: scope 'x': expected a table"),
            ("[scopes]\nX = {}", "scope 'X': expected a name of the form"),
            ('[scopes]\n"a.b" = {}', "scope 'a.b': expected a name of the form"),
            (f"[scopes]\n{'a' * 129} = {{}}", "expected a name of the form"),
            ('[scopes]\nx = { open = "yes" }', "scope 'x': expected 'open' to be true or false"),
            (
                "[scopes]\nx = { opne = true }",
                "scope 'x': unknown field 'opne'; expected only open",
            ),
            (open_scope('group = "G"'), "scope 's': unknown field 'group'; expected only open"),
            (open_scope("open = true"), "scope 's': expected 'group' to be a text"),
            (open_scope('open = true, group = "G"'), "scope 's': expected 'sentence' to be a text"),
            (
                open_scope('open = true, group = "G", sentence = "{actor} did"'),
                "scope 's': expected 'operation' to be a text",
            ),
            (
                open_scope(f'open = true, group = "G", {GOOD}, was = []'),
                "scope 's': unknown field 'was'",
            ),
            (f"{SCOPE}x = {{}}", "expected TOML"),
            (f'{SCOPE}[types.G]\n"x.y" = 1', "f.toml: type 'x.y': expected a table, not 1"),
            (one(GOOD, "x"), "'x' is not a type's name; expected at most 128 characters"),
            (one(GOOD, "x.a-b"), "'x.a-b' is not a type's name"),
            (one(GOOD, "X.a"), "'X.a' is not a type's name"),
            (one(GOOD, "x." + "y" * 127), "is not a type's name"),
            (one(GOOD, "z.y"), "type 'z.y': expected a declared scope, one of x"),
            (one(f"{GOOD}, hiden = true"), "type 'x.y': unknown field 'hiden'; expected only"),
            (one(f"{GOOD}, hidden = 1"), "type 'x.y': expected 'hidden' to be true or false"),
            (one(f"{GOOD}, was = 'x.z'"), "type 'x.y': expected 'was' to be a list"),
            (one(f"{GOOD}, was = [1]"), "type 'x.y': 1 is not a type's name"),
            (one(f"{GOOD}, was = ['z']"), "type 'x.y': 'z' is not a type's name"),
            (one(f"{GOOD}, was = ['x.y']"), "'x.y' belongs to f.toml: type 'x.y'"),
            (one(f"{GOOD}, was = ['x.z', 'x.z']"), "'x.z' belongs to f.toml: type 'x.y'"),
            (
                one(f"{GOOD}, was = ['x.z']") + f"'x.z' = {{ {GOOD} }}",
                "but 'x.z' belongs to f.toml: type 'x.z'",
            ),
            (
                one(f"{GOOD}, was = ['x.q']") + f"'x.z' = {{ {GOOD}, was = ['x.q'] }}",
                "but 'x.q' belongs to f.toml: type 'x.y'",
            ),
            (
                one(GOOD) + f"[types.H]\n'x.y' = {{ {GOOD} }}",
                "type 'x.y': expected a new type, but f.toml: type 'x.y' has it",
            ),
            (one(GOOD) + f"'x.y' = {{ {GOOD} }}", "expected TOML"),
            (one("sentence = 'did'"), "type 'x.y': expected 'operation' to be a text"),
            (one("operation = 'create'"), "type 'x.y': expected 'sentence' to be a text"),
            (one("operation = 'make', sentence = 'did'"), "unknown operation 'make'; expected one"),
            (with_sentence(" "), "expected 'sentence' to be a text"),
            (with_sentence("{actor} did {targets}"), "type 'x.y': bad sentence"),
            (with_sentence("{actor} did {what}"), "bad sentence"),
            (with_sentence("{actor did"), "bad sentence"),
            (with_sentence("{actor} did[ it"), "bad sentence"),
            (with_sentence("{actor} did ]it"), "bad sentence"),
            (with_sentence("{actor} did[]"), "bad sentence"),
            (with_sentence("{actor} did[ [{targets}]]"), "bad sentence"),
            (with_sentence("{actor}\ndid"), "bad sentence"),
        ],
    )
    def test_each_is_refused_with_its_place(self, text: str, said: str) -> None:
        with pytest.raises(CatalogError) as caught:
            Catalog.parse(text, "f.toml")
        assert str(caught.value).startswith("f.toml: ")
        assert said in str(caught.value)

    def test_a_hopeless_sentence_is_refused_at_once(self) -> None:
        begun = time.perf_counter()
        with pytest.raises(CatalogError):
            Catalog.parse(with_sentence("[" + "a{actor}" * 5000))
        assert time.perf_counter() - begun < 1

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(CatalogError, match=r"none\.toml: expected a readable UTF-8 file"):
            Catalog.load(tmp_path / "none.toml")

    def test_a_file_that_is_not_utf_8(self, tmp_path: Path) -> None:
        path = tmp_path / "latin.toml"
        path.write_bytes(b"# \xe9\n")
        with pytest.raises(CatalogError, match=r"latin\.toml: expected a readable UTF-8 file"):
            Catalog.load(path)


class TestDeploymentFile:
    def own(self, folder: Path, text: str) -> Catalog:
        shutil.copy(FILE, folder / "catalog.toml")
        (folder / "deployment.toml").write_text(text, "utf-8")
        return Catalog.in_folder(folder)

    def test_there_need_not_be_one(self, tmp_path: Path) -> None:
        shutil.copy(FILE, tmp_path / "catalog.toml")
        assert Catalog.in_folder(tmp_path).types == CATALOG.types[:118]

    def test_adds_scopes_and_types(self, tmp_path: Path) -> None:
        catalog = self.own(
            tmp_path,
            f"""
            [scopes]
            pipeline = {{}}
            okta = {{ open = true, group = "Identity", {GOOD} }}
            [types.Pipelines]
            "pipeline.start" = {{ {GOOD} }}
            [types."Content and Resource Management"]
            "repo.archive" = {{ {GOOD}, was = ["repo.freeze"] }}
            """,
        )
        assert [each.name for each in catalog.types[118:]] == ["pipeline.start", "repo.archive"]
        assert [each.name for each in catalog.types[:118]] == NAMES[:118]
        assert catalog.known("okta.user.session.start")
        assert catalog.known("repo.freeze")
        assert catalog.names_matching("pipeline") == TypeMatch(frozenset(), ("pipeline.",))
        assert catalog.nearest("pipline.start")[0] == "pipeline.start"

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (f'[types.G]\n"repo.create" = {{ {GOOD} }}', "catalog.toml: type 'repo.create' has it"),
            ("[scopes]\nrepo = {}", "scope 'repo': expected a new scope"),
            (
                f'[types.G]\n"repo.x" = {{ {GOOD}, was = ["repo.create"] }}',
                "'repo.create' belongs to",
            ),
            (f'[types.G]\n"own.x" = {{ {GOOD} }}', "type 'own.x': expected a declared scope"),
        ],
    )
    def test_may_not_declare_again(self, tmp_path: Path, text: str, said: str) -> None:
        with pytest.raises(CatalogError) as caught:
            self.own(tmp_path, text)
        assert "deployment.toml: " in str(caught.value)
        assert said in str(caught.value)
