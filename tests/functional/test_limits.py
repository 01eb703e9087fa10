"""What the platform lets an org use: events a day, and exports at once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import publish.handler
from auditlog import clock
from auditlog.errors import LimitReachedError
from auditlog.keys import PLATFORM, PLATFORM_GRANTS
from auditlog.store.usage import UsageStore
from tests.functional.conftest import ORG, Response, Watched, World, an_event, message

EVENTS = f"/v1/orgs/{ORG}/events"
NOON = clock.parse("2026-06-01T12:00:00Z")


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
    assert "0 are left of the 5" in refused.is_problem(429)["detail"]
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


def test_a_batch_that_does_not_fit_is_refused_whole_and_the_rest_stays(world: World) -> None:
    limit(world, events_per_day=5)
    assert post(world, 3).status == 201
    refused = post(world, 3)
    assert "2 are left of the 5" in refused.is_problem(429)["detail"]
    assert (refused.header("ratelimit") or "").startswith('"events";r=2;t=')
    assert post(world, 2).status == 201
    assert of_the_day(world) == 5
    limit(world, events_per_day=2)
    post(world, 3).is_problem(429)


def test_what_was_accepted_is_never_refused_when_it_is_sent_again(world: World) -> None:
    limit(world, events_per_day=4)
    body = {"events": [an_event() for _ in range(4)]}
    assert world.call("POST", EVENTS, body=body).status == 201
    again = world.call("POST", EVENTS, body=body)
    assert again.status == 201
    assert (again.json["recorded"], again.json["duplicates"]) == (0, 4)
    more = {"events": [*body["events"], an_event()]}
    world.call("POST", EVENTS, body=more).is_problem(429)


def test_however_many_publish_at_once_no_more_than_that_are_recorded(world: World) -> None:
    limit(world, events_per_day=50)
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: book(world, 20), range(8)))
    assert statuses.count(True) == 2
    assert of_the_day(world) == 40


def book(world: World, count: int) -> bool:
    """One container among many; they share nothing but the table."""
    org = world.control.org(ORG)
    assert org is not None
    try:
        UsageStore(world.dynamodb, world.control_table).book(org, count, NOON)
    except LimitReachedError:
        return False
    return True


def test_what_the_table_did_not_take_is_given_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(world, events_per_day=5)
    # On a busy machine the first call is not made at once, and has to be made.
    monkeypatch.setattr(publish.handler, "PATIENCE", 1.0)

    def busy(name: str, _number: int, call: Any) -> Any:
        answer = call()
        # All are there, and the answers of three are lost, however often they are sent.
        sent = len(answer.get("Responses", [])) if name == "batch_execute_statement" else 0
        if sent in {3, 4}:
            answer["Responses"][sent - 3 :] = [{"Error": {"Code": "ThrottlingError"}}] * 3
        return answer

    sound, body = world.dynamodb, {"events": [an_event() for _ in range(4)]}
    world.dynamodb = Watched(sound, busy)
    world.call("POST", EVENTS, body=body).is_problem(503)
    world.dynamodb = sound
    assert of_the_day(world) == 1
    assert world.call("POST", EVENTS, body=body).json["duplicates"] == 4


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
