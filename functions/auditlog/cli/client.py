"""The HTTP API as the command uses it: one call a method, retries, problems as errors.

A request is sent again where that is safe: always after 429 and 503, which say so; after a
lost connection or a gateway's 502 and 504 only where the request changes nothing the second
time (reading, deleting, and publishing, since an event is recorded once). It waits as long as
`Retry-After` says and a random part of a growing pause on top, so that many publishers that
were refused together do not come back together. It never waits
longer than `LONGEST_WAIT`: then the refusal stands.
"""

import gzip
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from auditlog.cli.failures import CommandError, UnreachableError, refusal

ATTEMPTS = 8
MAX_PAUSE = 20.0
FIRST_PAUSE = 0.25
#: In seconds. Whoever says more than that means a limit of the org, which is used up.
LONGEST_WAIT = 60.0

_BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_GATEWAY = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})

Query = Mapping[str, str | int | list[str]]


class Api:
    """The API of one deployment, with one key."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        transport: httpx.BaseTransport | None,
        sleep: Callable[[float], None],
        jitter: Callable[[], float],
    ) -> None:
        self._url = url
        self._sleep = sleep
        self._jitter = jitter
        timeout = httpx.Timeout(35, connect=10)
        self._http = httpx.Client(headers=dict(headers), transport=transport, timeout=timeout)
        # A presigned link carries its own credentials, and S3 refuses it with a second pair.
        self._plain = httpx.Client(transport=transport, timeout=timeout)

    def publish(self, org: str, body: bytes) -> dict[str, Any]:
        """Publishes `{"events": [...]}` and returns the answer once the table has them all."""
        # API Gateway hands a body whose type is application/json to the function as UTF-8 text,
        # compressed or not, and so destroys it; it leaves the bytes of any other type alone.
        headers = {"Content-Type": "application/octet-stream", "Content-Encoding": "gzip"}
        packed = gzip.compress(body, compresslevel=6, mtime=0)
        path = f"{_org(org)}/events"
        return self._json("POST", path, repeatable=True, content=packed, headers=headers)

    def page(self, org: str, query: Query) -> dict[str, Any]:
        """One page of a search."""
        return self._json("GET", f"{_org(org)}/events", repeatable=True, params=query)

    def event(self, org: str, event_id: str) -> dict[str, Any]:
        """One event."""
        return self._json("GET", f"{_org(org)}/events/{_step(event_id)}", repeatable=True)

    def types(self) -> list[dict[str, Any]]:
        """The catalog."""
        return self._json("GET", "/v1/event-types", repeatable=True)["event_types"]

    def create_export(self, org: str, request: Mapping[str, object]) -> dict[str, Any]:
        """Asks for an export. It is recorded in the log, so it is not asked for twice."""
        return self._json("POST", f"{_org(org)}/exports", repeatable=False, json=request)

    def export(self, org: str, export_id: str) -> dict[str, Any]:
        """An export as it stands."""
        return self._json("GET", _export(org, export_id), repeatable=True)

    def exports(self, org: str) -> list[dict[str, Any]]:
        """Every export of the org, newest first."""
        return self._json("GET", f"{_org(org)}/exports", repeatable=True)["exports"]

    def delete_export(self, org: str, export_id: str) -> None:
        """Cancels an export, or removes its file."""
        self._send("DELETE", _export(org, export_id), repeatable=True)

    def create_key(self, org: str, request: Mapping[str, object]) -> dict[str, Any]:
        """Makes a key; its secret is in this answer and in no other."""
        return self._json("POST", f"{_org(org)}/keys", repeatable=False, json=request)

    def keys(self, org: str) -> list[dict[str, Any]]:
        """Every key of the org, without secrets."""
        return self._json("GET", f"{_org(org)}/keys", repeatable=True)["keys"]

    def revoke_key(self, org: str, key_id: str) -> None:
        """Ends a key; within a minute nothing takes it."""
        self._send("DELETE", f"{_org(org)}/keys/{_step(key_id)}", repeatable=True)

    def rotate_key(self, org: str, key_id: str, request: Mapping[str, object]) -> dict[str, Any]:
        """Makes a key in the place of another; its secret is in this answer and in no other."""
        path = f"{_org(org)}/keys/{_step(key_id)}/rotation"
        return self._json("POST", path, repeatable=False, json=request)

    def open_session(self, org: str, request: Mapping[str, object]) -> dict[str, Any]:
        """Opens a session; its token and its link are in this answer and in no other."""
        return self._json("POST", f"{_org(org)}/sessions", repeatable=False, json=request)

    def sessions(self, org: str) -> list[dict[str, Any]]:
        """Every session of the org that was not ended before its time, oldest first."""
        return self._json("GET", f"{_org(org)}/sessions", repeatable=True)["sessions"]

    def end_session(self, org: str, session_id: str) -> None:
        """Ends a session; within a minute nothing takes it."""
        self._send("DELETE", f"{_org(org)}/sessions/{_step(session_id)}", repeatable=True)

    def settings(self, org: str) -> dict[str, Any]:
        """The settings, with their `etag`."""
        return self._tagged(self._send("GET", f"{_org(org)}/settings", repeatable=True))

    def change_settings(
        self, org: str, change: Mapping[str, object], etag: str | None
    ) -> dict[str, Any]:
        """Changes what is named, only at version `etag` where one is given; answers as `settings`.

        The same change made twice is made once. With a version the second one would be refused,
        and so it is not sent twice.
        """
        headers = {} if etag is None else {"If-Match": etag}
        path, repeatable = f"{_org(org)}/settings", etag is None
        return self._tagged(
            self._send("PATCH", path, repeatable=repeatable, json=change, headers=headers)
        )

    def request_erasure(self, org: str, request: Mapping[str, object]) -> dict[str, Any]:
        """Asks for an erasure. It is recorded in the log, so it is not asked for twice."""
        return self._json("POST", f"{_org(org)}/erasures", repeatable=False, json=request)

    def erasure(self, org: str, erasure_id: str) -> dict[str, Any]:
        """An erasure as it stands."""
        return self._json("GET", f"{_org(org)}/erasures/{_step(erasure_id)}", repeatable=True)

    def erasures(self, org: str) -> list[dict[str, Any]]:
        """The newest 100 erasures, newest first."""
        return self._json("GET", f"{_org(org)}/erasures", repeatable=True)["erasures"]

    def download(self, url: str, start: int) -> Iterator[bytes]:
        """The bytes behind a presigned link from `start` on, exactly as they are stored.

        Raises `UnreachableError` where the connection breaks, and `RefusedError` where the link is
        no longer good; both leave what was yielded valid, so that a caller goes on.
        """
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            with self._plain.stream("GET", url, headers=headers, follow_redirects=True) as response:
                if response.status_code >= HTTPStatus.BAD_REQUEST:
                    response.read()
                    raise refusal(response)
                left = start if response.status_code == HTTPStatus.OK else 0
                for chunk in response.iter_raw():
                    # An answer that ignores the range begins again from the start.
                    skipped, left = min(left, len(chunk)), max(0, left - len(chunk))
                    yield chunk[skipped:]
        except httpx.TransportError as error:
            raise UnreachableError(str(error) or type(error).__name__) from None

    def _json(self, method: str, path: str, *, repeatable: bool, **request: Any) -> Any:
        return self._document(self._send(method, path, repeatable=repeatable, **request))

    def _document(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError:
            raise CommandError(
                f"{self._url} answered {response.status_code} with something that is not JSON",
                hint="Is --api-url the address of an auditlog API?",
            ) from None

    def _tagged(self, response: httpx.Response) -> dict[str, Any]:
        return {**self._document(response), "etag": response.headers.get("ETag")}

    def _send(self, method: str, path: str, *, repeatable: bool, **request: Any) -> httpx.Response:
        for pause in self._pauses():
            try:
                response = self._http.request(method, self._url + path, **request)
            except httpx.TransportError as error:
                never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                if pause is None or not (repeatable or never_sent):
                    raise self._unreachable(error, repeatable=repeatable) from None
                self._sleep(pause)
                continue
            if response.status_code < HTTPStatus.BAD_REQUEST:
                return response
            again = _BUSY | _GATEWAY if repeatable else _BUSY
            wait = _retry_after(response)
            if pause is None or response.status_code not in again or wait > LONGEST_WAIT:
                raise refusal(response)
            self._sleep(wait + pause)
        raise AssertionError("the last pause is None")

    def _pauses(self) -> Iterator[float | None]:
        """How long to wait after each attempt; None after the last."""
        for attempt in range(ATTEMPTS - 1):
            yield self._jitter() * min(MAX_PAUSE, FIRST_PAUSE * 2**attempt)
        yield None

    def _unreachable(self, error: httpx.TransportError, *, repeatable: bool) -> UnreachableError:
        safe = (
            "Sending it again is safe."
            if repeatable
            else "Look whether it was done before you repeat it."
        )
        return UnreachableError(
            f"no answer from {self._url}: {error or type(error).__name__}",
            hint=f"Is the stack up (`make dev`), and --api-url right? {safe}",
        )


def _retry_after(response: httpx.Response) -> float:
    """Seconds; a date, which the service never sends, counts as none."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else 0.0


def _step(value: str) -> str:
    return quote(value, safe="")


def _org(org: str) -> str:
    return f"/v1/orgs/{_step(org)}"


def _export(org: str, export_id: str) -> str:
    return f"{_org(org)}/exports/{_step(export_id)}"
