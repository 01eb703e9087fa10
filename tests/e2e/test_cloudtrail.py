"""Real input, through everything: 2,900 records of AWS CloudTrail."""

import base64
import gzip
import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from infra.bundling import ROOT
from tests.e2e.client import Org, create_org, eventually, inbox_is_empty, record_of

FILE = ROOT.parent / "shared" / "data" / "cloudtrail.ndjson.gz"
COUNT = 2_900

Record = dict[str, Any]


@pytest.fixture(scope="module")
def records() -> list[Record]:
    if not FILE.is_file():
        pytest.skip("the CloudTrail records are not here: they are not part of the repository")
    with gzip.open(FILE, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _import(org: Org, *options: str) -> Any:
    (summary,) = org.json("import", "--from", "cloudtrail", str(FILE), *options)
    eventually(lambda: inbox_is_empty(org.stack), within=90)
    return summary


@pytest.fixture(scope="module")
def imports(stack: dict[str, Any], org: Org, records: list[Record]) -> list[Any]:
    """The records, into a fresh org over HTTP, then the same over SQS, then HTTP again."""
    return [_import(org), _import(org, "--sqs"), _import(org)]


@pytest.fixture(scope="module")
def queued(stack: dict[str, Any], records: list[Record]) -> Org:
    """An org that has the records from the inbox alone."""
    org = create_org(stack, "cloudtrail-queued")
    assert _import(org, "--sqs")["sent"] == COUNT
    return org


@pytest.fixture(scope="module")
def log(org: Org, imports: list[Any]) -> list[dict[str, Any]]:
    """All that a search finds, newest first, in the largest pages."""
    return org.events()


def test_every_record_is_recorded_once_whichever_way_it_comes(
    imports: list[Any], log: list[dict[str, Any]], records: list[Record]
) -> None:
    sent = {"read": COUNT, "sent": COUNT, "refused": []}
    assert imports == [
        sent | {"recorded": COUNT, "duplicates": 0},
        sent | {"recorded": None, "duplicates": None},
        sent | {"recorded": 0, "duplicates": COUNT},
    ]
    assert len(log) == COUNT
    assert {event["key"] for event in log} == {record["eventID"] for record in records}


def test_the_inbox_alone_records_the_same(
    queued: Org, log: list[dict[str, Any]], imports: list[Any]
) -> None:
    assert _import(queued) == {
        "read": COUNT,
        "sent": COUNT,
        "recorded": 0,
        "duplicates": COUNT,
        "refused": [],
    }

    own = {"org", "salt"}
    here = {event["key"]: record_of(event) for event in queued.events()}
    there = {event["key"]: record_of(event) for event in log}
    assert len(here) == COUNT
    for key, record in here.items():
        assert record["org"] == queued.name
        assert {k: v for k, v in record.items() if k not in own} == {
            k: v for k, v in there[key].items() if k not in own
        }


def test_pages_of_any_size_give_each_event_once_in_time_order(
    org: Org, log: list[dict[str, Any]]
) -> None:
    times = [event["occurred_at"] for event in log]
    assert all(later >= earlier for later, earlier in pairwise(times))
    newest_first = [event["id"] for event in log]

    # Every page of the emulator takes time by the size of the log; small pages of
    # the same records are walked in `functional`, on an engine that does not.
    def walk(order: str, limit: int) -> list[str]:
        pages = org.pages(order=order, limit=limit)
        return [event["id"] for page in pages for event in page]

    walks = [("desc", 100), ("desc", 1_000), ("asc", 1_000)]
    with ThreadPoolExecutor(2) as threads:
        found = threads.map(lambda walk_of: walk(*walk_of), walks)
    for (order, limit), ids in zip(walks, found, strict=True):
        assert ids == (newest_first if order == "desc" else newest_first[::-1]), (order, limit)


def _is_from(record: Record, block: str) -> bool:
    """Whether the block overlaps what is kept of the address: its /24."""
    try:
        ip_address(record["sourceIPAddress"])
    except ValueError:
        return False
    kept = ip_network(f"{record['sourceIPAddress']}/24", strict=False)
    return kept.overlaps(ip_network(block))


def _acts_on_bucket(record: Record, name: str) -> bool:
    asked = record.get("requestParameters") or {}
    return record["eventSource"] == "s3.amazonaws.com" and asked.get("bucketName") == name


def _acts_on(record: Record, arn: str) -> bool:
    return any(resource.get("ARN") == arn for resource in record.get("resources") or [])


BERT_JAN = "AIDATFQR7NSC5AU2ZV3IE"
KEY = "arn:aws:kms:us-east-1:123837392027:key/dad21b23-9915-42bd-981b-2a9f3c8f20c8"
BUCKET = "stratus-red-team-ctlr-bucket-zqfsvooxqj"

FILTERS: list[tuple[dict[str, Any], Callable[[Record], bool]]] = [
    ({"type": "aws.ec2"}, lambda r: r["eventSource"] == "ec2.amazonaws.com"),
    (
        {"type": ["aws.iam.*", "aws.sts"]},
        lambda r: r["eventSource"] in {"iam.amazonaws.com", "sts.amazonaws.com"},
    ),
    (
        {"type": "aws.secretsmanager.GetSecretValue"},
        lambda r: (
            r["eventSource"] == "secretsmanager.amazonaws.com"
            and r["eventName"] == "GetSecretValue"
        ),
    ),
    ({"actor": "benjamin"}, lambda r: r["userIdentity"].get("userName") == "benjamin"),
    (
        {"actor": [BERT_JAN, "health.amazonaws.com"]},
        lambda r: (
            r["userIdentity"].get("principalId") == BERT_JAN
            or (
                r["userIdentity"].get("type") == "AWSService"
                and r["userIdentity"].get("invokedBy") == "health.amazonaws.com"
            )
        ),
    ),
    (
        {"type": "aws.s3", "target": f"AWS::S3::Bucket/{BUCKET}"},
        lambda r: _acts_on_bucket(r, BUCKET),
    ),
    ({"ip": "10.0.0.0/8"}, lambda r: _is_from(r, "10.0.0.0/8")),
    (
        {"ip": ["192.168.10.77", "52.45.102.0/25"]},
        lambda r: _is_from(r, "192.168.10.77/32") or _is_from(r, "52.45.102.0/25"),
    ),
    (
        {"since": "2023-07-10T12:00:00Z", "until": "2023-07-10T12:07:57Z"},
        lambda r: "2023-07-10T12:00:00Z" <= r["eventTime"] < "2023-07-10T12:07:57Z",
    ),
    (
        {"type": "aws.kms", "actor": "bert-jan", "target": KEY, "since": "2023-07-10T11:50:00Z"},
        lambda r: (
            r["eventSource"] == "kms.amazonaws.com"
            and r["userIdentity"].get("userName") == "bert-jan"
            and _acts_on(r, KEY)
            and r["eventTime"] >= "2023-07-10T11:50:00Z"
        ),
    ),
]


@pytest.mark.parametrize("number", range(len(FILTERS)))
def test_a_filter_finds_what_brute_force_over_the_input_finds(
    org: Org, imports: list[Any], records: list[Record], number: int
) -> None:
    query, matches = FILTERS[number]
    expected = {record["eventID"] for record in records if matches(record)}
    assert 0 < len(expected) < COUNT

    assert {event["key"] for event in org.events(**query)} == expected


# All four pairs are in `test_exports`, of fewer events.
@pytest.mark.parametrize(("format_", "compression"), [("json", "none"), ("ndjson", "gzip")])
def test_a_download_holds_exactly_the_records_and_proves_them(
    queued: Org, log: list[dict[str, Any]], tmp_path: Path, format_: str, compression: str
) -> None:
    path = tmp_path / "download"

    # The request for an export is an event itself, of another scope.
    (made,) = queued.json(
        "export", "-o", str(path), "--format", format_, "--compression", compression,
        "--type", "aws",
    )  # fmt: skip

    data = path.read_bytes()
    assert (made["events"], made["bytes"]) == (COUNT, len(data))
    text = (gzip.decompress(data) if compression == "gzip" else data).decode()
    if format_ == "json":
        events = json.loads(text)
    else:
        assert text.endswith("\n")
        events = [json.loads(line) for line in text[:-1].split("\n")]
    assert sorted(event["key"] for event in events) == sorted(event["key"] for event in log)
    assert [event["id"] for event in events] == sorted(event["id"] for event in events)
    assert [event["id"] for event in events] == [_id(event) for event in events]


def _id(event: dict[str, Any]) -> str:
    """The id by the words of the contract, from nothing but what was downloaded."""
    occurred_at = datetime.fromisoformat(event["occurred_at"])
    time = (occurred_at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    record_hash = hashlib.sha256(rfc8785.dumps(record_of(event))).digest()
    return base64.b32hexencode(time.to_bytes(8, "big") + record_hash[:16]).decode()[:39].lower()


def test_an_altered_download_is_found_out(log: list[dict[str, Any]]) -> None:
    altered = log[0] | {"description": log[0]["description"] + "."}

    assert _id(log[0]) == log[0]["id"]
    assert _id(altered) != log[0]["id"]
