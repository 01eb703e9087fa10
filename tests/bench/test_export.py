"""Downloads: how fast, and in how much memory."""

import gzip
import io
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Key

from auditlog.exports import Export
from auditlog.formats import Compression, Format
from auditlog.store.events import EventStore
from auditlog.store.exports import ExportStore
from export.job import Job
from infra.bundling import FUNCTIONS, ROOT
from tests.bench import corpus
from tests.bench.flat import EXPORT, job
from tests.bench.measure import spent, table, watching_memory
from tests.engines import Dynoxide

COUNT = 100_000
SIZES = (1_000, COUNT, 1_000_000)


@pytest.fixture(scope="module")
def exports(dynoxide: Dynoxide) -> ExportStore:
    return ExportStore(dynoxide.client(), dynoxide.create_table("bench-exports"))


def test_an_export_of_a_hundred_thousand(dynoxide: Dynoxide, exports: ExportStore) -> None:
    """The job against boto3's resource, `json` and `gzip`, from the same engine in one run."""
    store, names = corpus.store(dynoxide, "bench-export")
    for batch in corpus.new_events(COUNT):
        store.insert(batch, deadline=time.monotonic() + 600)
    naive = dynoxide.create_table("bench-export-naive")
    _fill_naive(dynoxide, naive)
    bucket = corpus.Bucket()
    plain = replace(EXPORT, id="1" * 24, compression=Compression.NONE, format=Format.JSON)
    runs = [
        ("the job, ndjson, gzip", _made(exports, store, EXPORT, bucket).run),
        ("the job, json, plain", _made(exports, store, plain, bucket).run),
        ("boto3 resource, json, gzip", lambda: _naive_export(dynoxide, naive)),
    ]
    took = {}
    for label, run in runs:
        with watching_memory() as peak:
            took[label] = (spent(run), peak)
    slowest = took[runs[-1][0]][0].wall
    rows = [
        (label, COUNT / run.wall, COUNT / run.cpu, slowest / run.wall, peak.highest, peak.grown)
        for label, (run, peak) in took.items()
    ]
    table(
        f"Export of {COUNT:,} events from dynoxide",
        ["how", "events/s", "events/s of own processor", "times the naive one", "peak MB", "grown"],
        rows,
    )
    for used in (*names, naive):
        dynoxide.client().delete_table(TableName=used)


def test_memory_of_an_export_does_not_depend_on_its_size() -> None:
    """Each in a process of its own: memory that another left behind would hide it."""
    rows: list[tuple[object, ...]] = []
    for compression in Compression:
        for count in SIZES:
            done = subprocess.run(
                [sys.executable, "-m", "tests.bench.flat", str(count), compression.value],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(FUNCTIONS)])},
                capture_output=True,
                text=True,
                check=True,
            )
            said = json.loads(done.stdout)
            written, before, highest = (said[n] / 1e6 for n in ("bytes", "before", "highest"))
            speed = count / said["seconds"]
            rows.append((count, compression.value, speed, written, before, highest))
    table(
        "Export of pages that cost nothing to read",
        ["events", "packed", "events/s", "MB written", "MB before", "MB at the highest"],
        rows,
    )


def _made(exports: ExportStore, events: EventStore, export: Export, bucket: corpus.Bucket) -> Job:
    exports.create(export)
    return job(exports, events, export, bucket)


def _fill_naive(dynoxide: Dynoxide, name: str) -> None:
    """The same records as native maps, as the naive writer keeps them."""
    with _resource(dynoxide).Table(name).batch_writer() as writer:
        for one in corpus.records(COUNT):
            item = json.loads(one.data, parse_float=str)
            writer.put_item(Item={"pk": corpus.ORG, "sk": one.id, **item})


def _naive_export(dynoxide: Dynoxide, name: str) -> None:
    native = _resource(dynoxide).Table(name)
    count, start = 0, {}
    with gzip.GzipFile(fileobj=io.BytesIO(), mode="wb", compresslevel=6) as file:
        while True:
            page = native.query(
                KeyConditionExpression=Key("pk").eq(corpus.ORG), Limit=1_000, **start
            )
            for item in page["Items"]:
                file.write(json.dumps(item, default=str).encode() + b"\n")
            count += len(page["Items"])
            if "LastEvaluatedKey" not in page:
                break
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    assert count == COUNT


def _resource(dynoxide: Dynoxide) -> Any:
    return boto3.resource(
        "dynamodb",
        endpoint_url=dynoxide.url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
