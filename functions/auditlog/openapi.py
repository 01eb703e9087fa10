"""The OpenAPI 3.1 document, written from the routes and the shapes that the code uses."""

import re
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from auditlog import __version__, bodies
from auditlog.errors import (
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    MalformedError,
    NotFoundError,
    ProblemError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
)
from auditlog.event import EVENT
from auditlog.exports import State
from auditlog.formats import Compression, Format, Profile
from auditlog.keys import Grant
from auditlog.routes import DOWNLOAD_EXPORT, REFERENCE_EXPORT, ROUTES, Route
from auditlog.timeline import INTERVALS

_REF = "#/components/schemas/"
_TIME = {"type": "string", "format": "date-time"}
_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_NUMBER = {"type": "number", "minimum": 0}

#: The shapes that bodies may have; `routes.Route.body` names one.
BODIES: dict[str, TypeAdapter[Any]] = {
    "Event": EVENT,
    "NewKey": bodies.NEW_KEY,
    "NewExport": bodies.NEW_EXPORT,
}


@cache
def specification() -> dict[str, Any]:
    """The whole document. Built once, some 20 ms."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "auditlog",
            "version": __version__,
            "description": "The audit log of an organization: publish, search, download.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`alk_<id>_<secret>`; a key belongs to one org.",
                }
            },
            "schemas": {**_shapes(), **_answers()},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": [
            *(_path_parameter(name) for name in re.findall(r"\{(\w+)\}", route.path)),
            *(_query_parameter(name, words) for name, words in route.query.items()),
        ],
        "responses": {
            **{
                str(status): _success(route, status, text) for status, text in route.success.items()
            },
            **{str(e.status): _failure(e.title) for e in _failures(route)},
        },
        "security": [] if route.public else [{"key": []}],
    }
    if route.grant is not None:
        operation["description"] = f"Needs the grant `{route.grant.value}`."
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _json(route.body)}
    return operation


def _failures(route: Route) -> list[type[ProblemError]]:
    if route.public:
        return [MalformedError]
    found: list[type[ProblemError]] = [UnauthenticatedError, MalformedError, UnavailableError]
    if "{org}" in route.path:
        found += [NotFoundError, ForbiddenError]
    if route.body is not None:
        found += [TooLargeError, InvalidError]
    if route is DOWNLOAD_EXPORT:
        found += [ConflictError, GoneError]
    if route is REFERENCE_EXPORT:
        found.append(ConflictError)
    return sorted(found, key=lambda error: error.status)


def _success(route: Route, status: int, text: str) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": text}
    if status == 302:  # noqa: PLR2004 -- a redirect has a header and no body
        answer["headers"] = {"Location": {"schema": {"type": "string", "format": "uri"}}}
    elif route.name in _ANSWERED:
        answer["content"] = _json(_ANSWERED[route.name])
    return answer


_ANSWERED = {
    "health": "Health",
    "openapi": "Specification",
    "event_types": "EventTypes",
    "publish": "Published",
    "search": "Page",
    "timeline": "Timeline",
    "event": "RecordedEvent",
    "create_key": "MintedKey",
    "list_keys": "Keys",
    "create_export": "Export",
    "list_exports": "Exports",
    "show_export": "Export",
}


def _failure(title: str) -> dict[str, Any]:
    return {
        "description": title,
        "content": {"application/problem+json": {"schema": {"$ref": _REF + "Problem"}}},
    }


def _json(shape: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF + shape}}}


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": _TEXT}


def _query_parameter(name: str, words: str) -> dict[str, Any]:
    schema: dict[str, Any]
    if name in {"type", "actor", "target", "ip", "country"}:
        schema = {"type": "array", "items": _TEXT}
    elif name == "limit":
        schema = {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
    elif name == "order":
        schema = {"type": "string", "enum": ["desc", "asc"], "default": "desc"}
    elif name in {"include_hidden", "explain"}:
        schema = {"type": "boolean", "default": False}
    elif name == "interval":
        schema = {"type": "string", "enum": list(INTERVALS)}
    else:
        schema = _TEXT
    required = {"required": True} if name == "interval" else {}
    return {"name": name, "in": "query", **required, "description": words, "schema": schema}


def _shapes() -> dict[str, Any]:
    """The shapes of bodies, with those that they are made of."""
    found: dict[str, Any] = {}
    for name, adapter in BODIES.items():
        schema = adapter.json_schema(ref_template=_REF + "{model}")
        found |= schema.pop("$defs", {})
        found[name] = schema
    found["Events"] = {
        "oneOf": [
            {"$ref": _REF + "Event"},
            _object(
                events={
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 1000,
                    "items": {"$ref": _REF + "Event"},
                }
            ),
        ]
    }
    return found


def _answers() -> dict[str, Any]:
    nullable_time = {"type": ["string", "null"], "format": "date-time"}
    event = EVENT.json_schema(ref_template=_REF + "{model}")
    recorded = event["properties"] | {
        "org": _TEXT,
        "v": {"const": 1},
        "salt": _TEXT,
        "id": {"type": "string", "pattern": "^[0-9a-v]{39}$"},
        "recorded_at": _TIME,
        "summary": {"type": "string", "description": "There only where `description` is not."},
    }
    key = {
        "id": _TEXT,
        "name": _TEXT,
        "grants": {"type": "array", "items": {"enum": [grant.value for grant in Grant]}},
        "created_at": _TIME,
        "expires_at": nullable_time,
    }
    return {
        "Health": _object(status={"const": "ok"}),
        "Specification": {"type": "object"},
        "EventTypes": _object(
            event_types=_array(
                _object(
                    type=_TEXT,
                    scope=_TEXT,
                    group=_TEXT,
                    description=_TEXT,
                    operation=_TEXT,
                    hidden={"type": "boolean"},
                )
            )
        ),
        "Published": _object(
            recorded=_COUNT,
            duplicates=_COUNT,
            events=_array(
                _object(id=_TEXT, type=_TEXT, occurred_at=_TIME, duplicate={"type": "boolean"})
            ),
        ),
        "RecordedEvent": {
            "type": "object",
            "properties": recorded,
            "required": [*event["required"], "org", "v", "salt", "id", "recorded_at"],
        },
        "Page": _optional(
            _object(
                events=_array({"$ref": _REF + "RecordedEvent"}),
                next_cursor={"type": ["string", "null"]},
            ),
            explain=_object(
                items=_COUNT,
                bytes=_COUNT,
                digests_used=_COUNT,
                blocks_skipped=_COUNT,
                read_units=_NUMBER,
                round_trips=_COUNT,
            ),
        ),
        "Timeline": _object(
            interval={"enum": list(INTERVALS)},
            since=_TIME,
            until=_TIME,
            exact={"type": "boolean"},
            covered=_object(since=_TIME, until=_TIME),
            total=_COUNT,
            buckets=_array(_object(start=_TIME, events=_COUNT)),
            types=_array(_object(type=_TEXT, events=_COUNT)),
            actors=_array(_optional(_object(id=_TEXT, events=_COUNT), name=_TEXT)),
            countries=_array(_object(country=_TEXT, events=_COUNT)),
        ),
        "Key": _object(**key),
        "MintedKey": _object(**key, secret=_TEXT),
        "Keys": _object(keys=_array({"$ref": _REF + "Key"})),
        "Export": _object(
            id=_TEXT,
            state={"enum": [state.value for state in State]},
            format={"enum": [each.value for each in Format]},
            compression={"enum": [each.value for each in Compression]},
            profile={"enum": [each.value for each in Profile]},
            bom={"type": "boolean"},
            filter={"type": "object", "additionalProperties": _array(_TEXT)},
            requested_by=_object(id=_TEXT, name=_TEXT, credential=_TEXT),
            created_at=_TIME,
            completed_at=nullable_time,
            expires_at=nullable_time,
            progress=_object(
                events=_COUNT, fraction={"type": "number", "minimum": 0, "maximum": 1}
            ),
            events={"type": ["integer", "null"]},
            left_out={"type": ["integer", "null"]},
            bytes={"type": ["integer", "null"]},
            download_url={"type": ["string", "null"], "format": "uri"},
            manifest_url={"type": ["string", "null"], "format": "uri"},
            error={"type": ["string", "null"]},
        ),
        "Exports": _object(exports=_array({"$ref": _REF + "Export"})),
        "Problem": {
            **_object(
                type=_TEXT, title=_TEXT, status={"type": "integer"}, detail=_TEXT, request_id=_TEXT
            ),
            "description": "RFC 9457. `errors` stands there where a place can be named.",
        },
    }


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _optional(shape: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """An object that may have these too."""
    return {**shape, "properties": shape["properties"] | properties}


def _array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}
