"""Filters against brute force, and every parameter that is refused."""

import json
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlog import clock, filters, plan, walk
from auditlog.catalog import Catalog
from auditlog.errors import MalformedError
from auditlog.event import Rules, admit, first_id
from auditlog.filters import Filter
from tests.unit.published import NOW, SECRET, stored

CATALOG = Catalog.parse("""
[scopes]
repo = {}
org = {}
[scopes.aws]
open = true
group = "Cloud"
operation = "access"
sentence = "{actor} called {type}"
[types.All]
"repo.create" = { operation = "create", sentence = "x", was = ["repo.make"] }
"repo.access" = { operation = "access", sentence = "x" }
"repo.access.grant" = { operation = "modify", sentence = "x" }
"org.export" = { operation = "access", sentence = "x", hidden = true }
"org.join" = { operation = "create", sentence = "x" }
""")
RULES = Rules(CATALOG, "acme", None, NOW)
# What each value of `type` takes, worked out by hand; and which of them show what is hidden.
TYPES = {
    "repo": {"repo.create", "repo.make", "repo.access", "repo.access.grant"},
    "repo.*": {"repo.create", "repo.make", "repo.access", "repo.access.grant"},
    "repo.create": {"repo.create", "repo.make"},
    "repo.make": {"repo.create", "repo.make"},
    "repo.access": {"repo.access"},
    "repo.access.*": {"repo.access", "repo.access.grant"},
    "org": {"org.export", "org.join"},
    "org.export": {"org.export"},
    "aws": {"aws.s3.Get", "aws.s3", "aws.s3x.Get"},
    "aws.s3": {"aws.s3", "aws.s3.Get"},
}
NAMES = sorted(set().union(*TYPES.values()))
HIDDEN = "org.export"
PEOPLE = ["ann", "bob", "Ann", ""]
ADDRESSES = ["192.0.2.1", "192.0.3.9", "::ffff:192.0.2.7", "2001:db8::1", "2001:db8:0:1::", "::1"]
BLOCKS = [
    "192.0.2.0", "192.0.2.200/32", "192.0.2.0/23", "192.0.0.0/8", "0.0.0.0/0", "198.51.100.0/24",
    "::ffff:192.0.3.0/120", "2001:db8::/32", "2001:db8::ffff", "2001:db8:1::/48", "::/0",
]  # fmt: skip
COUNTRIES = ["PT", "DE", "pt"]
DAYS = [f"2026-05-0{day}T00:00:00.000000Z" for day in range(1, 6)]

ids = st.sampled_from(["1", "2", "repo/1"])
events = st.fixed_dictionaries(
    {
        "type": st.sampled_from(NAMES),
        "occurred_at": st.sampled_from(DAYS),
        "actor": st.fixed_dictionaries(
            {"id": st.sampled_from(["ann", "bob"])}, optional={"name": st.sampled_from(PEOPLE)}
        ),
    },
    optional={
        "targets": st.lists(
            st.fixed_dictionaries({"type": st.sampled_from(["repo", "user"]), "id": ids}),
            max_size=3,
        ),
        "ip": st.sampled_from(ADDRESSES),
        "location": st.fixed_dictionaries(
            {}, optional={"country": st.sampled_from(["PT", "DE"]), "city": st.just("PT")}
        ),
    },
)


def several(values: Sequence[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3)


parameters: dict[str, st.SearchStrategy[list[str]]] = {
    "type": several(list(TYPES)),
    "actor": several(PEOPLE[:3]),
    "target": several(["1", "2", "repo/1", "user/2", "user"]),
    "ip": several(BLOCKS),
    "country": several(COUNTRIES),
    "since": st.sampled_from(DAYS).map(lambda day: [day]),
    "until": st.sampled_from(DAYS).map(lambda day: [day]),
    "include_hidden": st.sampled_from([["true"], ["false"]]),
}
# Few at once: with all of them next to nothing would match, and nothing be told apart.
queries = st.lists(st.sampled_from(sorted(parameters)), max_size=3, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: parameters[name] for name in names})
)


def expected(event: Mapping[str, Any], query: Mapping[str, list[str]], *, default: bool) -> bool:
    """Whether a published event matches: written from the words of the contract."""
    asked = query.get("type", [])
    shows_hidden = query.get("include_hidden", [str(default).lower()]) == ["true"]
    actor = {event["actor"]["id"], event["actor"].get("name")}
    targets = event.get("targets", [])
    named = {t["id"] for t in targets} | {f"{t['type']}/{t['id']}" for t in targets}
    country = event.get("location", {}).get("country")
    rules = {
        "type": any(event["type"] in TYPES[value] for value in asked),
        "actor": actor & set(query.get("actor", [])),
        "target": named & set(query.get("target", [])),
        "ip": any(overlap(event.get("ip"), block) for block in query.get("ip", [])),
        "country": country in [value.upper() for value in query.get("country", [])],
        "since": event["occurred_at"] >= max(query.get("since", [""])),
        "until": event["occurred_at"] < max(query.get("until", [""])),
    }
    visible = event["type"] != HIDDEN or shows_hidden or HIDDEN in asked
    return visible and all(rules[name] for name in query if name in rules)


def overlap(address: str | None, block: str) -> bool:
    """Whether the kept bits of an address and those of a block begin alike."""
    if address is None or ("." in address) != ("." in block):
        return False
    kept = bits(address)[: 24 if "." in address else 48]
    asked = bits(block)
    return kept.startswith(asked) or asked.startswith(kept)


def bits(text: str) -> str:
    """The bits of an address, or those of a block that stand before its prefix length."""
    plain, _, length = text.removeprefix("::ffff:").partition("/")
    address = ip_address(plain)
    binary = f"{int(address):0{address.max_prefixlen}b}"
    mapped = 96 if text.startswith("::ffff:") else 0
    return binary[: int(length) - mapped] if length else binary


def parse(query: Mapping[str, Sequence[str]], *, hidden_by_default: bool = True) -> Filter:
    return filters.parse(query, CATALOG, hidden_by_default=hidden_by_default)


def matches(event: Mapping[str, Any], wanted: Filter) -> bool:
    """As a page reads it: by span, then by type, then by what the record says."""
    record = admit(json.loads(json.dumps(event)), RULES, SECRET)
    span = plan.span_of(wanted, 0)
    if not span.first <= record.id < span.end:
        return False
    [(_, found)] = walk.matching([stored(record)], wanted)
    assert found in {None, record.data}
    return found is not None


@settings(max_examples=300)
@given(st.lists(events, min_size=1, max_size=8), queries, st.booleans())
def test_as_brute_force(sent: list[Any], query: dict[str, list[str]], hidden: bool) -> None:
    wanted = parse(query, hidden_by_default=hidden)
    for event in sent:
        assert matches(event, wanted) == expected(event, query, default=not hidden)


@pytest.mark.parametrize("value", TYPES)
def test_types(value: str) -> None:
    wanted = parse({"type": [value], "include_hidden": ["true"]})
    assert {name for name in NAMES if wanted.takes_type(name)} == TYPES[value]


@pytest.mark.parametrize(
    ("query", "hidden_by_default", "shown"),
    [
        ({}, True, False),
        ({}, False, True),
        ({"include_hidden": ["true"]}, True, True),
        ({"include_hidden": ["false"]}, False, False),
        ({"type": ["org"]}, True, False),
        ({"type": ["org.*"]}, True, False),
        ({"type": ["org.export"]}, True, True),
        ({"type": ["org.export"], "include_hidden": ["false"]}, False, True),
        ({"type": ["org", "org.export"]}, True, True),
        ({"type": ["repo"], "include_hidden": ["true"]}, True, False),
    ],
)
def test_hidden(query: dict[str, list[str]], hidden_by_default: bool, shown: bool) -> None:
    assert parse(query, hidden_by_default=hidden_by_default).takes_type(HIDDEN) == shown


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"actor": ["u1"]}, True),
        ({"actor": ["Ann"]}, True),
        ({"actor": ["x", "Ann"]}, True),
        ({"actor": ["ann"]}, False),
        ({"actor": ["An"]}, False),
        ({"target": ["r1"]}, True),
        ({"target": ["repo/r1"]}, True),
        ({"target": ["x", "user/u2"]}, True),
        ({"target": ["user/r1"]}, False),
        ({"target": ["lab"]}, False),
        ({"target": ["repo"]}, False),
        ({"actor": ["u1"], "target": ["r2"]}, False),
        ({"country": ["DE", "pt"]}, True),
        ({"country": ["DE"]}, False),
    ],
)
def test_who_what_and_where(query: dict[str, list[str]], found: bool) -> None:
    event = {
        "type": "org.join",
        "occurred_at": DAYS[0],
        "actor": {"id": "u1", "name": "Ann"},
        "targets": [{"type": "repo", "id": "r1", "name": "lab"}, {"type": "user", "id": "u2"}],
        "location": {"country": "PT", "region": "DE"},
    }
    assert matches(event, parse(query)) == found


@pytest.mark.parametrize(
    ("ip", "block", "found"),
    [
        ("192.0.2.1", "192.0.2.99", True),
        ("192.0.2.1", "192.0.2.0/28", True),
        ("192.0.2.1", "192.0.0.0/16", True),
        ("192.0.2.1", "192.0.3.1", False),
        ("192.0.2.1", "::ffff:192.0.2.9", True),
        ("::ffff:192.0.2.1", "192.0.2.9", True),
        ("192.0.2.1", "::/0", False),
        ("2001:db8::1", "0.0.0.0/0", False),
        ("2001:db8:1:2::", "2001:db8:1:ffff::9", True),
        ("2001:db8:1:2::", "2001:db8::/31", True),
        ("2001:db8:1:2::", "2001:db8:2::/48", False),
        (None, "0.0.0.0/0", False),
    ],
)
def test_addresses_overlap_both_ways(ip: str | None, block: str, found: bool) -> None:
    event = {"type": "org.join", "occurred_at": DAYS[0], "actor": {"id": "a"}}
    assert matches(event | ({"ip": ip} if ip else {}), parse({"ip": [block]})) == found


class TestBounds:
    def test_a_date_is_its_first_microsecond(self) -> None:
        wanted = parse({"since": ["2026-05-01"], "until": ["2026-05-02"]})
        assert wanted.since == clock.parse(DAYS[0])
        assert wanted.until == clock.parse(DAYS[1])

    def test_since_is_inclusive_and_until_is_not(self) -> None:
        wanted = parse({"since": [DAYS[1]], "until": [DAYS[2]]})
        span = plan.span_of(wanted, 0)
        assert span.first == first_id(clock.parse(DAYS[1]))
        assert span.end == first_id(clock.parse(DAYS[2]))

    def test_nothing_below_the_retention(self) -> None:
        oldest = clock.parse(DAYS[3])
        for query in ({}, {"since": [DAYS[1]]}, {"since": ["0001-01-01"]}):
            assert plan.span_of(parse(query), oldest).first == first_id(oldest)
        assert plan.span_of(parse({"until": [DAYS[1]]}), oldest).is_empty


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("type", "repo.craete", "the nearest are repo.create"),
            ("type", "", "expected a type, scope or prefix"),
            ("type", "github", "expected a type, scope or prefix"),
            ("actor", "", "at least one character"),
            ("target", "", "at least one character"),
            ("ip", "localhost", "expected an IPv4 or IPv6 address"),
            ("ip", "192.0.2.0/33", "CIDR block"),
            ("ip", "", "expected an IPv4"),
            ("ip", "fe80::1%eth0", "zone"),
            ("country", "Portugal", "two letters"),
            ("country", "", "two letters"),
            ("country", "ÅÄ", "two letters"),
            ("since", "yesterday", "RFC 3339"),
            ("since", "2026-02-30", "no such time"),
            ("since", "0001-01-01T00:00:00+01:00", "no such time"),
            ("until", "9999-12-31T23:59:59-01:00", "no such time"),
            ("until", "2026-01-01T00:00:00", "RFC 3339"),
            ("until", "", "RFC 3339"),
            ("include_hidden", "yes", "true or false"),
            ("include_hidden", "True", "true or false"),
            ("include_hidden", "", "true or false"),
            ("actor", "a" * 1_025, "at most 1024 characters"),
            ("type", "aws." + "a" * 1_025, "at most 1024 characters"),
        ],
    )
    def test_a_value(self, name: str, value: str, words: str) -> None:
        with pytest.raises(MalformedError) as error:
            parse({name: [value]})
        [fault] = error.value.faults
        assert (fault.parameter, fault.pointer) == (name, None)
        assert words in fault.detail

    @pytest.mark.parametrize("name", ["since", "until", "include_hidden"])
    def test_two_values_where_one_is_meant(self, name: str) -> None:
        with pytest.raises(MalformedError) as error:
            parse({name: ["true", "true"]})
        assert [f.as_dict() for f in error.value.faults] == [
            {"parameter": name, "detail": "expected one value"}
        ]

    def test_too_many_values(self) -> None:
        [clause] = parse({"actor": [str(n) for n in range(100)]}).clauses
        assert len(clause.wanted) == 100
        with pytest.raises(MalformedError, match="not valid"):
            parse({"actor": [str(n) for n in range(101)]})

    def test_all_at_once(self) -> None:
        query = {"type": ["x", "repo", "y"], "ip": ["x"], "since": ["x"], "country": ["x"]}
        with pytest.raises(MalformedError) as error:
            parse(query)
        assert [f.parameter for f in error.value.faults] == [
            "type", "type", "ip", "country", "since",
        ]  # fmt: skip


class TestNormalForm:
    @given(queries, st.randoms(use_true_random=False))
    def test_does_not_depend_on_order_or_repetition(self, query: Any, random: Any) -> None:
        shuffled: dict[str, list[str]] = {}
        for name, values in sorted(query.items(), key=lambda _: random.random()):
            once = name in {"since", "until", "include_hidden"}
            shuffled[name] = values if once else random.sample(values * 2, len(values) * 2)
        assert parse(shuffled).parameters == parse(query).parameters

    @given(queries, st.booleans())
    def test_says_the_same_when_it_is_parsed_again(self, query: Any, hidden: bool) -> None:
        once = parse(query, hidden_by_default=hidden)
        again = parse(once.parameters, hidden_by_default=not hidden)
        assert again.parameters == once.parameters
        assert again.hidden == once.hidden
        assert (again.since, again.until) == (once.since, once.until)


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("ip:203.0.113.77", "ip:203.0.113.0"),
        (
            '-ip:"203.0.113.77/32" engine ip:2001:db8:1:2::9',
            "-ip:203.0.113.0 engine ip:2001:db8:1::",
        ),
        ("ip:::ffff:203.0.113.77 type:repo", "ip:203.0.113.0 type:repo"),
        ("ip:203.0.0.0/16 203.0.113.77", "ip:203.0.0.0/16 203.0.113.77"),
    ],
)
def test_a_filter_that_is_kept_names_no_full_address(query: str, kept: str) -> None:
    found = filters.parse({"q": [query]}, CATALOG, hidden_by_default=False)
    assert found.parameters["q"] == [kept]
    again = filters.parse(found.parameters, CATALOG, hidden_by_default=False)
    assert again.parameters == found.parameters
    assert filters.parse({"ip": ["203.0.113.77"]}, CATALOG, hidden_by_default=False).parameters[
        "ip"
    ] == ["203.0.113.0/24"]
