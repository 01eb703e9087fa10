"""Every route of the table, and every way in which a request for it can be refused."""

import json
import secrets
from typing import Any

import pytest
from botocore.exceptions import ClientError

from auditlog import clock, intake, keys
from auditlog.bodies import MAX_BYTES
from auditlog.keys import ALL_GRANTS, Grant
from auditlog.routes import (
    CHANGE_ORG,
    CHANGE_SETTINGS,
    CREATE_ERASURE,
    CREATE_EXPORT,
    CREATE_KEY,
    CREATE_ORG,
    CREATE_SESSION,
    EVENT_TYPES,
    PUBLISH,
    ROTATE_KEY,
    ROUTES,
    Route,
)
from tests.functional.conftest import FUNCTIONS, ORG, Watched, World, an_event
from tests.functional.requests import Ask, asking

CLOSED = [route for route in ROUTES if not route.public]
OF_AN_ORG = [route for route in ROUTES if "{org}" in route.path]
WITH_BODY = [route for route in ROUTES if route.body]
MOST_BYTES = {route.name: MAX_BYTES for route in WITH_BODY} | {PUBLISH.name: intake.MAX_BODY_BYTES}
#: A body of each route that breaks one rule, and where.
BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    PUBLISH.name: ({"events": [an_event(), an_event(type="repo.craete")]}, "/events/1/type"),
    CREATE_KEY.name: ({"name": "x", "grants": ["events:delete"]}, "/grants/0"),
    CREATE_EXPORT.name: ({"format": "ndjson", "since": "yesterday"}, "/since"),
    ROTATE_KEY.name: ({"overlap_seconds": -1}, "/overlap_seconds"),
    CREATE_SESSION.name: ({"actor": {"id": "usr_1"}, "minutes": 5}, "/minutes"),
    CHANGE_SETTINGS.name: ({"retention_days": 0, "record_reads": True}, "/retention_days"),
    CREATE_ERASURE.name: ({"actor": "", "reason": "asked"}, "/actor"),
    CREATE_ORG.name: ({"name": "no name"}, "/name"),
    CHANGE_ORG.name: ({"limits": {"keys": 0}}, "/limits/keys"),
}
#: Nothing, half of it, other things, bytes of no text, too deep, two of it.
NOT_JSON: list[Any] = [
    None, "", "{", "not json", b"\xff\xfe", "[" * 50_000, '{"a": 1} {"b": 2}', "{'a': 1}"
]  # fmt: skip


@pytest.fixture
def ask(world: World, request: pytest.FixtureRequest) -> Ask:
    """For the route of the test, or for all."""
    names = request.fixturenames
    return asking(world, *([request.getfixturevalue("route")] if "route" in names else ROUTES))


def by_name(routes: list[Route]) -> Any:
    return pytest.mark.parametrize("route", routes, ids=lambda route: route.name)


@by_name(list(ROUTES))
def test_a_route_is_served_by_its_function_and_by_no_other(
    ask: Ask, route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = []
    for name, function in list(FUNCTIONS.items()):
        monkeypatch.setitem(FUNCTIONS, route.function, function)
        answer = ask(route)
        if answer.status in route.success:
            served.append(name)
        else:
            answer.is_problem(404)
    assert served == [route.function]


@by_name(CLOSED)
def test_without_a_good_credential_401_and_nothing_else_is_said(
    world: World, ask: Ask, route: Route
) -> None:
    stranger = keys.mint(
        ORG, "x", ALL_GRANTS, now=0, expires_at=None, random=secrets.token_bytes
    ).secret
    typo = world.admin_key[:-1] + ("0" if world.admin_key[-1] != "0" else "1")
    other_secret = keys.mint(
        ORG, "x", ALL_GRANTS, now=0, expires_at=None, random=secrets.token_bytes
    )
    guessed = other_secret.secret[:17].replace(other_secret.id, str(keys.key_id(world.admin_key)))
    expired = world.key(*ALL_GRANTS, expires_at=clock.now() - 1)
    before = world.everything()
    refused = [
        ask(route, key=None),
        ask(route, key=""),
        ask(route, key="alk_short"),
        ask(route, key=typo),
        ask(route, key=guessed + other_secret.secret[17:]),
        ask(route, key=stranger),
        ask(route, key=expired),
        ask(route, key=None, headers={"authorization": world.admin_key}),
        ask(route, key=None, headers={"authorization": f"Basic {world.admin_key}"}),
        ask(route, key=f"{world.admin_key} {world.admin_key}"),
    ]
    for answer in refused:
        answer.is_problem(401)
        assert answer.header("www-authenticate") == 'Bearer realm="auditlog"'
    # A stranger is not told whether the org exists.
    assert ask(route, org="no-such-org", key=stranger).text == refused[5].text
    assert world.everything() == before


def test_a_typo_in_a_credential_needs_no_look_up(world: World, ask: Ask) -> None:
    watched = Watched(world.dynamodb, lambda _name, _number, call: call())
    world.dynamodb = watched
    typo = world.admin_key[:-1] + ("0" if world.admin_key[-1] != "0" else "1")
    ask(EVENT_TYPES, key=typo).is_problem(401)
    assert watched.calls == []


@by_name(OF_AN_ORG)
def test_another_orgs_key_finds_what_it_would_find_of_an_org_that_does_not_exist(
    world: World, ask: Ask, route: Route
) -> None:
    stranger = world.org("umbrella")
    before = world.everything()
    for method in (route.method, "PATCH"):
        theirs = ask(route, key=stranger, method=method)
        theirs.is_problem(404)
        assert theirs.text == ask(route, key=stranger, org="no-such-org", method=method).text
    assert world.everything() == before


def test_the_catalog_is_open_to_every_key(world: World, ask: Ask) -> None:
    assert ask(EVENT_TYPES, key=world.key(Grant.EVENTS_WRITE)).status == 200


@by_name([route for route in CLOSED if route.grant])
def test_without_the_grant_403(world: World, ask: Ask, route: Route) -> None:
    assert route.grant is not None
    without = world.key(*(grant for grant in ALL_GRANTS if grant is not route.grant))
    is_platform = route.grant in keys.PLATFORM_GRANTS
    only = world.key(route.grant, org=keys.PLATFORM if is_platform else ORG)
    before = world.everything()
    document = ask(route, key=without).is_problem(403)
    assert route.grant.value in document["detail"]
    assert world.everything() == before
    assert ask(route, key=only).status in route.success


@by_name(list(ROUTES))
def test_another_method_405_and_says_which_there_are(world: World, ask: Ask, route: Route) -> None:
    same_path = {other.method for other in ROUTES if other.path == route.path}
    before = world.everything()
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - same_path:
        answer = ask(route, method=method)
        answer.is_problem(405)
        assert answer.header("allow") == ", ".join(sorted(same_path))
        if not route.public:
            ask(route, method=method, key=None).is_problem(401)
    assert world.everything() == before


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v2/health",
        "/v1/health/deep",
        "/v1/org",
        f"/v1/orgs/{ORG}/",
        f"/v1/orgs/{ORG}/event",
        f"/v1/orgs/{ORG}/events/x/y",
        f"/v1/orgs/{ORG}/exports/x/upload",
        f"/v1/orgs/{ORG}/setting",
        f'/v1/orgs/{ORG}/events/"',
        f"/v1/orgs/{ORG}/events/a#b",
        f"/v1/orgs/{ORG}/events/a\nb",
        "/favicon.ico",
        "/v1/orgs/%ff/events/..",
        "/v1/orgs/\U0001f4a3/no",
    ],
)
def test_another_path_404(world: World, path: str) -> None:
    for method in ("GET",) if "/events/" in path else ("GET", "POST"):
        world.call(method, path).is_problem(404)
    if path.startswith("/v1/orgs/"):
        world.call("GET", path, key=None).is_problem(401)


@by_name(WITH_BODY)
def test_a_body_over_the_limit_413_even_where_it_is_not_json(
    world: World, ask: Ask, route: Route
) -> None:
    before = world.everything()
    most = MOST_BYTES[route.name]
    ask(route, body="[" * (most + 1)).is_problem(413)
    ask(route, body="[" * (most + 1), headers={"content-encoding": "br"}).is_problem(413)
    ask(route, body="[" * (most + 1), query="colour=red").is_problem(413)
    ask(route, body="[" * (most + 1), query="%ff").is_problem(413)
    ask(route, body=" " * most).is_problem(400)
    assert world.everything() == before


@by_name(WITH_BODY)
def test_a_body_that_is_not_json_400(world: World, ask: Ask, route: Route) -> None:
    before = world.everything()
    for body in NOT_JSON:
        ask(route, body=body).is_problem(400)
    assert world.everything() == before


@by_name(WITH_BODY)
def test_a_body_that_is_not_what_its_encoding_says_400(
    world: World, ask: Ask, route: Route
) -> None:
    before = world.everything()
    for encoding in ("gzip", "br", "deflate", "gzip, gzip"):
        ask(route, headers={"content-encoding": encoding}).is_problem(400)
    assert world.everything() == before


@by_name(WITH_BODY)
def test_a_body_that_breaks_a_rule_422_with_its_place(world: World, ask: Ask, route: Route) -> None:
    before = world.everything()
    body, pointer = BROKEN[route.name]
    document = ask(route, body=body).is_problem(422)
    assert [error["pointer"] for error in document["errors"]] == [pointer]
    for value in ([], None, 1, "text", [body]):
        assert ask(route, body=json.dumps(value)).is_problem(422)["errors"][0]["pointer"] == ""
    twice = ask(route, body='{"\\ud800":1,"\\ud800":1,"x":NaN}').is_problem(422)
    assert "/x" in {error["pointer"] for error in twice["errors"]}
    assert world.everything() == before


@by_name(WITH_BODY)
def test_text_in_which_the_gateway_has_replaced_bytes_is_not_taken(
    world: World, ask: Ask, route: Route
) -> None:
    before = world.everything()
    assert "octet-stream" in ask(route, body='{"x": "caf\ufffd"}').is_problem(400)["detail"]
    ask(route, body='{"x": "caf\ufffd"}'.encode()).is_problem(422)
    ask(route, body='{"x": "caf\\ufffd"}').is_problem(422)
    assert world.everything() == before


@by_name([route for route in ROUTES if not route.any_query])
def test_a_parameter_that_is_not_known_400_with_its_name(
    world: World, ask: Ask, route: Route
) -> None:
    before = world.everything()
    document = ask(route, query="colour=red&Limit=1&colour=blue").is_problem(400)
    assert [error["parameter"] for error in document["errors"]] == ["colour", "Limit"]
    ask(route, query="%ff").is_problem(400)
    ask(route, query="&".join(f"p{i}=" for i in range(1_001))).is_problem(400)
    assert world.everything() == before


@by_name(WITH_BODY)
def test_the_order_of_refusals(world: World, ask: Ask, route: Route) -> None:
    assert route.grant is not None
    too_large = "[" * (MOST_BYTES[route.name] + 1)
    without = world.key(*(grant for grant in ALL_GRANTS if grant is not route.grant))
    how: dict[str, Any] = {
        "key": None,
        "org": "no-such-org",
        "body": too_large,
        "query": "colour=red",
        "headers": {"x-actor-id": "", "content-encoding": "br"},
    }
    before = world.everything()
    ask(route, **how).is_problem(401)
    if "{org}" in route.path:
        ask(route, **how | {"key": without}).is_problem(404)
    ask(route, **how | {"key": without, "org": ORG}).is_problem(403)
    how |= {"key": "admin", "org": ORG}
    ask(route, **how).is_problem(413)
    how |= {"body": BROKEN[route.name][0]}
    ask(route, **how).is_problem(400)
    ask(route, **how | {"query": ""}).is_problem(400)
    ask(route, **how | {"headers": {}}).is_problem(400)
    ask(route, **how | {"headers": {}, "query": ""}).is_problem(422)
    assert world.everything() == before


@by_name(CLOSED)
def test_what_fails_within_says_nothing_of_it(world: World, ask: Ask, route: Route) -> None:
    """AWS's words, names of tables and code, and stack traces stay inside."""

    def broken(name: str, _number: int, _call: Any) -> Any:
        words = f"internal {world.control_table}"
        raise ClientError({"Error": {"Code": "ValidationException", "Message": words}}, name)

    def busy(name: str, _number: int, _call: Any) -> Any:
        raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "internal"}}, name)

    # A key of its own each, so that nobody has it cached.
    broken_key, busy_key = world.key(*ALL_GRANTS), world.key(*ALL_GRANTS)
    sound = world.dynamodb
    world.dynamodb = Watched(sound, broken)
    failed = ask(route, key=broken_key)
    world.dynamodb = Watched(sound, busy)
    later = ask(route, key=busy_key)
    failed.is_problem(500)
    later.is_problem(503)
    assert int(later.header("retry-after") or "") >= 1
    for answer in (failed, later):
        lower = answer.text.lower()
        for word in ("internal ", "traceback", "boto", "dynamodb", "exception", ".py", "control-"):
            assert word not in lower.replace('"internal error"', "")
