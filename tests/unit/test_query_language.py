"""What a query means: against brute force, case by case, and in the README's own examples."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import clock, filters, plan, walk
from auditlog.catalog import Catalog
from auditlog.errors import MalformedError
from auditlog.event import Rules, admit
from auditlog.filters import Filter
from tests.unit.published import NOW, SECRET, stored

CATALOG = Catalog.default()
RULES = Rules(CATALOG, "acme", None, NOW)
README = Path(__file__).parents[2] / "README.md"

DAYS = ["2026-03-01", "2026-03-02", "2026-03-03"]
people = st.sampled_from(["ada", "bob", "Ada Löve"])
events = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["repo.create", "repo.delete", "org.add_user", "aws.s3.Get"]),
        "occurred_at": st.sampled_from([f"{day}T12:00:00Z" for day in DAYS]),
        "actor": st.fixed_dictionaries(
            {"id": people},
            optional={"name": people, "type": st.sampled_from(["user", "system"])},
        ),
    },
    optional={
        "description": st.sampled_from(["Moved the ENGINE", "nothing"]),
        "targets": st.lists(
            st.fixed_dictionaries({"type": st.just("repo"), "id": st.sampled_from(["r1", "r2"])}),
            max_size=2,
        ),
        "ip": st.sampled_from(["192.0.2.1", "198.51.100.1", "2001:db8::1"]),
        "location": st.sampled_from([{"country": "FR", "city": "Paris"}, {"country": "DE"}]),
        "credential": st.sampled_from([{"type": "session", "id": "s1"}]),
    },
)


def day(event: Mapping[str, Any]) -> str:
    return event["occurred_at"][:10]


def names(event: Mapping[str, Any]) -> set[str | None]:
    return {event["actor"]["id"], event["actor"].get("name")}


def place(event: Mapping[str, Any], name: str) -> str | None:
    return event.get("location", {}).get(name)


def words(event: Mapping[str, Any]) -> str:
    """All texts that are looked through; none of the words below crosses from one to the next."""
    targets = event.get("targets", [])
    shown = event["actor"].get("name", event["actor"]["id"])
    objects = {0: "", 1: targets[0]["id"] if targets else "", 2: ""}[min(len(targets), 2)]
    made = {"repo.create": "created", "repo.delete": "deleted"}.get(event["type"], "")
    summary = f"{shown} {made} {objects}" + ("r1 r2" if len(targets) == 2 else "")
    own = [event.get("description", summary), event["actor"].get("name", "")]
    return "\n".join([*own, *(target["id"] for target in targets)]).casefold()


# Each value of each qualifier, with what it means, worked out by hand.
MEANINGS = {
    "type": {
        "repo": lambda e: e["type"].startswith("repo."),
        "repo.create": lambda e: e["type"] == "repo.create",
        "aws.s3": lambda e: e["type"] == "aws.s3.Get",
        "org.*": lambda e: e["type"] == "org.add_user",
    },
    "operation": {
        "create": lambda e: e["type"] in {"repo.create", "org.add_user"},
        "remove": lambda e: e["type"] == "repo.delete",
        "access": lambda e: e["type"] == "aws.s3.Get",
    },
    "actor": {"ada": lambda e: "ada" in names(e), '"Ada Löve"': lambda e: "Ada Löve" in names(e)},
    "author": {"bob": lambda e: "bob" in names(e)},
    "actor_type": {"user": lambda e: e["actor"].get("type", "user") == "user"},
    "target": {
        "r1": lambda e: any(t["id"] == "r1" for t in e.get("targets", [])),
        "repo/r2": lambda e: any(t["id"] == "r2" for t in e.get("targets", [])),
    },
    "ip": {
        "192.0.2.77": lambda e: e.get("ip") == "192.0.2.1",
        "192.0.0.0/7": lambda e: e.get("ip") == "192.0.2.1",
        "2001:db8::/32": lambda e: e.get("ip") == "2001:db8::1",
    },
    "country": {"fr": lambda e: place(e, "country") == "FR"},
    "city": {"paris": lambda e: place(e, "city") == "Paris"},
    "credential": {"session": lambda e: "credential" in e, "s2": lambda _: False},
    "created": {
        "2026-03-02": lambda e: day(e) == "2026-03-02",
        ">=2026-03-02": lambda e: day(e) >= "2026-03-02",
        ">2026-03-02": lambda e: day(e) > "2026-03-02",
        "<=2026-03-01T12:00:00Z": lambda e: day(e) <= "2026-03-01",
        "<2026-03-02T12:00:00Z": lambda e: day(e) < "2026-03-02",
        "2026-03-01..2026-03-02": lambda e: day(e) <= "2026-03-02",
        "*..2026-03-01": lambda e: day(e) == "2026-03-01",
    },
    "text": {
        "engine": lambda e: "engine" in words(e),
        "R1": lambda e: "r1" in words(e),
        '"ada löve"': lambda e: "ada löve" in words(e),
    },
}
terms = st.lists(
    st.sampled_from(
        [(name, value) for name, values in MEANINGS.items() for value in values]
    ).flatmap(lambda term: st.tuples(st.just(term[0]), st.just(term[1]), st.booleans())),
    max_size=4,
)


def brute_force(event: Mapping[str, Any], query: list[tuple[str, str, bool]]) -> bool:
    wanted: dict[str, list[bool]] = {}
    for number, (name, value, negated) in enumerate(query):
        holds = bool(MEANINGS[name][value](event))
        if negated:
            if holds:
                return False
            continue
        group = {"author": "actor", "text": f"text {number}"}.get(name, name)
        wanted.setdefault(group, []).append(holds)
    return all(any(group) for group in wanted.values())


def ours(event: Mapping[str, Any], wanted: Filter) -> bool:
    row = stored(admit(event, RULES, SECRET))
    span = plan.span_of(wanted, 0)
    if not span.first <= row.id < span.end:
        return False
    [(_, record)] = walk.matching([row], wanted)
    return record is not None


def parsed(**given_: str | list[str]) -> Filter:
    given_lists = {k: [v] if isinstance(v, str) else v for k, v in given_.items()}
    return filters.parse(given_lists, CATALOG, hidden_by_default=True)


@given(st.lists(events, min_size=1, max_size=6), terms)
def test_a_query_takes_what_brute_force_takes(
    log: list[dict[str, Any]], query: list[tuple[str, str, bool]]
) -> None:
    text = " ".join(
        f"{'-' * no}{'' if name == 'text' else name + ':'}{value}" for name, value, no in query
    )
    wanted = parsed(q=text)
    for event in log:
        assert ours(event, wanted) == brute_force(event, query), (text, event)


@given(st.lists(events, max_size=6))
def test_parameters_and_query_both_hold(log: list[dict[str, Any]]) -> None:
    wanted = parsed(q="type:repo -actor:bob", type=["repo.create", "org"], since="2026-03-02")
    for event in log:
        holds = event["type"] == "repo.create" and "bob" not in names(event)
        assert ours(event, wanted) == (holds and day(event) >= "2026-03-02")


@pytest.mark.parametrize(
    ("query", "shows"),
    [
        ("", False),
        ("type:org", False),
        ("type:org.audit_log.*", False),
        ("type:org.audit_log.export", True),
        ("-type:repo", False),
    ],
)
def test_only_its_exact_name_shows_a_hidden_type(query: str, shows: bool) -> None:
    assert parsed(q=query).takes_type("org.audit_log.export") is shows


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ("type:repo.creat", 'at character 6: found "repo.creat", expected a type, scope or prefix'),
        ("x country:xxx", 'at character 11: found "xxx", expected two letters'),
        ("created:2026-13-01", 'at character 9: found "2026-13-01", no such time'),
        ("created:..", 'at character 9: found "..", expected a date, or RFC 3339'),
        ("ip:300.1.1.1", 'at character 4: found "300.1.1.1", expected an IPv4'),
        ("operation:made", 'at character 11: found "made", expected one of access'),
        ("actor_type:bot", 'at character 12: found "bot", expected one of user'),
    ],
)
def test_a_value_that_means_nothing_is_refused_with_its_place(query: str, refusal: str) -> None:
    with pytest.raises(MalformedError) as raised:
        parsed(q=query)
    assert [f.detail for f in raised.value.faults if f.detail.startswith(refusal)]
    assert {f.parameter for f in raised.value.faults} == {"q"}


def test_every_fault_of_a_query_is_told() -> None:
    with pytest.raises(MalformedError) as raised:
        parsed(q="type:nope ip:nope", country="nope")
    assert [fault.parameter for fault in raised.value.faults] == ["country", "q", "q"]


def test_the_examples_of_the_readme_are_queries() -> None:
    section = README.read_text().partition("### The query language")[2].partition("\n## ")[0]
    examples = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
    assert len(examples) > 12
    for example in examples:
        parsed(q=example.replace("\\|", "|"))


def test_a_query_is_part_of_what_a_cursor_is_bound_to() -> None:
    assert parsed(q="type:repo").parameters != parsed(q="type:org").parameters
    assert json.dumps(parsed(q="a", type="repo").parameters)
    assert clock.text(parsed(q="created:>=2026-03-01").since) == "2026-03-01T00:00:00.000000Z"
