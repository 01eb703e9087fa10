"""The AWS that the laptop stack runs on: MiniStack, on loopback, in a process of its own.

It runs the real handlers with the Python that runs this, keeps everything in
memory, and ends with whoever started it. Whoever reaches its port can run code
in it, so it listens on 127.0.0.1 and nowhere else.
"""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import cached_property
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config

from infra.bundling import ROOT, find_uv
from infra.leash import Leash

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

HOST = "127.0.0.1"
REGION = "us-east-1"
ACCOUNT = "000000000000"
REQUIREMENTS = Path(__file__).with_name("emulator-requirements.txt")
START_SECONDS = 60

# The emulator refuses a presigned link that was signed with another secret
# than it was started with; the functions are given this one.
_SECRET = "test"  # noqa: S105 -- the emulator's own, on loopback


class EmulatorError(Exception):
    """The emulator does not run; the message says why."""


class Emulator:
    """A running emulator and clients for it."""

    def __init__(self, port: int) -> None:
        self.url = f"http://{HOST}:{port}"
        """The endpoint of every service."""
        # Neither a profile nor a file of the person at the keyboard says where
        # this goes.
        core = botocore.session.Session(
            session_vars={
                "profile": (None, None, None, None),
                "config_file": (None, None, os.devnull, None),
                "credentials_file": (None, None, os.devnull, None),
            }
        )
        self._session: Any = boto3.Session(
            aws_access_key_id="test",
            aws_secret_access_key=_SECRET,
            region_name=REGION,
            botocore_session=core,
        )

    @cached_property
    def cloudformation(self) -> "CloudFormationClient":
        """A CloudFormation client."""
        return self._session.client("cloudformation", endpoint_url=self.url, config=_CONFIG)

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """A DynamoDB client."""
        return self._session.client("dynamodb", endpoint_url=self.url, config=_CONFIG)

    @cached_property
    def s3(self) -> "S3Client":
        """An S3 client."""
        return self._session.client("s3", endpoint_url=self.url, config=_CONFIG)


_CONFIG = Config(
    s3={"addressing_style": "path"},
    connect_timeout=5,
    read_timeout=60,
    retries={"mode": "standard", "max_attempts": 3},
)


@contextmanager
def emulator(port: int, home: Path) -> Generator[Emulator]:
    """Run the emulator on `port`; its files and its log go under `home`.

    Raises EmulatorError where the port is taken or the emulator does not come up.
    """
    require_free(port)
    python = install()
    state = home / "emulator"
    shutil.rmtree(state, ignore_errors=True)
    temporary = state / "tmp"
    temporary.mkdir(parents=True)
    log_path = home / "emulator.log"
    with log_path.open("wb") as log:
        leash = Leash(
            [str(python), "-m", "ministack"],
            environment=environment(port, python, state),
            cwd=state,
            log=log,
        )
        try:
            _await(leash, port, log_path)
            yield Emulator(port)
        finally:
            leash.close()
            shutil.rmtree(state, ignore_errors=True)


def install() -> Path:
    """The Python of the emulator's environment, which is made where it is missing."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    pins = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    folder = ROOT / ".local" / f"emulator-{version}-{pins}"
    python = folder / "bin" / "python"
    complete = folder / "complete"
    if complete.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    for command in (
        ["venv", "--quiet", "--no-project", "--python", sys.executable, str(folder)],
        ["pip", "install", "--quiet", "--python", str(python), "--requirements", str(REQUIREMENTS)],
    ):
        done = subprocess.run([find_uv(), *command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            message = f"the emulator could not be installed:\n{done.stderr}"
            raise EmulatorError(message)
    complete.touch()
    return python


def free_port() -> int:
    """A port of loopback that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def require_free(port: int) -> None:
    """Raise EmulatorError where something listens on `port` already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            message = (
                f"port {port} of {HOST} is taken ({error.strerror}): end what listens there "
                f"(another `make dev`?), or choose one with `make dev PORT={port + 1}`"
            )
            raise EmulatorError(message) from error


def environment(port: int, python: Path, state: Path) -> dict[str, str]:
    """What the emulator and the functions in it are told; nothing is inherited.

    A variable of the person at the keyboard must not lead a function to a real
    account.
    """
    nowhere = str(state / "nowhere")
    return {
        "PATH": os.pathsep.join([str(python.parent), os.defpath]),
        "HOME": str(state),
        "TMPDIR": str(state / "tmp"),
        "STATE_DIR": str(state / "state"),
        "S3_DATA_DIR": str(state / "s3"),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # It removes containers of its own when it ends; ours it never starts,
        # and those of others are none of its business.
        "DOCKER_HOST": f"unix://{nowhere}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": _SECRET,
        "AWS_CONFIG_FILE": nowhere,
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _await(leash: Leash, port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if leash.ended:
            break
        if _answers(port):
            return
        time.sleep(0.05)
    lines = log.read_text(errors="replace").splitlines()
    message = "the emulator did not come up:\n" + "\n".join(lines[-20:])
    raise EmulatorError(message)


def _answers(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == 200  # noqa: PLR2004 -- OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
