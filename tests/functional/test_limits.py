"""What the platform lets an org use: events a day, and exports at once."""

from typing import Any

import pytest

from auditlog import clock
from auditlog.keys import PLATFORM, PLATFORM_GRANTS
from auditlog.orgs import Org
from auditlog.store import usage
from auditlog.store.usage import UsageStore
from tests.functional.conftest import ORG, Response, World, an_event, message

EVENTS = f"/v1/orgs/{ORG}/events"
NOON = clock.parse("2026-06-01T12:00:00Z")


@pytest.fixture(autouse=True)
def _another_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "_counts", {})


def limit(world: World, **limits: int | None) -> None:
    platform = world.key(*PLATFORM_GRANTS, org=PLATFORM)
    answer = world.call("PATCH", f"/v1/orgs/{ORG}", key=platform, body={"limits": limits})
    assert answer.status == 200, answer.text


def post(world: World, count: int = 1) -> Response:
    return world.call("POST", EVENTS, body={"events": [an_event() for _ in range(count)]})


def of_the_day(world: World) -> int:
    counted = [row for row in world.rows(world.control_table) if row["pk"]["S"] == f"count#{ORG}"]
    return sum(int(row["events"]["N"]) for row in counted)


def test_without_a_limit_nothing_is_counted_and_nothing_said(world: World) -> None:
    answer = post(world, 3)
    assert answer.header("ratelimit") is None
    assert of_the_day(world) == 0


def test_as_many_as_it_may_and_then_429_until_the_day_is_over(world: World) -> None:
    limit(world, events_per_day=5)
    first = post(world, 3)
    assert first.status == 201
    assert first.header("ratelimit-policy") == '"events";q=5;w=86400'
    assert (first.header("ratelimit") or "").startswith('"events";r=2;t=')
    assert post(world, 2).status == 201
    before = len(world.rows(world.events_table))
    refused = post(world)
    assert "5 events" in refused.is_problem(429)["detail"]
    seconds = int(refused.header("retry-after") or "0")
    assert abs(seconds - (86_400 - clock.now() // clock.SECOND % 86_400)) <= 2
    assert refused.header("ratelimit") == f'"events";r=0;t={seconds}'
    assert len(world.rows(world.events_table)) == before


def test_the_next_day_begins_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(world, events_per_day=2)
    midnight = -(clock.now() // -clock.DAY) * clock.DAY
    monkeypatch.setattr(clock, "now", lambda: midnight - clock.MINUTE)
    assert post(world, 2).status == 201
    assert post(world).header("retry-after") == "60"
    monkeypatch.setattr(clock, "now", lambda: midnight)
    assert post(world, 2).status == 201


def test_what_was_recorded_before_counts_once(world: World) -> None:
    limit(world, events_per_day=3)
    body = {"events": [an_event(), an_event()]}
    for _ in range(3):
        assert world.call("POST", EVENTS, body=body).status == 201
    assert post(world).status == 201
    post(world).is_problem(429)


def test_a_bad_event_is_told_first_and_counts_for_nothing(world: World) -> None:
    limit(world, events_per_day=1)
    world.call("POST", EVENTS, body=an_event(type="no.such")).is_problem(422)
    assert post(world).status == 201
    world.call("POST", EVENTS, body=an_event(type="no.such")).is_problem(422)


def test_what_the_inbox_took_is_recorded_and_counts(world: World) -> None:
    limit(world, events_per_day=3)
    events = [an_event() for _ in range(5)]
    assert world.record(message({"org": ORG, "events": events})) == []
    assert len(world.search(type="repo.create").json["events"]) == 5
    post(world).is_problem(429)
    assert world.record(message({"org": ORG, "events": [an_event()]})) == []
    assert world.received("rejects") == []


def test_containers_know_of_each_other_within_a_second(world: World) -> None:
    at = [100.0]
    org = Org(ORG, None, 0, limits=Org("x", None, 0).limits)
    limit(world, events_per_day=10)
    found = world.control.org(ORG)
    assert found is not None
    org = found
    store = UsageStore(world.dynamodb, world.control_table, monotonic=lambda: at[0])
    one, other = dict[Any, Any](), dict[Any, Any]()

    def within(container: dict[Any, Any]) -> UsageStore:
        usage._counts = container
        return store

    assert left(within(one), org) == 10
    within(one).add(org, 4, NOON)
    assert left(within(one), org) == 6
    assert left(within(other), org) == 10
    at[0] += 1.0
    assert left(within(one), org) == 6
    assert left(within(other), org) == 6
    assert of_the_day(world) == 4


def left(store: UsageStore, org: Org) -> int:
    standing = store.check(org, NOON)
    assert standing is not None
    return standing.left


def test_a_limit_asks_the_table_at_most_once_a_second(world: World) -> None:
    limit(world, events_per_day=1_000)
    at, found = [5.0], world.control.org(ORG)
    assert found is not None
    calls: list[str] = []
    client = world.dynamodb

    class Counting:
        def update_item(self, **how: Any) -> Any:
            calls.append("update_item")
            return client.update_item(**how)

    store = UsageStore(Counting(), world.control_table, monotonic=lambda: at[0])  # type: ignore[arg-type]
    for _ in range(50):
        store.check(found, NOON)
        store.add(found, 1, NOON)
        at[0] += 0.1
    assert len(calls) <= 6
    assert left(store, found) == 950


def test_so_many_exports_at_once(world: World) -> None:
    limit(world, exports_at_once=2)
    first = world.ask_export()
    world.ask_export()
    before = world.everything()
    answer = world.call("POST", f"/v1/orgs/{ORG}/exports", body={"format": "json"})
    answer.is_problem(429)
    assert answer.header("retry-after") == "60"
    assert answer.header("ratelimit-policy") == '"exports";q=2'
    reference = f"/api/organizations/{ORG}/audit-log/export"
    world.call("GET", reference).is_problem(429)
    assert world.everything() == before
    world.call("DELETE", f"/v1/orgs/{ORG}/exports/{first}")
    assert world.ask_export()
    world.work()
    assert world.ask_export()
