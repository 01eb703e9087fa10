"""Sessions: for one person, to read with, for a while."""

from typing import Any

import pytest

import query.handler
from auditlog import authentication, clock, trail
from tests.functional.conftest import ORG, World, an_event

PATH = f"/v1/orgs/{ORG}/sessions"


def opened(world: World, **asked: Any) -> dict[str, Any]:
    body = {"actor": {"id": "usr_1", "name": "Ada"}} | asked
    answer = world.call("POST", PATH, body=body)
    assert answer.status == 201, answer.text
    return answer.json


def test_a_session_reads_and_does_nothing_else(world: World) -> None:
    [event_id] = world.publish(an_event())
    token = opened(world)["token"]
    assert token.startswith("als_")
    assert world.search(key=token).json["events"][-1]["id"] == event_id
    assert world.call("GET", f"/v1/orgs/{ORG}/events/{event_id}", key=token).status == 200
    assert world.call("GET", "/v1/event-types", key=token).status == 200
    before = world.everything()
    world.call("POST", f"/v1/orgs/{ORG}/events", key=token, body=an_event()).is_problem(403)
    world.call("POST", f"/v1/orgs/{ORG}/exports", key=token, body={}).is_problem(403)
    world.call("POST", PATH, key=token, body={"actor": {"id": "usr_2"}}).is_problem(403)
    world.call("GET", f"/v1/orgs/{ORG}/settings", key=token).is_problem(403)
    world.search(org="umbrella", key=token).is_problem(404)
    assert world.everything() == before


def test_what_is_answered_and_listed(world: World) -> None:
    made = opened(world, minutes=15)
    assert made["actor"] == {"id": "usr_1", "name": "Ada"}
    assert made["grants"] == ["events:read"]
    lasts = clock.parse(made["expires_at"]) - clock.parse(made["created_at"])
    assert lasts == 15 * clock.MINUTE
    assert made["link"] == f"/console#session={made['token']}"
    other = opened(world, actor={"id": "usr_2"})
    listed = world.call("GET", PATH)
    assert [each["id"] for each in listed.json["sessions"]] == [made["id"], other["id"]]
    assert made["token"] not in listed.text
    assert listed.json["sessions"][1]["actor"] == {"id": "usr_2", "name": None}
    assert world.call("GET", f"/v1/orgs/{ORG}/keys").text.count('"id"') == 1


def test_it_ends_by_itself(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = opened(world, minutes=15)
    ends_at = clock.parse(made["expires_at"])
    monkeypatch.setattr(query.handler.api.authentication, "_now", lambda: ends_at - 1)
    assert world.search(key=made["token"]).status == 200
    monkeypatch.setattr(query.handler.api.authentication, "_now", lambda: ends_at)
    world.search(key=made["token"]).is_problem(401)
    stored = [row for row in world.rows(world.control_table) if made["id"] in str(row)]
    assert {int(row["ttl"]["N"]) for row in stored} == {(ends_at + clock.DAY) // clock.SECOND}


def test_revoked_it_ends_within_the_time_of_the_cache(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = [1_000.0]
    monkeypatch.setattr(query.handler.api.authentication, "_monotonic", lambda: at[0])
    made = opened(world)
    assert world.search(key=made["token"]).status == 200
    assert world.call("DELETE", f"{PATH}/{made['id']}").status == 204
    at[0] += authentication.KEY_CACHED_FOR
    world.search(key=made["token"]).is_problem(401)
    world.call("DELETE", f"{PATH}/{made['id']}").is_problem(404)
    assert world.call("GET", PATH).json == {"sessions": []}


def test_a_key_is_no_session_and_a_session_no_key(world: World) -> None:
    made = opened(world)
    key_id = world.admin_key[4:16]
    world.call("DELETE", f"{PATH}/{key_id}").is_problem(404)
    world.call("DELETE", f"/v1/orgs/{ORG}/keys/{made['id']}").is_problem(404)
    world.call("POST", f"/v1/orgs/{ORG}/keys/{made['id']}/rotation", body={}).is_problem(404)
    assert world.search(key=made["token"]).status == 200


def test_it_names_its_person_itself(world: World) -> None:
    world.call("PATCH", f"/v1/orgs/{ORG}/settings", body={"record_reads": True})
    token = opened(world)["token"]
    path = f"/v1/orgs/{ORG}/events"
    assert world.call("GET", path, key=token).status == 200
    headers = {"x-actor-id": "usr_9"}
    world.call("GET", path, key=token, headers=headers).is_problem(400)
    [event] = world.search(type=trail.SEARCH).json["events"]
    assert event["actor"] == {"id": "usr_1", "name": "Ada", "type": "user"}
    assert event["credential"]["type"] == "session"


def test_opening_and_ending_one_is_recorded(world: World) -> None:
    made = opened(world)
    world.call("DELETE", f"{PATH}/{made['id']}")
    ended, begun = world.search(type="org.audit_log.session").json["events"]
    assert (begun["type"], ended["type"]) == (trail.SESSION_CREATE, trail.SESSION_REVOKE)
    assert begun["targets"] == [{"type": "session", "id": made["id"], "name": "Ada"}]
    assert begun["metadata"] == {"for": {"id": "usr_1"}, "minutes": 60}
    assert made["token"] not in str((begun, ended))


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"actor": {}}, "/actor/id"),
        ({"actor": {"id": ""}}, "/actor/id"),
        ({"actor": {"id": "x", "type": "user"}}, "/actor/type"),
        ({"minutes": 14}, "/minutes"),
        ({"minutes": 721}, "/minutes"),
        ({"minutes": None}, "/minutes"),
        ({"grants": ["org:admin"]}, "/grants"),
    ],
)
def test_what_opens_none(world: World, asked: dict[str, Any], pointer: str) -> None:
    before = world.everything()
    body = {"actor": {"id": "usr_1"}} | asked
    document = world.call("POST", PATH, body=body).is_problem(422)
    assert [error["pointer"] for error in document["errors"]] == [pointer]
    assert world.everything() == before
