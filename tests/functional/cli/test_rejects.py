"""`auditlog rejects`: what the service could not record, listed and sent back."""

import json
import re
from pathlib import Path

import pytest

from tests.functional.cli.service import Cloud, Shell, Terminal, event, lines_of, write_stack


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


def test_what_comes_back_is_named_with_its_reason(shell: Shell, cloud: Cloud) -> None:
    write_stack(Path.cwd(), {**cloud.stack, "queue_url": cloud.stack["rejects_queue_url"]})
    cloud.put("rejects_queue_url", json.dumps({"org": "acme", **event(1)}))
    result = shell("rejects", "redrive", "--queue", "rejects", code=1)
    assert result.stdout == "rejects: sent back 1 message with 1 event\n"
    (left,) = lines_of(shell("rejects", "list", "--json"))
    assert "1 message came back:\n" in result.stderr
    assert f"{left['message_id']}: {left['reason']}" in result.stderr


def test_where_nothing_waits_that_is_said(shell: Shell, cloud: Cloud) -> None:
    redriven = shell("rejects", "redrive")
    assert redriven.stdout == ""
    assert redriven.stderr == "rejects: nothing waits\ndlq: nothing waits\n"
    listed = shell("rejects", "list")
    assert (listed.stdout, listed.stderr) == ("", "Nothing is rejected.\n")


def test_what_somebody_else_looks_at_is_not_called_nothing(shell: Shell, cloud: Cloud) -> None:
    cloud.put("inbox_dlq_url", "{}")
    assert len(cloud.messages("inbox_dlq_url")) == 1
    listed = shell("rejects", "list")
    assert "0 of about 1 are shown; somebody else is looking" in listed.stderr
    assert "Nothing is rejected" not in listed.output
    assert "dlq: nothing to send back now" in shell("rejects", "redrive").stderr


@pytest.mark.parametrize("width", [80, 140])
def test_rejects_are_readable_on_any_terminal(
    shell: Shell, cloud: Cloud, terminal: Terminal, width: int
) -> None:
    errors = json.dumps([{"pointer": "/type", "detail": "not a type of the catalog"}, "odd"])
    text = ("String", "A rather long reason that takes more than one line")
    cloud.put("rejects_queue_url", json.dumps(event(1)), reason=text, errors=("String", errors))
    ((_, message_id),) = [
        (row["queue"], row["message_id"]) for row in lines_of(shell("rejects", "list", "--json"))
    ]
    terminal(width)
    shown = shell("rejects", "list").stdout
    assert max(map(len, shown.splitlines())) <= width
    assert message_id in shown
    if width == 80:
        assert "/type: not a type of the catalog odd" in " ".join(shown.split())
        assert re.match(r"[0-9T:-]{19}Z  " + message_id + "\n  rejects  ", shown)
    else:
        names = ["Sent", "Queue", "Org", "Message", "ID", "Events", "Bytes", "Reason"]
        assert shown.splitlines()[0].split() == names
