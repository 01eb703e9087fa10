"""Where the command finds the service, the key and the org: options, environment, stacks."""

import json
from pathlib import Path

import boto3
import httpx
import pytest

from tests.functional.cli.service import API, KEY, TYPES, Cloud, Shell, event, ndjson, write_stack


@pytest.mark.parametrize("name", ["AUDITLOG_API_URL", "AUDITLOG_KEY", "AUDITLOG_ORG"])
def test_what_is_missing_is_named(shell: Shell, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)
    assert name in shell("search", code=2).stderr


def test_stack_json_is_found_upwards(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AUDITLOG_API_URL", "AUDITLOG_KEY", "AUDITLOG_ORG"):
        monkeypatch.delenv(name)
    stack = {"api_url": f"{API}/base/", "org": "acme", "admin_key": KEY}
    write_stack(tmp_path, stack)
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    shell.service.first = [lambda _: httpx.Response(200, json={"event_types": TYPES})]
    shell("types")
    assert str(shell.service.requests[0].url) == f"{API}/base/v1/event-types"
    assert shell.service.requests[0].headers["Authorization"] == f"Bearer {KEY}"
    # An option comes before the file.
    shell("types", "--key", "alk_other", code=1)
    assert shell.service.requests[1].headers["Authorization"] == "Bearer alk_other"


def test_the_laptops_key_is_never_sent_elsewhere(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AUDITLOG_KEY")
    write_stack(tmp_path, {"api_url": "http://127.0.0.1:1", "org": "acme", "admin_key": KEY})
    assert "no key is given" in shell("search", code=2).stderr
    assert shell.service.requests == []


def test_a_broken_stack_file_is_named(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AUDITLOG_API_URL")
    write_stack(tmp_path, {})
    (tmp_path / ".local" / "stack.json").write_text("{")
    assert "stack.json" in shell("search", code=2).stderr


def test_a_deployed_stack_is_found_by_its_outputs(
    shell: Shell, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = {"QueueUrl": cloud.stack["queue_url"], "ControlTable": "control", "ApiUrl": API}
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    boto3.client("cloudformation", region_name="us-east-1").create_stack(
        StackName="audit", TemplateBody=json.dumps(template)
    )
    write_stack(Path.cwd(), {})
    assert "queue url" in shell("publish", "--sqs", stdin=ndjson(event(1)), code=2).stderr
    shell("publish", "--sqs", "--stack-name", "audit", stdin=ndjson(event(1)))
    assert len(cloud.messages("queue_url")) == 1
    monkeypatch.delenv("AUDITLOG_API_URL")
    monkeypatch.setenv("AUDITLOG_STACK", "audit")
    shell("types")
    assert str(shell.service.requests[-1].url) == f"{API}/v1/event-types"
    assert "AWS refused" in shell("types", "--stack-name", "missing", code=1).stderr
