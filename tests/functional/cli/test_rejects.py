"""`auditlog rejects`: what the service could not record, listed and sent back."""

import json
from pathlib import Path

from tests.functional.cli.service import Cloud, Shell, event, lines_of, write_stack


def test_listing_rejects_loses_nothing(shell: Shell, cloud: Cloud) -> None:
    sent_at = ("Number", "1790000000123")
    for number in range(13):
        body = json.dumps({"org": "acme", "events": [event(number)] * 2})
        errors = json.dumps([{"pointer": "/events/1/type", "detail": "unheard of"}])
        cloud.put(
            "rejects_queue_url",
            body,
            reason=("String", f"why {number}"),
            errors=("String", errors),
            sent_at=sent_at,
        )
    cloud.put("inbox_dlq_url", "not json")
    for _ in range(3):
        listed = lines_of(shell("rejects", "list", "--json"))
        assert len(listed) == 14
        by_reason = {row["reason"]: row for row in listed}
        assert by_reason["why 7"]["sent_at"] == "2026-09-21T14:13:20.123000Z"
        assert by_reason["why 7"]["org"] == "acme"
        assert by_reason["why 7"]["events"] == 2
        assert by_reason["why 7"]["errors"][0]["detail"] == "unheard of"
        assert "body" not in by_reason["why 7"]
        (other,) = [row for row in listed if row["queue"] == "dlq"]
        assert (other["org"], other["events"], other["bytes"]) == (None, None, 8)
    shown = shell("rejects", "list", "--queue", "rejects", "--limit", "5", "--body")
    assert shown.stdout.count("why ") == 5
    assert "/events/1/type: unheard of" in shown.stdout
    assert "5 of about 13 are shown" in shown.stderr
    assert len(cloud.messages("rejects_queue_url")) == 13


def test_redriving_keeps_the_time_and_removes_only_what_was_sent(
    shell: Shell, cloud: Cloud
) -> None:
    body = json.dumps({"org": "acme", "events": [event(1)]})
    cloud.put("rejects_queue_url", body, sent_at=("Number", "1790000000123"))
    # A time that is none comes from a publisher; SQS's own counts then.
    other = json.dumps({"org": "other", **event(2)})
    cloud.put("inbox_dlq_url", other, sent_at=("String", "soon"))
    (waiting,) = cloud.messages("inbox_dlq_url")
    own_time = waiting["Attributes"]["SentTimestamp"]
    cloud.sqs.change_message_visibility(
        QueueUrl=cloud.stack["inbox_dlq_url"],
        ReceiptHandle=waiting["ReceiptHandle"],
        VisibilityTimeout=0,
    )
    done = lines_of(shell("rejects", "redrive", "--json"))
    assert done == [
        {"queue": "rejects", "messages": 1, "events": 1, "again": 0},
        {"queue": "dlq", "messages": 1, "events": 1, "again": 0},
    ]
    back = {m["Attributes"]["MessageGroupId"]: m for m in cloud.messages("queue_url")}
    assert back["acme"]["Body"] == body
    times = {org: m["MessageAttributes"]["sent_at"] for org, m in back.items()}
    assert times["acme"]["StringValue"] == "1790000000123"
    assert times["other"]["StringValue"] == own_time
    assert times["acme"]["DataType"] == "Number"
    assert cloud.messages("rejects_queue_url") == cloud.messages("inbox_dlq_url") == []


def test_what_the_inbox_does_not_take_stays(shell: Shell, cloud: Cloud, tmp_path: Path) -> None:
    cloud.put("rejects_queue_url", "{}", reason=("String", "why"))
    write_stack(tmp_path, {**cloud.stack, "queue_url": cloud.stack["queue_url"] + "-gone"})
    assert "AWS refused SendMessage" in shell("rejects", "redrive", code=1).stderr
    assert len(cloud.messages("rejects_queue_url")) == 1


def test_what_is_rejected_again_does_not_go_round(shell: Shell, cloud: Cloud) -> None:
    # The rejects queue is the inbox here: whatever is sent back is there again at once.
    write_stack(Path.cwd(), {**cloud.stack, "queue_url": cloud.stack["rejects_queue_url"]})
    for number in range(3):
        cloud.put("rejects_queue_url", str(number), sent_at=("Number", "5"))
    result = shell("rejects", "redrive", "--queue", "rejects", "--json", code=1)
    assert lines_of(result) == [{"queue": "rejects", "messages": 3, "events": 0, "again": 3}]
    assert len(cloud.messages("rejects_queue_url")) == 3
