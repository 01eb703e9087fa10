"""The HTTP side of a function: routing, admission, and errors as RFC 9457.

Only the functions behind the API import this. A handler is given a `Request`
that is authenticated already, and returns an `Answer`; whatever it raises is
mapped here. The order of refusals is 401, 404, 403, 413, 400, 422.
"""

import base64
import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError as NoRouteError
from aws_lambda_powertools.utilities.typing import LambdaContext

from auditlog import clock
from auditlog.authentication import Authentication
from auditlog.callers import Caller
from auditlog.errors import (
    Fault,
    ForbiddenError,
    MalformedError,
    MethodNotAllowedError,
    NotFoundError,
    ProblemError,
    TooLargeError,
    UnauthenticatedError,
)
from auditlog.event import MAX_USER_AGENT
from auditlog.orgs import Org
from auditlog.problems import internal, problem
from auditlog.routes import ROUTES, Route
from auditlog.settings import SETTINGS
from auditlog.store import aws
from auditlog.store.control import ControlStore
from auditlog.telemetry import count, logger

_MOST_PARAMETERS = 1_000
_WITHIN_ORG = re.compile(r"/(?:v1/orgs|api/organizations)/([^/]*)")
MAX_ACTOR_LENGTH = 256
_REPLACED = "\ufffd"
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was let in, to an org that is there. `path` holds the template's variables.

    The body is read first: where it is too large, that is what the caller is told.
    """

    route: Route
    path: Mapping[str, str]
    headers: Mapping[str, str]
    caller: Caller | None
    _org_settings: Org | None = field(repr=False)
    _event: Mapping[str, Any] = field(repr=False)

    @property
    def org(self) -> str:
        """The org of the path, which is the caller's own."""
        return self.path["org"]

    @property
    def org_settings(self) -> Org:
        """The org of the path as it was when the request was let in."""
        if self._org_settings is None:
            raise NotFoundError("No such org.")
        return self._org_settings

    @property
    def id(self) -> str:
        """The id that the gateway gave the request; every answer has it."""
        return str(self._event["requestContext"].get("requestId"))

    @property
    def who(self) -> Caller:
        """The caller of a route that is not public, and the person for whom it says it acts.

        Raises `MalformedError` where a header that names an actor is not valid.
        """
        if self.caller is None:
            raise UnauthenticatedError("This needs a credential.")
        actor_id = _actor_header(self.headers, "x-actor-id")
        actor_name = _actor_header(self.headers, "x-actor-name")
        if actor_id is None:
            if actor_name is not None:
                raise MalformedError("X-Actor-Name needs X-Actor-Id beside it.")
            return self.caller
        if not self.caller.may_name:
            raise MalformedError("X-Actor-Id is for keys: this credential names a person itself.")
        return self.caller.acting_for(actor_id, actor_name)

    @property
    def query(self) -> Mapping[str, Sequence[str]]:
        """The query's parameters. Raises `MalformedError` where it cannot be read."""
        return _query(self._event.get("rawQueryString") or "")

    @property
    def origin(self) -> dict[str, str]:
        """The address and the user agent of the actor, as fields of an event, where it is known."""
        if self.who.is_remote:
            return {}
        http = self._event["requestContext"]["http"]
        origin = {"ip": http.get("sourceIp"), "user_agent": http.get("userAgent")}
        if len(origin["user_agent"] or "") > MAX_USER_AGENT:
            del origin["user_agent"]
        return {name: value for name, value in origin.items() if value}

    def body(self, most: int) -> bytes:
        """The body, unpacked where it came as gzip.

        Raises `TooLargeError` where it is, or unpacks to, more than `most`
        bytes; `MalformedError` where it is not what Content-Encoding says, or
        the query has a parameter that is not known.
        """
        raw: str = self._event.get("body") or ""
        is_bytes: bool = self._event.get("isBase64Encoded") or False
        data = base64.b64decode(raw) if is_bytes else raw.encode()
        encoding = self.headers.get("content-encoding", "identity").strip().lower()
        if len(data) > most:
            raise TooLargeError(f"The body has {len(data)} bytes; at most {most} are taken.")
        if encoding == "gzip":
            data = _gunzip(data, most)
        elif not is_bytes and _REPLACED in raw:
            # The gateway hands JSON over as text, with this in the place of every
            # byte that was not UTF-8: what was sent is not known any more.
            raise MalformedError(
                "The body is not UTF-8, or holds U+FFFD: write that one as \\ufffd, or send the "
                "body with Content-Type: application/octet-stream."
            )
        if encoding not in {"gzip", "identity", ""}:
            raise MalformedError("The body's Content-Encoding is not known; send gzip, or none.")
        self.refuse_unknown()
        return data

    def refuse_unknown(self) -> None:
        """Raises `MalformedError` where the query holds a parameter that is not the route's."""
        known = self.route.query
        expected = ", ".join(known) or "none"
        faults = [
            Fault(f"not a parameter of this route; it takes {expected}", parameter=name)
            for name in self.query
            if name not in known
        ]
        if faults:
            raise MalformedError("The query has a parameter that is not known.", faults)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler answers with: a value that becomes JSON, or bytes of the type that it says."""

    status: int
    body: bytes | Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    content_type: str = _JSON


class Api:
    """The routes that one function serves."""

    def __init__(
        self,
        *,
        now: Callable[[], int] = clock.now,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        self.authentication = Authentication(now=now, monotonic=monotonic)
        self._resolver = APIGatewayHttpResolver()
        self._resolver.exception_handler(Exception)(self._failed)
        self._resolver.exception_handler(NoRouteError)(self._no_route)

    @property
    def control(self) -> ControlStore:
        """Orgs and keys; looked for when they are needed, not at import."""
        return ControlStore(aws.dynamodb(), SETTINGS.control_table)

    def org(self, request: Request) -> Org:
        """The org of a request, with its settings, as it is now; one read unit."""
        return self._found(request.org)

    def route(
        self, route: Route
    ) -> Callable[[Callable[[Request], Answer]], Callable[[Request], Answer]]:
        """Binds a route of the table to the function that answers it."""

        def bind(answer: Callable[[Request], Answer]) -> Callable[[Request], Answer]:
            def serve(**path: str) -> Response[Any]:
                request = self._admit(route, path)
                if route.body is None and not route.any_query:
                    request.refuse_unknown()
                return _response(answer(request))

            rule = route.path.replace("{", "<").replace("}", ">")
            self._resolver.route(rule, method=route.method)(serve)
            return answer

        return bind

    def handle(self, event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Answers one API Gateway event (HTTP API, payload format 2.0), with one log line."""
        answer = self._resolver.resolve(dict(event), context)
        http = event["requestContext"]["http"]
        count("Requests", 1)
        logger.info(
            "request",
            method=http["method"],
            route=event.get("routeKey"),
            status=answer["statusCode"],
            request_id=event["requestContext"].get("requestId"),
        )
        return answer

    def _admit(self, route: Route, path: Mapping[str, str]) -> Request:
        event = self._resolver.current_event.raw_event
        headers = _headers(event)
        if route.public:
            return Request(route, path, headers, None, None, event)
        caller, org = self.authentication.caller(headers, path.get("org")), None
        if "org" in path and caller.org is not None:
            # A key may be there for a while after its org has gone, and an issuer may
            # name one that is not here.
            org = self._found(path["org"])
        if route.grant is not None and route.grant not in caller.grants:
            raise ForbiddenError(f"The credential lacks the grant {route.grant.value}.")
        self.authentication.say_used(caller)
        return Request(route, path, headers, caller, org, event)

    def _found(self, name: str) -> Org:
        found = self.control.org(name)
        if found is None:
            raise NotFoundError("No such org.")
        return found

    def _no_route(self, _error: NoRouteError) -> Response[Any]:
        event = self._resolver.current_event.raw_event
        http = event["requestContext"]["http"]
        try:
            matching = [r for r in ROUTES if _template(r.path).fullmatch(event["rawPath"])]
            within = _WITHIN_ORG.match(event["rawPath"])
            if within or any(not route.public for route in matching):
                self.authentication.caller(_headers(event), within and within[1])
            if matching and http["method"] not in {route.method for route in matching}:
                raise MethodNotAllowedError(
                    f"{http['method']} is not a method of this path.",
                    [route.method for route in matching],
                )
            raise NotFoundError("No such route.")
        except ProblemError as error:
            return self._failed(error)

    def _failed(self, error: Exception) -> Response[Any]:
        request_id = self._resolver.current_event.request_context.request_id
        if isinstance(error, ProblemError):
            return problem(error, request_id)
        logger.exception("unexpected")
        return internal(request_id)


def _response(answer: Answer) -> Response[Any]:
    body = answer.body
    if isinstance(body, Mapping):
        body = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(
        status_code=answer.status,
        content_type=None if body is None else answer.content_type,
        # Bytes go in base64: only of JSON is it known that they are a text.
        body="" if body is None else body.decode() if answer.content_type == _JSON else body,
        headers={"Cache-Control": "no-store", **answer.headers},
    )


def _headers(event: Mapping[str, Any]) -> dict[str, str]:
    given: Mapping[str, str] = event.get("headers") or {}
    return {name.lower(): value for name, value in given.items()}


def _query(raw: str) -> dict[str, list[str]]:
    try:
        pairs = parse_qsl(
            raw, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except ValueError:
        raise MalformedError("The query is not percent-encoded UTF-8, or far too long.") from None
    query: dict[str, list[str]] = {}
    for name, value in pairs:
        query.setdefault(name, []).append(value)
    return query


def _actor_header(headers: Mapping[str, str], name: str) -> str | None:
    value = headers.get(name)
    if value is not None and not 1 <= len(value) <= MAX_ACTOR_LENGTH:
        raise MalformedError(f"{name} has 1 to {MAX_ACTOR_LENGTH} characters.")
    return value


def _template(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))


def _gunzip(data: bytes, most: int) -> bytes:
    """All members of a gzip file (RFC 1952 section 2.2), if they are at most `most` bytes."""
    unpacked = b""
    try:
        while data:
            member = zlib.decompressobj(31)
            unpacked += member.decompress(data, most + 1 - len(unpacked))
            if len(unpacked) > most:
                raise TooLargeError(f"The body unpacks to more than {most} bytes.")
            if not member.eof:
                raise MalformedError("The body's gzip ends too early.")
            data = member.unused_data
    except zlib.error:
        raise MalformedError(
            "The body that arrived is not gzip, as Content-Encoding says; send it with "
            "Content-Type: application/octet-stream, or the gateway may take it for text."
        ) from None
    return unpacked
