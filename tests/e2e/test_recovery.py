"""What became of what was broken. After the others: a dead worker's message comes back late."""

import json
from typing import Any

import httpx

from tests.e2e.client import Org
from tests.e2e.downloads import ended, objects


def test_the_killed_export_is_made_whole_by_the_next_worker(
    filled: Org, killed: dict[str, Any]
) -> None:
    numbers = {str(n) for n in range(4_000)}
    # The dead worker's hold on its message runs out a minute after its last sign of life.
    export = ended(filled, killed["id"], within=120)

    assert export["state"] == "ready", export["error"]
    answer = httpx.get(export["download_url"])
    assert len(answer.content) == export["bytes"]
    events = [json.loads(line) for line in answer.text.splitlines()]
    assert (len(events), export["events"]) == (len(numbers), len(numbers))
    assert {event["key"] for event in events} == numbers
    # Nothing is left of either attempt but the file.
    assert len(objects(filled, killed["id"])) == 1
