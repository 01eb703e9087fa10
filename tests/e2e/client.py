"""The service as its clients see it: HTTP with a key, AWS's own APIs, the command."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import boto3
import httpx
from botocore.config import Config

COMMAND = Path(sys.executable).with_name("auditlog")
# What an answer holds beside the record.
ADDED = {"id", "recorded_at", "summary", "erased_at"}

_T = TypeVar("_T")


@dataclass(frozen=True)
class Org:
    """An org on the laptop stack, and a key of it."""

    stack: Mapping[str, Any]
    name: str
    key: str

    def http(self) -> httpx.Client:
        """A client with this org's key; paths are relative to the API's address."""
        return httpx.Client(
            base_url=self.stack["api_url"],
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=60,
        )

    @property
    def path(self) -> str:
        """The path under which everything of this org is."""
        return f"/v1/orgs/{self.name}"

    def command(self, *arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run the `auditlog` command as this org's admin."""
        env = {"AUDITLOG_ORG": self.name, "AUDITLOG_KEY": self.key}
        return run_command(self.stack, *arguments, env=env, **options)

    def json(self, *arguments: str, **options: Any) -> list[Any]:
        """What the command prints with `--json`, a value for each line."""
        done = self.command(*arguments, "--json", **options)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def publish(self, *events: Mapping[str, Any]) -> dict[str, Any]:
        """Publish events over HTTP; the answer."""
        with self.http() as http:
            answer = http.post(f"{self.path}/events", json={"events": events})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def send(self, *events: Mapping[str, Any]) -> None:
        """Publish events over the inbox, in one message."""
        self.send_body(json.dumps({"org": self.name, "events": events}))

    def send_body(self, body: str) -> None:
        """Send a message to the inbox as it is."""
        queue = aws(self.stack, "sqs")
        queue.send_message(
            QueueUrl=self.stack["queue_url"], MessageBody=body, MessageGroupId=self.name
        )

    def events(self, **query: Any) -> list[dict[str, Any]]:
        """Every event that a search finds, newest first unless asked otherwise."""
        found = [event for page in self.pages(**query) for event in page]
        assert len({event["id"] for event in found}) == len(found), "an event came twice"
        return found

    def pages(self, **query: Any) -> Iterator[list[dict[str, Any]]]:
        """The pages of a search; follows the cursors to the end."""
        limit = query.setdefault("limit", 1_000)
        with self.http() as http:
            while True:
                answer = http.get(f"{self.path}/events", params=query)
                assert answer.status_code == 200, answer.text
                page = answer.json()
                assert len(page["events"]) <= limit
                following = answer.links.get("next")
                assert (following is None) == (page["next_cursor"] is None)
                yield page["events"]
                if page["next_cursor"] is None:
                    return
                query["cursor"] = page["next_cursor"]


def aws(stack: Mapping[str, Any], service: str) -> Any:
    """A client of an AWS service of the laptop stack."""
    return _client(stack["endpoint_url"], stack["region"], service)


@cache
def _client(endpoint_url: str, region: str, service: str) -> Any:
    # The stubs know the services that are installed; this takes any.
    session: Any = boto3.Session(
        aws_access_key_id="test", aws_secret_access_key="test", region_name=region
    )
    # Not a second try: a test says how often something happens.
    config = Config(retries={"max_attempts": 0}, read_timeout=120, s3={"addressing_style": "path"})
    return session.client(service, endpoint_url=endpoint_url, config=config)


def run_command(
    stack: Mapping[str, Any],
    *arguments: str,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run the `auditlog` command where it finds the stack, and nothing of this machine."""
    return subprocess.run(
        [str(COMMAND), *arguments],
        cwd=stack["home"],
        env={"PATH": os.defpath, "HOME": stack["home"], "COLUMNS": "200", **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def create_org(stack: Mapping[str, Any], name: str, *options: str) -> Org:
    """Make an org with the command; it with its first key."""
    done = run_command(stack, "org", "create", name, *options, "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["org"] == name
    return Org(stack, name, made["secret"])


def eventually(look: Callable[[], _T], *, within: float = 30, every: float = 0.2) -> _T:
    """What `look` returns once it is true; fails where it is not in time."""
    deadline = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {within} s; at last: {found!r}"
        time.sleep(every)
    return found


def inbox_is_empty(stack: Mapping[str, Any]) -> bool:
    """Whether everything that was sent to the inbox has been dealt with."""
    return waiting(stack, "queue_url") == 0


def waiting(stack: Mapping[str, Any], queue: str) -> int:
    """How many messages a queue has, those that somebody works on included."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = aws(stack, "sqs").get_queue_attributes(QueueUrl=stack[queue], AttributeNames=names)
    return sum(map(int, found["Attributes"].values()))


def record_of(event: Mapping[str, Any]) -> dict[str, Any]:
    """The record within an answer: what was hashed."""
    return {name: value for name, value in event.items() if name not in ADDED}
