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


A_KEY = {
    "id": "k1",
    "name": "siem",
    "grants": ["events:read"],
    "created_at": "then",
    "expires_at": None,
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
    requests: list[httpx.Request] = field(default_factory=list[httpx.Request])
    first: list[Callable[[httpx.Request], httpx.Response]] = field(
        default_factory=list[Callable[[httpx.Request], httpx.Response]]
    )
    export: dict[str, Any] = field(default_factory=dict[str, Any])
    looks: list[str] = field(default_factory=list[str])
    file: bytes = b""
    asked: dict[str, Any] = field(default_factory=dict[str, Any])

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
            f"GET {org}/exports": lambda _: httpx.Response(200, json={"exports": [self.look()]}),
            f"GET {org}/exports/x1": lambda _: httpx.Response(200, json=self.look()),
            f"POST {org}/keys": self.make_key,
            f"GET {org}/keys": lambda _: httpx.Response(200, json={"keys": [A_KEY]}),
            f"DELETE {org}/(?:keys|exports)/.*": lambda _: httpx.Response(204),
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
        return httpx.Response(200, json={"events": found, "next_cursor": cursor})

    def look(self) -> dict[str, Any]:
        state = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        ready = state == "ready"
        return {
            "id": "x1",
            "state": state,
            "format": "ndjson",
            "compression": "none",
            "requested_by": {"id": "a", "name": "Ann", "credential": "k1"},
            "created_at": "then",
            "expires_at": None,
            "progress": {"events": 0, "fraction": 0.5},
            "error": "no room" if state == "failed" else None,
            "events": 3 if ready else None,
            "bytes": len(self.file) if ready else None,
            "download_url": "https://files.example/f?signed=1" if ready else None,
            **self.export,
        }

    def download(self, request: httpx.Request) -> httpx.Response:
        assert "Authorization" not in request.headers
        start = int(re.sub(r"\D", "", request.headers.get("Range", "0")))
        return httpx.Response(206 if start else 200, stream=Stream(self.file[start:]))


@dataclass
class Shell:
    """A place to call the command from."""

    service: Service
    slept: list[float] = field(default_factory=list[float])
    new_keys: int = 0

    def __call__(self, *arguments: str, stdin: str | bytes = "", code: int = 0) -> Result:
        outside = Outside(
            transport=httpx.MockTransport(self.service),
            sleep=self.slept.append,
            jitter=lambda: 1.0,
            new_key=self.new_key,
        )
        result = CliRunner().invoke(app, arguments, input=stdin, obj=outside)
        assert result.exit_code == code, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert "Traceback" not in result.output
        return result

    def new_key(self) -> str:
        self.new_keys += 1
        return f"made-{self.new_keys}"


def lines_of(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def event(number: int, **more: Any) -> dict[str, Any]:
    at = f"2026-01-02T03:04:{number % 60:02d}.{number:06d}Z"
    return {"type": "repo.create", "occurred_at": at, "actor": {"id": f"user-{number}"}, **more}


def ndjson(*events: object) -> str:
    return "".join(json.dumps(e) + "\n" for e in events)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def shell(service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUDITLOG_STACK", raising=False)
    for name, value in (("API_URL", API), ("KEY", KEY), ("ORG", "acme")):
        monkeypatch.setenv(f"AUDITLOG_{name}", value)
    return Shell(service)


# publish ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        ndjson(event(1), event(2)),
        ndjson(event(1), event(2)).rstrip(),
        "\n\n" + ndjson(event(1)) + "\n" + ndjson(event(2)),
        json.dumps([event(1), event(2)]),
        json.dumps([event(1), event(2)], indent=2),
        json.dumps({"events": [event(1), event(2)]}),
        json.dumps({"events": [event(1), event(2)]}, indent=1),
        "\ufeff" + ndjson(event(1), event(2)),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_publish_takes_every_form(shell: Shell, form: str, packed: bool) -> None:
    text = gzip.compress(form.encode()) if packed else form
    (summary,) = lines_of(shell("publish", "--json", stdin=text))
    assert (summary["sent"], summary["recorded"], summary["duplicates"]) == (2, 2, 0)
    assert [entry["id"] for entry in summary["events"]] == sorted(shell.service.stored)
    assert [e["actor"]["id"] for e in shell.service.stored.values()] == ["user-1", "user-2"]


@pytest.mark.parametrize("indent", [None, 2])
def test_publish_takes_one_event(shell: Shell, indent: int | None) -> None:
    result = shell("publish", stdin=json.dumps(event(1), indent=indent))
    assert result.stdout == "sent 1, recorded 1, duplicates 0, refused 0\n"


def test_publish_reads_a_file_and_sends_it_in_batches(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    file.write_text(ndjson(*map(event, range(25))))
    shell("publish", str(file), "--batch", "10")
    assert len(shell.service.requests) == 3
    assert len(shell.service.stored) == 25


def test_no_request_is_larger_than_a_mebibyte(shell: Shell) -> None:
    large = [event(n, metadata={"text": "x" * 200_000}) for n in range(12)]
    result = shell("publish", stdin=ndjson(*large))
    assert "recorded 12," in result.stdout
    sizes = [len(gzip.decompress(r.content)) for r in shell.service.requests]
    assert len(sizes) == 3
    assert max(sizes) <= 1 << 20


def test_an_event_is_sent_as_it_was_written(shell: Shell) -> None:
    written = json.dumps(event(1, key="own")).replace('"repo.create"', '"repo\\u002ecreate"')
    shell("publish", stdin=written[:-1] + ', "metadata": {"n": 1.50, "é": "ü"}}')
    sent = gzip.decompress(shell.service.requests[0].content).decode()
    assert '"repo\\u002ecreate"' in sent
    assert '{"n": 1.50, "é": "ü"}' in sent


def test_what_the_command_cannot_judge_the_service_refuses(shell: Shell) -> None:
    twice = json.dumps(event(2))[:-1] + ', "metadata": {"a": 1, "a": 2}}'
    nan = json.dumps(event(3))[:-1] + ', "metadata": {"a": NaN}}'
    text = ndjson(event(1)) + twice + "\n" + nan + "\n" + ndjson(event(4))
    (summary,) = lines_of(shell("publish", "--json", stdin=text, code=1))
    assert (summary["sent"], summary["recorded"]) == (4, 2)
    assert [r["line"] for r in summary["refused"]] == [2, 3]
    assert summary["refused"][0]["reasons"] == ["/metadata/a: a key that stands here twice"]


def test_a_missing_key_is_made_once_and_kept_through_retries(shell: Shell) -> None:
    shell.service.first = [lambda _: problem(503, "Busy"), lambda _: problem(429, "Slow down")]
    shell("publish", stdin=ndjson(event(1), event(1), event(2, key="own")))
    sent = [json.loads(gzip.decompress(r.content))["events"] for r in shell.service.requests]
    assert sent[0] == sent[1] == sent[2]
    assert [e["key"] for e in sent[0]] == ["made-1", "made-2", "own"]
    assert len(shell.service.stored) == 3


def test_no_key_leaves_events_as_they_are(shell: Shell) -> None:
    shell("publish", "--no-key", stdin=ndjson(event(1)))
    result = shell("publish", "--no-key", stdin=ndjson(event(1)))
    assert result.stdout == "sent 1, recorded 0, duplicates 1, refused 0\n"
    assert all("key" not in stored for stored in shell.service.stored.values())


def test_bad_events_are_taken_out_and_the_rest_is_sent(shell: Shell) -> None:
    good = [event(n) for n in range(7)]
    bad_type, bad_time = event(8, type="repo.creat"), {**event(9), "occurred_at": "yesterday"}
    text = ndjson(*good[:3], bad_type, *good[3:5], bad_time) + "{broken\n" + ndjson(*good[5:])
    result = shell("publish", "--json", stdin=text, code=1)
    (summary,) = lines_of(result)
    assert (summary["sent"], summary["recorded"], summary["duplicates"]) == (9, 7, 0)
    assert [r["line"] for r in summary["refused"]] == [4, 7, 8]
    assert summary["refused"][0]["reasons"][0].startswith("/type: not a type of the catalog")
    assert "repo.create" in summary["refused"][0]["reasons"][0]
    assert summary["refused"][1]["reasons"][0].startswith("/occurred_at: expected RFC 3339")
    assert summary["refused"][2]["reasons"][0].startswith("not JSON")
    assert {e["actor"]["id"] for e in shell.service.stored.values()} == {
        f"user-{n}" for n in range(7)
    }
    shown = shell("publish", stdin=text, code=1)
    assert "line 7: /occurred_at: expected RFC 3339" in shown.stderr


def test_a_refusal_without_a_place_is_found_by_halving(shell: Shell) -> None:
    plain = shell.service.publish

    def vague(request: httpx.Request) -> httpx.Response:
        judged = plain(request)
        return problem(400, "Malformed request") if judged.status_code == 422 else judged

    shell.service.publish = vague  # type: ignore[method-assign] -- this one names no place
    text = ndjson(*map(event, range(5)), event(6, nonsense=1), *map(event, range(7, 12)))
    (summary,) = lines_of(shell("publish", "--json", stdin=text, code=1))
    assert (summary["sent"], summary["recorded"]) == (11, 10)
    assert summary["refused"] == [{"line": 6, "reasons": ["Malformed request"]}]


def test_a_service_that_refuses_every_request_ends_the_sending(shell: Shell) -> None:
    shell.service.first = [lambda _: problem(400, "Malformed request")] * 1_000
    result = shell("publish", stdin=ndjson(*map(event, range(900))), code=1)
    assert "Error: Malformed request (400)" in result.stderr
    assert len(shell.service.requests) < 30


def test_a_compressed_body_is_not_called_text(shell: Shell) -> None:
    # API Gateway decodes application/json as UTF-8, whatever its encoding.
    shell("publish", stdin=ndjson(event(1)))
    assert shell.service.requests[0].headers["Content-Type"] == "application/octet-stream"
    assert shell.service.requests[0].headers["Content-Encoding"] == "gzip"


def test_an_event_larger_than_the_limit_is_refused_alone(shell: Shell) -> None:
    text = ndjson(event(1), event(2, metadata={"t": "x" * 300_000}), event(3))
    (summary,) = lines_of(shell("publish", "--json", stdin=text, code=1))
    assert summary["recorded"] == 2
    assert [r["line"] for r in summary["refused"]] == [2]
    assert "262144" in summary["refused"][0]["reasons"][0]


def test_retries_wait_as_long_as_they_are_told_and_longer_each_time(shell: Shell) -> None:
    busy = httpx.Response(503, headers={"Retry-After": "7"})
    shell.service.first = [lambda _: busy, lambda _: busy]
    shell("publish", stdin=ndjson(event(1)))
    assert shell.slept == [7.25, 7.5]


def test_a_lost_connection_is_tried_again_and_then_told(shell: Shell) -> None:
    def lost(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("reset", request=request)

    shell.service.first = [lost]
    shell("publish", stdin=ndjson(event(1)))
    assert len(shell.service.stored) == 1
    shell.service.first = [lost] * ATTEMPTS
    result = shell("publish", stdin=ndjson(event(2)), code=1)
    assert "no answer from https://api.example" in result.stderr
    assert "--from-line" not in result.stderr


def test_after_a_break_the_line_to_go_on_with_is_named(shell: Shell) -> None:
    shell.service.first = [shell.service.publish, lambda _: problem(403, "Forbidden")]
    text = ndjson(*map(event, range(30)))
    result = shell("publish", "--batch", "10", stdin=text, code=1)
    assert "10 events were sent before that" in result.stderr
    assert "--from-line 11" in result.stderr
    assert "auditlog keys create" in result.stderr
    shell("publish", "--from-line", "11", stdin=text)
    assert len(shell.service.stored) == 30


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" + json.dumps(event(1)), "not JSON in line 1"),
        ("[" + json.dumps(event(1)) + "] more", "more text after the end"),
        ('{"events": [' + json.dumps(event(1)) + "]", "expected }"),
        (gzip.compress(ndjson(event(1)).encode(), mtime=0)[:-6], "the gzip file is damaged"),
    ],
)
def test_what_cannot_be_read_is_said(shell: Shell, text: str | bytes, said: str) -> None:
    assert said in shell("publish", stdin=text, code=1).stderr


def test_a_missing_file_is_a_mistake_in_the_command(shell: Shell) -> None:
    assert "cannot read nowhere" in shell("publish", "nowhere", code=2).stderr


# import -------------------------------------------------------------------------------------


def record(number: int, **more: Any) -> dict[str, Any]:
    return {
        "userIdentity": {"type": "IAMUser", "principalId": "AIDA1", "userName": "bo"},
        "eventTime": "2026-02-03T04:05:06Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "PutObject",
        "sourceIPAddress": "203.0.113.7",
        "eventID": f"id-{number}",
        **more,
    }


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "form", [ndjson(record(1), record(2)), json.dumps({"Records": [record(1), record(2)]})]
)
def test_import_takes_cloudtrail_files(
    shell: Shell, tmp_path: Path, form: str, packed: bool
) -> None:
    file = tmp_path / "trail"
    file.write_bytes(gzip.compress(form.encode()) if packed else form.encode())
    shell("import", "--from", "cloudtrail", str(file))
    again = shell("import", "--from", "cloudtrail", "-", stdin=file.read_bytes())
    assert again.stdout == "sent 2, recorded 0, duplicates 2, refused 0\n"
    assert [e["key"] for e in shell.service.stored.values()] in (
        ["id-1", "id-2"],
        ["id-2", "id-1"],
    )


def test_import_says_what_is_refused_and_why(shell: Shell) -> None:
    text = ndjson(
        record(1),
        {"eventName": "x"},
        record(3, eventTime="late"),
        record(4, requestParameters={"t": "\ud800"}),
        [],
    )
    (summary,) = lines_of(
        shell("import", "--from", "cloudtrail", "-", "--json", stdin=text, code=1)
    )
    assert (summary["sent"], summary["recorded"]) == (3, 1)
    assert [r["line"] for r in summary["refused"]] == [2, 3, 4, 5]
    assert "lone surrogate" in summary["refused"][2]["reasons"][0]


def test_import_takes_real_records(shell: Shell) -> None:
    if not REAL.exists():
        pytest.skip("the real CloudTrail records are not beside this checkout")
    first = shell("import", "--from", "cloudtrail", str(REAL))
    assert first.stdout == "sent 2,900, recorded 2,900, duplicates 0, refused 0\n"
    again = shell("import", "--from", "cloudtrail", str(REAL), "--batch", "1000")
    assert again.stdout == "sent 2,900, recorded 0, duplicates 2,900, refused 0\n"


# search, event, types -----------------------------------------------------------------------


def test_search_sends_every_parameter(shell: Shell) -> None:
    arguments = "--type repo --type org --actor a --target t --ip 10.0.0.0/8 --country DE"
    arguments += " --since 2026-01-01T00:00:00Z --until 2027-01-01T00:00:00Z --order asc"
    arguments += " --limit 7 --include-hidden"
    shell("search", *arguments.split())
    assert parse_qs(shell.service.requests[0].url.query.decode()) == {
        "type": ["repo", "org"],
        "actor": ["a"],
        "target": ["t"],
        "ip": ["10.0.0.0/8"],
        "country": ["DE"],
        "since": ["2026-01-01T00:00:00Z"],
        "until": ["2027-01-01T00:00:00Z"],
        "order": ["asc"],
        "limit": ["7"],
        "include_hidden": ["true"],
    }


def test_search_follows_short_and_empty_pages(shell: Shell) -> None:
    shell("publish", stdin=ndjson(*map(event, range(11))))
    oldest_first = sorted(shell.service.stored)
    everything = lines_of(shell("search", "--all", "--json", "--order", "asc"))
    assert [e["id"] for e in everything] == oldest_first
    part = shell("search", "--limit", "5", "--json")
    assert [e["id"] for e in lines_of(part)] == oldest_first[::-1][:5]
    cursor = re.search(r"--cursor (\S+),", part.stderr)
    assert cursor is not None
    rest = lines_of(shell("search", "--limit", "100", "--json", "--cursor", cursor[1]))
    assert [e["id"] for e in rest] == oldest_first[::-1][5:]


def test_a_table_shows_events_and_no_control_characters(shell: Shell) -> None:
    sneaky = event(1, description="a\x1b[31mred\u202eb [bold]c[/bold]")
    shell("publish", "--no-key", stdin=ndjson(sneaky))
    result = shell("search")
    assert "user-1" in result.stdout
    assert "\\u001b[31mred\\u202eb [bold]c[/bold]" in result.stdout
    assert "\x1b" not in result.stdout
    found = shell("search", "--json").stdout
    assert "\u202e" not in found
    assert json.loads(found)["description"] == sneaky["description"]


def test_event_shows_the_whole_event(shell: Shell) -> None:
    shell("publish", stdin=ndjson(event(1)))
    (event_id,) = shell.service.stored
    assert json.loads(shell("event", event_id).stdout) == shell.service.stored[event_id]
    assert lines_of(shell("event", event_id, "--json")) == [shell.service.stored[event_id]]
    assert "Not found (404)" in shell("event", "unknown", code=1).stderr


def test_types_lists_the_catalog(shell: Shell) -> None:
    assert lines_of(shell("types", "--json")) == TYPES
    shown = shell("types", "org").stdout
    assert "org.audit_log.export" in shown
    assert "repo.create" not in shown


# errors and where things are ----------------------------------------------------------------


def test_a_problem_is_printed_with_its_place_and_what_to_do(shell: Shell) -> None:
    place = [{"parameter": "since", "detail": "expected RFC 3339"}]
    shell.service.first = [lambda _: problem(400, "Malformed request", place)]
    result = shell("search", "--since", "x", code=1)
    assert "Malformed request (400)" in result.stderr
    assert "  since: expected RFC 3339" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("answer", [httpx.Response(200, text="<html>"), httpx.Response(502)])
def test_an_answer_that_is_none_of_ours_is_no_traceback(
    shell: Shell, answer: httpx.Response
) -> None:
    shell.service.first = [lambda _: answer] * ATTEMPTS
    assert "Error: " in shell("search", code=1).stderr


@pytest.mark.parametrize("name", ["AUDITLOG_API_URL", "AUDITLOG_KEY", "AUDITLOG_ORG"])
def test_what_is_missing_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    assert name in shell("search", code=2).stderr


def test_stack_json_is_found_upwards(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AUDITLOG_API_URL", "AUDITLOG_KEY", "AUDITLOG_ORG"):
        monkeypatch.delenv(name)
    stack = {"api_url": f"{API}/base/", "org": "acme", "admin_key": KEY}
    write_stack(tmp_path, stack)
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    shell.service.first = [lambda _: httpx.Response(200, json={"event_types": TYPES})]
    shell("types")
    assert str(shell.service.requests[0].url) == f"{API}/base/v1/event-types"
    assert shell.service.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    # An option comes before the file.
    shell("types", "--key", "alk_other", code=1)
    assert shell.service.requests[1].headers["Authorization"] == "Bearer alk_other"


def test_the_laptops_key_is_never_sent_elsewhere(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AUDITLOG_KEY")
    write_stack(tmp_path, {"api_url": "http://127.0.0.1:1", "org": "acme", "admin_key": KEY})
    assert "no key is given" in shell("search", code=2).stderr
    assert shell.service.requests == []


def test_a_broken_stack_file_is_named(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AUDITLOG_API_URL")
    write_stack(tmp_path, {})
    (tmp_path / ".local" / "stack.json").write_text("{")
    assert "stack.json" in shell("search", code=2).stderr


def test_every_command_has_help_with_an_example(shell: Shell) -> None:
    commands = ["publish", "import", "search", "event", "types", "export", "org create"]
    commands += [f"keys {name}" for name in ("create", "list", "revoke")]
    commands += [f"exports {name}" for name in ("list", "download", "delete")]
    commands += [f"rejects {name}" for name in ("list", "redrive")]
    for command in commands:
        shown = shell(*command.split(), "--help").stdout
        assert "Example" in shown, command
        assert "AUDITLOG_ORG" in shown, command
    assert "Exit codes" in shell("--help").stdout


# keys ---------------------------------------------------------------------------------------


def test_keys_are_made_listed_and_revoked(shell: Shell) -> None:
    arguments = ["--grant", "events:read", "--grant", "events:write", "--as", "ann"]
    made = shell("keys", "create", "siem", *arguments)
    assert made.stdout == "alk_new\n"
    request = shell.service.requests[0]
    grants = ["events:read", "events:write"]
    assert json.loads(request.content) == {"name": "siem", "grants": grants}
    assert request.headers["X-Actor-Id"] == request.headers["X-Actor-Name"] == "ann"
    assert [key["id"] for key in lines_of(shell("keys", "list", "--json"))] == ["k1"]
    assert "events:read" in shell("keys", "list").stdout
    assert "X-Actor-Id" not in shell.service.requests[-1].headers
    assert lines_of(shell("keys", "revoke", "k/1", "--json")) == [{"id": "k/1", "revoked": True}]
    assert shell.service.requests[-1].url.raw_path == b"/v1/orgs/acme/keys/k%2F1"


def test_making_a_key_is_not_repeated_when_it_may_have_been_done(shell: Shell) -> None:
    def lost(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("late", request=request)

    shell.service.first = [lost]
    result = shell("keys", "create", "siem", "--grant", "events:read", code=1)
    assert "Look whether it was done" in result.stderr
    assert len(shell.service.requests) == 1


# export -------------------------------------------------------------------------------------

FILE = ndjson({"id": 1}, {"id": 2}, {"id": 3}).encode()


def test_export_waits_downloads_and_checks(shell: Shell, tmp_path: Path) -> None:
    shell.service.file, shell.service.looks = FILE, ["queued", "running", "ready"]
    arguments = ["--format", "ndjson", "--type", "repo", "--type", "org", "--actor", "a"]
    result = shell("export", *arguments, "--no-hidden", "--as", "ann", "-o", "log.ndjson")
    assert result.stdout == f"log.ndjson: 3 events, {len(FILE)} bytes, both checked\n"
    assert (tmp_path / "log.ndjson").read_bytes() == FILE
    assert [path.name for path in tmp_path.iterdir()] == ["log.ndjson"]
    assert shell.service.asked == {
        "type": ["repo", "org"],
        "actor": "a",
        "format": "ndjson",
        "compression": "none",
        "include_hidden": False,
    }
    assert shell.service.requests[0].headers["X-Actor-Id"] == "ann"
    assert len(shell.slept) == 2


@pytest.mark.parametrize(
    ("form", "compression", "file", "name"),
    [
        ("json", "none", b'[{"id":1},\n{"id":"]"},\n{"id":[3]}]\n', "acme-x1.json"),
        (
            "ndjson",
            "gzip",
            gzip.compress(FILE[:9], mtime=0) + gzip.compress(FILE[9:], mtime=0),
            "acme-x1.ndjson.gz",
        ),
    ],
)
def test_every_form_is_counted(
    shell: Shell, tmp_path: Path, form: str, compression: str, file: bytes, name: str
) -> None:
    shell.service.file, shell.service.looks = file, ["ready"]
    shell.service.export = {"format": form, "compression": compression}
    (done,) = lines_of(shell("export", "--format", form, "--compression", compression, "--json"))
    assert (tmp_path / name).read_bytes() == file
    assert (done["file"], done["events"], done["bytes"]) == (name, 3, len(file))
    assert "download_url" not in done


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"events": 4}, "holds 3 events, but the export has 4"),
        ({"bytes": 99}, "but the export has 99"),
        ({"format": "json"}, "is not what the export should be"),
        ({"compression": "gzip"}, "is not what the export should be"),
    ],
)
def test_a_file_that_is_not_what_was_told_gets_no_name(
    shell: Shell, tmp_path: Path, told: dict[str, Any], said: str
) -> None:
    shell.service.file, shell.service.looks, shell.service.export = FILE, ["ready"], told
    result = shell("export", "-o", "log", code=1)
    assert said in result.stderr
    assert "auditlog exports download x1 -o log" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["log.part"]


def test_a_broken_download_goes_on_where_it_broke(shell: Shell, tmp_path: Path) -> None:
    shell.service.file, shell.service.looks = FILE, ["ready"]
    usual = shell.service
    shell.service.first = [
        usual_answer(usual),
        lambda _: httpx.Response(200, stream=Stream(FILE[:10], broken=True)),
        usual_answer(usual),
        lambda _: httpx.Response(403, text="<Error>expired</Error>"),
    ]
    shell("export", "-o", "log")
    assert (tmp_path / "log").read_bytes() == FILE
    asked = [r for r in shell.service.requests if r.url.host == "files.example"]
    assert [r.headers.get("Range") for r in asked] == [None, "bytes=10-", "bytes=10-"]


def usual_answer(service: Service) -> Callable[[httpx.Request], httpx.Response]:
    """What the service would have said, had `first` been empty."""

    def answer(request: httpx.Request) -> httpx.Response:
        held, service.first = service.first, []
        service.requests.pop()
        response = service(request)
        service.first = held
        return response

    return answer


@pytest.mark.parametrize("state", ["failed", "cancelled", "expired"])
def test_an_export_that_will_never_be_ready_ends_the_waiting(shell: Shell, state: str) -> None:
    shell.service.looks = ["running", state]
    result = shell("export", code=1)
    assert f"export x1 is {state}" in result.stderr
    assert ("no room" in result.stderr) is (state == "failed")
    assert "auditlog export" in result.stderr


def test_a_file_is_not_replaced_unless_asked(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("precious")
    shell.service.file, shell.service.looks = FILE, ["ready"]
    shell("export", "-o", "log", code=2)
    assert shell.service.requests == []
    shell("exports", "download", "x1", "-o", "log", "--force")
    assert (tmp_path / "log").read_bytes() == FILE


def test_exports_are_listed_and_removed(shell: Shell) -> None:
    shell.service.looks = ["queued"]
    assert "Ann" in shell("exports", "list").stdout
    assert [e["id"] for e in lines_of(shell("exports", "list", "--json"))] == ["x1"]
    shell("exports", "delete", "x1")
    assert shell.service.requests[-1].method == "DELETE"


# AWS ----------------------------------------------------------------------------------------


def write_stack(folder: Path, stack: dict[str, str]) -> None:
    (folder / ".local").mkdir(exist_ok=True)
    (folder / ".local" / "stack.json").write_text(json.dumps(stack))


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


@pytest.fixture
def cloud(shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cloud]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        sqs = boto3.client("sqs", region_name="us-east-1")
        names = {"queue_url": "inbox", "rejects_queue_url": "rejects", "inbox_dlq_url": "dlq"}
        stack = {key: sqs.create_queue(QueueName=n)["QueueUrl"] for key, n in names.items()}
        dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        dynamodb.create_table(
            TableName="control",
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        stack |= {"control_table": "control", "region": "us-east-1"}
        write_stack(tmp_path, stack)
        yield Cloud(sqs, dynamodb, stack)


def test_publishing_to_the_inbox(shell: Shell, cloud: Cloud) -> None:
    text = ndjson(*map(event, range(250))) + "{broken\n"
    (summary,) = lines_of(shell("publish", "--sqs", "--json", stdin=text, code=1))
    assert (summary["sent"], summary["recorded"], summary["duplicates"]) == (250, None, None)
    assert [r["line"] for r in summary["refused"]] == [251]
    bodies = [json.loads(m["Body"]) for m in cloud.messages("queue_url")]
    assert sorted(len(body["events"]) for body in bodies) == [50, 100, 100]
    assert {body["org"] for body in bodies} == {"acme"}
    actors = {e["actor"]["id"] for body in bodies for e in body["events"]}
    assert actors == {f"user-{n}" for n in range(250)}
    assert all(e["key"].startswith("made-") for body in bodies for e in body["events"])
    assert shell.service.requests == []


def test_messages_stay_below_the_limits_of_sqs(shell: Shell, cloud: Cloud) -> None:
    large = [event(n, description="\uffff", metadata={"t": "ü" * 100_000}) for n in range(12)]
    text = "".join(json.dumps(e, ensure_ascii=False) + "\n" for e in large)
    result = shell("publish", "--sqs", stdin=text)
    assert "sent 12, refused 0" in result.stdout
    assert "all that can be known" in result.stderr
    messages = cloud.messages("queue_url")
    assert sum(len(json.loads(m["Body"])["events"]) for m in messages) == 12
    assert all(len(m["Body"].encode()) <= 1 << 20 for m in messages)
    assert all(m["Attributes"]["MessageGroupId"] == "acme" for m in messages)


def test_an_event_that_no_message_can_carry_is_refused(shell: Shell, cloud: Cloud) -> None:
    text = ndjson(event(1), event(2, metadata={"t": "x" * (1 << 20)}), event(3))
    (summary,) = lines_of(shell("publish", "--sqs", "--json", stdin=text, code=1))
    assert summary["sent"] == 2
    assert [r["line"] for r in summary["refused"]] == [2]


def test_both_ways_in_carry_the_same_events(shell: Shell, cloud: Cloud) -> None:
    text = ndjson(*map(record, range(30)))
    shell("import", "--from", "cloudtrail", "-", stdin=text)
    shell("import", "--from", "cloudtrail", "-", "--sqs", stdin=text)
    over_http = json.loads(gzip.decompress(shell.service.requests[0].content))["events"]
    (message,) = cloud.messages("queue_url")
    assert json.loads(message["Body"])["events"] == over_http


def test_listing_rejects_loses_nothing(shell: Shell, cloud: Cloud) -> None:
    sent_at = ("Number", "1790000000123")
    for number in range(13):
        body = json.dumps({"org": "acme", "events": [event(number)] * 2})
        errors = json.dumps([{"pointer": "/events/1/type", "detail": "unheard of"}])
        cloud.put(
            "rejects_queue_url",
            body,
            reason=("String", f"why {number}"),
            errors=("String", errors),
            sent_at=sent_at,
        )
    cloud.put("inbox_dlq_url", "not json")
    for _ in range(3):
        listed = lines_of(shell("rejects", "list", "--json"))
        assert len(listed) == 14
        by_reason = {row["reason"]: row for row in listed}
        assert by_reason["why 7"]["sent_at"] == "2026-09-21T14:13:20.123000Z"
        assert by_reason["why 7"]["org"] == "acme"
        assert by_reason["why 7"]["events"] == 2
        assert by_reason["why 7"]["errors"][0]["detail"] == "unheard of"
        assert "body" not in by_reason["why 7"]
        (other,) = [row for row in listed if row["queue"] == "dlq"]
        assert (other["org"], other["events"], other["bytes"]) == (None, None, 8)
    shown = shell("rejects", "list", "--queue", "rejects", "--limit", "5", "--body")
    assert shown.stdout.count("why ") == 5
    assert "/events/1/type: unheard of" in shown.stdout
    assert "5 of about 13 are shown" in shown.stderr
    assert len(cloud.messages("rejects_queue_url")) == 13


def test_redriving_keeps_the_time_and_removes_only_what_was_sent(
    shell: Shell, cloud: Cloud
) -> None:
    body = json.dumps({"org": "acme", "events": [event(1)]})
    cloud.put("rejects_queue_url", body, sent_at=("Number", "1790000000123"))
    # A time that is none comes from a publisher; SQS's own counts then.
    other = json.dumps({"org": "other", **event(2)})
    cloud.put("inbox_dlq_url", other, sent_at=("String", "soon"))
    (waiting,) = cloud.messages("inbox_dlq_url")
    own_time = waiting["Attributes"]["SentTimestamp"]
    cloud.sqs.change_message_visibility(
        QueueUrl=cloud.stack["inbox_dlq_url"],
        ReceiptHandle=waiting["ReceiptHandle"],
        VisibilityTimeout=0,
    )
    done = lines_of(shell("rejects", "redrive", "--json"))
    assert done == [
        {"queue": "rejects", "messages": 1, "events": 1, "again": 0},
        {"queue": "dlq", "messages": 1, "events": 1, "again": 0},
    ]
    back = {m["Attributes"]["MessageGroupId"]: m for m in cloud.messages("queue_url")}
    assert back["acme"]["Body"] == body
    times = {org: m["MessageAttributes"]["sent_at"] for org, m in back.items()}
    assert times["acme"]["StringValue"] == "1790000000123"
    assert times["other"]["StringValue"] == own_time
    assert times["acme"]["DataType"] == "Number"
    assert cloud.messages("rejects_queue_url") == cloud.messages("inbox_dlq_url") == []


def test_what_the_inbox_does_not_take_stays(shell: Shell, cloud: Cloud, tmp_path: Path) -> None:
    cloud.put("rejects_queue_url", "{}", reason=("String", "why"))
    write_stack(tmp_path, {**cloud.stack, "queue_url": cloud.stack["queue_url"] + "-gone"})
    assert "AWS refused SendMessage" in shell("rejects", "redrive", code=1).stderr
    assert len(cloud.messages("rejects_queue_url")) == 1


def test_what_is_rejected_again_does_not_go_round(shell: Shell, cloud: Cloud) -> None:
    # The rejects queue is the inbox here: whatever is sent back is there again at once.
    write_stack(Path.cwd(), {**cloud.stack, "queue_url": cloud.stack["rejects_queue_url"]})
    for number in range(3):
        cloud.put("rejects_queue_url", str(number), sent_at=("Number", "5"))
    result = shell("rejects", "redrive", "--queue", "rejects", "--json", code=1)
    assert lines_of(result) == [{"queue": "rejects", "messages": 3, "events": 0, "again": 3}]
    assert len(cloud.messages("rejects_queue_url")) == 3


def test_an_org_is_made_once_with_an_admin_key(shell: Shell, cloud: Cloud) -> None:
    made = lines_of(shell("org", "create", "acme", "--retention-days", "90", "--json"))[0]
    assert re.fullmatch("alk_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}", made["secret"])
    key = {"pk": {"S": "org"}, "sk": {"S": "acme"}}
    stored = cloud.dynamodb.get_item(TableName="control", Key=key)["Item"]
    assert stored["retention_days"] == {"N": "90"}
    again = shell("org", "create", "acme", code=1)
    assert "exists already" in again.stderr
    assert "1 to 64" in shell("org", "create", "no spaces", code=2).stderr
    assert "retention" in shell("org", "create", "b", "--retention-days", "0", code=2).stderr


def test_a_deployed_stack_is_found_by_its_outputs(
    shell: Shell, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = {"QueueUrl": cloud.stack["queue_url"], "ControlTable": "control", "ApiUrl": API}
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    boto3.client("cloudformation", region_name="us-east-1").create_stack(
        StackName="audit", TemplateBody=json.dumps(template)
    )
    write_stack(Path.cwd(), {})
    assert "queue url" in shell("publish", "--sqs", stdin=ndjson(event(1)), code=2).stderr
    shell("publish", "--sqs", "--stack-name", "audit", stdin=ndjson(event(1)))
    assert len(cloud.messages("queue_url")) == 1
    monkeypatch.delenv("AUDITLOG_API_URL")
    monkeypatch.setenv("AUDITLOG_STACK", "audit")
    shell("types")
    assert str(shell.service.requests[-1].url) == f"{API}/v1/event-types"
    assert "AWS refused" in shell("types", "--stack-name", "missing", code=1).stderr
