"""Keys: made, shown once, listed, used, revoked."""

import base64
import json
from typing import Any

import pytest

import manage.handler
import query.handler
from auditlog import authentication, clock, keys
from auditlog.errors import ConflictError
from auditlog.keys import ALL_GRANTS, Grant
from tests.functional.conftest import ORG, Watched, World, an_event, sample

PATH = f"/v1/orgs/{ORG}/keys"


def create(world: World, **asked: Any) -> Any:
    answer = world.call("POST", PATH, body={"name": "siem", "grants": ["events:read"]} | asked)
    assert answer.status == 201, answer.text
    return answer.json


def test_the_sample_of_the_trigger(world: World) -> None:
    event = sample("triggers/http-keys-create")
    event["headers"]["authorization"] = f"Bearer {world.admin_key}"
    asked = json.loads(event["body"])
    made = world.answer(manage.handler, event)
    assert made.status == 201
    assert set(made.json) == {
        "id", "name", "grants", "created_at", "expires_at", "last_used_at", "replaced_by", "secret",
    }  # fmt: skip
    assert made.json["name"] == asked["name"]
    assert set(made.json["grants"]) == set(asked["grants"])
    assert made.header("cache-control") == "no-store"


def test_a_new_key_works_at_once_and_for_its_grants_only(world: World) -> None:
    secret = create(world, grants=["events:write"])["secret"]
    world.publish(an_event(), key=secret)
    world.search(key=secret).is_problem(403)


def test_the_secret_is_shown_once_and_stored_nowhere(world: World) -> None:
    made = create(world)
    listed = world.call("GET", PATH)
    assert "secret" not in listed.text
    stored = json.dumps(
        world.rows(world.control_table), default=lambda b: base64.b64encode(b).decode()
    )
    for secret in (made["secret"], world.admin_key):
        private = secret.split("_")[2]
        for part in (secret, private, private[:20], base64.b64encode(private.encode()).decode()):
            assert part not in stored
            assert part not in listed.text
    hashes = [row["hash"]["B"] for row in world.rows(world.control_table) if "hash" in row]
    assert sorted(hashes) == sorted(map(keys.digest, (made["secret"], world.admin_key)))


def test_keys_are_listed_oldest_first_and_expired_ones_too(world: World) -> None:
    now = clock.now()
    soon = clock.text(now + clock.HOUR)
    made = [create(world, name=f"k{i}") for i in range(5)] + [create(world, expires_at=soon)]
    expired = keys.key_id(world.key(Grant.EVENTS_READ, expires_at=now - clock.HOUR))
    listed = world.call("GET", PATH).json["keys"]
    assert [key["id"] for key in listed] == [
        keys.key_id(world.admin_key),
        *(key["id"] for key in made),
        expired,
    ]
    assert listed[0]["name"] == "first admin key"
    assert listed[0]["grants"] == [grant.value for grant in ALL_GRANTS]
    for shown, answer in zip(listed[1:], made, strict=False):
        assert shown == {name: value for name, value in answer.items() if name != "secret"}


def test_grants_come_in_one_order_and_once(world: World) -> None:
    backwards = ["org:admin", "exports:create", "events:read", "events:read"]
    assert create(world, grants=backwards)["grants"] == [
        "events:read",
        "exports:create",
        "org:admin",
    ]


def test_a_key_expires(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now()
    made = create(world, expires_at=clock.text(now + clock.HOUR))
    assert made["expires_at"] == clock.text(now + clock.HOUR)
    assert world.search(key=made["secret"]).status == 200
    # The key is in the cache by now; its end holds there too.
    monkeypatch.setattr(query.handler.api.authentication, "_now", lambda: now + clock.HOUR - 1)
    assert world.search(key=made["secret"]).status == 200
    monkeypatch.setattr(query.handler.api.authentication, "_now", lambda: now + clock.HOUR)
    world.search(key=made["secret"]).is_problem(401)


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "x" * 129}, "/name"),
        ({"name": None}, "/name"),
        ({"grants": []}, "/grants"),
        ({"grants": "events:read"}, "/grants"),
        ({"grants": ["events:*"]}, "/grants/0"),
        ({"grants": ["events:read"] * 5}, "/grants"),
        ({"expires_at": "tomorrow"}, "/expires_at"),
        ({"expires_at": None}, "/expires_at"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"secret": "mine"}, "/secret"),
        ({"name": "\ud800"}, "/name"),
    ],
)
def test_what_makes_no_key(world: World, asked: dict[str, Any], pointer: str) -> None:
    before = world.everything()
    body = json.dumps({"name": "siem", "grants": ["events:read"]} | asked)
    document = world.call("POST", PATH, body=body).is_problem(422)
    assert [error["pointer"] for error in document["errors"]] == [pointer]
    assert world.everything() == before


def test_a_revoked_key_is_gone_from_the_list_and_from_the_table(world: World) -> None:
    def keys_stored() -> list[Any]:
        rows = world.rows(world.control_table)
        return [row for row in rows if "key" in (row["sk"]["S"].split("#")[0], row["pk"]["S"][:3])]

    before = keys_stored()
    made = create(world)
    assert len(keys_stored()) == len(before) + 2
    answer = world.call("DELETE", f"{PATH}/{made['id']}")
    assert (answer.status, answer.text) == (204, "")
    assert keys_stored() == before
    world.search(key=made["secret"]).is_problem(401)
    world.call("DELETE", f"{PATH}/{made['id']}").is_problem(404)


def test_revocation_takes_hold_within_the_time_of_the_cache_and_that_is_under_a_minute(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = [1_000.0]
    monkeypatch.setattr(query.handler.api.authentication, "_monotonic", lambda: at[0])
    made = create(world)
    assert world.search(key=made["secret"]).status == 200
    world.call("DELETE", f"{PATH}/{made['id']}")
    at[0] += authentication.KEY_CACHED_FOR - 0.001
    assert world.search(key=made["secret"]).status == 200
    at[0] += 0.002
    world.search(key=made["secret"]).is_problem(401)
    assert authentication.KEY_CACHED_FOR < 60


def test_a_cached_key_is_not_looked_up_and_its_secret_is_still_compared(world: World) -> None:
    secret = world.key(Grant.EVENTS_READ)
    assert world.call("GET", "/v1/event-types", key=secret).status == 200
    world.dynamodb = Watched(world.dynamodb, lambda _name, _number, call: call())
    assert world.call("GET", "/v1/event-types", key=secret).status == 200
    assert world.dynamodb.calls == []
    forged = secret[:17] + ("0" if secret[17] != "0" else "1") + secret[18:-6]
    forged += keys._check(forged)
    assert keys.key_id(forged) == keys.key_id(secret)
    world.call("GET", "/v1/event-types", key=forged).is_problem(401)


def test_the_cache_of_keys_does_not_grow_without_end(world: World) -> None:
    for _ in range(3):
        world.call("GET", "/v1/event-types", key=world.key(Grant.EVENTS_READ))
    cached = query.handler.api.authentication._cached
    cached.update({f"k{i}": (0.0, next(iter(cached.values()))[1]) for i in range(2_000)})
    world.call("GET", "/v1/event-types", key=world.key(Grant.EVENTS_READ))
    assert len(cached) <= authentication._MOST_CACHED


@pytest.mark.parametrize("key_id", ["x", "a" * 12, "a" * 13, "%2e%2e", "key", "ø" * 12])
def test_a_key_that_is_not_there_404(world: World, key_id: str) -> None:
    before = world.everything()
    world.call("DELETE", f"{PATH}/{key_id}").is_problem(404)
    assert world.everything() == before


def test_a_key_of_another_org_cannot_be_revoked(world: World) -> None:
    stranger = world.org("umbrella")
    before = world.everything()
    world.call("DELETE", f"{PATH}/{keys.key_id(stranger)}").is_problem(404)
    world.call("DELETE", f"{PATH}/{keys.key_id(stranger)}", key=stranger).is_problem(404)
    assert world.everything() == before
    assert [k["id"] for k in world.call("GET", PATH).json["keys"]] == [keys.key_id(world.admin_key)]


def test_a_key_may_revoke_itself(world: World) -> None:
    key_id = keys.key_id(world.admin_key)
    assert world.call("DELETE", f"{PATH}/{key_id}").status == 204
    manage.handler.api.authentication._cached.clear()
    world.call("GET", PATH).is_problem(401)


def test_an_org_is_made_once_and_its_first_key_stays(world: World) -> None:
    before = world.rows(world.control_table)
    with pytest.raises(ConflictError, match="acme"):
        world.org(ORG, retention_days=1)
    assert world.rows(world.control_table) == before


@pytest.mark.parametrize("name", ["", ".hidden", "a b", "a/b", "a" * 65, "ä", "a\n"])
def test_a_name_that_no_org_can_have(world: World, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        world.org(name)


@pytest.mark.parametrize("days", [0, -1, 3_651])
def test_a_retention_that_no_org_can_have(world: World, days: int) -> None:
    with pytest.raises(ValueError, match="retention"):
        world.org("brief", retention_days=days)
