"""The rules of the catalog's files, and a deployment's own beside the one that is shipped."""

import json
import shutil
from pathlib import Path

import pytest

from auditlog.catalog import Catalog, TypeMatch
from auditlog.errors import CatalogError
from tests.unit.catalogs import CATALOG, FILE, GOOD, NAMES, SCOPE


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

    def test_a_hopeless_sentence_is_refused(self) -> None:
        with pytest.raises(CatalogError):
            Catalog.parse(with_sentence("[" + "a{actor}" * 5000))

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
        assert Catalog.in_folder(tmp_path).types == CATALOG.types[:129]

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
        assert [each.name for each in catalog.types[129:]] == ["pipeline.start", "repo.archive"]
        assert [each.name for each in catalog.types[:129]] == NAMES[:129]
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
