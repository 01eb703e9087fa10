"""The mapping of 2,900 real CloudTrail records: all of them, and nothing of any lost."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from auditlog import canonical
from auditlog.catalog import Catalog
from auditlog.cli.cloudtrail import decode, to_event
from auditlog.event import Rules, admit

REAL = Path(__file__).parents[3] / "shared" / "data" / "cloudtrail.ndjson.gz"


@pytest.fixture(scope="module")
def lines() -> list[str]:
    if not REAL.exists():
        pytest.skip("the real CloudTrail records are not beside this checkout")
    with gzip.open(REAL, "rt", encoding="utf-8") as file:
        return list(file)


@pytest.fixture(scope="module")
def events(lines: list[str]) -> list[dict[str, Any]]:
    return [to_event(decode(line)) for line in lines]


def rebuilt(event: dict[str, Any]) -> dict[str, Any]:
    """The record that an event was made of."""
    placed = {"eventTime": "occurred_at", "eventID": "key"}
    placed |= {"sourceIPAddress": "ip", "userAgent": "user_agent"}
    return event["metadata"] | {
        member: event[field] for member, field in placed.items() if field in event
    }


def test_all_real_records_map_the_same_way_each_time(
    lines: list[str], events: list[dict[str, Any]]
) -> None:
    assert len(events) == 2_900
    assert [to_event(decode(line)) for line in lines] == events


def test_all_keys_of_real_records_differ(events: list[dict[str, Any]]) -> None:
    assert len({event["key"] for event in events}) == 2_900


def test_each_real_record_can_be_rebuilt_from_its_event(
    lines: list[str], events: list[dict[str, Any]]
) -> None:
    for line, event in zip(lines, events, strict=True):
        assert rebuilt(event) == json.loads(line)


def test_all_real_records_are_taken_and_are_different_events(
    events: list[dict[str, Any]],
) -> None:
    rules = Rules(Catalog.default(), "acme", None, 4102444800_000000)
    ids: set[str] = set()
    for event in events:
        raw, faults = canonical.decode(json.dumps(event).encode())
        assert faults == []
        ids.add(admit(raw, rules, b"secret").id)
    assert len(ids) == 2_900


def test_no_host_name_of_a_real_record_is_an_address(events: list[dict[str, Any]]) -> None:
    assert sum("ip" in event for event in events) == 2_547
    assert sum("sourceIPAddress" in event["metadata"] for event in events) == 353
