"""Where an org wants it, whoever reads its log is in it."""

from typing import Any

import pytest

from auditlog import trail
from tests.functional.conftest import ORG, Watched, World, an_event

EVENTS = f"/v1/orgs/{ORG}/events"


@pytest.fixture
def recorded(world: World) -> World:
    answer = world.call("PATCH", f"/v1/orgs/{ORG}/settings", body={"record_reads": True})
    assert answer.status == 200
    return world


def reads(world: World) -> list[dict[str, Any]]:
    """What was read, by the log's own rows: to ask for it would be one more."""
    world.call("PATCH", f"/v1/orgs/{ORG}/settings", body={"record_reads": False})
    found = world.search(type=trail.SEARCH, order="asc").json["events"]
    world.call("PATCH", f"/v1/orgs/{ORG}/settings", body={"record_reads": True})
    return found


def test_unless_it_does_nothing_is_written(world: World) -> None:
    [event_id] = world.publish(an_event())
    world.search()
    before = world.everything()
    assert world.search(actor="usr_1").status == 200
    assert world.call("GET", f"{EVENTS}/{event_id}").status == 200
    query = {"interval": "day"}
    assert world.call("GET", f"/v1/orgs/{ORG}/timeline", query=query).status == 200
    assert world.everything() == before


def test_a_search_says_who_looked_for_what_and_how_much_it_showed(recorded: World) -> None:
    recorded.publish(an_event(), an_event(type="repo.delete"))
    headers = {"x-actor-id": "usr_9", "x-actor-name": "Grace"}
    query = {"type": "repo", "actor": "usr_1", "limit": "1"}
    assert recorded.call("GET", EVENTS, query=query, headers=headers).status == 200
    [event] = reads(recorded)
    assert event["actor"] == {"id": "usr_9", "name": "Grace", "type": "user"}
    assert event["metadata"] == {
        "read": "search",
        "filter": {"type": ["repo"], "actor": ["usr_1"], "include_hidden": ["false"]},
        "events": 1,
    }


def test_one_event_and_a_timeline_are_reads_too(recorded: World) -> None:
    [event_id] = recorded.publish(an_event())
    assert recorded.call("GET", f"{EVENTS}/{event_id}").status == 200
    query = {"interval": "week", "country": "DE"}
    assert recorded.call("GET", f"/v1/orgs/{ORG}/timeline", query=query).status == 200
    one, counted = reads(recorded)
    assert one["metadata"] == {"read": "event", "event": event_id}
    assert counted["metadata"] == {
        "read": "timeline",
        "filter": {"country": ["DE"], "include_hidden": ["false"]},
        "interval": "week",
    }
    assert {each["actor"]["type"] for each in (one, counted)} == {"service_account"}


def test_it_is_hidden_as_the_reference_hides_its_own(recorded: World) -> None:
    recorded.search()
    shown = recorded.search().json["events"]
    assert {event["type"] for event in shown} == {trail.SETTINGS_CHANGE}
    shown = recorded.search(include_hidden="true").json["events"]
    assert [event["type"] for event in shown].count(trail.SEARCH) == 2


def test_no_full_address_that_was_looked_for_is_kept(recorded: World) -> None:
    recorded.search(ip="203.0.113.77")
    recorded.search(q="ip:203.0.113.77")
    assert "203.0.113.77" not in str(reads(recorded))
    assert "203.0.113.0" in str(reads(recorded))


def test_a_read_that_cannot_be_recorded_shows_nothing(
    recorded: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail, "_PATIENCE", 0.05)
    recorded.publish(an_event())

    def busy(name: str, _number: int, call: Any) -> Any:
        if name == "batch_execute_statement":
            return {"Responses": [{"Error": {"Code": "ThrottlingError"}}]}
        return call()

    sound = recorded.dynamodb
    recorded.dynamodb = Watched(sound, busy)
    document = recorded.search().is_problem(503)
    assert "recorded" in document["detail"]
    recorded.dynamodb = sound


def test_a_request_that_was_refused_read_nothing(recorded: World) -> None:
    recorded.search(limit="0").is_problem(400)
    recorded.call("GET", f"{EVENTS}/{'0' * 39}").is_problem(404)
    assert reads(recorded) == []
