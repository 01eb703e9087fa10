"""What is past its time: not shown, not taken, and removed by the schedule where TTL did not."""

import base64
import hashlib
import json
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import rfc8785

from tests.e2e.client import Org, aws, create_org


def _left_behind(org: Org, days: int) -> str:
    """An item as the service writes it, of an event so many days ago; its id."""
    moment = (datetime.now(UTC) - timedelta(days=days)).replace(microsecond=0)
    data = rfc8785.dumps(
        {
            "actor": {"id": "u-1"},
            "description": f"{days} days ago",
            "occurred_at": moment.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "org": org.name,
            "salt": "AAAAAAAAAAAAAAAAAAAAAA",
            "type": "repo.create",
            "v": 1,
        }
    )
    time = int(moment.timestamp()) * 1_000_000
    packed = zlib.compressobj(wbits=-15)
    item_id = base64.b32hexencode(time.to_bytes(8, "big") + hashlib.sha256(data).digest()[:16])
    event_id = item_id.decode()[:39].lower()
    aws(org.stack, "dynamodb").put_item(
        TableName=org.stack["events_table"],
        Item={
            "pk": {"S": org.name},
            "sk": {"S": event_id},
            # 0x01 and raw DEFLATE; what does not use the dictionary reads as well.
            "r": {"B": b"\x01" + packed.compress(data) + packed.flush()},
            "t": {"S": "repo.create"},
            "at": {"N": str(time)},
        },
    )
    return event_id


def _ids(org: Org) -> set[str]:
    found = aws(org.stack, "dynamodb").query(
        TableName=org.stack["events_table"],
        KeyConditionExpression="pk = :org",
        ExpressionAttributeValues={":org": {"S": org.name}},
    )
    return {item["sk"]["S"] for item in found["Items"]}


def _run_schedule(stack: dict[str, Any]) -> dict[str, int]:
    functions = aws(stack, "lambda")
    pages = functions.get_paginator("list_functions").paginate()
    names = [found["FunctionName"] for page in pages for found in page["Functions"]]
    (name,) = [name for name in names if "-retain" in name]
    answer = functions.invoke(FunctionName=name, Payload=b"{}")
    said = json.load(answer["Payload"])
    assert "FunctionError" not in answer, said
    return said


def test_the_schedule_removes_what_was_left_behind_and_nothing_else(
    stack: dict[str, Any], event: Any
) -> None:
    brief = create_org(stack, "retention-brief", "--retention-days", "30")
    lasting = create_org(stack, "retention-lasting")
    (fresh,) = brief.publish(event())["events"]
    # 30 days, 7 of grace, 2 for TTL to do its work.
    gone = {_left_behind(brief, days) for days in (40, 60, 4_000)}
    in_grace = {_left_behind(brief, days) for days in (31, 36, 38)}
    shown = {fresh["id"], _left_behind(brief, 29)}
    kept = {_left_behind(lasting, days) for days in (29, 60, 4_000)}
    # Nobody sees what is past its time, whether it is still there or not.
    assert {found["id"] for found in brief.events()} == shown
    with brief.http() as http:
        for event_id in gone | in_grace:
            assert http.get(f"{brief.path}/events/{event_id}").status_code == 404
    _run_schedule(stack)

    assert _ids(brief) == shown | in_grace
    assert _ids(lasting) == kept
    assert {found["id"] for found in lasting.events()} == kept
    assert _run_schedule(stack)["deleted"] == 0


def test_an_event_that_is_too_old_is_not_taken(stack: dict[str, Any], event: Any) -> None:
    org = create_org(stack, "retention-old", "--retention-days", "1")
    old = event(occurred_at=(datetime.now(UTC) - timedelta(hours=25)).isoformat())

    with org.http() as http:
        answer = http.post(f"{org.path}/events", json=old)

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/occurred_at"]


def test_an_event_carries_its_expiry_with_the_grace(stack: dict[str, Any], event: Any) -> None:
    org = create_org(stack, "retention-ttl", "--retention-days", "10")
    moment = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)

    (said,) = org.publish(event(occurred_at=moment.isoformat()))["events"]

    item = aws(stack, "dynamodb").get_item(
        TableName=stack["events_table"], Key={"pk": {"S": org.name}, "sk": {"S": said["id"]}}
    )["Item"]
    assert int(item["ttl"]["N"]) == int((moment + timedelta(days=10 + 7)).timestamp())
