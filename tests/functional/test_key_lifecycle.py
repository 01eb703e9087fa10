"""Keys over time: the last use of one, what takes its place, how many there are."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import query.handler
from auditlog import clock, keys, trail
from auditlog.keys import PLATFORM, PLATFORM_GRANTS
from tests.functional.conftest import ORG, Response, Watched, World

PATH = f"/v1/orgs/{ORG}/keys"


def create(world: World, **asked: Any) -> dict[str, Any]:
    body = {"name": "a service", "grants": ["events:read"]} | asked
    answer = world.call("POST", PATH, body=body)
    assert answer.status == 201, answer.text
    return answer.json


def rotate(world: World, key_id: str, **asked: Any) -> Response:
    return world.call("POST", f"{PATH}/{key_id}/rotation", body=asked)


def listed(world: World, key_id: str) -> dict[str, Any]:
    [found] = [each for each in world.call("GET", PATH).json["keys"] if each["id"] == key_id]
    return found


def limit(world: World, **limits: int | None) -> None:
    platform = world.key(*PLATFORM_GRANTS, org=PLATFORM)
    answer = world.call("PATCH", f"/v1/orgs/{ORG}", key=platform, body={"limits": limits})
    assert answer.status == 200, answer.text


# -- last used ------------------------------------------------------------------------------


def test_the_hour_of_its_last_use_is_known_and_costs_one_write_an_hour(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create(world)
    assert made["last_used_at"] is None
    start = clock.now() // clock.HOUR * clock.HOUR
    writes: list[str] = []

    def watch(name: str, _number: int, call: Any) -> Any:
        if name == "update_item":
            writes.append(name)
        return call()

    sound = world.dynamodb
    world.dynamodb = Watched(sound, watch)
    for moment, written in ((5, 1), (3_599, 1), (3_600, 2), (7_199, 2)):
        monkeypatch.setattr(
            query.handler.api.authentication, "_now", lambda at=moment: start + at * clock.SECOND
        )
        assert world.search(key=made["secret"]).status == 200
        assert len(writes) == written
    world.dynamodb = sound
    assert listed(world, made["id"])["last_used_at"] == clock.text(start + clock.HOUR)


def test_a_request_that_is_refused_is_no_use(world: World) -> None:
    made = create(world)
    world.call("POST", f"/v1/orgs/{ORG}/exports", key=made["secret"], body={}).is_problem(403)
    world.search(org="umbrella", key=made["secret"]).is_problem(404)
    assert listed(world, made["id"])["last_used_at"] is None


def test_nobody_waits_for_it(world: World) -> None:
    made = create(world)

    def busy(name: str, _number: int, call: Any) -> Any:
        return throttled(name) if name == "update_item" else call()

    sound = world.dynamodb
    world.dynamodb = Watched(sound, busy)
    assert world.search(key=made["secret"]).status == 200
    world.dynamodb = sound
    assert listed(world, made["id"])["last_used_at"] is None
    assert world.search(key=made["secret"]).status == 200
    assert listed(world, made["id"])["last_used_at"] is not None


def throttled(name: str) -> Any:
    from botocore.exceptions import ClientError

    raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "busy"}}, name)


# -- rotation -------------------------------------------------------------------------------


def test_both_are_good_for_the_overlap_and_then_only_the_new_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = create(world, grants=["events:read", "exports:create"])
    answer = rotate(world, old["id"], overlap_seconds=600)
    assert answer.status == 201, answer.text
    new = answer.json
    assert (new["name"], new["grants"]) == (old["name"], old["grants"])
    assert new["secret"] != old["secret"]
    shown = listed(world, old["id"])
    assert shown["replaced_by"] == new["id"]
    ends_at = clock.parse(shown["expires_at"])
    assert ends_at - clock.parse(new["created_at"]) == 600 * clock.SECOND
    for moment, good in ((ends_at - 1, True), (ends_at, False)):
        monkeypatch.setattr(query.handler.api.authentication, "_now", lambda at=moment: at)
        assert (world.search(key=old["secret"]).status == 200) is good
        assert world.search(key=new["secret"]).status == 200


def test_a_day_unless_it_says_otherwise_and_never_longer_than_the_key_had(world: World) -> None:
    old = create(world)
    new = rotate(world, old["id"]).json
    lasts = clock.parse(listed(world, old["id"])["expires_at"]) - clock.parse(new["created_at"])
    assert lasts == clock.DAY
    soon = clock.text(clock.now() + clock.HOUR)
    brief = create(world, expires_at=soon)
    renewed = rotate(world, brief["id"]).json
    assert listed(world, brief["id"])["expires_at"] == soon
    assert renewed["expires_at"] > soon
    at_once = create(world)
    rotate(world, at_once["id"], overlap_seconds=0)
    world.search(key=at_once["secret"]).is_problem(401)


def test_a_key_is_replaced_once_and_only_while_it_is_good(world: World) -> None:
    old = create(world)
    new = rotate(world, old["id"]).json
    assert new["id"] in rotate(world, old["id"]).is_problem(409)["detail"]
    assert rotate(world, new["id"]).status == 201
    ended = create(world)
    rotate(world, ended["id"], overlap_seconds=0)
    rotate(world, ended["id"]).is_problem(409)
    rotate(world, "aaaaaaaaaaaa").is_problem(404)
    theirs = world.org("umbrella")
    rotate(world, str(keys.key_id(theirs))).is_problem(404)


def test_of_two_rotations_at_once_one_is_made(world: World) -> None:
    old = create(world)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: rotate(world, old["id"]).status, range(4)))
    assert answers.count(201) == 1
    assert set(answers) <= {201, 404, 409}


# -- how many -------------------------------------------------------------------------------


def test_as_many_as_the_platform_lets_it_have(world: World) -> None:
    limit(world, keys=3)
    first, _second = create(world), create(world)
    body = {"name": "one too many", "grants": ["events:read"]}
    before = world.everything()
    answer = world.call("POST", PATH, body=body)
    answer.is_problem(429)
    assert answer.header("ratelimit-policy") == '"keys";q=3'
    assert answer.header("ratelimit") == '"keys";r=0;t=3600'
    assert answer.header("retry-after") == "3600"
    assert world.everything() == before
    world.call("DELETE", f"{PATH}/{first['id']}")
    assert world.call("POST", PATH, body=body).status == 201


def test_as_many_also_where_they_are_asked_for_at_once(world: World) -> None:
    limit(world, keys=4)
    body = {"name": "at once", "grants": ["events:read"]}
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: world.call("POST", PATH, body=body).status, range(8)))
    assert set(statuses) <= {201, 429, 503}
    assert len(world.call("GET", PATH).json["keys"]) <= 4
    assert statuses.count(201) == len(world.call("GET", PATH).json["keys"]) - 1


def test_a_rotation_needs_no_room_but_there_are_at_most_twice_as_many(world: World) -> None:
    limit(world, keys=2)
    key = create(world)["id"]
    month = 30 * 86_400
    for _ in range(2):
        key = rotate(world, key, overlap_seconds=month).json["id"]
    assert len(world.call("GET", PATH).json["keys"]) == 4
    before = world.everything()
    rotate(world, key, overlap_seconds=month).is_problem(429)
    body = {"name": "one too many", "grants": ["events:read"]}
    world.call("POST", PATH, body=body).is_problem(429)
    assert world.everything() == before


def test_a_rotated_key_lives_as_long_as_the_old_one_was_to(world: World) -> None:
    expires_at = clock.now() + 10 * clock.DAY
    old = create(world, expires_at=clock.text(expires_at))
    new = rotate(world, old["id"], overlap_seconds=60).json
    lasts = clock.parse(old["expires_at"]) - clock.parse(old["created_at"])
    assert clock.parse(new["expires_at"]) - clock.parse(new["created_at"]) == lasts
    said = clock.text(clock.now() + clock.HOUR)
    assert rotate(world, new["id"], expires_at=said).json["expires_at"] == said


# -- what the log says ----------------------------------------------------------------------


def test_every_change_of_a_key_is_in_the_log_and_no_secret(world: World) -> None:
    headers = {"x-actor-id": "usr_7", "x-actor-name": "Grace"}
    expires_at = clock.text(clock.now() + clock.DAY)
    body = {"name": "billing", "grants": ["events:write"], "expires_at": expires_at}
    old = world.call("POST", PATH, body=body, headers=headers).json
    new = world.call("POST", f"{PATH}/{old['id']}/rotation", body={}, headers=headers).json
    world.call("DELETE", f"{PATH}/{new['id']}", headers=headers)
    answer = world.search(type="org.audit_log.key", order="asc")
    created, rotated, revoked = answer.json["events"]
    assert [each["type"] for each in (created, rotated, revoked)] == [
        trail.KEY_CREATE, trail.KEY_ROTATE, trail.KEY_REVOKE,
    ]  # fmt: skip
    assert {each["actor"]["id"] for each in (created, rotated, revoked)} == {"usr_7"}
    assert created["targets"] == [{"type": "key", "id": old["id"], "name": "billing"}]
    assert created["metadata"] == {"grants": ["events:write"], "expires_at": expires_at}
    assert rotated["targets"][0]["id"] == old["id"]
    assert rotated["metadata"]["replaced_by"] == new["id"]
    assert revoked["targets"][0]["id"] == new["id"]
    assert old["secret"][-49:] not in answer.text
    assert new["secret"][-49:] not in answer.text
