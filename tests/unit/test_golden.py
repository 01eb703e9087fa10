"""The bytes that are fixed for ever, against our code and against a second implementation."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from auditlog import canonical, event, intake
from auditlog.event import Rules
from tests.unit.published import CATALOG

FOLDER = Path(__file__).with_name("golden")
GOLDEN = {path.stem: json.loads(path.read_text("ascii")) for path in FOLDER.glob("*.json")}
# A clock that is late enough for every one of them.
AT_THE_END = 253_402_300_800_000_000

DICTIONARIES = {
    "dictionary-1.txt": "af3f3b936707d49b8d6113c8dd19bc6b617107cdc6bb229c297afcdc73e22b20",
}

each = pytest.mark.parametrize("golden", GOLDEN.values(), ids=GOLDEN.keys())


def test_there_are_all_that_ever_were() -> None:
    assert len(GOLDEN) >= 21


@each
def test_our_record_is_the_golden_one(golden: dict[str, Any]) -> None:
    rules = Rules(CATALOG, golden["org"], None, AT_THE_END)
    submission = intake.read(golden["published"].encode())
    judged = intake.judge(submission, rules, golden["secret"].encode())
    assert judged.refusals == []
    [record] = judged.records
    assert record.data.decode() == golden["record"]
    assert record.id == golden["id"]
    assert json.loads(record.data)["salt"] == golden["salt"]
    assert hashlib.sha256(record.data).hexdigest() == golden["record_hash"]


@each
def test_a_second_implementation_agrees(golden: dict[str, Any]) -> None:
    published = json.loads(golden["published"])
    moment = datetime.fromisoformat(published["occurred_at"].upper()).astimezone(UTC)
    normal = published | {
        "occurred_at": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "org": golden["org"],
        "v": 1,
    }
    if "ip" in published:
        normal["ip"] = truncated(published["ip"])
    secret = golden["secret"].encode()
    mac = hmac.new(secret, rfc8785.dumps(normal), hashlib.sha256).digest()
    salt = base64.urlsafe_b64encode(mac[:16]).decode()[:22]
    record = rfc8785.dumps(normal | {"salt": salt})
    digest = hashlib.sha256(record)
    microseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    identity = microseconds.to_bytes(8, "big") + digest.digest()[:16]
    assert record.decode() == golden["record"]
    assert digest.hexdigest() == golden["record_hash"]
    assert salt == golden["salt"]
    assert base64.b32hexencode(identity).decode()[:39].lower() == golden["id"]


@each
def test_what_was_stored_can_be_read(golden: dict[str, Any]) -> None:
    assert canonical.unpack(bytes.fromhex(golden["packed"])).decode() == golden["record"]


@each
def test_the_id_can_be_recomputed_from_the_record_alone(golden: dict[str, Any]) -> None:
    digest = hashlib.sha256(golden["record"].encode()).digest()
    occurred_at = event.id_time(golden["id"])
    assert event.event_id(occurred_at, digest) == golden["id"]


def test_different_content_has_different_ids() -> None:
    assert len({golden["id"] for golden in GOLDEN.values()}) == len(GOLDEN)


@pytest.mark.parametrize(("name", "digest"), DICTIONARIES.items())
def test_a_released_dictionary_never_changes(name: str, digest: str) -> None:
    path = Path(canonical.__file__).with_name(name)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest


def test_no_dictionary_is_missing_here() -> None:
    folder = Path(canonical.__file__).parent
    assert {path.name for path in folder.glob("dictionary-*.txt")} == set(DICTIONARIES)


def truncated(text: str) -> str:
    address = ip_address(text)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    kept = 24 if address.version == 4 else 48
    return str(ip_network((address, kept), strict=False).network_address)
