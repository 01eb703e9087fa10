"""What became of what was broken. After the others: a dead worker's message comes back late."""

import json
from typing import Any

import pytest

from tests.e2e.client import Org
from tests.e2e.conftest import FILLED
from tests.e2e.downloads import download, ended, objects


@pytest.mark.parametrize("step", ["plan", "slice"])
def test_a_killed_export_is_made_whole_by_the_next_worker(
    filled: Org, killed: dict[str, dict[str, Any]], step: str
) -> None:
    # The dead worker's hold on its message runs out a minute after its last sign of life.
    export = ended(filled, killed[step]["id"], within=120)

    assert export["state"] == "ready", export["error"]
    file, _ = download(export)
    events = [json.loads(line) for line in file.splitlines()]
    assert len(events) == export["events"]
    ids = [event["id"] for event in events]
    assert ids == sorted(set(ids))
    published = [event["key"] for event in events if event["type"] == "repo.create"]
    assert sorted(published) == sorted(str(n) for n in range(FILLED))
    # Nothing is left of either attempt but the file and its manifest.
    assert len(objects(filled, export["id"])) == 2
