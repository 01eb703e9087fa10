"""Downloads: how fast, and in how much memory."""

import gzip
import io
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Key

from auditlog import canonical
from auditlog.event import StoredEvent
from auditlog.exports import Export, Requester, State, upper_bound
from auditlog.formats import Compression, Format
from auditlog.plan import Order, Rows, Span
from auditlog.store.events import EventStore
from auditlog.store.exports import ExportStore
from auditlog.store.objects import ObjectStore
from export.job import Job
from tests.bench import corpus
from tests.bench.measure import spent, table, watching_memory
from tests.engines import Dynoxide

COUNT = 100_000
MILLION = 1_000_000

EXPORT = Export(
    id="0" * 24,
    org=corpus.ORG,
    state=State.QUEUED,
    format=Format.NDJSON,
    compression=Compression.GZIP,
    filter={},
    span=Span.between(0, upper_bound(corpus.RULES.judged_at, None)),
    requested_by=Requester("u-1", "bench", "k-1"),
    created_at=corpus.RULES.judged_at,
    updated_at=corpus.RULES.judged_at,
)


class _Generated:
    """An event store without a store: the same page, moved on, as often as asked."""

    def __init__(self, number: int) -> None:
        page = [
            StoredEvent(r.id, r.type, 0, r.described, canonical.pack(r.data))
            for r in islice(corpus.records(1_000), 1_000)
        ]
        self._page = sorted(page)
        self._left = number

    def read(self, _org: str, *, consistent: bool) -> Callable[[Span, Order, int], Rows]:
        """What the job reads with."""
        assert consistent

        def read(_span: Span, _order: Order, _count: int) -> Rows:
            self._left -= len(self._page)
            return Rows(list(self._page), complete=self._left <= 0)

        return read


def _job(exports: ExportStore, events: Any, export: Export, bucket: corpus.Bucket) -> Job:
    exports.create(export)
    objects: Any = ObjectStore(bucket, "bucket")  # type: ignore[arg-type] -- as much of S3 as is needed
    return Job(
        export,
        corpus.CATALOG,
        events=events,
        exports=exports,
        objects=objects,
        hold=lambda: None,
        attempt=secrets.token_hex(8),
    )


@pytest.fixture(scope="module")
def exports(dynoxide: Dynoxide) -> ExportStore:
    return ExportStore(dynoxide.client(), dynoxide.create_table("bench-exports"))


def test_an_export_of_a_hundred_thousand(dynoxide: Dynoxide, exports: ExportStore) -> None:
    """The job against boto3's resource, `json` and `gzip`, from the same engine in one run."""
    name = dynoxide.create_table("bench-export")
    store = EventStore(dynoxide.client(), name)
    for batch in corpus.new_events(COUNT):
        store.insert(batch, deadline=time.monotonic() + 600)
    naive = dynoxide.create_table("bench-export-naive")
    _fill_naive(dynoxide, naive)
    bucket = corpus.Bucket()
    plain = replace(EXPORT, id="1" * 24, compression=Compression.NONE, format=Format.JSON)
    runs: list[tuple[str, Callable[[], object]]] = [
        ("the job, ndjson, gzip", _job(exports, store, EXPORT, bucket).run),
        ("the job, json, plain", _job(exports, store, plain, bucket).run),
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
    for used in (name, naive):
        dynoxide.client().delete_table(TableName=used)


def test_memory_of_an_export_does_not_depend_on_its_size(exports: ExportStore) -> None:
    rows: list[tuple[object, ...]] = []
    for number, count in enumerate((1_000, COUNT, MILLION)):
        for compression in Compression:
            bucket = corpus.Bucket()
            name = f"{number}{compression.value}".ljust(24, "0")
            export = replace(EXPORT, id=name, compression=compression)
            job = _job(exports, _Generated(count), export, bucket)
            with watching_memory() as peak:
                took = spent(job.run)
            written = bucket.bytes / 1e6
            rows.append(
                (count, compression.value, count / took.wall, written, peak.highest, peak.grown)
            )
    table(
        "Export of pages that cost nothing to read",
        ["events", "packed", "events/s", "MB written", "peak MB", "grown"],
        rows,
    )


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
