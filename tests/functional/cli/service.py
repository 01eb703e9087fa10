"""What the tests of the `auditlog` command share: a service that keeps the contract, and a shell.

The service behind the HTTP transport judges events with the door's own code.
"""

import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
from typer.testing import CliRunner, Result

from auditlog import intake
from auditlog.catalog import Catalog
from auditlog.cli.app import app
from auditlog.cli.connection import Outside
from auditlog.errors import ProblemError
from auditlog.event import Rules
from tests.functional.cli.governance import Governance

API = "https://api.example"
KEY = "alk_test"
NOW = 1_790_000_000_000_000
A_KEY = {
    "id": "k1",
    "name": "siem",
    "grants": ["events:read"],
    "created_at": "then",
    "expires_at": None,
    "last_used_at": None,
    "replaced_by": None,
}
RULES = Rules(Catalog.default(), "acme", None, NOW)
TYPES = [
    {
        "type": name,
        "scope": name.partition(".")[0],
        "group": "G",
        "description": "{actor} did it",
        "operation": "create",
        "hidden": hidden,
    }
    for name, hidden in (("repo.create", False), ("org.audit_log.export", True))
]


def problem(status: int, title: str, errors: list[dict[str, str]] | None = None) -> httpx.Response:
    document: dict[str, Any] = {"type": "urn:x", "title": title, "status": status}
    document |= {"detail": f"{title}.", "request_id": "req-1"}
    if errors:
        document["errors"] = errors
    headers = {"Content-Type": "application/problem+json"}
    return httpx.Response(status, content=json.dumps(document), headers=headers)


class Stream(httpx.SyncByteStream):
    """A body that arrives bit by bit, and where it is `broken` never ends well."""

    def __init__(self, content: bytes, *, broken: bool = False) -> None:
        self.content = content
        self.broken = broken

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self.content), 7):
            yield self.content[start : start + 7]
        if self.broken:
            raise httpx.ReadError("reset")


@dataclass
class Service:
    """The API of one org, in memory. `first` answers a request in its place, once each."""

    stored: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    keys: list[dict[str, Any]] = field(default_factory=lambda: [A_KEY])
    exports: bool = True
    requests: list[httpx.Request] = field(default_factory=list[httpx.Request])
    first: list[Callable[[httpx.Request], httpx.Response]] = field(
        default_factory=list[Callable[[httpx.Request], httpx.Response]]
    )
    export: dict[str, Any] = field(default_factory=dict[str, Any])
    looks: list[str] = field(default_factory=list[str])
    file: bytes = b""
    #: The slices of the file, each with its offset, bytes and events; one for all of it by default.
    slices: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    #: What the manifest has instead of what is true; None where there is no manifest.
    manifest: dict[str, Any] | None = field(default_factory=dict[str, Any])
    #: What is sent in place of the file, as something on the way damages it.
    damaged: bytes | None = None
    asked: dict[str, Any] = field(default_factory=dict[str, Any])
    governance: Governance = field(default_factory=Governance)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.first:
            return self.first.pop(0)(request)
        if request.url.host in {"files.example", "manifests.example"}:
            assert "Authorization" not in request.headers
            return self.download(request)
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return problem(401, "Not authenticated")
        path, method = request.url.path, request.method
        if path == "/v1/event-types":
            return httpx.Response(200, json={"event_types": TYPES})
        for pattern, answer in self.routes().items():
            match = re.fullmatch(pattern, f"{method} {path}")
            if match:
                return answer(request, *match.groups())
        return problem(404, "Not found")

    def routes(self) -> dict[str, Callable[..., httpx.Response]]:
        org = "/v1/orgs/acme"
        return {
            f"POST {org}/events": self.publish,
            f"GET {org}/events": self.search,
            f"GET {org}/events/(.*)": self.event,
            f"POST {org}/exports": self.ask,
            f"GET {org}/exports": lambda _: httpx.Response(
                200, json={"exports": [self.look()] if self.exports else []}
            ),
            f"GET {org}/exports/x1": lambda _: httpx.Response(200, json=self.look()),
            f"POST {org}/keys": self.make_key,
            f"GET {org}/keys": lambda _: httpx.Response(200, json={"keys": self.keys}),
            f"DELETE {org}/(?:keys|exports|sessions)/.*": lambda _: httpx.Response(204),
            **self.governance.routes(org),
        }

    def event(self, _: httpx.Request, event_id: str) -> httpx.Response:
        found = self.stored.get(event_id)
        return httpx.Response(200, json=found) if found else problem(404, "Not found")

    def ask(self, request: httpx.Request) -> httpx.Response:
        self.asked = json.loads(request.content)
        return httpx.Response(202, json=self.look())

    def make_key(self, request: httpx.Request) -> httpx.Response:
        made = {**json.loads(request.content), "id": "k1", "secret": "alk_new"}
        return httpx.Response(201, json={**made, "created_at": "then"})

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
        start, limit = int(query.get("cursor", ["0"])[0].rstrip("!")), int(query["limit"][0])
        # A page may hold fewer events than asked for, even none, and still not be the last.
        if start and not query["cursor"][0].endswith("!"):
            return httpx.Response(200, json={"events": [], "next_cursor": f"{start}!"})
        page = ids[start : start + min(limit, 3)]
        left = len(ids) > start + len(page)
        cursor = str(start + len(page)) if left else None
        found = [self.stored[event_id] for event_id in page]
        answer: dict[str, Any] = {"events": found, "next_cursor": cursor}
        if query.get("explain") == ["true"]:
            names = ("items", "digests_used", "bytes", "blocks_skipped", "round_trips")
            answer["explain"] = dict.fromkeys(names, 1_234) | {"read_units": 4.5}
        return httpx.Response(200, json=answer)

    def look(self) -> dict[str, Any]:
        state = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        ready = state == "ready"
        return {
            "id": "x1",
            "state": state,
            "format": "ndjson",
            "compression": "none",
            "profile": "native",
            "filter": {},
            "requested_by": {"id": "a", "name": "Ann", "credential": "k1"},
            "created_at": "then",
            "expires_at": None,
            "progress": {"events": 0, "fraction": 0.5},
            "error": "no room" if state == "failed" else None,
            "events": 3 if ready else None,
            "bytes": len(self.file) if ready else None,
            "left_out": 0 if ready else None,
            "download_url": "https://files.example/f?signed=1" if ready else None,
            "manifest_url": (
                "https://manifests.example/m?signed=1"
                if ready and self.manifest is not None
                else None
            ),
            **self.export,
        }

    def described(self) -> dict[str, Any]:
        """The manifest: it tells of the export what the API does, and of the file the truth."""
        told = self.look()
        ranges = self.slices or [(0, len(self.file), told["events"])]
        inside = bytearray(self.file)
        slices: list[dict[str, Any]] = []
        for offset, size, events in ranges:
            hashed = hashlib.sha256(self.file[offset : offset + size]).hexdigest()
            ids = {"first_id": "a" if events else None, "last_id": "b" if events else None}
            slices.append(
                {"offset": offset, "bytes": size, "sha256": hashed, "events": events, **ids}
            )
        for offset, size, _ in reversed(ranges):
            del inside[offset : offset + size]
        return {
            "version": 1,
            "export": {
                "org": "acme",
                "bom": self.asked.get("bom", False),
                **{name: told[name] for name in ("id", "format", "compression", "profile")},
                **{name: told[name] for name in ("filter", "created_at")},
            },
            "bounds": {"since": None, "until": "2026-01-02T03:19:05.000000Z"},
            "file": "audit-log-acme-2026-01-02.ndjson",
            "bytes": told["bytes"],
            "events": told["events"],
            "left_out": {"events": told["left_out"], "types": {}, "fields": {}},
            "first_id": "a",
            "last_id": "b",
            "slices": slices,
            "rest_sha256": hashlib.sha256(inside).hexdigest(),
            **(self.manifest or {}),
        }

    def download(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "manifests.example":
            return httpx.Response(200, stream=Stream(json.dumps(self.described()).encode()))
        start = int(re.sub(r"\D", "", request.headers.get("Range", "0")))
        file = self.file if self.damaged is None else self.damaged
        return httpx.Response(206 if start else 200, stream=Stream(file[start:]))


#: Makes standard output a terminal of so many columns, for the commands that follow.
Terminal = Callable[[int], None]


@dataclass
class Shell:
    """A place to call the command from."""

    service: Service
    slept: list[float] = field(default_factory=list[float])
    new_keys: int = 0
    #: What whoever sits at the terminal answers; None where nobody does.
    answer: str | None = None
    questions: list[str] = field(default_factory=list[str])

    def __call__(self, *arguments: str, stdin: str | bytes = "", code: int = 0) -> Result:
        outside = Outside(
            transport=httpx.MockTransport(self.service),
            sleep=self.slept.append,
            jitter=lambda: 1.0,
            new_key=self.new_key,
            ask=self.ask,
        )
        result = CliRunner().invoke(app, arguments, input=stdin, obj=outside)
        assert result.exit_code == code, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert "Traceback" not in result.output
        return result

    def ask(self, question: str) -> str | None:
        self.questions.append(question)
        return self.answer

    def new_key(self) -> str:
        self.new_keys += 1
        return f"made-{self.new_keys}"


@dataclass
class Cloud:
    """Queues and a table in moto, and where the command finds them."""

    sqs: Any
    dynamodb: Any
    stack: dict[str, str]

    def messages(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while batch := self.sqs.receive_message(
            QueueUrl=self.stack[name],
            MaxNumberOfMessages=10,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages"):
            found += batch
        return found

    def put(self, name: str, body: str, **attributes: tuple[str, str]) -> None:
        self.sqs.send_message(
            QueueUrl=self.stack[name],
            MessageBody=body,
            MessageAttributes={
                key: {"DataType": kind, "StringValue": value}
                for key, (kind, value) in attributes.items()
            },
        )


def lines_of(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def event(number: int, **more: Any) -> dict[str, Any]:
    at = f"2026-01-02T03:04:{number % 60:02d}.{number:06d}Z"
    return {"type": "repo.create", "occurred_at": at, "actor": {"id": f"user-{number}"}, **more}


def ndjson(*events: object) -> str:
    return "".join(json.dumps(e) + "\n" for e in events)


def write_stack(folder: Path, stack: dict[str, str]) -> None:
    (folder / ".local").mkdir(exist_ok=True)
    (folder / ".local" / "stack.json").write_text(json.dumps(stack))
