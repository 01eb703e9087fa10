"""Both ways in: one event is one event, and what is bad comes back with its reason."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.client import Org, aws, create_org, eventually, inbox_is_empty, waiting

Make = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def _no_rejects(stack: dict[str, Any]) -> None:
    for queue in ("rejects_queue_url", "inbox_dlq_url"):
        aws(stack, "sqs").purge_queue(QueueUrl=stack[queue])


def _found(org: Org, event: dict[str, Any]) -> list[dict[str, Any]]:
    return [found for found in org.events() if found["key"] == event["key"]]


def _rejects(org: Org, count: int) -> list[dict[str, Any]]:
    eventually(lambda: waiting(org.stack, "rejects_queue_url") == count)
    return org.json("rejects", "list", "--body")


def _milliseconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp() * 1_000


def test_an_answer_means_that_it_is_there(org: Org, event: Make) -> None:
    published = event(ip="203.0.113.77", targets=[{"type": "repo", "id": "r-1", "name": "demo"}])
    before = datetime.now(UTC)

    answer = org.publish(published)

    (said,) = answer["events"]
    assert (answer["recorded"], answer["duplicates"], said["duplicate"]) == (1, 0, False)
    (found,) = _found(org, published)
    assert found["id"] == said["id"]
    assert found["ip"] == "203.0.113.0"
    assert found["targets"] == published["targets"]
    assert before <= datetime.fromisoformat(found["recorded_at"]) <= datetime.now(UTC)
    with org.http() as http:
        assert http.get(f"{org.path}/events/{said['id']}").json() == found


def test_the_same_event_through_both_doors_is_one(org: Org, event: Make) -> None:
    over_http_first, over_sqs_first = event(), event()

    (said,) = org.publish(over_http_first)["events"]
    org.send(over_http_first, over_sqs_first, over_sqs_first)
    (queued,) = eventually(lambda: _found(org, over_sqs_first))
    answer = org.publish(over_sqs_first, over_http_first)

    assert (answer["recorded"], answer["duplicates"]) == (0, 2)
    assert [event["id"] for event in answer["events"]] == [queued["id"], said["id"]]
    eventually(lambda: inbox_is_empty(org.stack))
    (found,) = _found(org, over_http_first)
    assert found["id"] == said["id"]
    # Whatever comes later changes nothing, not even when it was recorded.
    assert _found(org, over_sqs_first) == [queued]


BAD_BODIES = {
    "not JSON": ("{", "not JSON"),
    "no org": ('{"events": []}', "form"),
    "a list": ("[]", "form"),
    "nobody's org": ('{"org": "nobody", "events": [{}]}', "No such org"),
    "a duplicate key": ('{"org": "%s", "type": "repo.create", "type": "repo.delete"}', "rule"),
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_a_message_that_can_never_be_recorded_is_rejected_at_once(org: Org, case: str) -> None:
    body, reason = BAD_BODIES[case]
    body = body.replace("%s", org.name)

    org.send_body(body)

    (reject,) = _rejects(org, 1)
    assert reject["queue"] == "rejects"
    assert reject["body"] == body
    assert reason in reject["reason"]
    assert inbox_is_empty(org.stack)


def test_the_good_events_of_a_mixed_message_are_recorded(org: Org, event: Make) -> None:
    good, unknown, late = event(), event(type="repo.creat"), event()
    ahead = event(occurred_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())

    org.send(good, unknown, late, ahead)

    (reject,) = _rejects(org, 1)
    assert json.loads(reject["body"]) == {"org": org.name, "events": [unknown, ahead]}
    assert reject["org"] == org.name
    assert reject["events"] == 2
    assert len(_found(org, good)) == len(_found(org, late)) == 1
    assert _found(org, unknown) == _found(org, ahead) == []
    (message,) = aws(org.stack, "sqs").receive_message(
        QueueUrl=org.stack["rejects_queue_url"],
        MessageAttributeNames=["All"],
        VisibilityTimeout=0,
    )["Messages"]
    errors = json.loads(message["MessageAttributes"]["errors"]["StringValue"])
    assert [error["pointer"] for error in errors] == ["/events/1/type", "/events/3/occurred_at"]
    assert "repo.create" in errors[0]["detail"]


def test_one_bad_event_over_http_and_none_is_written(org: Org, event: Make) -> None:
    good, bad = event(), event(colour="red")

    with org.http() as http:
        answer = http.post(f"{org.path}/events", json={"events": [good, bad]})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/events/1/colour"]
    assert _found(org, good) == []


def test_what_was_rejected_is_sent_back_with_its_first_time(
    stack: dict[str, Any], org: Org, event: Make
) -> None:
    late, hopeless = event(), "not even JSON"
    before = datetime.now(UTC).timestamp() * 1_000
    Org(stack, "late-org", "").send(late)
    (reject,) = _rejects(org, 1)
    after = datetime.now(UTC).timestamp() * 1_000
    assert (reject["reason"], reject["org"]) == ("No such org.", "late-org")
    sent_at = _milliseconds(reject["sent_at"])
    assert int(before) <= sent_at <= after
    late_org = create_org(stack, "late-org")
    org.send_body(hopeless)
    eventually(lambda: waiting(stack, "rejects_queue_url") == 2)

    done = org.command("rejects", "redrive", "--json")

    assert [json.loads(line)["queue"] for line in done.stdout.splitlines()] == ["rejects", "dlq"]
    (found,) = eventually(lambda: _found(late_org, late))
    assert _milliseconds(found["recorded_at"]) == sent_at
    # What is still bad has come back, and still says when it was first sent.
    eventually(lambda: inbox_is_empty(stack))
    (again,) = _rejects(org, 1)
    assert again["body"] == hopeless
    assert before <= _milliseconds(again["sent_at"]) < _milliseconds(found["recorded_at"]) + 60_000


def test_dead_letters_are_sent_back_too(stack: dict[str, Any], org: Org, event: Make) -> None:
    published = event()
    aws(stack, "sqs").send_message(
        QueueUrl=stack["inbox_dlq_url"],
        MessageBody=json.dumps({"org": org.name, "events": [published]}),
        MessageGroupId=org.name,
    )
    (dead,) = org.json("rejects", "list", "--queue", "dlq")
    assert (dead["queue"], dead["org"], dead["events"]) == ("dlq", org.name, 1)

    (returned,) = org.json("rejects", "redrive", "--queue", "dlq")

    assert returned == {"queue": "dlq", "messages": 1, "events": 1, "again": 0}
    (found,) = eventually(lambda: _found(org, published))
    assert _milliseconds(found["recorded_at"]) == _milliseconds(dead["sent_at"])
    assert waiting(stack, "inbox_dlq_url") == 0
