"""The catalog that is shipped: the sources it has to cover, and what it says of each type."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from auditlog import trail
from auditlog.catalog import OPERATIONS, Catalog
from tests.unit.catalogs import CATALOG, FILE, NAMES

SHARED = Path(__file__).parents[2].parent / "shared"
SCOPES = {
    "org": 65, "repo": 22, "collection": 3, "spaces": 6, "resource_group": 6, "jobs": 4,
    "scheduled_job": 7, "billing": 15, "oauth": 1, "aws": 0,
}  # fmt: skip

#: What the service records of itself, and the reference has no word for.
OWN = {
    trail.ORG_CREATE, trail.SETTINGS_CHANGE, trail.KEY_CREATE, trail.KEY_ROTATE, trail.KEY_REVOKE,
    trail.SESSION_CREATE, trail.SESSION_REVOKE, trail.ERASURE_REQUEST, trail.ERASURE_COMPLETE,
    trail.PURGE, trail.SEARCH,
}  # fmt: skip


def source(name: str) -> Any:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"no {name} beside the repository")
    return json.loads(path.read_text("utf-8"))


class TestCatalogFile:
    def test_lists_129_types(self) -> None:
        assert len(NAMES) == len(set(NAMES)) == 129

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
        assert len(reference | exported) == 118
        assert set(NAMES) == reference | exported | OWN

    def test_types_of_each_scope_without_the_sources(self) -> None:
        counts = {scope: sum(each.scope == scope for each in CATALOG.types) for scope in SCOPES}
        assert counts == SCOPES
        assert set(CATALOG.scopes) == set(SCOPES)

    def test_only_aws_is_open(self) -> None:
        assert [scope for scope, rest in CATALOG.scopes.items() if rest] == ["aws"]

    def test_only_who_read_the_log_is_hidden(self) -> None:
        assert CATALOG.hidden_names == {trail.EXPORT, trail.SEARCH}

    def test_what_the_service_records_of_itself_is_all_there(self) -> None:
        assert {name for name in NAMES if name.startswith("org.audit_log.")} == {
            *OWN, trail.EXPORT,
        }  # fmt: skip

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

    def test_default_is_loaded_once(self) -> None:
        assert Catalog.default() is Catalog.default()
        assert Catalog.load(FILE).types == CATALOG.types[:129]
