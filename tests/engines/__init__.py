"""Programs that stand in for AWS behind tests."""

import json
import os
import platform
import socket
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from infra.emulator import HOST, free_port
from infra.leash import Leash

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

START_SECONDS = 10
# It wants to be told who asks, and takes anybody's word for it.
_ANYBODY = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, "
    "SignedHeaders=host, Signature=0",
    "X-Amz-Date": "20260101T000000Z",
}


@dataclass(frozen=True)
class Dynoxide:
    """A DynamoDB on loopback that keeps everything in memory."""

    url: str

    def client(self) -> "DynamoDBClient":
        """A client that neither a profile nor a variable can lead elsewhere."""
        session = boto3.Session(
            aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1"
        )
        # It leaves shard ids of streams shorter than AWS's models allow.
        config = Config(
            parameter_validation=False, retries={"max_attempts": 1}, max_pool_connections=16
        )
        return session.client("dynamodb", endpoint_url=self.url, config=config)

    def create_table(self, name: str) -> str:
        """Make a table with the keys of this service; its name."""
        self._ask(
            "CreateTable",
            TableName=name,
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        return name

    def delete_table(self, name: str) -> None:
        """Remove a table and what is in it."""
        self._ask("DeleteTable", TableName=name)

    def _ask(self, operation: str, **body: Any) -> None:
        # Tests make thousands of tables: boto3 takes 3 ms for a request, and 50 for a client.
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=START_SECONDS)
        headers = _ANYBODY | {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
        }
        try:
            connection.request("POST", "/", json.dumps(body), headers)
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            message = f"dynoxide: {operation} {body['TableName']}: {said.decode()}"
            raise RuntimeError(message)


def unsigned(client: Any) -> None:
    """Have it say who asks, and with what, without working that out for each request."""

    def sign(_operation: str, request: Any) -> None:
        for name, value in _ANYBODY.items():
            request.headers[name] = value

    client._request_signer.sign = sign
    client._user_agent_creator.to_string = lambda: "a test"


@contextmanager
def dynoxide(home: Path) -> Generator[Dynoxide]:
    """Run dynoxide on a free port; its log goes to `home`."""
    port = free_port()
    log_path = home / "dynoxide.log"
    with log_path.open("wb") as log:
        leash = Leash(
            [str(dynoxide_binary()), "serve", "--host", HOST, "--port", str(port)],
            environment={"PATH": os.defpath, "HOME": str(home)},
            cwd=home,
            log=log,
        )
        try:
            _await(leash, port, log_path)
            yield Dynoxide(f"http://{HOST}:{port}")
        finally:
            leash.close()


def dynoxide_binary() -> Path:
    """The program; raises with what to do where it is not there."""
    named = os.environ.get("DYNOXIDE")
    if named:
        return Path(named)
    machine = {"x86_64": "x64", "amd64": "x64"}.get(platform.machine().lower(), platform.machine())
    package = f"{sys.platform}-{machine}"
    binary = Path(__file__).parent / "node_modules" / "@dynoxide" / package / "dynoxide"
    if not binary.is_file():
        message = (
            f"there is no dynoxide for {package}: `make test` installs it where npm has a build "
            "(linux-x64); elsewhere build it and name it with DYNOXIDE=/path/to/dynoxide"
        )
        raise FileNotFoundError(message)
    return binary


def _await(leash: Leash, port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and not leash.ended:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.02)
    message = f"dynoxide did not come up:\n{log.read_text(errors='replace')}"
    raise RuntimeError(message)
