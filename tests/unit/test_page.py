"""The console's modules: the query language as the service reads it, and what a page makes of data.

What needs a browser is in `tests/e2e`.
"""

import json
import random
import re
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from auditlog import catalog, filters, grammar
from auditlog.errors import MalformedError
from tests.unit.page import PAGE, called
from tests.unit.test_golden import GOLDEN

PIECES = (
    "type:", "actor:", "author:", "ip:", "nope:", "created:", "-", "--", '"', '\\"', "\\\\", " ",
    "  ", "\t", "repo", "org.add_user", "a", "é", "🚀", ":", "AND", "OR", "NOT", "NOTE", "..", ">=",
    "text:", "x_y:", "X:", "\u202e", "",
)  # fmt: skip


def queries(count: int) -> list[str]:
    chance = random.Random(20_261_128)
    return ["".join(chance.choices(PIECES, k=chance.randrange(9))) for _ in range(count)]


def read(query: str) -> list[tuple[str, str, bool, int, int]] | None:
    try:
        terms = grammar.parse(query)
    except MalformedError:
        return None
    return [(t.qualifier, t.value, t.negated, t.at, t.end) for t in terms]


def test_the_page_reads_a_query_as_the_service_does() -> None:
    asked = queries(5_000)
    answers = called("query.js", "terms", [[query] for query in asked])
    refused = 0
    for query, terms in zip(asked, answers, strict=True):
        expected = read(query)
        if expected is None:
            refused += 1
            assert any(term["wrong"] for term in terms), query
            continue
        assert not any(term["wrong"] for term in terms), query
        found = [(t["qualifier"], t["value"], t["negated"]) for t in terms]
        assert found == [each[:3] for each in expected], query
    assert 1_000 < refused < 4_500


def test_the_terms_of_the_page_are_where_they_stand() -> None:
    asked = queries(2_000)
    for query, terms in zip(asked, called("query.js", "terms", [[q] for q in asked]), strict=True):
        units = query.encode("utf-16-le")
        texts = [units[2 * t["from"] : 2 * t["to"]].decode("utf-16-le") for t in terms]
        assert texts == [term["text"] for term in terms]
        assert "".join("".join(texts).split()) == "".join(query.split())


VALUES = (
    "repo", "Ada Lovelace", 'a "b"', "back\\slash", "-1", "type:x", "AND", "NOTE", "é🚀", "a:b",
    "x.*", "2001:db8::/32", ">=2026-01-01", "\\", '"', "--",
)  # fmt: skip


@pytest.mark.parametrize("qualifier", ["actor", "target", "text"])
@pytest.mark.parametrize("negated", [False, True])
def test_a_term_that_the_page_writes_is_read_as_it_was_meant(qualifier: str, negated: bool) -> None:
    written = called("query.js", "term", [[qualifier, value, negated] for value in VALUES])
    for value, text in zip(VALUES, written, strict=True):
        assert [each[:3] for each in read(text) or []] == [(qualifier, value, negated)], text


def test_terms_are_added_once_and_taken_away() -> None:
    [added] = called("query.js", "plus", [["a -actor:ada type:repo", "actor", "ada", False]])
    assert added == "a type:repo actor:ada"
    [same] = called("query.js", "plus", [[added, "actor", "ada", False]])
    assert same == added
    [alone] = called("query.js", "only", [[f"{added} actor:bob -actor:cy", "actor", "eve"]])
    assert alone == "a type:repo -actor:cy actor:eve"
    [gone] = called("query.js", "minus", [[added, "type", "repo", False]])
    assert gone == "a actor:ada"


def presets() -> list[str]:
    names = ("Membership", "Tokens and secrets", "Billing")
    made = called("presets.js", "toggled", [["", preset] for preset in _presets()])
    assert len(made) == len(names)
    return made


def _presets() -> list[dict[str, Any]]:
    [found] = called("presets.js", "all", [[]])
    return found


def test_every_preset_is_a_query_and_one_chip() -> None:
    listed = catalog.Catalog.default()
    made = presets()
    for query in made:
        wanted = filters.parse({"q": [query]}, listed, hidden_by_default=True)
        assert any(wanted.takes_type(found.name) for found in listed.types)
    for query, chips in zip(made, called("presets.js", "chips", [[q] for q in made]), strict=True):
        assert len(chips) == 1, query
        assert chips[0]["rest"] == ""


def test_a_preset_is_taken_off_again_and_leaves_the_rest() -> None:
    [preset, *_] = _presets()
    [on] = called("presets.js", "toggled", [["actor:ada", preset]])
    assert on.startswith("actor:ada type:org.add_user ")
    [off] = called("presets.js", "toggled", [[on, preset]])
    assert off == "actor:ada"


TYPES = {
    "repo.create": "{actor} created a repository[: {targets}]",
    "repo.add_secret": "{actor} added a secret[ to {targets}]",
    "org.add_user": "{actor} added a member[: {targets}]",
}
KNOWN = {
    "types": [{"type": name, "description": said} for name, said in TYPES.items()],
    "actors": [{"id": "usr_1", "name": "Ada Lovelace"}, {"id": "svc two"}],
    "countries": ["FR", "DE"],
}
NOON = 1_780_401_600_000


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [f"{name}:" for name in grammar.QUALIFIERS]),
        ("ty", ["type:"]),
        ("-act", ["-actor:", "-actor_type:"]),
        ("type:", [f"type:{each}" for each in ("repo", "org", *TYPES)]),
        ("type:secret", ["type:repo.add_secret"]),
        ("type:repo.", ["type:repo.create", "type:repo.add_secret"]),
        ("-actor:love", ["-actor:usr_1"]),
        ("author:svc", ['actor:"svc two"']),
        ("a country:f", ["country:FR"]),
        ("operation:re", ["operation:remove", "operation:restore"]),
        ("created:>", ["created:>=2026-05-26", "created:>=2026-05-03"]),
        ("engine", []),
        ('"type:re', []),
        ("country:FR", []),
        ("country:FR ", []),
    ],
)  # fmt: skip
def test_what_is_suggested(query: str, expected: list[str]) -> None:
    [found] = called("suggest.js", "suggestions", [[query, len(query), KNOWN, NOON]])
    assert [each["label"] for each in found] == expected


def test_a_suggestion_takes_the_place_of_a_quoted_value_whole() -> None:
    query = 'a actor:"Ada Lovelace" b'
    [[first, *_]] = called("suggest.js", "suggestions", [[query, 12, KNOWN, NOON]])
    assert query[first["from"] : first["to"]] == 'actor:"Ada Lovelace"'


def test_a_suggestion_takes_the_place_of_the_term_at_the_cursor() -> None:
    query = "a type:repo.cre -b"
    [[first, *_]] = called("suggest.js", "suggestions", [[query, 10, KNOWN, NOON]])
    assert query[: first["from"]] + first["insert"] + query[first["to"] :].lstrip() == (
        "a type:repo -b"
    )
    assert first["hint"] == ""


@pytest.mark.parametrize(
    ("metadata", "rows"),
    [
        ({"before": {"a": 1, "b": 2}, "after": {"a": 1, "b": 3}, "c": 4}, [("b", 2, 3)]),
        ({"before": "read", "after": "admin"}, [("", "read", "admin")]),
        ({"before": "read", "after": "read"}, []),
        ({"old": {"a": {"b": [1]}}, "new": {"a": {"b": [2]}}}, [("a.b", [1], [2])]),
        ({"from": None, "to": 5}, [("", None, 5)]),
        ({"changes": {"role": {"from": "read", "to": "admin"}}}, [("role", "read", "admin")]),
        ({"changes": [{"field": "role", "old": 1, "new": 2}]}, [("role", 1, 2)]),
        ({"changes": [{"old": 1, "new": 2}]}, []),
        # Both values of a field, or its new one: nobody can tell.
        ({"changes": {"tags": ["alpha", "beta"]}}, []),
        ({"changes": "many"}, []),
        ({"before": {"a": 1}, "after": {}}, [("a", 1, None)]),
        ({"before": {"__proto__x": 1}, "after": {"__proto__x": 2}}, [("__proto__x", 1, 2)]),
        ({"before": {"a": 1}}, []),
        ({"before": {str(n): n for n in range(300)}, "after": {}}, []),
        ({}, []),
    ],
)
def test_what_changed(metadata: dict[str, Any], rows: list[tuple[str, Any, Any]]) -> None:
    [found] = called("changes.js", "changes", [[metadata]])
    assert [(r["field"], r.get("before"), r.get("after")) for r in found] == rows


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("acme/one", "acme/two", ("acme/", "one", "two", "")),
        ("aa", "aaa", ("aa", "", "a", "")),
        ("", "x", ("", "", "x", "")),
        ("🚀1", "🚀2", ("🚀", "1", "2", "")),
    ],
)
def test_where_two_texts_differ(before: str, after: str, expected: tuple[str, ...]) -> None:
    [found] = called("changes.js", "between", [[before, after]])
    assert (found["head"], found["before"], found["after"], found["tail"]) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", ["plain"]),
        ("a\u202egpj.exe", ["a", {"code": "U+202E"}, "gpj.exe"]),
        ("\u2066x\u2069", [{"code": "U+2066"}, "x", {"code": "U+2069"}]),
        ("zero\u200bwidth", ["zero", {"code": "U+200B"}, "width"]),
        ("nul\x00\x1b[31m", ["nul", {"code": "U+0000"}, {"code": "U+001B"}, "[31m"]),
        ("tag\U000e0041", ["tag", {"code": "U+E0041"}]),
        ("line\nbreak\tand tab", ["line\nbreak\tand tab"]),
        ("👩\u200d🚀", ["👩\u200d🚀"]),
        ("क्\u200dष", ["क्\u200dष"]),
        ("❤\ufe0f 1\ufe0f\u20e3", ["❤\ufe0f 1\ufe0f\u20e3"]),
        ("ad\u200dmin", ["ad", {"code": "U+200D"}, "min"]),
        ("\u3164", [{"code": "U+3164"}]),
        ("a\ufe0f", ["a", {"code": "U+FE0F"}]),
        ("a\u200d", ["a", {"code": "U+200D"}]),
        ("עברית", ["עברית"]),
        ("", []),
    ],
)
def test_what_cannot_be_seen_is_shown(text: str, expected: list[Any]) -> None:
    assert called("seen.js", "seen", [[text]]) == [expected]


def shown(golden: dict[str, Any]) -> dict[str, Any]:
    added = {"id": golden["id"], "recorded_at": "2026-06-02T12:00:00.000000Z", "summary": "said"}
    return {**added, **json.loads(golden["record"])}


def test_the_page_proves_that_an_event_is_what_was_recorded() -> None:
    events = [shown(golden) for golden in GOLDEN.values()]
    assert called("proof.js", "fits", [[event] for event in events]) == [True] * len(events)


def test_the_page_sees_every_change_of_an_event() -> None:
    event = shown(GOLDEN["everything"])
    changed = [
        {**event, name: "another"} for name in event if name not in {"recorded_at", "summary"}
    ]
    changed = [each for each in changed if each["id"] != "another"]
    changed += [
        {k: v for k, v in event.items() if k != name} for name in ("ip", "metadata", "salt")
    ]
    changed += [{**event, "more": None}, {**event, "id": GOLDEN["minimal"]["id"]}]
    changed += [{**event, "actor": {**event["actor"], "name": "Someone Else"}}]
    assert called("proof.js", "fits", [[each] for each in changed]) == [False] * len(changed)


def test_what_is_left_of_an_erased_event_is_held_against_its_hash() -> None:
    golden = GOLDEN["minimal"]
    left = {
        "type": "repo.create", "occurred_at": "2026-03-04T05:06:07.089123Z", "id": golden["id"],
        "erased_at": "2026-06-02T12:00:00.000000Z", "record_hash": golden["record_hash"],
    }  # fmt: skip
    other = {**left, "record_hash": GOLDEN["key"]["record_hash"]}
    later = {**left, "occurred_at": "2026-03-04T05:06:07.089124Z"}
    assert called("proof.js", "fits", [[left], [other], [later]]) == [True, False, False]


def test_bars_hold_every_event_of_a_timeline() -> None:
    hour = 3_600_000
    since, count = NOON - 90_000, 1_000
    start = NOON - hour
    buckets = [{"start": iso(start + n * hour), "events": n % 7} for n in range(count)]
    told = {
        "buckets": buckets,
        "interval": "hour",
        "since": iso(since),
        "until": iso(start + count * hour - 5_000),
    }
    later = start + 2 * count * hour
    [bars] = called("bars.js", "bars", [[told, later]])
    assert len(bars) <= 120
    assert sum(bar["count"] for bar in bars) == sum(each["events"] for each in buckets)
    assert bars[0]["from"] == since
    assert bars[-1]["to"] == start + count * hour - 5_000
    assert all(one["to"] == two["from"] for one, two in pairwise(bars))
    # The API counts some minutes ahead; a picture ends now.
    now = start + count * hour - 60_000
    [until_now] = called("bars.js", "bars", [[told, now]])
    assert until_now[-1]["to"] == now


def iso(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1_000, UTC).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("at", "zone", "day"),
    [
        ("2026-06-02T02:29:59.999999Z", "local", "2026-06-01"),
        ("2026-06-02T02:30:00Z", "local", "2026-06-02"),
        ("2026-06-02T02:29:59.999999Z", "utc", "2026-06-02"),
    ],
)
def test_a_day_is_one_of_the_zone_that_was_chosen(at: str, zone: str, day: str) -> None:
    assert called("time.js", "dayOf", [[at, zone]]) == [day]


@pytest.mark.parametrize(
    ("ahead", "said"),
    [(-5, "now"), (-59, "now"), (-60, "1 min. ago"), (-3_700, "1 hr. ago"), (-90_000, "1 day ago"),
     (-86_400 * 20, "2 wk. ago"), (-3_600 * 47, "1 day ago"), (120, "in 2 min.")],
)  # fmt: skip
def test_how_long_ago(ahead: int, said: str) -> None:
    assert called("time.js", "relative", [[iso(NOON + ahead * 1_000), NOON]]) == [said]


def test_the_state_of_the_page_is_its_address() -> None:
    state = {
        "org": "acme", "view": "events", "q": 'actor:"Ada L" -é', "since": "2026-06-01T00:00:00Z",
        "until": "", "last": "", "hidden": "1", "event": "0" * 39,
    }  # fmt: skip
    [written] = called("address.js", "write", [[state]])
    assert called("address.js", "read", [[written]]) == [state]
    [asked] = called("address.js", "asked", [[{**state, "last": "24h"}, NOON]])
    assert asked["since"] == iso(NOON - 86_400_000).replace("Z", ".000Z")
    assert asked["until"] == ""
    # What is no such time is not dropped: the API says what is wrong with it.
    [wrong] = called("address.js", "asked", [[{**state, "last": "99x"}, NOON]])
    assert wrong["since"] == "99x"
    [spoofed] = called("address.js", "read", [["?org=Call%20us%20now"]])
    assert spoofed["org"] == ""


def test_no_text_stands_outside_the_texts() -> None:
    """Whatever a person reads is in `texts.js`: no letters between the tags of a template."""
    for path in sorted(PAGE.glob("*.js")):
        if path.name == "texts.js":
            continue
        code = re.sub(r"^\s*(//|\*|/\*).*$", "", path.read_text(), flags=re.MULTILINE)
        for template in re.findall(r"html`(.*?)`", code, flags=re.DOTALL):
            bare = re.sub(r"\$\{.*?\}", "", template, flags=re.DOTALL)
            shown = re.findall(r">([^<>{}$`]*[A-Za-z]{3}[^<>{}$`]*)<", bare)
            assert not shown, f"{path.name}: {shown}"
