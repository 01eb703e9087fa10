"""`auditlog publish` over HTTP: every form of input, batches, refusals, and what interrupts it."""

import gzip
import json
from pathlib import Path

import httpx
import pytest

from auditlog.cli.client import ATTEMPTS
from tests.functional.cli.service import Shell, event, lines_of, ndjson, problem


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
    assert result.stdout == "read 1: recorded 1, duplicates 0, refused 0\n"


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
    assert result.stdout == "read 1: recorded 0, duplicates 1, refused 0\n"
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


def test_the_summary_adds_up_to_what_was_read(shell: Shell) -> None:
    text = ndjson(event(0), event(1, type="repo.creat")) + "garbage\n" + ndjson(event(2))
    shown = shell("publish", "--from-line", "2", stdin=text, code=1)
    assert shown.stdout == "read 3: recorded 1, duplicates 0, refused 2\n"
    rest = shell("publish", "--from-line", "4", stdin=text)
    assert rest.stdout == "read 1: recorded 1, duplicates 0, refused 0\n"
    (summary,) = lines_of(shell("publish", "--json", stdin=text, code=1))
    assert (summary["read"], summary["sent"], summary["recorded"]) == (4, 3, 2)
    assert len(summary["refused"]) == 2


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
