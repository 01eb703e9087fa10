"""Every route with every kind of credential: what it is told, and that it got nothing.

The table is made of rules, and not of what the code does: a credential that is not
good is 401; one of another org finds what it would find of an org that does not
exist, 404; one without the route's grant is 403; any other is let in.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from auditlog import clock, keys
from auditlog.keys import ALL_GRANTS, PLATFORM, PLATFORM_GRANTS, SESSION_GRANTS, Grant
from auditlog.routes import ROUTES, Route
from tests.functional import issuers
from tests.functional.conftest import ORG, Response, Watched, World
from tests.functional.issuers import LocalIssuer
from tests.functional.requests import Ask, asking

THEIRS = "umbrella"


@dataclass(frozen=True)
class Credential:
    """What is sent, and what it is good for: None where it is not good at all."""

    sent: str | None
    grants: tuple[Grant, ...] | None
    org: str | None = ORG
    header: str | None = None
    """The whole header, where it is not `Bearer` and what is sent."""


def expected(route: Route, credential: Credential) -> int | None:
    """The status of a refusal; None where the credential is let in."""
    if route.public:
        return None
    if credential.grants is None:
        return 401
    if "{org}" in route.path and credential.org not in {ORG, None}:
        return 404
    if route.grant is not None and route.grant not in credential.grants:
        return 403
    return None


@pytest.fixture
def issuer(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalIssuer]:
    with issuers.trusted_issuer(monkeypatch) as made:
        yield made


@pytest.fixture
def credentials(world: World, issuer: LocalIssuer) -> Mapping[str, Credential]:
    """One of each kind, by name."""
    theirs = world.org(THEIRS)
    minted = keys.mint(
        ORG, "x", ALL_GRANTS, now=0, expires_at=None, random=lambda count: b"\x07" * count
    ).secret
    wrong_check = world.admin_key[:-1] + ("0" if world.admin_key[-1] != "0" else "1")
    good = world.admin_key
    with_other_secret = keys.mint(
        ORG, "x", ALL_GRANTS, now=0, expires_at=None, random=lambda count: b"\x08" * count
    )
    bad = {
        "none": Credential(None, None),
        "empty": Credential("", None),
        "short": Credential("alk_short", None),
        "with a typo": Credential(wrong_check, None),
        "unknown": Credential(minted, None),
        "of another secret": Credential(_grafted(world, with_other_secret.secret), None),
        "twice": Credential(None, None, header=f"Bearer {good} {good}"),
        "bare": Credential(None, None, header=good),
        "basic": Credential(None, None, header=f"Basic {good}"),
        "padded": Credential(None, None, header=f"Bearer {good}="),
        "expired key": Credential(world.key(*ALL_GRANTS, expires_at=clock.now() - 1), None),
        "revoked key": Credential(_revoked(world), None),
        "replaced key": Credential(_replaced(world), None),
        "revoked session": Credential(_ended(world), None),
        "expired session": Credential(_run_out(world), None),
        "platform key, expired": Credential(
            world.key(*PLATFORM_GRANTS, org=PLATFORM, expires_at=1), None
        ),
        **{f"token, {name}": Credential(issuer.bad(name, ORG), None) for name in issuers.BAD},
    }
    session = world.call("POST", f"/v1/orgs/{ORG}/sessions", body={"actor": {"id": "usr_1"}})
    their_session = world.call(
        "POST", f"/v1/orgs/{THEIRS}/sessions", key=theirs, body={"actor": {"id": "usr_1"}}
    )
    of_others = {
        "key of another org": Credential(theirs, ALL_GRANTS, THEIRS),
        "session of another org": Credential(their_session.json["token"], SESSION_GRANTS, THEIRS),
        "token of another org": Credential(
            issuer.token(THEIRS, [grant.value for grant in ALL_GRANTS]), ALL_GRANTS, THEIRS
        ),
    }
    grants = {f"key, {grant.value}": Credential(world.key(grant), (grant,)) for grant in ALL_GRANTS}
    tokens = {
        f"token, {grant.value}": Credential(issuer.token(ORG, [grant.value]), (grant,))
        for grant in ALL_GRANTS
    }
    return {
        **bad,
        **of_others,
        **grants,
        **tokens,
        "session": Credential(session.json["token"], SESSION_GRANTS),
        "token of several orgs": Credential(
            issuer.token([THEIRS, ORG], ["events:read"]), (Grant.EVENTS_READ,)
        ),
        "token of several others": Credential(
            issuer.token([THEIRS, "globex"], ["events:read"]), (Grant.EVENTS_READ,), THEIRS
        ),
        "key of a deleted org": Credential(_deleted(world), ALL_GRANTS, "gone"),
        "token without grants": Credential(issuer.token(ORG, []), ()),
        "token with the platform's grant": Credential(issuer.token(ORG, ["orgs:manage"]), ()),
        "platform key": Credential(
            world.key(*PLATFORM_GRANTS, org=PLATFORM), PLATFORM_GRANTS, None
        ),
    }


def _grafted(world: World, other: str) -> str:
    """The id of a good key with the secret of another one, and a check that fits."""
    unchecked = world.admin_key[: len("alk_") + keys.ID_LENGTH + 1] + other[17:-6]
    return unchecked + keys._check(unchecked)


def _revoked(world: World) -> str:
    secret = world.key(*ALL_GRANTS)
    world.control.delete_key(ORG, str(keys.key_id(secret)))
    return secret


def _replaced(world: World) -> str:
    secret = world.key(*ALL_GRANTS)
    path = f"/v1/orgs/{ORG}/keys/{keys.key_id(secret)}/rotation"
    assert world.call("POST", path, body={"overlap_seconds": 0}).status == 201
    return secret


def _ended(world: World) -> str:
    body = {"actor": {"id": "usr_1"}}
    made = world.call("POST", f"/v1/orgs/{ORG}/sessions", body=body).json
    assert world.call("DELETE", f"/v1/orgs/{ORG}/sessions/{made['id']}").status == 204
    return made["token"]


def _run_out(world: World) -> str:
    minted = keys.mint(
        ORG, "x", SESSION_GRANTS, now=0, expires_at=clock.now() - 1,
        random=secrets.token_bytes, person=keys.Person("usr_1"),
    )  # fmt: skip
    world.control.create_key(minted.key)
    return minted.secret


def _deleted(world: World) -> str:
    secret = world.org("gone")
    world.control.mark_deleted("gone", "a test", clock.now())
    return secret


@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.grant in ALL_GRANTS], ids=lambda r: r.name
)
def test_a_deleted_org_is_no_org_for_its_own_credentials(
    world: World, issuer: LocalIssuer, route: Route
) -> None:
    """Its keys and sessions may be there for a while yet."""
    secret = world.org("gone")
    body = {"actor": {"id": "usr_1"}}
    session = world.call("POST", "/v1/orgs/gone/sessions", key=secret, body=body).json["token"]
    token = issuer.token("gone", [grant.value for grant in ALL_GRANTS])
    ask = asking(world, route)
    world.control.mark_deleted("gone", "a test", clock.now())
    before = world.everything()
    for credential in (secret, session, token):
        ask(route, org="gone", key=credential).is_problem(404)
    assert world.everything() == before


def ask_with(ask: Ask, route: Route, credential: Credential) -> Response:
    if credential.header is not None:
        return ask(route, key=None, headers={"authorization": credential.header})
    return ask(route, key=credential.sent)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_route_with_every_kind_of_credential(
    world: World, route: Route, credentials: Mapping[str, Credential]
) -> None:
    ask = asking(world, route)
    before = world.everything(), world.rows(world.control_table), messages(world)
    sound = world.dynamodb
    refused = {name: expected(route, each) for name, each in credentials.items()}
    told = dict[int, set[str]]()
    for name, status in refused.items():
        if status is None:
            continue
        watched = Watched(sound, only_keys)
        world.dynamodb = watched
        answer = ask_with(ask, route, credentials[name])
        world.dynamodb = sound
        document = answer.is_problem(status), name
        assert "errors" not in document[0]
        assert ORG not in answer.text
        assert answer.header("cache-control") == "no-store"
        assert (answer.header("www-authenticate") is not None) is (status == 401)
        told.setdefault(status, set()).add(document[0]["detail"])
    # What another org's credential is told is the same for all of them, and names nothing.
    assert told.get(404, {"No such org."}) == {"No such org."}
    after = world.everything(), world.rows(world.control_table), messages(world)
    assert after == before
    good = next((name for name, status in refused.items() if status is None), None)
    if good is not None:
        assert ask_with(ask, route, credentials[good]).status in route.success, good


def only_keys(name: str, _number: int, call: Callable[[], Any]) -> Any:
    """A refused request looks for its key, and for nothing else."""
    assert name == "get_item", name
    return call()


def messages(world: World) -> dict[str, str]:
    """How many messages wait in each queue."""
    return {
        name: world.sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
        )["Attributes"]["ApproximateNumberOfMessages"]
        for name, url in world.queues.items()
    }


@pytest.mark.parametrize("kind", ["key", "token", "session"])
def test_what_is_let_in_does_what_its_grants_say(
    world: World, issuer: LocalIssuer, credentials: Mapping[str, Credential], kind: str
) -> None:
    """One of each kind on every route that only reads."""
    ask = asking(world, *ROUTES)
    reading = [r for r in ROUTES if r.method == "GET" and not r.public and r.grant in ALL_GRANTS]
    for route in reading:
        sent = {
            "key": world.admin_key,
            "token": issuer.token(ORG, [str(route.grant and route.grant.value)]),
            "session": str(credentials["session"].sent),
        }[kind]
        is_in = kind != "session" or route.grant in SESSION_GRANTS
        answer = ask(route, key=sent)
        assert (answer.status in route.success) is is_in, route.name


def test_the_table_has_every_kind(credentials: Mapping[str, Credential]) -> None:
    assert len(credentials) >= 45
    statuses = {expected(route, each) for route in ROUTES for each in credentials.values()}
    assert statuses == {None, 401, 403, 404}
