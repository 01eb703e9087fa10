"""`auditlog publish --sqs`: events in messages of the inbox."""

import json

from tests.functional.cli.service import Cloud, Shell, event, lines_of, ndjson


def test_publishing_to_the_inbox(shell: Shell, cloud: Cloud) -> None:
    text = ndjson(*map(event, range(250))) + "{broken\n"
    (summary,) = lines_of(shell("publish", "--sqs", "--json", stdin=text, code=1))
    assert (summary["read"], summary["sent"]) == (251, 250)
    assert (summary["recorded"], summary["duplicates"]) == (None, None)
    assert [r["line"] for r in summary["refused"]] == [251]
    bodies = [json.loads(m["Body"]) for m in cloud.messages("queue_url")]
    assert sorted(len(body["events"]) for body in bodies) == [50, 100, 100]
    assert {body["org"] for body in bodies} == {"acme"}
    actors = {e["actor"]["id"] for body in bodies for e in body["events"]}
    assert actors == {f"user-{n}" for n in range(250)}
    assert all(e["key"].startswith("made-") for body in bodies for e in body["events"])
    assert shell.service.requests == []


def test_messages_stay_below_the_limits_of_sqs(shell: Shell, cloud: Cloud) -> None:
    large = [event(n, description="\uffff", metadata={"t": "ü" * 100_000}) for n in range(12)]
    text = "".join(json.dumps(e, ensure_ascii=False) + "\n" for e in large)
    result = shell("publish", "--sqs", stdin=text)
    assert "read 12: sent 12, refused 0" in result.stdout
    assert "all that can be known" in result.stderr
    messages = cloud.messages("queue_url")
    assert sum(len(json.loads(m["Body"])["events"]) for m in messages) == 12
    assert all(len(m["Body"].encode()) <= 1 << 20 for m in messages)
    assert all(m["Attributes"]["MessageGroupId"] == "acme" for m in messages)


def test_an_event_that_no_message_can_carry_is_refused(shell: Shell, cloud: Cloud) -> None:
    text = ndjson(event(1), event(2, metadata={"t": "x" * (1 << 20)}), event(3))
    (summary,) = lines_of(shell("publish", "--sqs", "--json", stdin=text, code=1))
    assert summary["sent"] == 2
    assert [r["line"] for r in summary["refused"]] == [2]
