"""The platform's own key: it makes, limits and deletes orgs, and reads the log of none."""

import json
import re
from typing import Any

import pytest

from auditlog import clock, keys, routes, trail
from auditlog.keys import PLATFORM, PLATFORM_GRANTS
from tests.functional.conftest import ORG, World, an_event


@pytest.fixture
def key(world: World) -> str:
    return world.key(*PLATFORM_GRANTS, org=PLATFORM)


def test_it_makes_an_org_whose_key_works_at_once(world: World, key: str) -> None:
    body = {"name": "umbrella", "retention_days": 30, "shards": 2, "limits": {"keys": 3}}
    made = world.call("POST", "/v1/orgs", key=key, body=body)
    assert made.status == 201, made.text
    secret = made.json["secret"]
    assert made.json["key_id"] == keys.key_id(secret)
    assert made.json["limits"] == {"events_per_day": None, "exports_at_once": 10, "keys": 3}
    settings = world.call("GET", "/v1/orgs/umbrella/settings", key=secret).json
    assert (settings["retention_days"], settings["shards"][0]["number"]) == (30, 2)
    [event] = world.search(org="umbrella", key=secret).json["events"]
    assert event["type"] == trail.ORG_CREATE
    assert secret not in world.call("GET", "/v1/orgs", key=key).text


def test_a_name_is_taken_for_ever(world: World, key: str) -> None:
    for name in (ORG, "umbrella", "umbrella"):
        answer = world.call("POST", "/v1/orgs", key=key, body={"name": name})
        assert answer.status == (201 if name == "umbrella" and answer.status == 201 else 409)
    assert world.call("DELETE", "/v1/orgs/umbrella", key=key).status == 202
    world.call("POST", "/v1/orgs", key=key, body={"name": "umbrella"}).is_problem(409)


def test_it_lists_orgs_a_page_at_a_time(world: World, key: str) -> None:
    names = [f"org{number:03}" for number in range(205)]
    for name in names:
        world.org(name)
    found, after = list[str](), ""
    while True:
        query = {"after": after} if after else {}
        page = world.call("GET", "/v1/orgs", key=key, query=query).json
        found += [org["name"] for org in page["orgs"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert found == [ORG, *names]


def test_it_reads_no_log_and_no_key_of_an_org_does_what_it_does(world: World, key: str) -> None:
    before = world.everything()
    for route in routes.ROUTES:
        path = re.sub(r"\{\w+\}", "x", route.path.replace("{org}", ORG))
        if route.grant is not None and route.grant not in PLATFORM_GRANTS:
            world.call(route.method, path, key=key).is_problem(403)
        elif route.grant is not None:
            world.call(route.method, path).is_problem(403)
    assert world.everything() == before


def test_limits_are_the_platforms_to_change_and_the_orgs_to_see(world: World, key: str) -> None:
    answer = world.call("PATCH", f"/v1/orgs/{ORG}", key=key, body={"limits": {"keys": 2}})
    assert answer.json["limits"]["keys"] == 2
    assert world.call("GET", f"/v1/orgs/{ORG}/settings").json["limits"]["keys"] == 2
    [event] = world.search(type=trail.SETTINGS_CHANGE).json["events"]
    assert event["metadata"]["before"]["limits"]["keys"] == 100
    assert event["metadata"]["after"]["limits"]["keys"] == 2


def test_a_deleted_org_is_out_of_reach_at_once_and_its_removal_is_queued(
    world: World, key: str
) -> None:
    secret = world.org("umbrella")
    world.publish(an_event(), org="umbrella", key=secret)
    answer = world.call("DELETE", "/v1/orgs/umbrella", key=key)
    assert answer.status == 202
    assert answer.json["state"] == "deleting"
    world.search(org="umbrella", key=secret).is_problem(404)
    body = an_event()
    world.call("POST", "/v1/orgs/umbrella/events", key=secret, body=body).is_problem(404)
    [message] = world.received("erasures")
    assert json.loads(message["Body"]) == {"org": "umbrella", "deletion": True}
    assert world.call("GET", "/v1/orgs/umbrella", key=key).json["state"] == "deleting"
    again = world.call("DELETE", "/v1/orgs/umbrella", key=key)
    assert (again.status, again.json) == (202, answer.json)


def test_a_held_org_is_not_deleted(world: World, key: str) -> None:
    world.call("PATCH", f"/v1/orgs/{ORG}/settings", body={"hold": {"reason": "case 7"}})
    before = world.everything()
    world.call("DELETE", f"/v1/orgs/{ORG}", key=key).is_problem(409)
    assert world.everything() == before


@pytest.mark.parametrize("name", ["no-such-org", "*", "%2e%2e", "a" * 65])
def test_an_org_that_is_not_there(world: World, key: str, name: str) -> None:
    before = world.everything()
    for method, body in (("GET", None), ("PATCH", {"limits": {}}), ("DELETE", None)):
        world.call(method, f"/v1/orgs/{name}", key=key, body=body).is_problem(404)
    assert world.everything() == before


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "a/b"}, "/name"),
        ({"name": "umbrella\n"}, "/name"),
        ({"name": "a" * 65}, "/name"),
        ({"name": "umbrella", "retention_days": 0}, "/retention_days"),
        ({"name": "umbrella", "shards": 17}, "/shards"),
        ({"name": "umbrella", "limits": {"events_per_day": 0}}, "/limits/events_per_day"),
        ({"name": "umbrella", "hold": None}, "/hold"),
    ],
)
def test_what_is_no_org(world: World, key: str, asked: dict[str, Any], pointer: str) -> None:
    before = world.everything()
    document = world.call("POST", "/v1/orgs", key=key, body=asked).is_problem(422)
    assert [error["pointer"] for error in document["errors"]] == [pointer]
    assert world.everything() == before


def test_an_expired_platform_key_is_none(world: World) -> None:
    expired = world.key(*PLATFORM_GRANTS, org=PLATFORM, expires_at=clock.now() - 1)
    world.call("GET", "/v1/orgs", key=expired).is_problem(401)
