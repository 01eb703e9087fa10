"""Two orgs under load at the same time: not one byte of the one is with the other.

Every text that one org publishes carries its canary. All that the other one gets to
see is kept, byte by byte: answers, headers, errors, downloads, manifests; and all
that the functions write to their logs, for whichever org.
"""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e import downloads
from tests.e2e.client import Org, aws, create_org, eventually, inbox_is_empty

STEPS = 15
DOINGS = 10
_numbers = itertools.count()


def canary_event(canary: str) -> dict[str, Any]:
    """An event that carries its org's canary wherever an event can carry a text."""
    number = next(_numbers)
    return {
        "type": ("repo.create", "repo.delete", "jobs.create", "org.change_role")[number % 4],
        "occurred_at": datetime.now(UTC).isoformat(),
        "actor": {"id": f"{canary}-actor-{number % 7}", "name": f"{canary} name"},
        "targets": [{"type": "repo", "id": f"{canary}-target-{number % 5}", "name": canary}],
        **({"description": f"{canary} did {number}"} if number % 2 else {}),
        "location": {"city": canary, "country": "DE"},
        "user_agent": canary,
        "credential": {"type": "api_key", "id": canary, "name": canary},
        "metadata": {canary: {"before": canary, "after": number}},
        "key": f"{canary}-{number}",
    }


class Tenant:
    """An org under load, and all that it was given."""

    def __init__(self, org: Org, canary: str) -> None:
        self.org = org
        self.canary = canary
        self.given: list[bytes] = []
        self.statuses: dict[int, int] = {}
        self.event_ids: list[str] = []
        self.export_ids: list[str] = []
        self.cursors: list[str] = []
        self._kept = threading.Lock()

    def ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        """A request with this org's key; its answer is kept."""
        with self.org.http() as http:
            answer = http.request(method, path, **how)
        with self._kept:
            self.given.append(repr(answer.headers).encode() + answer.content)
            status = answer.status_code
            self.statuses[status] = self.statuses.get(status, 0) + 1
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        return answer

    def publish(self) -> None:
        events = [canary_event(self.canary) for _ in range(5)]
        answer = self.ask("POST", f"{self.org.path}/events", json={"events": events})
        self.event_ids += [event["id"] for event in answer.json()["events"]]

    def send(self) -> None:
        self.org.send(*[canary_event(self.canary) for _ in range(3)])

    def send_badly(self) -> None:
        self.org.send({**canary_event(self.canary), "type": f"no.such.{self.canary}"})

    def search(self) -> None:
        path = f"{self.org.path}/events"
        for query in (
            {"limit": 3},
            {"limit": 50, "actor": f"{self.canary}-actor-1"},
            {"q": self.canary, "order": "asc"},
            {"q": "-type:repo country:DE", "explain": "true"},
        ):
            answer = self.ask("GET", path, params=query).json()
            if answer["next_cursor"] and query == {"limit": 3}:
                self.cursors.append(answer["next_cursor"])
                self.ask("GET", path, params={**query, "cursor": answer["next_cursor"]})

    def count(self) -> None:
        self.ask("GET", f"{self.org.path}/timeline", params={"interval": "hour"})

    def export(self) -> None:
        number = len(self.export_ids)
        asked: dict[str, Any] = {"format": ("json", "ndjson", "csv")[number % 3]}
        if number % 4 == 3:
            asked = {"format": "json", "profile": "hf"}
        self.ask("GET", f"/api/organizations/{self.org.name}/audit-log/export")
        answer = self.ask("POST", f"{self.org.path}/exports", json=asked)
        if answer.status_code == 202:
            self.export_ids.append(answer.json()["id"])

    def manage(self) -> None:
        for thing in ("keys", "sessions", "settings", "erasures", "exports"):
            self.ask("GET", f"{self.org.path}/{thing}")
        session = {"actor": {"id": f"{self.canary}-person", "name": self.canary}}
        self.ask("POST", f"{self.org.path}/sessions", json=session)
        self.ask("PATCH", f"{self.org.path}/settings", json={"record_reads": True})
        erasure = {"actor": f"{self.canary}-nobody", "reason": "a test"}
        self.ask("POST", f"{self.org.path}/erasures", json=erasure)
        body = {"name": self.canary, "grants": ["events:read"]}
        made = self.ask("POST", f"{self.org.path}/keys", json=body)
        if made.status_code == 201:
            self.ask("DELETE", f"{self.org.path}/keys/{made.json()['id']}")

    def err(self) -> None:
        self.ask("POST", f"{self.org.path}/events", json={**canary_event(self.canary), "x": 1})
        self.ask("GET", f"{self.org.path}/events", params={"q": f"actor:{self.canary} ("})
        self.ask("GET", f"{self.org.path}/events", params={"cursor": "AAAA"})
        self.ask("GET", f"{self.org.path}/events/{'0' * 39}")

    def pry(self, other: "Tenant") -> None:
        """Asks for what is the other's, by every name that it has."""
        for path in (self.org.path, other.org.path):
            for event_id in other.event_ids[-2:]:
                assert self.ask("GET", f"{path}/events/{event_id}").status_code == 404
            for export_id in other.export_ids[-2:]:
                export = f"{path}/exports/{export_id}"
                assert self.ask("GET", export).status_code == 404
                assert self.ask("GET", f"{export}/download").status_code == 404
                assert self.ask("DELETE", export).status_code == 404
        for cursor in other.cursors[-1:]:
            query = {"limit": 3, "cursor": cursor}
            assert self.ask("GET", f"{self.org.path}/events", params=query).status_code == 400
        body = {"events": [canary_event(self.canary)]}
        assert self.ask("POST", f"{other.org.path}/events", json=body).status_code == 404

    def doings(self, other: "Tenant") -> Iterator[Callable[[], None]]:
        """What an org does, over and over."""
        return itertools.cycle(
            [
                self.publish, self.search, self.send, self.count, self.publish,
                lambda: self.pry(other), self.manage, self.err, self.export, self.send_badly,
            ][:DOINGS]
        )  # fmt: skip


@contextmanager
def load(one: Tenant, other: Tenant) -> Iterator[None]:
    """Both at once, several at a time each."""

    def run(tenant: Tenant, peer: Tenant, offset: int) -> None:
        doings = tenant.doings(peer)
        for _ in range(offset):
            next(doings)
        for _ in range(STEPS):
            next(doings)()

    with ThreadPoolExecutor(4) as pool:
        done = [
            pool.submit(run, tenant, peer, offset)
            for offset in (0, 5)
            for tenant, peer in ((one, other), (other, one))
        ]
        for each in done:
            each.result()
    yield


@pytest.fixture(scope="module")
def tenants(stack: dict[str, Any]) -> tuple[Tenant, Tenant]:
    one = Tenant(create_org(stack, "tenant-one"), "canary9f3k2one")
    other = Tenant(create_org(stack, "tenant-two", "--shards", "2"), "canary7x8w1two")
    with load(one, other):
        eventually(lambda: inbox_is_empty(stack), within=60)
    return one, other


def files_of(tenant: Tenant) -> list[bytes]:
    """Every download of a tenant, unpacked, with its manifest."""
    found: list[bytes] = []
    for export_id in tenant.export_ids:
        export = downloads.ended(tenant.org, export_id, within=120)
        assert export["state"] == "ready", export
        file, manifest = downloads.download(export)
        found += [file, json.dumps(manifest).encode(), json.dumps(export).encode()]
    return found


def test_neither_has_a_byte_of_the_other(tenants: tuple[Tenant, Tenant]) -> None:
    for mine, theirs in (tenants, tenants[::-1]):
        assert {200, 201, 202, 400, 404, 422} <= set(mine.statuses)
        assert len(mine.export_ids) >= 2
        files = files_of(mine)
        seen = b"\n".join([*mine.given, *files])
        assert seen.count(mine.canary.encode()) > 1_000
        assert theirs.canary.encode() not in seen
        for name in theirs.export_ids:
            assert name.encode() not in b"\n".join(files)


def test_each_has_all_that_it_published_and_nothing_else(tenants: tuple[Tenant, Tenant]) -> None:
    for mine in tenants:
        found = mine.org.events()
        assert {event["org"] for event in found} == {mine.org.name}
        assert set(mine.event_ids) <= {event["id"] for event in found}


def test_no_log_has_a_byte_of_either(stack: dict[str, Any], tenants: tuple[Tenant, Tenant]) -> None:
    lines = list(log_lines(stack))
    assert any("EventsRecorded" in line for line in lines)
    written = "\n".join(lines) + emulators_own(stack)
    for tenant in tenants:
        # Names of orgs are what a log may say; what is in their events, it may not.
        assert tenant.canary not in written
        assert tenant.org.key not in written
        assert tenant.org.key[-49:] not in written


def log_lines(stack: dict[str, Any]) -> Iterator[str]:
    """What the functions have written to their logs."""
    logs = aws(stack, "logs")
    for page in logs.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            events = logs.get_paginator("filter_log_events")
            for found in events.paginate(logGroupName=group["logGroupName"]):
                yield from (event["message"] for event in found["events"])


def emulators_own(stack: dict[str, Any]) -> str:
    """The emulator's log, where whatever a function prints ends up as well."""
    return "".join(path.read_text(errors="replace") for path in Path(stack["home"]).rglob("*.log"))
