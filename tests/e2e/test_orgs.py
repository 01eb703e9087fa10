"""Who may do what, on every route that the service itself says it has."""

import re
from typing import Any

import httpx
import pytest

from tests.e2e.client import Org


@pytest.fixture(scope="module")
def routes(stack: dict[str, Any]) -> list[tuple[str, str]]:
    """Method and path of everything under an org."""
    specification = httpx.get(f"{stack['api_url']}/v1/openapi.json").json()
    found = [
        (method.upper(), path)
        for path, methods in specification["paths"].items()
        for method in methods
        if path.startswith("/v1/orgs/{org}/")
    ]
    assert len(found) >= 21
    return found


def _ask(key: str | None, org: Org, named: str, method: str, path: str) -> httpx.Response:
    filled = re.sub(r"\{\w+\}", "0" * 39, path.replace("{org}", named))
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    url = org.stack["api_url"] + filled
    body = b"{" if method in {"POST", "PATCH"} else None
    answer = httpx.request(method, url, headers=headers, content=body, timeout=60)
    assert answer.headers["content-type"] == "application/problem+json", (method, path)
    assert answer.json()["status"] == answer.status_code
    return answer


def test_without_a_key_there_is_nothing(org: Org, routes: list[tuple[str, str]]) -> None:
    for key in (None, "alk_no", org.key[:-1] + ("a" if org.key[-1] != "a" else "b")):
        statuses = {route: _ask(key, org, org.name, *route).status_code for route in routes}
        assert set(statuses.values()) == {401}, statuses


def test_the_key_of_another_org_finds_nothing_whether_it_exists_or_not(
    org: Org, other_org: Org, routes: list[tuple[str, str]]
) -> None:
    for route in routes:
        there = _ask(other_org.key, org, org.name, *route)
        nowhere = _ask(other_org.key, org, "no-such-org", *route)

        assert there.status_code == nowhere.status_code == 404, route
        told = [{**answer.json(), "request_id": None} for answer in (there, nowhere)]
        assert told[0] == told[1]


def test_a_grant_opens_its_own_routes_and_no_others(
    org: Org, routes: list[tuple[str, str]]
) -> None:
    opened: dict[str, set[tuple[str, str]]] = {}
    for grant in ("events:write", "events:read", "exports:create", "org:admin"):
        (key,) = org.json("keys", "create", grant, "--grant", grant)
        with org.http() as http:
            http.headers["Authorization"] = f"Bearer {key['secret']}"
            opened[grant] = {
                (method, path)
                for method, path in routes
                if http.request(
                    method,
                    re.sub(r"\{\w+\}", "0" * 39, path.replace("{org}", org.name)),
                    content=b"{" if method == "POST" else None,
                ).status_code
                != 403
            }

    every = [route for found in opened.values() for route in found]
    assert sorted(every) == sorted(routes)
    assert opened["events:write"] == {("POST", "/v1/orgs/{org}/events")}
    assert all("/export" in path for _, path in opened["exports:create"])
    things = ("keys", "sessions", "settings", "erasures")
    assert {path.split("/")[4] for _, path in opened["org:admin"]} == set(things)


def test_an_event_of_one_org_is_not_in_another(org: Org, other_org: Org, event: Any) -> None:
    published = event()
    (said,) = org.publish(published)["events"]
    # The same content is another event there: the org is part of it.
    (elsewhere,) = other_org.publish(published)["events"]

    assert elsewhere["id"] != said["id"]
    assert not elsewhere["duplicate"]
    with other_org.http() as http:
        assert http.get(f"{other_org.path}/events/{said['id']}").status_code == 404
    assert said["id"] not in {found["id"] for found in other_org.events()}


def test_a_cursor_is_good_in_its_own_org_alone(org: Org, other_org: Org, event: Any) -> None:
    org.publish(event(), event())
    with org.http() as http:
        cursor = http.get(f"{org.path}/events", params={"limit": 1}).json()["next_cursor"]
        assert http.get(f"{org.path}/events", params={"cursor": cursor}).status_code == 200
        changed = http.get(f"{org.path}/events", params={"cursor": cursor, "order": "asc"})
    with other_org.http() as http:
        taken = http.get(f"{other_org.path}/events", params={"cursor": cursor})

    assert (changed.status_code, taken.status_code) == (400, 400)


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/org", "/v2/health", "/v1/nothing"])
def test_a_path_that_is_no_route_is_not_found(org: Org, path: str) -> None:
    assert _ask(org.key, org, org.name, "GET", path).status_code == 404


def test_a_method_that_is_none_of_a_path_is_not_allowed(org: Org) -> None:
    answer = _ask(org.key, org, org.name, "PUT", "/v1/orgs/{org}/events")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"
