"""Whom a credential stands for, as it is told to whoever has it."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from auditlog import clock
from auditlog.keys import ALL_GRANTS, PLATFORM, PLATFORM_GRANTS, Grant
from auditlog.openapi import specification
from tests.functional import issuers
from tests.functional.conftest import ORG, World, an_event
from tests.functional.issuers import LocalIssuer

PATH = "/v1/credential"
THEIRS = "umbrella"


@pytest.fixture
def issuer(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalIssuer]:
    with issuers.trusted_issuer(monkeypatch) as made:
        yield made


def told(world: World, key: str, **how: Any) -> dict[str, Any]:
    answer = world.call("GET", PATH, key=key, **how)
    assert answer.status == 200, answer.text
    assert answer.header("cache-control") == "no-store"
    assert key not in answer.text
    assert key.rpartition("_")[2] not in answer.text
    components = specification()["components"]
    shape = {"$ref": "#/components/schemas/Credential", "components": components}
    assert Draft202012Validator(shape).is_valid(answer.json)
    return answer.json


def test_a_key(world: World) -> None:
    ends = clock.now() + clock.DAY
    secret = world.key(Grant.EVENTS_READ, Grant.EXPORTS_CREATE, expires_at=ends)
    assert told(world, secret) == {
        "org": ORG,
        "actor": {"id": secret[4:16], "name": "a key", "type": "service_account"},
        "credential": {"type": "api_key", "id": secret[4:16], "name": "a key"},
        "grants": ["events:read", "exports:create"],
        "expires_at": clock.text(ends),
        "records_reads": False,
    }
    assert told(world, world.key(*ALL_GRANTS))["expires_at"] is None


def test_a_key_that_acts_for_a_person(world: World) -> None:
    headers = {"x-actor-id": "usr_1", "x-actor-name": "Ada"}
    said = told(world, world.admin_key, headers=headers)
    assert said["actor"] == {"id": "usr_1", "name": "Ada", "type": "user"}
    assert said["credential"]["type"] == "api_key"
    world.call("GET", PATH, headers={"x-actor-id": ""}).is_problem(400)


def test_a_session(world: World) -> None:
    body = {"actor": {"id": "usr_1", "name": "Ada"}}
    made = world.call("POST", f"/v1/orgs/{ORG}/sessions", body=body).json
    assert told(world, made["token"]) == {
        "org": ORG,
        "actor": {"id": "usr_1", "name": "Ada", "type": "user"},
        "credential": {"type": "session", "id": made["id"], "name": "Ada"},
        "grants": ["events:read"],
        "expires_at": made["expires_at"],
        "records_reads": False,
    }


def test_a_token(world: World, issuer: LocalIssuer) -> None:
    said = told(world, issuer.token(ORG, ["events:read", "org:admin", "made-up"]))
    assert (said["org"], said["grants"]) == (ORG, ["events:read", "org:admin"])
    assert said["actor"]["type"] == "user"
    assert said["credential"]["type"] == "access_token"
    assert clock.now() < clock.parse(said["expires_at"]) < clock.now() + clock.DAY


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        (1e300, "9999-12-31T23:59:59.000000Z"),
        (10**30, "9999-12-31T23:59:59.000000Z"),
        (32503680000.5, "3000-01-01T00:00:00.500000Z"),
    ],
)
def test_a_token_that_ends_beyond_all_times(
    world: World, issuer: LocalIssuer, ends: float, said: str
) -> None:
    claims = {**issuer.claims(ORG, ["events:read"]), "exp": ends}
    assert told(world, issuer.keys[0].sign(claims))["expires_at"] == said


def test_a_token_of_several_orgs_is_told_of_the_one_that_is_asked_for(
    world: World, issuer: LocalIssuer
) -> None:
    theirs = world.org(THEIRS)
    world.call("PATCH", f"/v1/orgs/{THEIRS}/settings", key=theirs, body={"record_reads": True})
    token = issuer.token([THEIRS, ORG], ["events:read"])
    assert (told(world, token)["org"], told(world, token)["records_reads"]) == (THEIRS, True)
    said = told(world, token, query={"org": ORG})
    assert (said["org"], said["records_reads"]) == (ORG, False)
    world.call("GET", PATH, key=token, query={"org": "globex"}).is_problem(404)
    document = world.call("GET", PATH, key=token, query="org=a&org=b").is_problem(400)
    assert [error["parameter"] for error in document["errors"]] == ["org"]


def test_a_key_has_one_org_whatever_is_asked_for(world: World) -> None:
    world.org(THEIRS)
    assert told(world, world.admin_key, query={"org": ORG})["org"] == ORG
    theirs = world.call("GET", PATH, query={"org": THEIRS})
    theirs.is_problem(404)
    assert theirs.text == world.call("GET", PATH, query={"org": "no-such-org"}).text


def test_the_platforms_key_has_no_org(world: World) -> None:
    said = told(world, world.key(*PLATFORM_GRANTS, org=PLATFORM))
    assert (said["org"], said["grants"], said["records_reads"]) == (None, ["orgs:manage"], False)


def test_that_reads_are_recorded_is_said_and_asking_is_no_read(world: World) -> None:
    world.call("PATCH", f"/v1/orgs/{ORG}/settings", body={"record_reads": True})
    world.publish(an_event())
    before = world.everything()
    assert told(world, world.admin_key)["records_reads"] is True
    assert world.everything() == before


def test_of_a_deleted_org_nothing_is_said(world: World, issuer: LocalIssuer) -> None:
    secret = world.org("gone")
    world.control.mark_deleted("gone", "a test", clock.now())
    for key in (secret, issuer.token("gone", ["events:read"])):
        world.call("GET", PATH, key=key).is_problem(404)


def test_without_a_good_credential_401(world: World) -> None:
    for key in (None, "", "alk_short", world.admin_key[:-1]):
        world.call("GET", PATH, key=key).is_problem(401)
