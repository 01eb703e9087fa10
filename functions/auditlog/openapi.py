"""The OpenAPI 3.1 document, written from the routes and the shapes that the code uses."""

import re
from functools import cache
from http import HTTPStatus
from typing import Any

from pydantic import TypeAdapter

from auditlog import __version__, bodies
from auditlog.errors import (
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    LimitReachedError,
    MalformedError,
    NotFoundError,
    PreconditionFailedError,
    ProblemError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
)
from auditlog.event import EVENT
from auditlog.routes import (
    CONSOLE_FILE,
    CREATE_ERASURE,
    CREATE_EXPORT,
    CREATE_KEY,
    CREATE_ORG,
    CREDENTIAL,
    DELETE_ORG,
    DOWNLOAD_EXPORT,
    PUBLISH,
    REFERENCE_EXPORT,
    ROTATE_KEY,
    ROUTES,
    Route,
)
from auditlog.schemas import REF, answers, fields
from auditlog.timeline import INTERVALS

_TEXT = {"type": "string"}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "description": "The `ETag` of what is to be changed; 412 where it is another one by now.",
    "schema": _TEXT,
}

#: The shapes that bodies may have; `routes.Route.body` names one.
BODIES: dict[str, TypeAdapter[Any]] = {
    "Event": EVENT,
    "NewKey": bodies.NEW_KEY,
    "Rotation": bodies.ROTATION,
    "NewSession": bodies.NEW_SESSION,
    "SettingsChange": bodies.SETTINGS_CHANGE,
    "NewErasure": bodies.NEW_ERASURE,
    "NewOrg": bodies.NEW_ORG,
    "OrgChange": bodies.ORG_CHANGE,
    "NewExport": bodies.NEW_EXPORT,
}
_LIMITED = (PUBLISH, CREATE_KEY, CREATE_EXPORT, REFERENCE_EXPORT)
_CONFLICTING = (
    DOWNLOAD_EXPORT, REFERENCE_EXPORT, ROTATE_KEY, CREATE_ERASURE, CREATE_ORG, DELETE_ORG
)  # fmt: skip


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
                    "description": "`alk_<id>_<secret>`, which belongs to one org; or, where the "
                    "deployment names an issuer, an access token of it (JWT).",
                }
            },
            "schemas": {**_shapes(), **answers()},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": [
            *(_path_parameter(name) for name in re.findall(r"\{(\w+)\}", route.path)),
            *(_query_parameter(name, words) for name, words in route.query.items()),
            *([_IF_MATCH] if route.conditional and route.body else []),
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
        return [*([NotFoundError] if route is CONSOLE_FILE else []), MalformedError]
    found: list[type[ProblemError]] = [UnauthenticatedError, MalformedError, UnavailableError]
    if "{org}" in route.path or route is CREDENTIAL:
        found.append(NotFoundError)
    if route.grant is not None:
        found.append(ForbiddenError)
    if route in _LIMITED:
        found.append(LimitReachedError)
    if route.conditional and route.body is not None:
        found.append(PreconditionFailedError)
    if route in _CONFLICTING:
        found.append(ConflictError)
    if route.body is not None:
        found += [TooLargeError, InvalidError]
    if route is DOWNLOAD_EXPORT:
        found.append(GoneError)
    return sorted(found, key=lambda error: error.status)


def _success(route: Route, status: int, text: str) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": text}
    if status == HTTPStatus.FOUND:  # A redirect has a header and no body.
        answer["headers"] = {"Location": {"schema": {"type": "string", "format": "uri"}}}
    elif route.name in _CONTENT and status == HTTPStatus.OK:  # What a browser has is not sent.
        answer["content"] = {_CONTENT[route.name]: {}}
    elif route.name in _ANSWERED:
        answer["content"] = _json(_ANSWERED[route.name])
        if route.conditional:
            answer["headers"] = {"ETag": {"schema": _TEXT}}
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
    "rotate_key": "MintedKey",
    "create_session": "OpenedSession",
    "list_sessions": "Sessions",
    "show_settings": "Settings",
    "change_settings": "Settings",
    "create_erasure": "Erasure",
    "list_erasures": "Erasures",
    "show_erasure": "Erasure",
    "create_org": "MadeOrg",
    "list_orgs": "Orgs",
    "show_org": "Org",
    "change_org": "Org",
    "delete_org": "Org",
    "create_export": "Export",
    "list_exports": "Exports",
    "show_export": "Export",
    "credential": "Credential",
}
#: The types of what is no JSON.
_CONTENT = {"console": "text/html", "console_file": "*/*"}


def _failure(title: str) -> dict[str, Any]:
    return {
        "description": title,
        "content": {"application/problem+json": {"schema": {"$ref": REF + "Problem"}}},
    }


def _json(shape: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": REF + shape}}}


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
        schema = adapter.json_schema(ref_template=REF + "{model}")
        found |= schema.pop("$defs", {})
        found[name] = schema
    found["Events"] = {
        "oneOf": [
            {"$ref": REF + "Event"},
            fields(
                events={
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 1000,
                    "items": {"$ref": REF + "Event"},
                }
            ),
        ]
    }
    return found
