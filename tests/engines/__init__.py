"""Programs that stand in for AWS behind tests."""

import os
import platform
import socket
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from infra.emulator import HOST, free_port
from infra.leash import Leash

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

START_SECONDS = 10


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
        self.client().create_table(
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
