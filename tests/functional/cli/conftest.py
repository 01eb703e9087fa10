"""What the tests of the command are called in: a shell, and a cloud that moto makes."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
import typer.main
import typer.testing
from moto import mock_aws
from rich.console import Console

from auditlog.cli import output
from tests.functional.cli.service import (
    API,
    KEY,
    Cloud,
    Service,
    Shell,
    Terminal,
    write_stack,
)


@pytest.fixture
def service() -> Service:
    return Service()


# To make the commands out of the functions takes longer than most of them.
_made = cache(typer.main.get_command)


@pytest.fixture
def shell(service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.setattr(typer.testing, "_get_command", _made)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AUDITLOG_STACK", raising=False)
    for name, value in (("API_URL", API), ("KEY", KEY), ("ORG", "acme")):
        monkeypatch.setenv(f"AUDITLOG_{name}", value)
    return Shell(service)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    def become(width: int) -> None:
        screen = Console(force_terminal=True, width=width, color_system=None, highlight=False)
        monkeypatch.setattr(output, "OUT", screen)

    return become


@pytest.fixture(scope="session")
def models() -> boto3.Session:
    """What boto3 reads from its files for each client, read once."""
    session: Any = boto3.Session()
    # Nobody sends while somebody waits for a message.
    session.events.register(
        "provide-client-params.sqs.ReceiveMessage",
        lambda params, **_: {**params, "WaitTimeSeconds": 0},
    )
    return session


@pytest.fixture
def cloud(
    shell: Shell, models: boto3.Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Cloud]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", models)
        sqs = boto3.client("sqs", region_name="us-east-1")
        names = {
            "queue_url": "inbox",
            "rejects_queue_url": "rejects",
            "inbox_dlq_url": "dlq",
            "erasures_queue_url": "erasures",
        }
        stack = {key: sqs.create_queue(QueueName=n)["QueueUrl"] for key, n in names.items()}
        dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        dynamodb.create_table(
            TableName="control",
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        stack |= {"control_table": "control", "region": "us-east-1"}
        write_stack(tmp_path, stack)
        yield Cloud(sqs, dynamodb, stack)
