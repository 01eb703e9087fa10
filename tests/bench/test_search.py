"""Search: a page of the newest events."""

import importlib
import io
import json
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from types import SimpleNamespace
from typing import Any

import pytest

from auditlog import bootstrap, clock, settings
from auditlog.store import aws
from auditlog.store.control import ControlStore
from tests.bench import corpus
from tests.bench.measure import percentiles, table
from tests.e2e.client import create_org
from tests.engines import Dynoxide

QUERIES = {
    "newest 100": "limit=100",
    "oldest 100": "limit=100&order=asc",
    "newest 1,000": "limit=1000",
    "100 of one type": "limit=100&type=repo.create",
    "100 of one actor": "limit=100&actor=ci-runner",
}


@pytest.fixture(scope="module")
def tables_of_100k(dynoxide: Dynoxide) -> Iterator[dict[str, str]]:
    """The tables, by the names of their settings; the events are filled."""
    store, (events, digests) = corpus.store(dynoxide, "bench-search")
    for batch in corpus.new_events(100_000):
        store.insert(batch, deadline=time.monotonic() + 600)
    control = dynoxide.create_table("bench-control")
    yield {"EVENTS_TABLE": events, "DIGESTS_TABLE": digests, "CONTROL_TABLE": control}
    dynoxide.client().delete_table(TableName=events)


def test_a_page_of_the_handler_on_dynoxide(
    dynoxide: Dynoxide, tables_of_100k: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole handler in this process, as Lambda calls it, with 100,000 events."""
    client = dynoxide.client()
    control = ControlStore(client, tables_of_100k["CONTROL_TABLE"])
    minted = bootstrap.create_org(control, corpus.ORG, retention_days=None, now=clock.now())
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "query")
    monkeypatch.setenv("LOG_LEVEL", "CRITICAL")
    handler = importlib.import_module("query.handler")
    for module in (handler, importlib.import_module("auditlog.http")):
        monkeypatch.setattr(module, "SETTINGS", settings.Settings(tables_of_100k))
    monkeypatch.setattr(aws, "dynamodb", lambda: client)
    context = SimpleNamespace(
        function_name="query", memory_limit_in_mb=1024, invoked_function_arn="", aws_request_id="1"
    )

    def ask(query: str) -> dict[str, Any]:
        with redirect_stdout(io.StringIO()):
            answer = handler.handler(_event(minted.secret, query), context)
        assert answer["statusCode"] == 200, answer
        return answer

    rows: list[tuple[str, float, float, int]] = []
    for name, query in QUERIES.items():
        found = len(json.loads(ask(query)["body"])["events"])
        rows.append((name, *percentiles(lambda query=query: ask(query), 50), found))
    table(
        "A page: the handler in process, dynoxide with 100,000 events",
        ["page", "p50 ms", "p95 ms", "events"],
        rows,
    )


def test_a_page_on_the_laptop_stack(stack: dict[str, Any]) -> None:
    org = create_org(stack, "bench-search")
    published = corpus.published(3_000)
    for start in range(0, len(published), 500):
        org.publish(*published[start : start + 500])

    with org.http() as http:

        def ask(query: str) -> None:
            assert http.get(f"{org.path}/events?{query}").status_code == 200

        rows = [
            (name, *percentiles(lambda query=query: ask(query), 20))
            for name, query in QUERIES.items()
        ]
    table("A page: the laptop stack with 3,000 events", ["page", "p50 ms", "p95 ms"], rows)


def _event(key: str, query: str) -> dict[str, Any]:
    path = f"/v1/orgs/{corpus.ORG}/events"
    return {
        "version": "2.0",
        "routeKey": "GET /v1/orgs/{org}/events",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"authorization": f"Bearer {key}"},
        "requestContext": {
            "requestId": "1",
            "stage": "$default",
            "http": {"method": "GET", "path": path, "sourceIp": "127.0.0.1", "userAgent": ""},
        },
        "isBase64Encoded": False,
    }
