"""Exports as a client sees them, and the processes that make them."""

import gzip
import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.e2e import processes
from tests.e2e.client import Org, aws, eventually

ENDED = {"ready", "failed", "cancelled", "expired"}


def ask(org: Org, **request: Any) -> dict[str, Any]:
    """Ask for an export; it as it is then."""
    with org.http() as http:
        answer = http.post(f"{org.path}/exports", json={"format": "ndjson", **request})
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"exports/{answer.json()['id']}"
    return answer.json()


def look(org: Org, export_id: str) -> dict[str, Any]:
    """An export as it stands."""
    with org.http() as http:
        answer = http.get(f"{org.path}/exports/{export_id}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def ended(org: Org, export_id: str, within: float = 60) -> dict[str, Any]:
    """An export once nobody works on it any more."""

    def done() -> dict[str, Any] | None:
        found = look(org, export_id)
        return found if found["state"] in ENDED else None

    found = eventually(done, within=within)
    assert found is not None
    return found


def download(export: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """The file of a ready export as it was before it was packed, and its manifest.

    Fails where the two disagree: with one another, or with what the API says.
    """
    answer = httpx.get(export["download_url"], timeout=60)
    assert answer.status_code == 200, answer.text
    manifest = httpx.get(export["manifest_url"], timeout=60).raise_for_status().json()
    file, name = answer.content, manifest["file"]
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert len(file) == export["bytes"] == manifest["bytes"]
    assert manifest["events"] == export["events"]
    assert manifest["left_out"]["events"] == export["left_out"]
    about = manifest["export"]
    assert {key: export[key] for key in about if key != "org"} | {"org": about["org"]} == about
    _check(file, manifest)
    return gzip.decompress(file) if export["compression"] == "gzip" else file, manifest


def _check(file: bytes, manifest: Mapping[str, Any]) -> None:
    """Every byte of a file is in exactly one of its manifest's hashes."""
    rest, at = hashlib.sha256(), 0
    for part in manifest["slices"]:
        assert part["offset"] >= at
        rest.update(file[at : part["offset"]])
        at = part["offset"] + part["bytes"]
        assert hashlib.sha256(file[part["offset"] : at]).hexdigest() == part["sha256"]
    rest.update(file[at:])
    assert rest.hexdigest() == manifest["rest_sha256"]
    assert sum(part["events"] for part in manifest["slices"]) == manifest["events"]


@contextmanager
def held_up(org: Org, seconds: float) -> Iterator[None]:
    """For so long at most, no worker gets through a large export of this org.

    All reads that it may make until then are booked, as if by other exports.
    """
    table, key = org.stack["control_table"], {"pk": {"S": f"reads#{org.name}"}}
    key["sk"] = {"S": "reads"}
    booked = int((time.time() + seconds) * 1_000_000)
    aws(org.stack, "dynamodb").put_item(TableName=table, Item={**key, "booked": {"N": str(booked)}})
    try:
        yield
    finally:
        aws(org.stack, "dynamodb").delete_item(TableName=table, Key=key)


def is_at(org: Org, export_id: str, step: str) -> bool:
    """Whether a worker has begun with a step of an export: `plan`, `slice/` or `finish`."""
    found = aws(org.stack, "dynamodb").query(
        TableName=org.stack["control_table"],
        KeyConditionExpression="pk = :pk AND begins_with(sk, :step)",
        ExpressionAttributeValues={":pk": {"S": f"slices#{export_id}"}, ":step": {"S": step}},
    )
    return any("message" in item for item in found["Items"])


def workers(stack: Mapping[str, Any]) -> list[int]:
    """The processes that the emulator runs `export.worker` in."""
    return processes.within(Path(stack["home"]), "exportworker")


def objects(org: Org, export_id: str) -> list[str]:
    """The keys of all objects of an export."""
    found = aws(org.stack, "s3").list_objects_v2(
        Bucket=org.stack["exports_bucket"], Prefix=f"{org.name}/{export_id}/"
    )
    return [entry["Key"] for entry in found.get("Contents", [])]
