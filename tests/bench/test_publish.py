"""The write path: what an event costs, and how many the doors take."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest

from auditlog import event, intake
from auditlog.store.events import EventStore
from tests.bench import corpus
from tests.bench.measure import best, spent, table
from tests.e2e.client import Org, create_org, eventually, inbox_is_empty
from tests.engines import Dynoxide

COUNT = 2_000
BATCH = 100


def test_processor_time_of_an_event(dynoxide: Dynoxide) -> None:
    """From a body of 100 events to the parameters of the call; no network."""
    bodies = _bodies(corpus.published(COUNT))
    submissions = [intake.read(body) for body in bodies]
    raw = [one for submission in submissions for one in submission.events]
    admitted = [event.admit(one, corpus.RULES, corpus.SECRET) for one in raw]
    new = intake.new_events(admitted, corpus.SETTINGS, corpus.RULES.judged_at)
    # The client is never asked; a statement is made of what the store keeps.
    store = EventStore(dynoxide.client(), "events", "digests")

    def read() -> None:
        for body in bodies:
            intake.read(body)

    def admit() -> None:
        for one in raw:
            event.admit(one, corpus.RULES, corpus.SECRET)

    def state() -> None:
        for one in new:
            store._statement(one)

    def whole() -> None:
        for body in bodies:
            judged = intake.judge(intake.read(body), corpus.RULES, corpus.SECRET)
            for one in intake.new_events(judged.records, corpus.SETTINGS, corpus.RULES.judged_at):
                store._statement(one)

    steps = [
        ("read the body (JSON, duplicate keys, numbers)", read),
        ("check, normalise, salt, hash: the record", admit),
        ("pack, and make the statement", state),
        ("all of it", whole),
    ]
    rows = [(name, best(step).cpu / COUNT * 1e6) for name, step in steps]
    size = sum(map(len, bodies)) / COUNT
    rows += [("(bytes of an event as published)", size)]
    rows += [("(bytes of its record)", sum(len(one.data) for one in admitted) / COUNT)]
    packed = sum(len(store._statement(one)["Parameters"][2]["B"]) for one in new)  # type: ignore[index] -- the packed record's place
    rows += [("(bytes of it as stored)", packed / COUNT)]
    table("Write path: processor time of an event", ["step", "µs an event"], rows)


def test_events_a_second_into_a_table(dynoxide: Dynoxide) -> None:
    """The store against the writer that everybody writes first, both into dynoxide."""
    new = [one for batch in corpus.new_events(COUNT) for one in batch]
    own, _ = corpus.store(dynoxide, "bench-insert")
    naive = boto3.resource(
        "dynamodb",
        endpoint_url=dynoxide.url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    ).Table(dynoxide.create_table("bench-naive"))
    published = corpus.published(COUNT)

    def insert() -> None:
        own.insert(new, deadline=time.monotonic() + 600)

    def put() -> None:
        for number, one in enumerate(published):
            naive.put_item(
                Item={"pk": corpus.ORG, "sk": f"{one['occurred_at']}#{number}", **_plain(one)},
                ConditionExpression="attribute_not_exists(pk)",
            )

    rows: list[tuple[str, float, float, float]] = []
    # Writing what is there already costs the same, so the order does not matter.
    ours, theirs = spent(insert), spent(put)
    for name, took in (("insert, 25 a call", ours), ("boto3 resource, put_item each", theirs)):
        rows.append((name, COUNT / took.wall, took.cpu / COUNT * 1e6, theirs.wall / took.wall))
    table(
        "Events into dynoxide, one connection",
        ["writer", "events/s", "client's processor, µs an event", "times the naive one"],
        rows,
    )


@pytest.mark.parametrize("connections", [1, 4])
def test_publishing_over_http(stack: dict[str, Any], connections: int) -> None:
    org = create_org(stack, f"bench-http-{connections}")
    bodies = _bodies(corpus.published(COUNT))
    with org.http() as http:
        # The first call starts the function.
        assert http.post(f"{org.path}/events", content=bodies[0]).status_code == 201

    def post(body: bytes) -> None:
        assert http.post(f"{org.path}/events", content=body).status_code == 201

    with org.http() as http, ThreadPoolExecutor(connections) as threads:
        list(threads.map(post, bodies[:connections]))
        took = spent(lambda: list(threads.map(post, bodies[1:])))
    assert len(org.events(include_hidden="true")) == COUNT
    table(
        f"Publishing over HTTP to the laptop stack, batches of {BATCH}",
        ["connections", "events/s"],
        [(connections, (COUNT - BATCH) / took.wall)],
    )


def test_publishing_over_the_inbox(stack: dict[str, Any]) -> None:
    org = create_org(stack, "bench-sqs")
    few, rest = (batches := _batches(corpus.published(COUNT)))[0], batches[1:]
    org.send(*few)
    eventually(lambda: inbox_is_empty(stack), within=60)

    took = spent(lambda: _sent_and_recorded(org, rest))

    assert len(org.events(include_hidden="true")) == COUNT
    table(
        f"Publishing over SQS to the laptop stack, messages of {BATCH}, until all are recorded",
        ["events/s"],
        [((COUNT - BATCH) / took.wall,)],
    )


def _sent_and_recorded(org: Org, batches: list[list[dict[str, Any]]]) -> None:
    for batch in batches:
        org.send(*batch)
    eventually(lambda: inbox_is_empty(org.stack), within=120, every=0.05)


def _batches(events: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    return [events[i : i + BATCH] for i in range(0, len(events), BATCH)]


def _bodies(events: list[dict[str, Any]]) -> list[bytes]:
    return [
        json.dumps({"events": batch}, ensure_ascii=False).encode() for batch in _batches(events)
    ]


def _plain(published: dict[str, Any]) -> dict[str, Any]:
    """The event without floats, which boto3's resource does not take."""
    return json.loads(json.dumps(published), parse_float=str)
