"""What makes a fresh laptop stack worth looking at: an org, its key, its events, a way in."""

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
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

#: Who opens the console, and for how long: a day's work.
PERSON = {"id": "usr_ada", "name": "Ada Lovelace"}
SESSION_MINUTES = 8 * 60

#: What the console asks when it opens.
FIRST_LOOK = ("/console", "/v1/credential", "/v1/orgs/{org}/events?limit=1")


class SeedError(Exception):
    """The stack did not take the sample events, or opened no session."""


def create_org(aws: Emulator, control_table: str, org: str) -> str:
    """Make `org`, whose events are kept for ever; its admin key."""
    control = ControlStore(aws.dynamodb, control_table)
    return bootstrap.create_org(control, org, retention_days=None, now=clock.now()).secret


def publish_samples(stack: Mapping[str, Any], count: int) -> None:
    """Publish `count` sample events through the API, as a publisher would.

    `stack` is what `stack.json` says. Raises SeedError with the API's answer
    where it is not 201.
    """
    now = datetime.fromisoformat(clock.text(clock.now()))
    with _connected(stack, "publishing samples") as connection:
        for batch in _batches(sample_events(now, count, SEED)):
            _post(connection, stack, "events", {"events": batch})


def session_link(stack: Mapping[str, Any]) -> str:
    """Open a session as a platform would, and answer with the link that opens the console.

    What the page asks first is asked before the link is given: it works, and the functions
    that answer have started. Raises SeedError as `publish_samples` does.
    """
    asked = {"actor": PERSON, "minutes": SESSION_MINUTES}
    with _connected(stack, "opening a session") as connection:
        opened = _post(connection, stack, "sessions", asked)
    with _connected(stack, "opening the console") as connection:
        for path in FIRST_LOOK:
            _get(connection, stack, path.format(org=stack["org"]), str(opened["token"]))
    return str(stack["api_url"]) + str(opened["link"])


@contextmanager
def _connected(stack: Mapping[str, Any], doing: str) -> Generator[HTTPConnection]:
    connection = HTTPConnection(urlsplit(str(stack["api_url"])).netloc, timeout=TIMEOUT_SECONDS)
    try:
        yield connection
    except SeedError as error:
        message = f"{doing} was answered {error}"
        raise SeedError(message) from None
    except (OSError, HTTPException) as error:
        message = f"{doing} failed: {error}"
        raise SeedError(message) from error
    finally:
        connection.close()


def _post(
    connection: HTTPConnection, stack: Mapping[str, Any], what: str, body: Mapping[str, Any]
) -> dict[str, Any]:
    headers = {
        "Authorization": f"Bearer {stack['admin_key']}",
        "Content-Type": "application/json",
    }
    path = f"{_prefix(stack)}/v1/orgs/{stack['org']}/{what}"
    connection.request("POST", path, json.dumps(body), headers)
    return dict(json.loads(_answer(connection, HTTPStatus.CREATED)))


def _get(connection: HTTPConnection, stack: Mapping[str, Any], path: str, token: str) -> None:
    connection.request("GET", _prefix(stack) + path, headers={"Authorization": f"Bearer {token}"})
    _answer(connection, HTTPStatus.OK)


def _prefix(stack: Mapping[str, Any]) -> str:
    return urlsplit(str(stack["api_url"])).path


def _answer(connection: HTTPConnection, expected: HTTPStatus) -> bytes:
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != expected:
        message = f"{answer.status}: {said.decode()}"
        raise SeedError(message)
    return said


def _batches(events: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(events, BATCH)):
        yield batch
