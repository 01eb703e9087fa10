"""Orgs whose log is spread over partitions: to a client they are as any other."""

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import query.handler
import retain.handler
import seal.builder
import seal.handler
from auditlog import clock, intake, trail
from auditlog.catalog import Catalog
from auditlog.event import NewEvent, Record, Rules, admit
from auditlog.orgs import Org
from auditlog.store.events import Outcome
from auditlog.store.items import attributes
from tests.functional.conftest import (
    ORG,
    SECRET,
    Context,
    World,
    an_event,
    message,
    pages,
    sample,
)

HIDDEN = "org.audit_log.export"
MORE = clock.parse("2026-06-02T12:00:00Z")
FEWER = MORE + clock.HOUR
LAYOUTS = {
    "eight": ((0, 8),),
    "changing": ((0, 1), (MORE, 8), (FEWER, 3)),
    "and back": ((0, 3), (MORE, 1), (FEWER, 3)),
}


def spread(world: World, shards: tuple[tuple[int, int], ...], name: str = ORG) -> Org:
    """Give an org these changes, also such as lie in the past."""
    world.dynamodb.update_item(
        TableName=world.control_table,
        Key=attributes({"pk": "org", "sk": name}),
        UpdateExpression="SET shards = :new",
        ExpressionAttributeValues=attributes({":new": [list(change) for change in shards]}),
    )
    return org_of(world, name)


def org_of(world: World, name: str = ORG) -> Org:
    found = world.control.org(name)
    assert found is not None
    return found


def record_of(event: dict[str, Any], org: str, judged_at: int) -> Record:
    rules = Rules(Catalog.default(), org, None, judged_at=judged_at)
    return admit(event, rules, SECRET.encode())


def moments() -> Iterator[int]:
    """Before, at and after each change; some of them more than once."""
    for change in (MORE, FEWER):
        yield from (change - 1, change - 1, change, change, change + 1)
        yield from (change + n * clock.MINUTE for n in range(-12, 12, 2))


def published() -> Iterator[dict[str, Any]]:
    """The same events each time, so that they are in the same partitions."""
    types = itertools.cycle(["repo.create", "repo.delete", "org.invite.accept", "repo.create"])
    actors = itertools.cycle(["ada", "bob", "ada", "cyd", "ada"])
    for number, (moment, type_) in enumerate(zip([*moments()] * 2, types, strict=False)):
        yield an_event(
            type=type_,
            occurred_at=clock.text(moment),
            actor={"id": next(actors)},
            key=f"shards-{number}",
            description="the needle" if number % 29 == 0 else "hay",
        )


@dataclass
class Spread:
    """A world whose org has a layout, and every event of its log by id."""

    world: World
    org: Org
    by_id: dict[str, dict[str, Any]]

    def expected(
        self, order: str = "asc", take: Callable[[dict[str, Any]], bool] = lambda _: True
    ) -> list[str]:
        """By brute force: the ids of what is taken, in order."""
        ids = sorted(event_id for event_id, event in self.by_id.items() if take(event))
        return ids if order == "asc" else ids[::-1]

    def partitions(self) -> dict[str, str]:
        """Where each event is, by its id."""
        return {row["sk"]["S"]: row["pk"]["S"] for row in self.world.rows()}


@pytest.fixture(params=LAYOUTS.values(), ids=list(LAYOUTS))
def log(world: World, request: pytest.FixtureRequest) -> Spread:
    """Half of the events came over HTTP, half through the queue."""
    org = spread(world, request.param)
    events = list(published())
    over_http, queued = events[::2], events[1::2]
    ids = world.publish(*over_http)
    batches = [queued[start : start + 40] for start in range(0, len(queued), 40)]
    messages = [message({"org": ORG, "events": batch}) for batch in batches]
    assert world.record(*messages) == []
    by_key = {event["key"]: event for event in events}
    found = [event for page in pages(world, limit=1_000) for event in page]
    by_id = {event["id"]: by_key[event["key"]] for event in found}
    assert set(ids) <= by_id.keys()
    assert len(found) == len(by_id) == len(events) == len(world.rows())
    return Spread(world, org, by_id)


def followed(world: World, **query: Any) -> list[str]:
    return [event["id"] for page in pages(world, **query) for event in page]


# -- writing ------------------------------------------------------------------------------------


def test_each_event_is_in_its_partition_and_every_partition_is_used(log: Spread) -> None:
    where = log.partitions()
    assert where == {event_id: log.org.layout.partition(event_id) for event_id in log.by_id}
    assert set(where.values()) == set(log.org.layout.partitions)


def test_what_is_sent_again_is_a_duplicate_by_each_way(log: Spread) -> None:
    world, before = log.world, log.world.rows()
    events = list(log.by_id.values())
    answer = world.call("POST", f"/v1/orgs/{ORG}/events", body={"events": events})
    assert (answer.json["recorded"], answer.json["duplicates"]) == (0, len(events))
    assert [event["id"] for event in answer.json["events"]] == list(log.by_id)
    assert world.record(*[message({"org": ORG, "events": events[n::3]}) for n in range(3)]) == []
    assert world.rows() == before


def test_equal_events_in_one_request_are_one(world: World) -> None:
    spread(world, ((0, 8),))
    events = [an_event() for _ in range(20)]
    answer = world.call("POST", f"/v1/orgs/{ORG}/events", body={"events": events * 2})
    assert (answer.json["recorded"], answer.json["duplicates"]) == (20, 20)
    assert [e["duplicate"] for e in answer.json["events"]] == [False] * 20 + [True] * 20
    assert len(world.rows()) == 20


def test_around_a_change_old_and_new_settings_give_the_same_place(world: World) -> None:
    """Events up to 15 minutes ahead, by writers that have not heard of the change yet."""
    old = org_of(world)
    now = clock.now()
    layout = old.layout.changed(8, now + 31 * clock.MINUTE, now=now)
    ahead = [now + n * clock.MINUTE for n in range(-20, 15)]
    events = [an_event(occurred_at=clock.text(moment)) for moment in ahead]
    world.publish(*events[::2])
    world.control.change_shards(old, layout.changes)
    assert org_of(world).shards == layout.changes
    ids = world.publish(*events)
    records = [record_of(event, ORG, now) for event in events]
    assert [record.id for record in records] == ids
    outcomes = world.log.insert(
        intake.new_events(records, old, now), deadline=clock.monotonic() + 10
    )
    assert outcomes == [Outcome.DUPLICATE] * len(events)
    assert followed(world, order="asc") == sorted(ids)


def test_what_occurs_after_a_change_is_spread(world: World) -> None:
    now = clock.now()
    spread(world, ((0, 1), (now, 16)))
    early = world.publish(*[an_event(occurred_at=clock.text(now - 1)) for _ in range(30)])
    late = world.publish(*[an_event(occurred_at=clock.text(now)) for _ in range(400)])
    where = {row["sk"]["S"]: row["pk"]["S"] for row in world.rows()}
    assert {where[event_id] for event_id in early} == {ORG}
    assert {where[event_id] for event_id in late} == {f"{ORG}#{n}" for n in range(16)}


# -- reading ------------------------------------------------------------------------------------


def test_each_event_is_found_by_its_id(log: Spread) -> None:
    for event_id, event in log.by_id.items():
        answer = log.world.call("GET", f"/v1/orgs/{ORG}/events/{event_id}")
        assert answer.status == 200
        assert answer.json["key"] == event["key"]
    other = next(iter(log.by_id))[:-1] + "0"
    if other not in log.by_id:
        log.world.call("GET", f"/v1/orgs/{ORG}/events/{other}").is_problem(404)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 7, 100])
def test_the_pages_are_the_log_in_order(log: Spread, order: str, limit: int) -> None:
    found = list(pages(log.world, order=order, limit=limit))
    ids = [event["id"] for page in found for event in page]
    assert ids == log.expected(order)
    # Without a filter every page but the last is full.
    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)


def at(event: dict[str, Any]) -> int:
    return clock.parse(event["occurred_at"])


Asked = tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]

FILTERS: list[Asked] = [
    ({"type": "repo"}, lambda e: e["type"].startswith("repo.")),
    ({"type": ["repo.delete", "org.invite"]}, lambda e: e["type"] != "repo.create"),
    ({"actor": "bob"}, lambda e: e["actor"]["id"] == "bob"),
    (
        {"actor": ["bob", "cyd"], "type": "repo.create"},
        lambda e: e["actor"]["id"] != "ada" and e["type"] == "repo.create",
    ),
    ({"actor": "nobody"}, lambda _: False),
    ({"q": "needle"}, lambda e: e["description"] == "the needle"),
    ({"q": "-actor:ada -type:repo"}, lambda e: e["actor"]["id"] != "ada" and "org" in e["type"]),
    ({"since": clock.text(MORE)}, lambda e: at(e) >= MORE),
    ({"until": clock.text(MORE)}, lambda e: at(e) < MORE),
    (
        {"since": clock.text(MORE - 1), "until": clock.text(MORE + 1)},
        lambda e: MORE - 1 <= at(e) <= MORE,
    ),
    ({"since": clock.text(MORE), "until": clock.text(FEWER)}, lambda e: MORE <= at(e) < FEWER),
    (
        {"since": clock.text(FEWER), "actor": "ada"},
        lambda e: at(e) >= FEWER and e["actor"]["id"] == "ada",
    ),
    ({"since": clock.text(FEWER), "until": clock.text(MORE)}, lambda _: False),
]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_filters_find_what_brute_force_finds(log: Spread, order: str) -> None:
    for asked, take in FILTERS:
        expected = log.expected(order, take)
        assert followed(log.world, **asked, order=order, limit=20) == expected, asked


WHOLE = {
    "interval": "hour",
    "since": clock.text(MORE - clock.HOUR),
    "until": clock.text(FEWER + clock.HOUR),
}


def is_counted(log: Spread, asked: dict[str, Any], take: Callable[[dict[str, Any]], bool]) -> None:
    """Whether the timeline says what brute force says."""
    answer = log.world.call("GET", f"/v1/orgs/{ORG}/timeline", query=WHOLE | asked)
    assert answer.status == 200, answer.text
    events = [event for event in log.by_id.values() if take(event)]
    hours = Counter(clock.text(at(event) // clock.HOUR * clock.HOUR) for event in events)
    told = answer.json
    assert told["exact"], asked
    assert told["total"] == len(events), asked
    assert {b["start"]: b["events"] for b in told["buckets"] if b["events"]} == hours, asked
    types = Counter(event["type"] for event in events)
    assert {each["type"]: each["events"] for each in told["types"]} == types, asked


def test_the_timeline_counts_every_partition(log: Spread) -> None:
    for asked, take in FILTERS:
        is_counted(log, asked, take)


def test_filters_find_the_same_once_the_log_is_digested(
    log: Spread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each partition has digests of its own."""
    present = clock.now()
    with monkeypatch.context() as patch:
        patch.setattr(clock, "now", lambda: present + clock.DAY)
        patch.setattr(seal.builder, "BLOCK_EVENTS", 4)
        done = seal.handler.handler(sample("triggers/schedule-retain"), Context(120_000))
    assert done["partitions"] == len(log.org.layout.partitions)
    assert done["unfinished"] == 0
    assert done["blocks"] >= len(log.by_id) // 4 - done["partitions"]
    used = 0
    for asked, take in FILTERS:
        for order in ("asc", "desc"):
            expected = log.expected(order, take)
            assert followed(log.world, **asked, order=order, limit=50) == expected, asked
        used += log.world.search(**asked, explain="true").json["explain"]["digests_used"]
        is_counted(log, asked, take)
    assert used > 0


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_reader_without_patience_still_gets_everything_once(
    log: Spread, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setattr(query.handler, "PATIENCE", -1.0)
    for asked, take in (({}, lambda _: True), *FILTERS[::3]):
        expected = log.expected(order, take)
        assert followed(log.world, **asked, order=order, limit=20) == expected, asked


def test_a_page_reads_little_more_than_it_shows(log: Spread) -> None:
    for order in ("asc", "desc"):
        explained = log.world.search(limit=50, order=order, explain="true").json["explain"]
        assert 51 <= explained["items"] <= 51 + 13 * len(log.org.layout.partitions)


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_an_event_that_is_in_two_partitions_is_shown_once(world: World, order: str) -> None:
    org = spread(world, ((0, 8),))
    ids = sorted(world.publish(*published()))
    now = clock.now()
    records = [record_of(event, ORG, now) for event in itertools.islice(published(), 0, None, 3)]
    assert {record.id for record in records} < set(ids)
    everywhere = [
        NewEvent(partition, record, now, None)
        for record in records
        for partition in org.layout.partitions
    ]
    world.log.insert(everywhere, deadline=clock.monotonic() + 20)
    assert len(world.rows()) == len(ids) + 7 * len(records)
    expected = ids if order == "asc" else ids[::-1]
    for limit in (1, 7, 100):
        assert followed(world, order=order, limit=limit) == expected
    if order == "asc":
        assert [event["id"] for event in exported(world, "ndjson")] == ids


# -- export, retention, other orgs --------------------------------------------------------------


def exported(world: World, format_: str, **asked: Any) -> list[dict[str, Any]]:
    """The events of an export, which is made for this."""
    export_id = world.ask_export(format=format_, include_hidden=False, **asked)
    world.work()
    shown = world.shown(export_id)
    assert (shown["state"], shown["error"]) == ("ready", None)
    data = world.file(export_id)
    if format_ == "json":
        events = json.loads(data)
    else:
        events = [json.loads(line) for line in data.splitlines()]
    assert shown["events"] == len(events)
    return events


@pytest.mark.parametrize("format_", ["json", "ndjson"])
def test_an_export_has_every_event_once_and_in_order(log: Spread, format_: str) -> None:
    found = exported(log.world, format_)
    assert [event["id"] for event in found] == log.expected()
    searched = [e for page in pages(log.world, order="asc", limit=1_000) for e in page]
    assert found == searched


def test_an_export_with_a_filter(log: Spread) -> None:
    for asked, take in FILTERS[::3]:
        found = exported(log.world, "ndjson", **asked)
        assert [event["id"] for event in found] == log.expected("asc", take), asked


def test_an_export_of_more_than_a_page(world: World) -> None:
    spread(world, ((0, 1), (MORE, 8)))
    events = [an_event(occurred_at=clock.text(MORE + n)) for n in range(-1_200, 1_300)]
    ids = world.publish(*events)
    found = [event["id"] for event in exported(world, "ndjson")]
    assert found == sorted(ids)
    assert len(set(found)) == 2_500
    # That the export was asked for is an event too, in its own partition.
    asked = world.search(type=HIDDEN).json["events"]
    assert len(asked) == 1
    where = {row["sk"]["S"]: row["pk"]["S"] for row in world.rows()}
    assert where[asked[0]["id"]] == org_of(world).layout.partition(asked[0]["id"])


def test_retain_deletes_from_every_partition(world: World) -> None:
    now, day = clock.now(), clock.DAY
    edge = now - 39 * day
    changes = ((0, 1), (edge - 200 * day, 8), (edge - 100 * day, 3))
    world.org("brief", retention_days=30)
    brief = spread(world, changes, "brief")
    lasting = spread(world, changes)
    old = [edge - days * day - n for days in (1, 150, 300) for n in range(200)]
    young = [edge + day + n for n in range(60)]

    def put(org: Org, *moments: int) -> set[tuple[str, str]]:
        events = [an_event(occurred_at=clock.text(moment)) for moment in moments]
        records = [record_of(event, org.name, now) for event in events]
        new = intake.new_events(records, org, now)
        world.log.insert(new, deadline=clock.monotonic() + 20)
        return {(each.partition, each.record.id) for each in new}

    gone = put(brief, *old)
    kept = put(brief, *young) | put(lasting, *old[::10], *young)
    assert {partition for partition, _ in gone} == set(brief.layout.partitions)
    event = sample("triggers/schedule-retain")
    done = retain.handler.handler(event, Context(900_000))
    assert (done["deleted"], done["unfinished"]) == (len(old), 0)
    left = {
        (row["pk"]["S"], row["sk"]["S"]) for row in world.rows() if row["t"]["S"] != trail.PURGE
    }
    assert left == kept
    assert retain.handler.handler(event, Context(900_000))["deleted"] == 0


def test_another_org_s_key_sees_nothing(log: Spread) -> None:
    world = log.world
    theirs = world.org("acme2")
    spread(world, log.org.shards, "acme2")
    event_id = next(iter(log.by_id))
    for org in (ORG, f"{ORG}%230", f"{ORG}#0"):
        world.search(org=org, key=theirs).is_problem(404)
        world.call("GET", f"/v1/orgs/{org}/events/{event_id}", key=theirs).is_problem(404)
    assert world.search(org="acme2", key=theirs).json["events"] == []
    world.call("GET", f"/v1/orgs/acme2/events/{event_id}", key=theirs).is_problem(404)
    own = world.publish(an_event(), org="acme2", key=theirs)
    assert [e["id"] for e in world.search(org="acme2", key=theirs).json["events"]] == own
    assert followed(world, order="asc", limit=100) == log.expected()


def test_a_cursor_goes_on_where_it_was_when_the_shards_change_in_between(log: Spread) -> None:
    """From a time ahead on, as they do: what is stored stays where it is."""
    world = log.world
    for order, shards in (("asc", 5), ("desc", 6)):
        following = pages(world, order=order, limit=40)
        ids = [event["id"] for event in next(following)]
        now, org = clock.now(), org_of(world)
        world.control.change_shards(
            org, org.layout.changed(shards, now + clock.HOUR, now=now).changes
        )
        ids += [event["id"] for page in following for event in page]
        assert ids == log.expected(order)
