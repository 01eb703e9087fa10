"""Tokens of an issuer beside keys: a real issuer, and tokens that no issuer would make."""

import io
import json
import re
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from auditlog import clock
from auditlog import trust as trusting
from auditlog.keys import ALL_GRANTS, Grant
from auditlog.routes import ROUTES, Route
from auditlog.settings import SETTINGS
from auditlog.trust import trust
from infra.emulator import free_port
from tests.engines import oidc
from tests.engines.oidc import oidc_provider
from tests.functional import issuers
from tests.functional.conftest import ORG, Watched, World, an_event
from tests.functional.issuers import LocalIssuer
from tests.signers import signer

SEARCH = f"/v1/orgs/{ORG}/events"


@pytest.fixture
def issuer(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalIssuer]:
    with issuers.trusted_issuer(monkeypatch) as made:
        yield made


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Lets time pass for what is known of the issuer."""
    known = trust(str(SETTINGS.oidc_issuer))
    monkeypatch.setattr(known, "_monotonic", lambda: clock.monotonic() + seconds)


# -- a real issuer ------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["RS256", "PS384", "ES256", "EdDSA"])
def test_tokens_of_a_real_issuer_before_and_after_its_keys_have_changed(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, algorithm: str
) -> None:
    port = free_port()
    clients = {
        "reader": {"org": ORG, "grants": ["audit-reader"], "name": "A reader"},
        "publisher": {"org": [ORG, "globex"], "grants": "audit-writer and-more"},
        "stranger": {"org": "globex", "grants": ["audit-reader"]},
        "nobody": {"grants": ["audit-reader"]},
    }
    context = {
        "issuer": f"http://127.0.0.1:{port}",
        "audience": oidc.AUDIENCE,
        "grants": {"audit-reader": ["events:read"], "audit-writer": ["events:write"]},
        "algorithms": [algorithm],
    }
    monkeypatch.setitem(SETTINGS._environment, "OIDC_ISSUER", json.dumps(context))
    old, new = signer("old", algorithm), signer("new", algorithm)
    keys = [old.private_jwk]
    with oidc_provider(tmp_path, port, keys=keys, clients=clients, algorithm=algorithm) as real:
        world.publish(an_event(description="by token"), key=real.token("publisher"))
        found = world.search(key=real.token("reader"))
        assert [event["description"] for event in found.json["events"]] == ["by token"]
        world.search(key=real.token("publisher")).is_problem(403)
        world.search(key=real.token("stranger")).is_problem(404)
        world.search(key=real.token("nobody")).is_problem(401)
        before = real.token("reader")

    # Nobody answers: what is known stays good.
    later(monkeypatch, 3_600)
    assert world.search(key=before).status == 200

    keys = [new.private_jwk, old.private_jwk]
    with oidc_provider(tmp_path, port, keys=keys, clients=clients, algorithm=algorithm) as real:
        later(monkeypatch, 3_600 + trusting.PAUSE + 1)
        assert world.search(key=real.token("reader")).status == 200
        assert world.search(key=before).status == 200

    with oidc_provider(tmp_path, port, keys=keys[:1], clients=clients, algorithm=algorithm) as real:
        later(monkeypatch, 3_600 + trusting.FRESH_FOR + 60)
        assert world.search(key=real.token("reader")).status == 200
        detail = world.search(key=before).is_problem(401)["detail"]
        assert "a key that its issuer has not" in detail


# -- what a token may do ------------------------------------------------------------------------


def test_what_a_token_does_is_recorded_as_its_person_with_the_token_as_credential(
    world: World, issuer: LocalIssuer
) -> None:
    token = issuer.token(ORG, ["org:admin"], sub="usr_7", jti="tok_7", name="Grace Hopper")
    made = world.call(
        "POST", f"/v1/orgs/{ORG}/keys", key=token, body={"name": "k", "grants": ["events:read"]}
    )
    assert made.status == 201, made.text
    [event] = world.search(type="org.audit_log.key.create", include_hidden="true").json["events"]
    assert event["actor"] == {"id": "usr_7", "name": "Grace Hopper", "type": "user"}
    host = issuer.url.removeprefix("http://")
    assert event["credential"] == {"type": "access_token", "id": "tok_7", "name": host}
    assert event["ip"]


@pytest.mark.parametrize("grant", ALL_GRANTS)
def test_a_token_has_its_grants_and_no_others(
    world: World, issuer: LocalIssuer, grant: Grant
) -> None:
    token = issuer.token(ORG, [grant.value, "unknown", "orgs:manage"])
    tried = {
        Grant.EVENTS_WRITE: world.call("POST", SEARCH, key=token, body=an_event()),
        Grant.EVENTS_READ: world.search(key=token),
        Grant.EXPORTS_CREATE: world.call("GET", f"/v1/orgs/{ORG}/exports", key=token),
        Grant.ORG_ADMIN: world.call("GET", f"/v1/orgs/{ORG}/keys", key=token),
        Grant.ORGS_MANAGE: world.call("GET", "/v1/orgs", key=token),
    }
    assert {each for each, answer in tried.items() if answer.status != 403} == {grant}


def test_a_token_without_grants_may_read_the_catalog(world: World, issuer: LocalIssuer) -> None:
    token = issuer.token(ORG, None)
    assert world.call("GET", "/v1/event-types", key=token).status == 200
    world.search(key=token).is_problem(403)


def test_a_person_in_several_orgs_is_in_the_one_of_the_path(
    world: World, issuer: LocalIssuer
) -> None:
    world.org("globex")
    token = issuer.token(["initech", "globex", ORG], ["events:read", "events:write"])
    world.publish(an_event(description="theirs"), org="globex", key=token)
    assert world.search(key=token).json["events"] == []
    assert len(world.search(org="globex", key=token).json["events"]) == 1
    world.search(org="umbrella", key=token).is_problem(404)
    assert world.call("GET", "/v1/event-types", key=token).status == 200


@pytest.mark.parametrize("route", [r for r in ROUTES if "{org}" in r.path], ids=lambda r: r.name)
def test_an_org_that_is_not_here_is_no_org_whatever_the_issuer_says(
    world: World, issuer: LocalIssuer, route: Route
) -> None:
    token = issuer.token(["ghost", ORG], [grant.value for grant in ALL_GRANTS])
    before = world.everything()
    answer = world.call(route.method, _filled(route, "ghost"), key=token, body="{")
    assert answer.is_problem(404)["detail"] == "No such org."
    assert world.everything() == before


def _filled(route: Route, org: str) -> str:
    return re.sub(r"\{\w+\}", "x", route.path.replace("{org}", org))


def test_no_token_is_the_platforms(world: World, issuer: LocalIssuer) -> None:
    secret = world.key(Grant.ORGS_MANAGE, org="*")
    assert world.call("GET", "/v1/orgs", key=secret).status == 200
    before = world.everything()
    for org in ("*", ["*"], "", "org"):
        token = issuer.token(org, ["orgs:manage", "org:admin"])
        assert world.call("GET", "/v1/orgs/*/keys", key=token).status in {401, 404}
        assert world.call("GET", "/v1/orgs", key=token).status in {401, 403}
    assert world.everything() == before


def test_a_token_names_its_person_itself(world: World, issuer: LocalIssuer) -> None:
    body = {"name": "k", "grants": ["events:read"]}
    answer = world.call(
        "POST",
        f"/v1/orgs/{ORG}/keys",
        key=issuer.token(ORG, ["org:admin"]),
        body=body,
        headers={"x-actor-id": "usr_1"},
    )
    answer.is_problem(400)


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", issuers.BAD)
def test_a_bad_token_is_refused_and_nothing_is_read_or_written(
    world: World, issuer: LocalIssuer, logged: io.StringIO, name: str
) -> None:
    world.publish(an_event())
    # What would be good is let in, so that nothing but what is bad can be the reason.
    assert world.search(key=issuer.token(ORG, ["events:read"])).status == 200
    bad = issuer.bad(name, ORG, [grant.value for grant in ALL_GRANTS])
    before = world.everything()
    sound, world.dynamodb = world.dynamodb, Watched(world.dynamodb, lambda _n, _i, call: call())

    answers = [
        world.search(key=bad),
        world.call("POST", SEARCH, key=bad, body=an_event()),
        world.call("GET", f"/v1/orgs/{ORG}/keys", key=bad),
        world.call("POST", f"/v1/orgs/{ORG}/exports", key=bad, body={"format": "json"}),
        world.call("GET", "/v1/event-types", key=bad),
        world.call("GET", f"/v1/orgs/{ORG}/nothing", key=bad),
        world.search(org="globex", key=bad),
    ]

    assert world.dynamodb.calls == []
    world.dynamodb = sound
    assert world.everything() == before
    for answer in answers:
        detail = answer.is_problem(401)["detail"]
        assert issuers.BAD[name] in detail
        assert answer.header("www-authenticate") == 'Bearer realm="auditlog"'
        assert not any(part and part in answer.text for part in bad.split("."))
    said = logged.getvalue()
    assert said.count('"status":401') == len(answers)
    assert not any(part and part in said for part in bad.split("."))
    assert "usr_9" not in said


def test_without_an_issuer_a_token_is_no_key(world: World) -> None:
    token = signer().sign({"org": ORG})
    assert "not a key" in world.search(key=token).is_problem(401)["detail"]


def test_keys_are_as_good_where_there_is_an_issuer_that_nobody_asks(
    world: World, issuer: LocalIssuer
) -> None:
    assert world.search().status == 200
    assert issuer.asked == []
    world.search(key="alk_nonsense").is_problem(401)


# -- an issuer that is not well -----------------------------------------------------------------


def test_bad_tokens_do_not_hammer_the_issuer(world: World, issuer: LocalIssuer) -> None:
    for number in range(50):
        token = signer("another").sign(issuer.claims(ORG, []), kid=f"k-{number}")
        world.search(key=token).is_problem(401)
    assert issuer.asked == [issuers.DISCOVERY, issuers.KEYS]


def test_an_issuer_that_never_answered_is_503(world: World, issuer: LocalIssuer) -> None:
    issuer.instead[issuers.DISCOVERY] = lambda request: issuers.answer(request, b"", status=500)
    for _ in range(3):
        answer = world.search(key=issuer.token(ORG, ["events:read"]))
        answer.is_problem(503)
        assert 1 <= int(str(answer.header("retry-after"))) <= trusting.SHORT_PAUSE
    assert issuer.asked == [issuers.DISCOVERY]
    assert world.search().status == 200


def test_an_unknown_key_of_an_issuer_that_is_gone_may_be_good(
    world: World, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.search(key=issuer.token(ORG, ["events:read"])).status == 200
    issuer.instead[issuers.KEYS] = lambda request: issuers.answer(request, b"", status=500)
    later(monkeypatch, trusting.PAUSE + 1)
    token = signer("rotated").sign(issuer.claims(ORG, ["events:read"]))
    world.search(key=token).is_problem(503)
    assert world.search(key=issuer.token(ORG, ["events:read"])).status == 200


def _redirecting(request: BaseHTTPRequestHandler) -> None:
    issuers.answer(request, b"", status=302, headers={"Location": "file:///etc/passwd"})


def _endless(request: BaseHTTPRequestHandler) -> None:
    issuers.answer(request, b" " * (trusting.MAX_BYTES + 1))


def _silent(_request: BaseHTTPRequestHandler) -> None:
    time.sleep(1)


def _slow(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    for _ in range(20):
        try:
            request.wfile.write(b" ")
        except OSError:  # Nobody listens any more.
            return
        time.sleep(0.05)


def _saying(document: Any) -> Any:
    def say(request: BaseHTTPRequestHandler) -> None:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        issuers.answer(request, body)

    return say


@pytest.mark.parametrize(
    ("path", "instead", "reason"),
    [
        (issuers.DISCOVERY, _redirecting, "status 302"),
        (issuers.KEYS, _endless, "more bytes"),
        (issuers.KEYS, _silent, "TimeoutError"),
        (issuers.KEYS, _slow, "too slow"),
        (issuers.KEYS, _saying(b"<html>"), "not a JWK set"),
        (issuers.KEYS, _saying(b"\xff{}"), "not a JWK set"),
        (issuers.KEYS, _saying({"keys": {}}), "not a JWK set"),
        (issuers.KEYS, _saying(b'{"keys": [NaN]}'), "not a JWK set"),
        (issuers.DISCOVERY, _saying([]), "not a JSON object"),
        (issuers.DISCOVERY, _saying({"issuer": "https://else.example.com"}), "another issuer's"),
    ],
)
def test_what_is_not_an_issuers_answer_is_none(
    world: World,
    issuer: LocalIssuer,
    logged: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    instead: Any,
    reason: str,
) -> None:
    monkeypatch.setattr(trusting, "TIMEOUT", 0.3)
    issuer.instead[path] = instead
    world.search(key=issuer.token(ORG, ["events:read"])).is_problem(503)
    assert reason in logged.getvalue()


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "http://example.com/keys", "", 7, None])
def test_keys_are_taken_from_no_other_kind_of_place(
    world: World, issuer: LocalIssuer, logged: io.StringIO, uri: Any
) -> None:
    issuer.instead[issuers.DISCOVERY] = _saying({"issuer": issuer.url, "jwks_uri": uri})
    world.search(key=issuer.token(ORG, ["events:read"])).is_problem(503)
    assert "no `jwks_uri` that can be trusted" in logged.getvalue()


def test_where_the_deployment_names_the_keys_nothing_is_discovered(
    world: World, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = issuer.context(jwks_uri=issuer.url + issuers.KEYS)
    monkeypatch.setitem(SETTINGS._environment, "OIDC_ISSUER", said)
    assert world.search(key=issuer.token(ORG, ["events:read"])).status == 200
    assert issuer.asked == [issuers.KEYS]


def test_an_environment_that_cannot_be_read_is_our_fault(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SETTINGS._environment, "OIDC_ISSUER", "{}")
    world.search(key="a.b.c").is_problem(500)
    assert world.search().status == 200
