"""Sessions, settings, erasures and the rotation of keys, as the service that the tests ask."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from auditlog import bodies, shapes
from auditlog.errors import ProblemError

THEN = "2026-06-02T12:00:00.000000Z"
LATER = "2026-06-02T13:00:00.000000Z"
A_SESSION = {
    "id": "0aB1cD2eF3gH",
    "actor": {"id": "usr_17", "name": "Ada"},
    "grants": ["events:read"],
    "created_at": THEN,
    "expires_at": LATER,
}
SETTINGS = {
    "retention_days": 365,
    "hold": None,
    "shards": [{"since": "1970-01-01T00:00:00.000000Z", "number": 1}],
    "record_reads": False,
    "purged_before": None,
    "limits": {"events_per_day": None, "exports_at_once": 10, "keys": 100},
}
AN_ERASURE = {
    "id": "e1",
    "state": "running",
    "of": "actor",
    "reason": "ticket 4711",
    "requested_by": "ann",
    "created_at": THEN,
    "completed_at": None,
    "events": 0,
    "exports": [],
    "error": None,
}


@dataclass
class Governance:
    """What the org has, and what was asked of it. Bodies are judged as the real service does."""

    sessions: list[dict[str, Any]] = field(default_factory=lambda: [A_SESSION])
    settings: dict[str, Any] = field(default_factory=lambda: dict(SETTINGS))
    version: int = 3
    erasures: list[dict[str, Any]] = field(default_factory=lambda: [dict(AN_ERASURE)])
    #: What an erasure is at each look, on top of what it was.
    looks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    asked: list[Any] = field(default_factory=list[Any])

    def routes(self, org: str) -> dict[str, Callable[..., httpx.Response]]:
        return {
            f"POST {org}/keys/(.*)/rotation": self.rotate,
            f"POST {org}/sessions": self.open,
            f"GET {org}/sessions": lambda _: _answer(200, {"sessions": self.sessions}),
            f"GET {org}/settings": self.show,
            f"PATCH {org}/settings": self.change,
            f"POST {org}/erasures": self.erase,
            f"GET {org}/erasures": lambda _: _answer(200, {"erasures": self.erasures}),
            f"GET {org}/erasures/e1": self.look,
        }

    def rotate(self, request: httpx.Request, key_id: str) -> httpx.Response:
        asked = self.judged(bodies.ROTATION, request)
        if isinstance(asked, httpx.Response):
            return asked
        made = {"id": "k2", "name": f"as {key_id}", "grants": ["events:read"], "secret": "alk_new"}
        return _answer(201, {**made, "expires_at": asked.get("expires_at"), "created_at": THEN})

    def open(self, request: httpx.Request) -> httpx.Response:
        asked = self.judged(bodies.NEW_SESSION, request)
        if isinstance(asked, httpx.Response):
            return asked
        made = {**A_SESSION, "actor": asked["actor"], "token": "als_new"}
        return _answer(201, {**made, "link": "/console#session=als_new"})

    def show(self, _: httpx.Request) -> httpx.Response:
        return _answer(200, self.settings, ETag=f'"{self.version}"')

    def change(self, request: httpx.Request) -> httpx.Response:
        given = request.headers.get("If-Match")
        if given not in {None, "*", f'"{self.version}"'}:
            return _answer(412, {"title": "Precondition failed", "detail": "Read them again."})
        asked = self.judged(bodies.SETTINGS_CHANGE, request)
        if isinstance(asked, httpx.Response):
            return asked
        changed = {name: value for name, value in asked.items() if name not in {"hold", "shards"}}
        self.settings |= changed
        if "hold" in asked:
            hold = asked["hold"] and {**asked["hold"], "placed_at": THEN, "effective_at": None}
            self.settings["hold"] = hold
        if "shards" in asked:
            more = {"since": LATER, **asked["shards"]}
            self.settings["shards"] = [*self.settings["shards"], more]
        self.version += 1
        return self.show(request)

    def erase(self, request: httpx.Request) -> httpx.Response:
        asked = self.judged(bodies.NEW_ERASURE, request)
        if isinstance(asked, httpx.Response):
            return asked
        self.erasures = [{**AN_ERASURE, "reason": asked["reason"]}]
        return _answer(202, self.erasures[0])

    def look(self, _: httpx.Request) -> httpx.Response:
        if self.looks:
            self.erasures[0] |= self.looks.pop(0)
        return _answer(200, self.erasures[0])

    def judged(self, shape: Any, request: httpx.Request) -> Any:
        """The body, noted; or the problem that it is."""
        try:
            asked = shapes.body(shape, request.content)
        except ProblemError as error:
            faults = [fault.as_dict() for fault in error.faults]
            return _answer(error.status, {"title": error.title, "errors": faults})
        self.asked.append(json.loads(request.content))
        return asked


def _answer(status: int, content: Any, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=content, headers=headers)
