"""Search: every parameter, both orders, paging, and what is never shown."""

import itertools
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from openapi_spec_validator import validate

import query.handler
from auditlog import clock
from auditlog.catalog import Catalog
from auditlog.event import ADDED_FIELDS
from auditlog.keys import Grant
from auditlog.store.control import ControlStore
from auditlog.store.events import EventStore
from auditlog.units import item_size
from tests.functional.conftest import ORG, World, an_event, events_at, pages, sample

NOON = clock.parse("2026-06-02T12:00:00Z")
HIDDEN = "org.audit_log.export"


def keys_of(answer: Any) -> list[str]:
    return [event["key"] for event in answer.json["events"]]


@pytest.fixture
def varied(world: World) -> World:
    """Six events, an hour between two, named by their keys."""
    events: list[dict[str, Any]] = [
        {"type": "repo.create", "actor": {"id": "u1", "name": "Ada"}, "ip": "192.0.2.77"},
        {"type": "repo.delete", "actor": {"id": "u2", "name": "u1"}, "ip": "2001:db8:1:2::3"},
        {"type": "org.change_role", "actor": {"id": "u3"}, "location": {"country": "FR"}},
        {"type": HIDDEN, "actor": {"id": "u1"}, "location": {"country": "DE"}},
        {"type": "repo.create", "actor": {"id": "u4"}, "targets": [{"type": "repo", "id": "r1"}]},
        {
            "type": "aws.s3.PutObject",
            "actor": {"id": "ü/&=\t"},
            "targets": [{"type": "user", "id": "r1"}, {"type": "repo", "id": "r2", "name": "r3"}],
        },
    ]
    for number, event in enumerate(events):
        at = clock.text(NOON + number * clock.HOUR)
        world.publish(an_event(**event, key=f"e{number}", occurred_at=at))
    return world


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "0 1 2 4 5"),
        ({"include_hidden": "true"}, "0 1 2 3 4 5"),
        ({"include_hidden": "false"}, "0 1 2 4 5"),
        ({"type": "repo.create"}, "0 4"),
        ({"type": "repo"}, "0 1 4"),
        ({"type": "repo.*"}, "0 1 4"),
        ({"type": ["repo.delete", "org"]}, "1 2"),
        ({"type": "org"}, "2"),
        ({"type": HIDDEN}, "3"),
        ({"type": [HIDDEN, "org"]}, "2 3"),
        ({"type": "aws.s3"}, "5"),
        ({"actor": "u1"}, "0 1"),
        ({"actor": "u1", "include_hidden": "true"}, "0 1 3"),
        ({"actor": "Ada"}, "0"),
        ({"actor": "ada"}, ""),
        ({"actor": ["u3", "u4"]}, "2 4"),
        ({"actor": "ü/&=\t"}, "5"),
        ({"target": "r1"}, "4 5"),
        ({"target": "repo/r1"}, "4"),
        ({"target": ["user/r1", "repo/r2"]}, "5"),
        ({"target": "r3"}, ""),
        ({"ip": "192.0.2.1"}, "0"),
        ({"ip": "192.0.2.0/25"}, "0"),
        ({"ip": "192.0.0.0/8"}, "0"),
        ({"ip": "2001:db8:1::/64"}, "1"),
        ({"ip": ["2001:db8::/32", "192.0.2.0/24"]}, "0 1"),
        ({"ip": "198.51.100.1"}, ""),
        ({"country": "FR"}, "2"),
        ({"country": "fr"}, "2"),
        ({"country": ["FR", "DE"], "include_hidden": "true"}, "2 3"),
        ({"since": "2026-06-02T13:00:00Z"}, "1 2 4 5"),
        ({"since": "2026-06-02T13:00:00.000001Z"}, "2 4 5"),
        ({"until": "2026-06-02T13:00:00Z"}, "0"),
        ({"until": "2026-06-02T15:00:00.000001+02:00"}, "0 1"),
        ({"since": "2026-06-02", "until": "2026-06-03"}, "0 1 2 4 5"),
        ({"since": "2026-06-03"}, ""),
        ({"since": "2026-06-03", "until": "2026-06-02"}, ""),
        ({"type": "repo", "actor": "u1", "until": "2026-06-02T13:00:00Z"}, "0"),
        ({"type": "repo", "actor": "u3"}, ""),
    ],
)
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_filter_in_both_orders(
    varied: World, query: dict[str, Any], expected: str, order: str
) -> None:
    whole = varied.search(**query, order=order)
    wanted = [f"e{number}" for number in expected.split()]
    assert keys_of(whole) == (wanted if order == "asc" else wanted[::-1])
    assert whole.json["next_cursor"] is None
    assert whole.header("link") is None
    paged = itertools.chain.from_iterable(pages(varied, **query, order=order, limit=1))
    assert [event["key"] for event in paged] == keys_of(whole)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("type=repo.craete", "type"),
        ("type=", "type"),
        ("actor=", "actor"),
        ("target=", "target"),
        ("ip=here", "ip"),
        ("ip=192.0.2.1%25eth0", "ip"),
        ("country=FRA", "country"),
        ("since=yesterday", "since"),
        ("since=2026-06-02T12:00:00", "since"),
        ("since=2026-06-31", "since"),
        ("until=2026-06-01&until=2026-06-02", "until"),
        ("include_hidden=yes", "include_hidden"),
        ("order=up", "order"),
        ("order=asc&order=asc", "order"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=", "limit"),
        ("limit=-1", "limit"),
        ("limit=1e2", "limit"),
        ("limit=%D9%A1", "limit"),
        ("limit=1&limit=2", "limit"),
        ("explain=yes", "explain"),
        ("explain=true&explain=true", "explain"),
        ("cursor=", "cursor"),
        ("cursor=AAAA", "cursor"),
        ("cursor=" + "A" * 501, "cursor"),
        ("actor=" + "A" * 1_025, "actor"),
        ("&".join(["actor=a"] * 101), "actor"),
        ("q=typ:repo", "q"),
    ],
)
def test_a_value_that_is_not_valid_400_with_its_parameter(
    varied: World, query: str, parameter: str
) -> None:
    document = varied.call("GET", f"/v1/orgs/{ORG}/events", query=query).is_problem(400)
    assert {error["parameter"] for error in document["errors"]} == {parameter}


def test_a_type_that_is_misspelt_is_told_the_nearest(varied: World) -> None:
    document = varied.search(type="repo.craete").is_problem(400)
    assert "repo.create" in document["errors"][0]["detail"]


def test_the_link_leads_to_the_next_page(varied: World) -> None:
    query = {"type": ["repo", "aws"], "order": "asc", "limit": "2", "include_hidden": "true"}
    first = varied.search(**query)
    link = first.header("link") or ""
    assert link.startswith("<")
    assert link.endswith('>; rel="next"')
    base = f"https://log.example/v1/orgs/{ORG}/events?type=old"
    url = urlsplit(urljoin(base, link[1 : link.index(">")]))
    assert url.path == f"/v1/orgs/{ORG}/events"
    assert parse_qs(url.query) == {
        name: [value] if isinstance(value, str) else value for name, value in query.items()
    } | {"cursor": [first.json["next_cursor"]]}
    second = varied.call("GET", url.path, query=url.query)
    assert keys_of(first) + keys_of(second) == ["e0", "e1", "e4", "e5"]
    assert second.header("link") is None


def test_a_cursor_is_good_for_its_org_filter_and_order_only(varied: World) -> None:
    stranger = varied.org("umbrella")
    cursor = varied.search(type="repo", limit=1).json["next_cursor"]
    assert varied.search(type="repo", cursor=cursor).status == 200
    assert varied.search(type="repo.*", cursor=cursor).status == 400
    for how in (
        {"type": "org"},
        {},
        {"type": "repo", "order": "asc"},
        {"type": "repo", "include_hidden": "true"},
        {"type": "repo", "org": "umbrella", "key": stranger},
    ):
        document = varied.search(**how, cursor=cursor).is_problem(400)
        assert document["errors"][0]["parameter"] == "cursor"
    for at in range(len(cursor)):
        changed = cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]
        varied.search(type="repo", cursor=changed).is_problem(400)


def test_each_event_once_through_all_pages_in_either_order(world: World) -> None:
    """2,500 events, half of them in one microsecond, hidden ones among them."""
    events = events_at(*[NOON + i for i in range(1_000)], *[NOON + 500] * 1_000)
    events += events_at(*[NOON + 7 * i for i in range(500)], type=HIDDEN)
    ids = sorted(world.publish(*events))
    shown = sorted(row["sk"]["S"] for row in world.rows() if row["t"]["S"] != HIDDEN)
    assert (len(set(ids)), len(shown)) == (2_500, 2_000)
    for limit, order, hidden in (
        (13, "desc", "false"),
        (17, "asc", "true"),
        (100, "desc", "true"),
        (100, "asc", "false"),
        (1_000, "desc", "false"),
        (1_000, "asc", "true"),
    ):
        expected = ids if hidden == "true" else shown
        found = [
            event["id"]
            for page in pages(world, limit=limit, order=order, include_hidden=hidden)
            for event in page
        ]
        assert found == (expected if order == "asc" else expected[::-1])


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_hidden_events_at_the_end_of_a_page_are_passed_over(
    world: World, order: str, limit: int
) -> None:
    """The page is full, what follows is hidden: it reads on from there."""
    kinds = "vhvvhhvhhhvh"
    types = {"v": "repo.create", "h": HIDDEN}
    events = [
        an_event(type=types[kind], occurred_at=clock.text(NOON + at))
        for at, kind in enumerate(kinds)
    ]
    ids = world.publish(*events)
    visible = [event_id for event_id, kind in zip(ids, kinds, strict=True) if kind == "v"]
    found = [e["id"] for page in pages(world, limit=limit, order=order) for e in page]
    assert found == (visible if order == "asc" else visible[::-1])


def test_a_page_explains_what_it_read_where_that_is_asked_for(varied: World) -> None:
    assert set(varied.search(explain="false").json) == {"events", "next_cursor"}
    page = varied.search(explain="true", limit=2).json
    assert set(page) == {"events", "next_cursor", "explain"}
    assert len(page["events"]) == 2
    explained = page["explain"]
    assert set(explained) == {
        "items",
        "bytes",
        "digests_used",
        "blocks_skipped",
        "read_units",
        "round_trips",
    }
    assert (explained["items"], explained["digests_used"], explained["blocks_skipped"]) == (6, 0, 0)
    # As they are stored, about: a page does not measure every attribute.
    stored = sum(map(item_size, varied.rows()))
    assert 0.8 * stored < explained["bytes"] < 1.2 * stored
    # Six rows of together less than 4 KB, read once.
    assert (explained["read_units"], explained["round_trips"]) == (0.5, 1)


def test_what_comes_while_paging_shows_at_most_once(world: World) -> None:
    before = world.publish(*events_at(*[NOON + i * clock.SECOND for i in range(50)]))
    found: list[str] = []
    for number, page in enumerate(pages(world, limit=10)):
        found += [event["id"] for event in page]
        world.publish(*events_at(NOON + number * 13 * clock.SECOND + 1))
    assert len(set(found)) == len(found)
    assert set(before) <= set(found)


def test_an_answer_is_at_most_5_mb(world: World) -> None:
    # A quote takes two bytes in Lambda's answer, where the body is a string.
    big = [an_event(metadata={"text": '"' * 100_000, "number": n}) for n in range(30)]
    for event in big:
        world.publish(event)
    got = list(pages(world, limit=1_000))
    assert len(got) > 1
    assert sum(map(len, got)) == 30


def test_one_event_is_shown_as_in_the_search(varied: World) -> None:
    for event in varied.search(include_hidden="true").json["events"]:
        one = varied.call("GET", f"/v1/orgs/{ORG}/events/{event['id']}")
        assert one.json == event


def test_an_answer_is_the_record_and_what_the_service_adds(world: World) -> None:
    event = sample("publish/org")
    [event_id] = world.publish(event)
    shown = world.call("GET", f"/v1/orgs/{ORG}/events/{event_id}").json
    assert shown["id"] == event_id
    assert "summary" not in shown
    rest = {name: value for name, value in shown.items() if name not in ADDED_FIELDS}
    assert rest == event | {"org": ORG, "v": 1, "salt": shown["salt"], "ip": "198.51.100.0"}
    [other] = world.publish(an_event(actor={"id": "usr_9"}))
    summary = world.call("GET", f"/v1/orgs/{ORG}/events/{other}").json["summary"]
    assert summary == Catalog.default().sentence_for("repo.create", "usr_9", [])


def test_an_event_that_is_not_there_404(varied: World) -> None:
    stranger = varied.org("umbrella")
    [theirs] = varied.publish(an_event(), org="umbrella", key=stranger)
    absent = theirs[:-2] + ("0" if theirs[-2] != "0" else "1") + theirs[-1]
    for event_id in (theirs, absent, theirs.upper(), theirs[:-1], theirs + "0", "v" * 39, "x"):
        varied.call("GET", f"/v1/orgs/{ORG}/events/{event_id}").is_problem(404)
    seen = varied.call("GET", f"/v1/orgs/umbrella/events/{theirs}", key=stranger)
    assert seen.status == 200


def test_nothing_past_its_time_is_shown_though_it_is_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    key = world.org("brief", retention_days=1)
    edge = now - clock.DAY + clock.HOUR
    old, young = world.publish(*events_at(edge, edge + clock.HOUR), org="brief", key=key)
    assert len(world.search(org="brief", key=key).json["events"]) == 2
    monkeypatch.setattr(clock, "now", lambda: now + clock.HOUR)
    assert len(world.search(org="brief", key=key).json["events"]) == 2
    monkeypatch.setattr(clock, "now", lambda: now + clock.HOUR + 1)
    for asked in ({}, {"since": "1970-01-01"}, {"order": "asc"}, {"include_hidden": "true"}):
        assert [e["id"] for e in world.search(org="brief", key=key, **asked).json["events"]] == [
            young
        ]
    world.call("GET", f"/v1/orgs/brief/events/{old}", key=key).is_problem(404)
    assert len([row for row in world.rows() if row["pk"]["S"] == "brief"]) == 2


def test_the_catalog(world: World) -> None:
    types = world.call("GET", "/v1/event-types", key=world.key(Grant.EVENTS_READ)).json
    assert set(types) == {"event_types"}
    named = {entry["type"]: entry for entry in types["event_types"]}
    assert set(named["repo.create"]) == {
        "type",
        "scope",
        "group",
        "description",
        "operation",
        "hidden",
    }
    assert named[HIDDEN]["hidden"] is True
    assert named["repo.create"]["hidden"] is False
    assert len(named) == len(Catalog.default().types)


def test_the_specification_and_health_need_no_key_and_no_store(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(ControlStore, "key")
    monkeypatch.delattr(EventStore, "rows")
    specification = world.call("GET", "/v1/openapi.json", key=None).json
    validate(specification)
    assert world.call("GET", "/v1/health", key=None).json == {"status": "ok"}
    assert world.call("GET", "/v1/health", key="alk_nonsense").status == 200


def test_the_sample_of_the_trigger(world: World) -> None:
    ids = world.publish(*(sample(f"publish/{name}") for name in ("repo", "org", "jobs")))
    event = sample("triggers/http-search")
    event["headers"]["authorization"] = f"bearer  {world.admin_key}"
    answer = world.answer(query.handler, event)
    assert [shown["id"] for shown in answer.json["events"]] == [ids[0]]
