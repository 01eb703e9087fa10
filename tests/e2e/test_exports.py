"""Downloads: made, linked to, cancelled; and never called ready before they are."""

import csv
import gzip
import io
import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from infra.bundling import ROOT
from infra.samples import sample_events
from tests.e2e.client import Org, aws, create_org, eventually, record_of
from tests.e2e.downloads import ask, download, ended, held_up, is_at, look, objects
from tests.unit.entries import validator

# Enough that every type of the catalog is there, and so one that the reference has no word for.
SAMPLES = 500


@pytest.mark.parametrize(("step", "state"), [("plan", "queued"), ("slice", "running")])
def test_a_worker_that_is_killed_leaves_nothing_that_is_called_ready(
    filled: Org, killed: dict[str, dict[str, Any]], step: str, state: str
) -> None:
    # Otherwise it was not in the middle, and this shows nothing.
    assert killed[step]["state"] == state
    found = look(filled, killed[step]["id"])
    assert found["state"] == state
    assert found["download_url"] is found["manifest_url"] is None
    with filled.http() as http:
        answer = http.get(f"{filled.path}/exports/{found['id']}/download")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.fixture(scope="module")
def sampled(stack: dict[str, Any], killed: dict[str, Any]) -> Org:
    """An org with events of every kind; filled while the killed exports wait for a worker."""
    org = create_org(stack, "test_exports-sampled")
    org.publish(*sample_events(datetime.now(UTC), SAMPLES))
    return org


@pytest.fixture(scope="module")
def answered(sampled: Org) -> list[dict[str, Any]]:
    """Its events as search answers them, oldest first."""
    return sampled.events(order="asc")


@pytest.mark.parametrize("compression", ["gzip", "none"])
@pytest.mark.parametrize("format_", ["json", "ndjson"])
def test_a_file_holds_what_search_answers(
    sampled: Org, answered: list[dict[str, Any]], format_: str, compression: str
) -> None:
    asked = ask(sampled, format=format_, compression=compression, include_hidden=False)
    file, manifest = download(ended(sampled, asked["id"]))

    assert _events(file, format_) == answered
    assert (manifest["first_id"], manifest["last_id"]) == (answered[0]["id"], answered[-1]["id"])
    assert manifest["left_out"] == {"events": 0, "types": {}, "fields": {}}
    assert manifest["bounds"]["since"] is None
    assert manifest["bounds"]["until"] > asked["created_at"]


@pytest.mark.parametrize(("compression", "bom"), [("gzip", False), ("none", True)])
def test_a_table_holds_the_same(
    sampled: Org, answered: list[dict[str, Any]], compression: str, bom: bool
) -> None:
    asked = ask(sampled, format="csv", compression=compression, bom=bom, include_hidden=False)
    file, _ = download(ended(sampled, asked["id"]))

    assert file.startswith(b"\xef\xbb\xbf") == bom
    rows = list(csv.DictReader(io.StringIO(file.decode("utf-8-sig"), newline="")))
    for row, event in zip(rows, answered, strict=True):
        cells = {name: re.sub("^'", "", cell) for name, cell in row.items()}
        whole = ("id", "occurred_at", "recorded_at", "type", "description", "summary", "ip", "key")
        assert {name: cells[name] for name in whole} == {n: event.get(n, "") for n in whole}
        assert cells["actor_name"] == event["actor"].get("name", "")
        for name in ("targets", "metadata"):
            assert (json.loads(cells[name]) if cells[name] else None) == event.get(name)


@pytest.mark.parametrize(("format_", "compression"), [("json", "none"), ("ndjson", "gzip")])
def test_the_profile_hf_is_what_the_reference_exports(
    sampled: Org, answered: list[dict[str, Any]], format_: str, compression: str
) -> None:
    asked = ask(sampled, format=format_, compression=compression, profile="hf")
    export = ended(sampled, asked["id"])
    file, manifest = download(export)

    entries = _events(file, format_)
    types = manifest["left_out"]["types"]
    assert types["org.audit_log.export"] >= 1
    expected = [event for event in answered if event["type"] not in types]
    assert 0 < len(expected) < len(answered)
    assert [entry["type"] for entry in entries] == [event["type"] for event in expected]
    assert [entry["message"] for entry in entries] == [
        event.get("description", event.get("summary")) for event in expected
    ]
    assert manifest["left_out"]["events"] == sum(types.values()) == export["left_out"]
    assert manifest["left_out"]["fields"]["targets"] == sum("targets" in each for each in expected)
    # Where the schema is not, this skips: it is not part of the repository.
    validator().validate(entries)


def _events(file: bytes, format_: str) -> list[dict[str, Any]]:
    return json.loads(file) if format_ == "json" else list(map(json.loads, file.splitlines()))


def test_who_waits_for_the_references_own_export_gets_one_file(
    sampled: Org, tmp_path: Path
) -> None:
    before = _requests(sampled)
    first = _reference(sampled)
    assert first.status_code == 503
    assert first.headers["content-type"] == "application/problem+json"
    assert int(first.headers["retry-after"]) >= 1

    with ThreadPoolExecutor(3) as threads:
        files = list(
            threads.map(
                lambda client: client(sampled, tmp_path),
                (_with_curl, _with_requests, _with_urllib3),
            )
        )

    assert files[0] == files[1] == files[2]
    later = _reference(sampled)
    assert later.status_code == 302
    assert httpx.get(later.headers["location"]).content == files[0]
    # However often it was asked for, it was recorded once.
    assert _requests(sampled) == before + 1
    assert len(json.loads(files[0])) > SAMPLES / 2
    validator().validate(json.loads(files[0]))


def _reference(org: Org) -> httpx.Response:
    """The answer to one who does not wait."""
    url, headers = _request(org)
    return httpx.get(url, headers=headers, timeout=60)


def _request(org: Org) -> tuple[str, dict[str, str]]:
    url = f"{org.stack['api_url']}/api/organizations/{org.name}/audit-log/export"
    return url, {"Authorization": f"Bearer {org.key}"}


def _with_curl(org: Org, folder: Path) -> bytes:
    url, headers = _request(org)
    command = ["curl", "--silent", "--show-error", "--location", "--retry", "20"]
    command += ["--output", "file", "--write-out", "%{http_code}", url]
    for name, value in headers.items():
        command += ["--header", f"{name}: {value}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "200"), done.stderr
    return (folder / "file").read_bytes()


def _with_requests(org: Org, _: Path) -> bytes:
    url, headers = _request(org)
    with requests.Session() as session:
        session.mount(url, HTTPAdapter(max_retries=Retry(20, status_forcelist=[503])))
        answer = session.get(url, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.content


def _with_urllib3(org: Org, _: Path) -> bytes:
    url, headers = _request(org)
    # Nothing but a number: it waits for what says Retry-After by itself.
    answer = urllib3.request("GET", url, headers=headers, retries=20)
    assert answer.status == 200, answer.data
    return answer.data


def _requests(org: Org) -> int:
    """How often an export was asked for, as the log has it."""
    return len(org.events(type="org.audit_log.export"))


@pytest.fixture(scope="module")
def ready(stack: dict[str, Any]) -> tuple[Org, dict[str, Any]]:
    """A small export that is done."""
    small = create_org(stack, "test_exports-small")
    small.publish(
        *(
            {
                "type": "repo.create",
                "occurred_at": f"2026-02-01T00:00:{n:02}Z",
                "actor": {"id": "u-1"},
                "key": str(n),
            }
            for n in range(20)
        )
    )
    return small, ended(small, ask(small, compression="gzip")["id"])


def test_the_link_needs_no_credentials_and_names_the_file(
    ready: tuple[Org, dict[str, Any]],
) -> None:
    org, export = ready
    assert export["state"] == "ready"
    assert (export["events"], export["error"]) == (21, None)
    assert export["progress"] == {"events": 21, "fraction": 1.0}

    answer = httpx.get(export["download_url"])

    assert answer.status_code == 200
    assert len(answer.content) == export["bytes"]
    day = export["created_at"][:10]
    name = f"audit-log-{org.name}-{day}.ndjson.gz"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    # The download itself is the last event of it, with who asked.
    events = [json.loads(line) for line in gzip.decompress(answer.content).splitlines()]
    assert [event["key"] for event in events[:-1]] == [str(n) for n in range(20)]
    assert events[-1]["type"] == "org.audit_log.export"
    assert events[-1]["key"] == export["id"]
    assert events[-1]["metadata"]["format"] == "ndjson"
    assert record_of(events[-1])["credential"]["id"] == export["requested_by"]["credential"]


def test_a_link_that_was_altered_opens_nothing(ready: tuple[Org, dict[str, Any]]) -> None:
    link = ready[1]["download_url"]
    assert httpx.get(link).status_code == 200

    altered = re.sub("(Signature=.)(.)", lambda m: m[1] + ("0" if m[2] != "0" else "1"), link)

    assert altered != link
    assert httpx.get(altered).status_code == 403


def test_curl_follows_the_download_to_the_file(
    ready: tuple[Org, dict[str, Any]], tmp_path: Path
) -> None:
    org, export = ready
    url = f"{org.stack['api_url']}{org.path}/exports/{export['id']}/download"
    asked = httpx.get(url, headers={"Authorization": f"Bearer {org.key}"})
    assert asked.status_code == 302
    assert asked.headers["location"].startswith(org.stack["endpoint_url"])

    command = ["curl", "--silent", "--show-error", "--fail", "--location", "--output", "file"]
    command += ["--header", f"Authorization: Bearer {org.key}", url]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "file").read_bytes() == httpx.get(export["download_url"]).content


def test_a_cancelled_export_is_never_made(stack: dict[str, Any], filled: Org) -> None:
    with held_up(filled, 300), filled.http() as http:
        asked = ask(filled)
        eventually(lambda: is_at(filled, asked["id"], "slice"), within=90)
        assert look(filled, asked["id"])["state"] == "running"
        answer = http.delete(f"{filled.path}/exports/{asked['id']}")

    assert answer.status_code == 204
    found = look(filled, asked["id"])
    assert (found["state"], found["download_url"]) == ("cancelled", None)
    # The worker comes to its end, and takes with it what it has written.
    eventually(lambda: "stopped" in _said(stack, asked["id"]))
    assert look(filled, asked["id"])["state"] == "cancelled"
    assert objects(filled, asked["id"]) == []


def _said(stack: dict[str, Any], export_id: str) -> list[str]:
    """What became of each step of an export, as the workers logged it."""
    log = (Path(stack["home"]) / ".local" / "emulator.log").read_text()
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [line["state"] for line in lines if line.get("export_id") == export_id]


def test_messages_that_come_again_later_change_nothing(
    stack: dict[str, Any], ready: tuple[Org, dict[str, Any]]
) -> None:
    org, export = ready
    before = objects(org, export["id"])
    count = len(_said(stack, export["id"]))
    names = ("sqs-export", "sqs-export-slice", "sqs-export-finish")
    for name in names:
        sample = json.loads((ROOT / "events" / "triggers" / f"{name}.json").read_bytes())
        body = json.loads(sample["Records"][0]["body"])
        body |= {"org": org.name, "export_id": export["id"]}
        aws(stack, "sqs").send_message(
            QueueUrl=stack["exports_queue_url"],
            MessageBody=json.dumps(body),
            MessageGroupId=org.name,
        )

    eventually(lambda: len(_said(stack, export["id"])) == count + len(names))
    assert _said(stack, export["id"])[count:] == ["stopped"] * len(names)
    assert objects(org, export["id"]) == before
    unsigned = ("download_url", "manifest_url")
    found = look(org, export["id"])
    assert {n: v for n, v in found.items() if n not in unsigned} == {
        n: v for n, v in export.items() if n not in unsigned
    }


def test_a_ready_export_can_be_removed(ready: tuple[Org, dict[str, Any]]) -> None:
    org, _ = ready
    export = ended(org, ask(org, compression="none", type="repo")["id"])
    # The file and its manifest; nothing of the slices it was made of.
    assert len(objects(org, export["id"])) == 2

    with org.http() as http:
        assert http.delete(f"{org.path}/exports/{export['id']}").status_code == 204
        gone = http.get(f"{org.path}/exports/{export['id']}/download")

    assert gone.status_code == 410
    assert look(org, export["id"])["state"] == "expired"
    assert objects(org, export["id"]) == []
    for link in ("download_url", "manifest_url"):
        assert httpx.get(export[link]).status_code == 404


def test_the_queue_outlasts_the_tries_of_the_worker(stack: dict[str, Any]) -> None:
    """A message must come once more than the worker tries, or nobody says that it failed."""
    attributes = aws(stack, "sqs").get_queue_attributes(
        QueueUrl=stack["exports_queue_url"], AttributeNames=["RedrivePolicy"]
    )["Attributes"]

    assert int(json.loads(attributes["RedrivePolicy"])["maxReceiveCount"]) > 3
