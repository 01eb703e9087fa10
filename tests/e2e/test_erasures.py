"""After an erasure no store of the stack has what was erased: every byte of them is looked at."""

import base64
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditlog import canonical
from tests.e2e.client import aws, eventually, inbox_is_empty
from tests.e2e.erasing import CANARIES, PERSON, Erased
from tests.e2e.test_tenants import log_lines


@pytest.fixture(scope="module")
def done(stack: dict[str, Any], erased: Erased) -> dict[str, Any]:
    """The erasure once it is completed, and after everything was sent once more."""

    def look() -> dict[str, Any] | None:
        with erased.org.http() as http:
            found = http.get(f"{erased.org.path}/erasures/{erased.asked['id']}").json()
        assert found["state"] != "failed", found
        return found if found["state"] == "completed" else None

    found = eventually(look, within=240, every=1.0)
    assert found is not None
    again = erased.org.publish(*erased.published)
    assert again["recorded"] == 0
    erased.org.send(*erased.published)
    eventually(lambda: inbox_is_empty(stack))
    return found


def texts(stack: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Everything that is stored anywhere, in clear and as it is packed, with where it is."""
    dynamodb = aws(stack, "dynamodb")
    for table in ("events_table", "control_table", "digests_table"):
        for page in dynamodb.get_paginator("scan").paginate(TableName=stack[table]):
            for item in page["Items"]:
                yield table, repr(item).encode()
                yield from ((table, text) for text in unpacked(item))
    sqs = aws(stack, "sqs")
    for queue in ("rejects_queue_url", "inbox_dlq_url", "queue_url", "erasures_queue_url"):
        while True:
            got = sqs.receive_message(
                QueueUrl=stack[queue],
                MaxNumberOfMessages=10,
                VisibilityTimeout=3,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            ).get("Messages", [])
            if not got:
                break
            yield from ((queue, json.dumps(message).encode()) for message in got)
    s3 = aws(stack, "s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=stack["exports_bucket"]):
        for entry in page.get("Contents", []):
            body = s3.get_object(Bucket=stack["exports_bucket"], Key=entry["Key"])["Body"].read()
            yield entry["Key"], entry["Key"].encode() + body
    yield from (("log", line.encode()) for line in log_lines(stack))
    for path in Path(stack["home"]).rglob("*.log"):
        yield str(path), path.read_bytes()


def unpacked(item: dict[str, Any]) -> Iterator[bytes]:
    for value in item.values():
        data = value.get("B")
        if data is None:
            continue
        yield data
        for unpack in (canonical.unpack, zlib.decompress):
            try:
                yield unpack(data)
            except Exception:  # noqa: BLE001, S112 -- it is not packed so
                continue


def test_nothing_of_it_is_anywhere_but_in_downloads_of_before(
    stack: dict[str, Any], erased: Erased, done: dict[str, Any]
) -> None:
    assert done["exports"] == [erased.export_id]
    found: dict[str, set[str]] = {}
    seen = 0
    for place, text in texts(stack):
        seen += 1
        for name, canary in CANARIES.items():
            if canary.encode() in text or base64.b64encode(canary.encode())[:-4] in text:
                found.setdefault(place, set()).add(name)
    assert seen > 100
    listed = {place for place in found if erased.export_id in place}
    assert listed, "the download of before is where it was"
    assert {place: found[place] for place in found.keys() - listed} == {}


def test_what_is_left_says_what_it_was_and_that_it_is_gone(
    erased: Erased, done: dict[str, Any]
) -> None:
    # 30 that were published, the old one, and the one that says the person exported.
    assert done["events"] >= 32
    with erased.org.http() as http:
        for event_id in erased.ids:
            left = http.get(f"{erased.org.path}/events/{event_id}").json()
            assert set(left) == {
                "id", "recorded_at", "erased_at", "occurred_at", "org", "record_hash", "type", "v",
            }  # fmt: skip
            content = base64.b32hexdecode(event_id.upper() + "=")[8:]
            assert content.hex() == left["record_hash"][:32]
        table = erased.org.stack["events_table"]
        key = {"pk": {"S": erased.org.name}, "sk": {"S": erased.old_id}}
        item = aws(erased.org.stack, "dynamodb").get_item(TableName=table, Key=key)["Item"]
        assert b"erased_at" in canonical.unpack(item["r"]["B"])


def test_others_are_as_they_were(erased: Erased, done: dict[str, Any]) -> None:
    assert done["state"] == "completed"
    found = erased.org.events(actor="usr-who-stays")
    # 20 of them over HTTP, and the good one of a message whose other event was bad.
    assert len(found) == 21
    assert erased.org.events(actor=PERSON) == []


def test_the_log_says_that_it_was_done_and_not_of_whom(
    erased: Erased, done: dict[str, Any]
) -> None:
    begun, ended = erased.org.events(type="org.audit_log.erasure", order="asc")
    assert begun["metadata"] == {"of": "actor", "reason": "request 4711"}
    assert ended["metadata"] == {"events": done["events"]}
    assert {event["targets"][0]["id"] for event in (begun, ended)} == {done["id"]}
