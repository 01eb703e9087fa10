"""The table of routes, and the specification that is written from it."""

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from auditlog import __version__, filters, keys, openapi, routes
from auditlog.event import EVENT
from auditlog.routes import ROUTES, Route
from tests.unit.published import CATALOG, NOW, event, record_of, stored

SPECIFICATION = openapi.specification()
METHODS = {"get", "put", "post", "delete", "patch", "head", "options", "trace"}

each = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)


def operation(route: Route) -> dict[str, Any]:
    return SPECIFICATION["paths"][route.path][route.method.lower()]


def valid(shape: str, value: Any) -> bool:
    """Whether a JSON value has a shape of the specification."""
    schema = {"$ref": f"#/components/schemas/{shape}", "components": SPECIFICATION["components"]}
    return Draft202012Validator(schema).is_valid(value)


class TestTable:
    def test_every_constant_is_in_it(self) -> None:
        named = [value for value in vars(routes).values() if isinstance(value, Route)]
        assert sorted(named, key=id) == sorted(ROUTES, key=id)

    def test_names_and_paths_are_once(self) -> None:
        assert len({route.name for route in ROUTES}) == len(ROUTES)
        assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)

    @each
    def test_who_may(self, route: Route) -> None:
        if route.public:
            assert route.grant is None
        is_of_the_platform = route.grant in keys.PLATFORM_GRANTS
        assert ("{org}" in route.path or is_of_the_platform) == (route.grant is not None)
        assert is_of_the_platform == (route.path in {"/v1/orgs", "/v1/orgs/{org}"})

    @each
    def test_where(self, route: Route) -> None:
        assert (route.function == "console") == route.path.startswith("/console")
        assert route.path.startswith(("/v1/", "/console")) or route is routes.REFERENCE_EXPORT
        assert route.function in {"publish", "query", "manage", "export", "console"}
        assert route.body is None or route.method in {"POST", "PATCH"}
        assert not route.query or route.method == "GET"
        assert not route.any_query or (route.public and not route.query)

    def test_grants_of_the_contract(self) -> None:
        grants = {(r.method, r.path.removeprefix("/v1/orgs/{org}")): r.grant for r in ROUTES}
        assert grants == {
            ("GET", "/v1/health"): None,
            ("GET", "/v1/openapi.json"): None,
            ("GET", "/v1/event-types"): None,
            ("GET", "/v1/credential"): None,
            ("GET", "/console"): None,
            ("GET", "/console/{version}/{file}"): None,
            ("POST", "/events"): "events:write",
            ("GET", "/events"): "events:read",
            ("GET", "/timeline"): "events:read",
            ("GET", "/events/{event_id}"): "events:read",
            ("POST", "/exports"): "exports:create",
            ("GET", "/exports"): "exports:create",
            ("GET", "/exports/{export_id}"): "exports:create",
            ("GET", "/exports/{export_id}/download"): "exports:create",
            ("DELETE", "/exports/{export_id}"): "exports:create",
            ("POST", "/keys"): "org:admin",
            ("GET", "/keys"): "org:admin",
            ("DELETE", "/keys/{key_id}"): "org:admin",
            ("POST", "/keys/{key_id}/rotation"): "org:admin",
            ("POST", "/sessions"): "org:admin",
            ("GET", "/sessions"): "org:admin",
            ("DELETE", "/sessions/{session_id}"): "org:admin",
            ("GET", "/settings"): "org:admin",
            ("PATCH", "/settings"): "org:admin",
            ("POST", "/erasures"): "org:admin",
            ("GET", "/erasures"): "org:admin",
            ("GET", "/erasures/{erasure_id}"): "org:admin",
            ("POST", "/v1/orgs"): "orgs:manage",
            ("GET", "/v1/orgs"): "orgs:manage",
            ("GET", ""): "orgs:manage",
            ("PATCH", ""): "orgs:manage",
            ("DELETE", ""): "orgs:manage",
            ("GET", "/api/organizations/{org}/audit-log/export"): "exports:create",
        }

    def test_a_search_takes_every_filter(self) -> None:
        extra = {"order", "limit", "cursor", "explain"}
        assert set(routes.SEARCH_PARAMETERS) == set(filters.PARAMETERS) | extra


class TestSpecification:
    def test_is_valid(self) -> None:
        validate(SPECIFICATION)

    def test_is_json(self) -> None:
        assert json.loads(json.dumps(SPECIFICATION, allow_nan=False)) == SPECIFICATION
        assert SPECIFICATION["info"]["version"] == __version__

    def test_names_every_route_and_nothing_else(self) -> None:
        written = {
            (method.upper(), path)
            for path, methods in SPECIFICATION["paths"].items()
            for method in methods.keys() & METHODS
        }
        assert written == {(route.method, route.path) for route in ROUTES}

    def test_each_operation_id_is_once(self) -> None:
        ids = [operation(route)["operationId"] for route in ROUTES]
        assert ids == [route.name for route in ROUTES]
        assert len(ids) == len(set(ids))

    @each
    def test_parameters(self, route: Route) -> None:
        listed = operation(route)["parameters"]
        in_path = [each["name"] for each in listed if each["in"] == "path"]
        in_query = [each["name"] for each in listed if each["in"] == "query"]
        assert in_path == re.findall(r"\{(\w+)\}", route.path)
        assert in_query == list(route.query)

    @each
    def test_security_and_refusals(self, route: Route) -> None:
        written = operation(route)
        assert written["security"] == ([] if route.public else [{"key": []}])
        statuses = {int(status) for status in written["responses"]}
        assert set(route.success) <= statuses
        if not route.public:
            assert 401 in statuses
        if route.grant is not None:
            assert {401, 403} <= statuses
            assert (404 in statuses) == ("{org}" in route.path)
            assert route.grant.value in written["description"]
        if route.body is not None:
            assert {400, 413, 422} <= statuses

    @each
    def test_bodies(self, route: Route) -> None:
        written = operation(route).get("requestBody")
        assert (written is None) == (route.body is None)
        if route.body is not None:
            assert route.body in SPECIFICATION["components"]["schemas"]

    @each
    def test_an_answer_with_a_body_has_a_shape(self, route: Route) -> None:
        for status in route.success:
            answered = operation(route)["responses"][str(status)]
            assert ("content" in answered) == (status not in {204, 302, 304})

    def test_the_key_has_every_grant_of_the_code(self) -> None:
        listed = SPECIFICATION["components"]["schemas"]["Key"]["properties"]["grants"]
        assert set(listed["items"]["enum"]) == set(keys.ALL_GRANTS)


class TestShapes:
    @pytest.mark.parametrize(
        "sent",
        [
            event(),
            event(targets=[{"type": "t", "id": "i"}], metadata={"a": [1, None]}, ip="::1"),
            {"events": [event(), event(key="x")]},
        ],
    )
    def test_what_is_taken_is_described(self, sent: dict[str, Any]) -> None:
        assert valid("Events", sent)

    @pytest.mark.parametrize(
        "sent",
        [{}, {"events": []}, event(more=1), event(actor={}), event(targets=[{}] * 17), [event()]],
    )
    def test_what_is_refused_is_not(self, sent: Any) -> None:
        assert not valid("Events", sent)

    def test_every_field_of_an_event_is_there(self) -> None:
        assert set(SPECIFICATION["components"]["schemas"]["Event"]["properties"]) == set(
            EVENT.json_schema()["properties"]
        )

    @pytest.mark.parametrize("fields", [{}, {"description": "x"}])
    def test_an_answered_event(self, fields: dict[str, Any]) -> None:
        from auditlog.answers import Answers

        record = record_of(event(**fields))
        answered = json.loads(Answers(CATALOG).of(stored(record, NOW), record.data))
        assert valid("RecordedEvent", answered)
        assert valid("Page", {"events": [answered], "next_cursor": None})
        described = SPECIFICATION["components"]["schemas"]["RecordedEvent"]["properties"]
        assert set(answered) <= set(described)
