"""What is past its time: not shown, not taken, and removed by the schedule where TTL did not."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.e2e.client import Org, aws, create_org
from tests.e2e.scheduled import plant, run_schedule


def _left_behind(org: Org, days: int) -> str:
    """An item as the service writes it, of an event so many days ago; its id."""
    moment = (datetime.now(UTC) - timedelta(days=days)).replace(microsecond=0)
    return plant(org, moment, description=f"{days} days ago")


def _ids(org: Org) -> set[str]:
    found = aws(org.stack, "dynamodb").query(
        TableName=org.stack["events_table"],
        KeyConditionExpression="pk = :org",
        ExpressionAttributeValues={":org": {"S": org.name}},
    )
    return {item["sk"]["S"] for item in found["Items"]}


def test_the_schedule_removes_what_was_left_behind_and_nothing_else(
    stack: dict[str, Any], event: Any
) -> None:
    brief = create_org(stack, "retention-brief", "--retention-days", "30")
    lasting = create_org(stack, "retention-lasting")
    (fresh,) = brief.publish(event())["events"]
    # 30 days, and 7 of grace; none of them carries an expiry, so TTL takes none.
    gone = {_left_behind(brief, days) for days in (38, 40, 60, 4_000)}
    in_grace = {_left_behind(brief, days) for days in (31, 36)}
    shown = {fresh["id"], _left_behind(brief, 29)}
    kept = {_left_behind(lasting, days) for days in (29, 60, 4_000)}
    # Nobody sees what is past its time, whether it is still there or not.
    assert {found["id"] for found in brief.events()} == shown
    with brief.http() as http:
        for event_id in gone | in_grace:
            assert http.get(f"{brief.path}/events/{event_id}").status_code == 404
    run_schedule(stack, "retain")

    purges = brief.events(type="org.audit_log.retention.purge")
    assert sum(purge["metadata"]["events"] for purge in purges) == len(gone)
    assert _ids(brief) == shown | in_grace | {purge["id"] for purge in purges}
    assert _ids(lasting) == kept
    assert {found["id"] for found in lasting.events()} == kept
    assert run_schedule(stack, "retain")["deleted"] == 0


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
