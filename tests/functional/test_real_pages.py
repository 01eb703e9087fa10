"""Real input in pages of every size: 2,900 records of AWS CloudTrail, through both handlers."""

import gzip
import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from auditlog.cli import cloudtrail
from tests.functional.conftest import World, pages

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = Path(__file__).parents[3] / "shared" / "data" / "cloudtrail.ndjson.gz"
COUNT = 2_900
BATCH = 500


@pytest.fixture
def real(world: World) -> World:
    if not FILE.is_file():
        pytest.skip("the CloudTrail records are not here: they are not part of the repository")
    with gzip.open(FILE, "rt", encoding="utf-8") as lines:
        events = [cloudtrail.to_event(json.loads(line)) for line in lines]
    for start in range(0, COUNT, BATCH):
        world.publish(*events[start : start + BATCH])
    return world


def test_pages_of_any_size_give_each_event_once_in_time_order(real: World) -> None:
    def walk(order: str, limit: int, most: int = COUNT + 1) -> list[str]:
        found: Iterator[dict[str, Any]] = (
            event for page in pages(real, order=order, limit=limit) for event in page
        )
        return [event["id"] for event in islice(found, most)]

    stored = sorted(item["sk"]["S"] for item in real.rows())
    assert len(stored) == COUNT
    for limit, most in ((1, 200), (7, 700), (100, COUNT + 1), (1_000, COUNT + 1)):
        assert walk("asc", limit, most) == stored[:most], limit
        assert walk("desc", limit, most) == stored[::-1][:most], limit
