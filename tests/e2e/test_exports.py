"""Downloads: made, linked to, cancelled; and never called ready before they are."""

import gzip
import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e import processes
from tests.e2e.client import Org, aws, create_org, eventually, record_of
from tests.e2e.downloads import ask, ended, look, objects, workers


def test_a_worker_that_is_killed_leaves_nothing_that_is_called_ready(
    filled: Org, killed: dict[str, Any]
) -> None:
    # Otherwise it was not in the middle, and this shows nothing.
    assert killed["state"] == "running"
    found = look(filled, killed["id"])
    assert found["state"] == "running"
    assert found["download_url"] is None
    with filled.http() as http:
        answer = http.get(f"{filled.path}/exports/{killed['id']}/download")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.fixture(scope="module")
def ready(stack: dict[str, Any], killed: dict[str, Any]) -> tuple[Org, dict[str, Any]]:
    """A small export that is done; made while the killed one waits for its next worker."""
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
    asked = ask(filled)
    eventually(lambda: look(filled, asked["id"])["state"] == "running", every=0.01)
    started = workers(stack)
    processes.send(signal.SIGSTOP, started)
    try:
        with filled.http() as http:
            answer = http.delete(f"{filled.path}/exports/{asked['id']}")
    finally:
        processes.send(signal.SIGCONT, started)

    assert answer.status_code == 204
    found = look(filled, asked["id"])
    assert (found["state"], found["download_url"]) == ("cancelled", None)
    # The worker comes to its end, and takes with it what it has written.
    eventually(lambda: _says_it_stopped(stack, asked["id"]))
    assert look(filled, asked["id"])["state"] == "cancelled"
    assert objects(filled, asked["id"]) == []


def _says_it_stopped(stack: dict[str, Any], export_id: str) -> bool:
    log = (Path(stack["home"]) / ".local" / "emulator.log").read_text()
    return any('"stopped"' in line for line in log.splitlines() if export_id in line)


def test_a_ready_export_can_be_removed(ready: tuple[Org, dict[str, Any]]) -> None:
    org, _ = ready
    export = ended(org, ask(org, compression="none", type="repo")["id"])
    assert len(objects(org, export["id"])) == 1

    with org.http() as http:
        assert http.delete(f"{org.path}/exports/{export['id']}").status_code == 204
        gone = http.get(f"{org.path}/exports/{export['id']}/download")

    assert gone.status_code == 410
    assert look(org, export["id"])["state"] == "expired"
    assert objects(org, export["id"]) == []
    assert httpx.get(export["download_url"]).status_code == 404


def test_the_queue_outlasts_the_tries_of_the_worker(stack: dict[str, Any]) -> None:
    """A message must come once more than the worker tries, or nobody says that it failed."""
    attributes = aws(stack, "sqs").get_queue_attributes(
        QueueUrl=stack["exports_queue_url"], AttributeNames=["RedrivePolicy"]
    )["Attributes"]

    assert int(json.loads(attributes["RedrivePolicy"])["maxReceiveCount"]) > 3
