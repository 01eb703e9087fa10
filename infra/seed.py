"""What makes a fresh laptop stack worth looking at: an org, its key, its events."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from auditlog import bootstrap, clock
from auditlog.store.control import ControlStore
from infra.emulator import Emulator
from infra.samples import sample_events

BATCH = 100
SEED = 1
TIMEOUT_SECONDS = 60


class SeedError(Exception):
    """The stack did not take the sample events."""


def create_org(aws: Emulator, control_table: str, org: str) -> str:
    """Make `org`, whose events are kept for ever; its admin key."""
    control = ControlStore(aws.dynamodb, control_table)
    return bootstrap.create_org(control, org, retention_days=None, now=clock.now()).secret


def publish_samples(stack: Mapping[str, Any], count: int) -> None:
    """Publish `count` sample events through the API, as a publisher would.

    `stack` is what `stack.json` says. Raises SeedError with the API's answer
    where it is not 201.
    """
    address = urlsplit(str(stack["api_url"]))
    connection = HTTPConnection(address.netloc, timeout=TIMEOUT_SECONDS)
    headers = {
        "Authorization": f"Bearer {stack['admin_key']}",
        "Content-Type": "application/json",
    }
    now = datetime.fromisoformat(clock.text(clock.now()))
    events = sample_events(now, count, SEED)
    try:
        for batch in _batches(events):
            body = json.dumps({"events": batch})
            connection.request(
                "POST", f"{address.path}/v1/orgs/{stack['org']}/events", body, headers
            )
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 201:  # noqa: PLR2004 -- Created
                message = f"publishing samples was answered {answer.status}: {said.decode()}"
                raise SeedError(message)
    except (OSError, HTTPException) as error:
        message = f"publishing samples failed: {error}"
        raise SeedError(message) from error
    finally:
        connection.close()


def _batches(events: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(events, BATCH)):
        yield batch
