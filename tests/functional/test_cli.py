"""The `auditlog` command, as it is called, against a service that keeps the contract.

The service behind the HTTP transport judges events with the door's own code; queues and tables
are moto's.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import boto3
import httpx
import pytest
from moto import mock_aws
from typer.testing import CliRunner, Result

from auditlog import intake
from auditlog.catalog import Catalog
from auditlog.cli.app import app
from auditlog.cli.client import ATTEMPTS
from auditlog.cli.connection import Outside
from auditlog.errors import ProblemError
from auditlog.event import Rules

API = "https://api.example"
KEY = "alk_test"
NOW = 1_790_000_000_000_000
REAL = Path(__file__).parents[3] / "shared" / "data" / "cloudtrail.ndjson.gz"


def problem(status: int, title: str, errors: list[dict[str, str]] | None = None) -> httpx.Response:
    document: dict[str, Any] = {"type": "urn:x", "title": title, "status": status}
    document |= {"detail": f"{title}.", "request_id": "req-1"}
    if errors:
        document["errors"] = errors
    headers = {"Content-Type": "application/problem+json"}
    return httpx.Response(status, content=json.dumps(document), headers=headers)


@dataclass
class Service:
    """The API of one org, in memory. `first` answers a request in its place, once each."""

    stored: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    requests: list[httpx.Request] = field(default_factory=list[httpx.Request])
    first: list[Callable[[httpx.Request], httpx.Response]] = field(default_factory=list)  # pyright: ignore[reportUnknownVariableType] -- a list of functions
    export: dict[str, Any] = field(default_factory=dict[str, Any])
    looks: list[str] = field(default_factory=list[str])
    file: bytes = b""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.first:
            return self.first.pop(0)(request)
        if request.url.host == "files.example":
            return self.download(request)
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return problem(401, "Not authenticated")
        path, method = request.url.path, request.method
        if path == "/v1/event-types":
            return httpx.Response(200, json={"event_types": TYPES})
        org = "/v1/orgs/acme"
        if not path.startswith(f"{org}/"):
            return problem(404, "Not found")
        match method, path.removeprefix(org).split("/")[1:]:
            case "POST", ["events"]:
                return self.publish(request)
            case "GET", ["events"]:
                return self.search(request)
            case "GET", ["events", event_id]:
                found = self.stored.get(event_id)
                return httpx.Response(200, json=found) if found else problem(404, "Not found")
            case "POST", ["exports"]:
                self.export["filter"] = json.loads(request.content)
                return httpx.Response(202, json=self.look())
            case "GET", ["exports"]:
                return httpx.Response(200, json={"exports": [self.look()]})
            case "GET", ["exports", "x1"]:
                return httpx.Response(200, json=self.look())
            case "POST", ["keys"]:
                made = {**json.loads(request.content), "id": "k1", "secret": "alk_new"}
                return httpx.Response(201, json={**made, "created_at": "now"})
            case "GET", ["keys"]:
                key = {"id": "k1", "name": "n", "grants": ["events:read"], "created_at": "now"}
                return httpx.Response(200, json={"keys": [{**key, "expires_at": None}]})
            case "DELETE", ["keys" | "exports", _]:
                return httpx.Response(204)
            case _:
                return problem(404, "Not found")

    def publish(self, request: httpx.Request) -> httpx.Response:
        body = request.content
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if len(body) > intake.MAX_BODY_BYTES:
            return problem(413, "Too large")
        try:
            judged = intake.judge(intake.read(body), RULES, b"secret")
            judged.raise_refusals()
        except ProblemError as error:
            return problem(error.status, error.title, [f.as_dict() for f in error.faults])
        answers: list[dict[str, Any]] = []
        for record in judged.records:
            duplicate = record.id in self.stored
            self.stored.setdefault(record.id, {"id": record.id, **json.loads(record.data)})
            answers.append({"id": record.id, "type": record.type, "duplicate": duplicate})
        duplicates = sum(answer["duplicate"] for answer in answers)
        counts = {"recorded": len(answers) - duplicates, "duplicates": duplicates}
        return httpx.Response(201, json={**counts, "events": answers})

    def search(self, request: httpx.Request) -> httpx.Response:
        query = parse_qs(request.url.query.decode())
        ids = sorted(self.stored, reverse=query["order"] == ["desc"])
        start, limit = int(query.get("cursor", ["0"])[0]), int(query["limit"][0])
        # A page may be shorter than its limit, even empty, and still not be the last.
        end = start + min(limit, 3) if start % 2 == 0 else start
        cursor = None if end >= len(ids) else str(end if end > start else start + 1)
        if end == start:
            cursor, start = str(start - 1), end
            cursor = str(start + 1)
            return httpx.Response(200, json={"events": [self.stored[ids[start]]], "next_cursor": cursor if start + 1 < len(ids) else None})
        return httpx.Response(200, json={"events": [self.stored[i] for i in ids[start:end]], "next_cursor": cursor})

    def look(self) -> dict[str, Any]:
        state = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        ready = state == "ready"
        return {
            "id": "x1", "state": state, "format": "ndjson", "compression": "none",
            "requested_by": {"id": "a", "name": "Ann", "credential": "k1"},
            "created_at": "now", "expires_at": None,
            "progress": {"events": 0, "fraction": 0.5}, "error": "no room" if state == "failed" else None,
            "events": 3 if ready else None, "bytes": len(self.file) if ready else None,
            "download_url": "https://files.example/f?signed=1" if ready else None,
            **self.export,
        }

    def download(self, request: httpx.Request) -> httpx.Response:
        assert "Authorization" not in request.headers
        start = int(re.sub(r"\D", "", request.headers.get("Range", "0")))
        return httpx.Response(206 if start else 200, content=self.file[start:])
