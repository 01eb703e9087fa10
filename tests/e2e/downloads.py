"""Exports as a client sees them, and the processes that make them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

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


def ended(org: Org, export_id: str, within: float = 30) -> dict[str, Any]:
    """An export once nobody works on it any more."""

    def done() -> dict[str, Any] | None:
        found = look(org, export_id)
        return found if found["state"] in ENDED else None

    found = eventually(done, within=within)
    assert found is not None
    return found


def workers(stack: Mapping[str, Any]) -> list[int]:
    """The processes that the emulator runs `export.worker` in."""
    return processes.within(Path(stack["home"]), "exportworker")


def objects(org: Org, export_id: str) -> list[str]:
    """The keys of all objects of an export."""
    found = aws(org.stack, "s3").list_objects_v2(
        Bucket=org.stack["exports_bucket"], Prefix=f"{org.name}/{export_id}/"
    )
    return [entry["Key"] for entry in found.get("Contents", [])]
