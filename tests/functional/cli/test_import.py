"""`auditlog import`: files of CloudTrail, by both ways in."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.functional.cli.service import Cloud, Shell, lines_of, ndjson

REAL = Path(__file__).parents[4] / "shared" / "data" / "cloudtrail.ndjson.gz"


def record(number: int, **more: Any) -> dict[str, Any]:
    return {
        "userIdentity": {"type": "IAMUser", "principalId": "AIDA1", "userName": "bo"},
        "eventTime": "2026-02-03T04:05:06Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "PutObject",
        "sourceIPAddress": "203.0.113.7",
        "eventID": f"id-{number}",
        **more,
    }


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "form", [ndjson(record(1), record(2)), json.dumps({"Records": [record(1), record(2)]})]
)
def test_import_takes_cloudtrail_files(
    shell: Shell, tmp_path: Path, form: str, packed: bool
) -> None:
    file = tmp_path / "trail"
    file.write_bytes(gzip.compress(form.encode()) if packed else form.encode())
    shell("import", "--from", "cloudtrail", str(file))
    again = shell("import", "--from", "cloudtrail", "-", stdin=file.read_bytes())
    assert again.stdout == "read 2: recorded 0, duplicates 2, refused 0\n"
    assert [e["key"] for e in shell.service.stored.values()] in (
        ["id-1", "id-2"],
        ["id-2", "id-1"],
    )


def test_import_says_what_is_refused_and_why(shell: Shell) -> None:
    text = ndjson(
        record(1),
        {"eventName": "x"},
        record(3, eventTime="late"),
        record(4, requestParameters={"t": "\ud800"}),
        [],
    )
    (summary,) = lines_of(
        shell("import", "--from", "cloudtrail", "-", "--json", stdin=text, code=1)
    )
    assert (summary["read"], summary["sent"], summary["recorded"]) == (5, 3, 1)
    assert [r["line"] for r in summary["refused"]] == [2, 3, 4, 5]
    assert "lone surrogate" in summary["refused"][2]["reasons"][0]


def test_import_takes_real_records(shell: Shell) -> None:
    if not REAL.exists():
        pytest.skip("the real CloudTrail records are not beside this checkout")
    first = shell("import", "--from", "cloudtrail", str(REAL))
    assert first.stdout == "read 2,900: recorded 2,900, duplicates 0, refused 0\n"
    again = shell("import", "--from", "cloudtrail", str(REAL), "--batch", "1000")
    assert again.stdout == "read 2,900: recorded 0, duplicates 2,900, refused 0\n"


def test_both_ways_in_carry_the_same_events(shell: Shell, cloud: Cloud) -> None:
    text = ndjson(*map(record, range(30)))
    shell("import", "--from", "cloudtrail", "-", stdin=text)
    shell("import", "--from", "cloudtrail", "-", "--sqs", stdin=text)
    over_http = json.loads(gzip.decompress(shell.service.requests[0].content))["events"]
    (message,) = cloud.messages("queue_url")
    assert json.loads(message["Body"])["events"] == over_http
