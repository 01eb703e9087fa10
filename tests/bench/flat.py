"""One export in a process of its own, from plan to finish, by the worker's own steps.

    run(Export(...))           what it took, by `python -m tests.bench.flat`

The rows are dynoxide's, or made up as they are asked for (`endless.py`); files are kept or
forgotten (`buckets.py`). It books what it reads as it would, and waiting for its turn takes
no time. Slices are written one after the other.
"""

import json
import math
import secrets
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from auditlog import clock, exports
from auditlog.catalog import Catalog
from auditlog.exports import Cuts, Export, Requester, State
from auditlog.formats import Compression, Format, Profile
from auditlog.layout import MAX_SHARDS, Layout
from auditlog.span import Span
from auditlog.store import aws, rows
from auditlog.store.events import EventStore
from auditlog.store.exports import ExportStore
from auditlog.store.objects import ObjectStore
from auditlog.store.pace import Pace
from auditlog.store.reader import Reader
from auditlog.store.rows import RowStore
from auditlog.store.slices import SliceStore
from export import cuts
from export.assembly import finish
from export.job import Job
from export.slice import write_slice
from tests.bench import buckets, endless, large
from tests.bench.measure import in_a_process, most_memory

_MODULE = "tests.bench.flat"
_UNLIMITED = 10**9
_ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass(frozen=True)
class Source:
    """A log in an engine: its address, and the tables of events, digests and control."""

    url: str
    events: str
    digests: str
    control: str


@dataclass(frozen=True)
class Wanted:
    """An export to be made, `times` over; the least time counts."""

    source: Source | None
    """None for rows that are made up: `count` of them, `like` others."""
    count: int = 0
    like: Sequence[endless.Template] = ()
    format: str = "json"
    compression: str = "gzip"
    profile: str = "native"
    end: str | None = None
    """Where it ends; None for the end of the log."""
    bounds: Sequence[str] | None = None
    """Where it is cut; None for where the worker cuts it."""
    folder: str | None = None
    """Where its file and manifest are kept; None where they are forgotten."""
    times: int = 1


@dataclass(frozen=True)
class Took:
    """What it took, in seconds; memory in MB, at the most and before it began."""

    wall: float
    cpu: float
    events: int
    bytes: int
    slices: int
    memory: float
    memory_before: float
    key: str
    """The name of the file."""


def run(wanted: Wanted) -> Took:
    """Makes an export in a process of its own."""
    if wanted.source is None:
        # They are made here, since it takes more memory to make them than to export them.
        wanted = replace(wanted, bounds=endless.bounds(wanted.count), like=endless.templates())
    engine = {"AWS_ENDPOINT_URL": wanted.source.url} if wanted.source else {}
    return Took(**in_a_process(_MODULE, asdict(wanted), **_ACCOUNT, **engine))


def _main(wanted: Wanted) -> Took:
    bucket = buckets.Folder(Path(wanted.folder)) if wanted.folder else buckets.Forgetful()
    jobs = [_job(wanted, bucket) for _ in range(wanted.times)]
    before = most_memory()
    took = [_made(job, wanted, bucket) for job in jobs]
    return replace(
        took[-1],
        wall=min(each.wall for each in took),
        cpu=min(each.cpu for each in took),
        memory=most_memory(),
        memory_before=before,
    )


def _made(job: Job, wanted: Wanted, bucket: buckets.Forgetful) -> Took:
    wall, cpu = time.perf_counter(), time.process_time()
    known = _cut(job, wanted.bounds)
    for span in known.spans(job.export.span):
        reached = span.first
        while reached < span.end:
            reached = write_slice(job, Span(reached, span.end), known.most_events).span.end
    slices = job.slices.written(job.export)
    finish(job)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    key = job.export.object_key
    size, events = bucket.size(key), sum(each.events for each in slices)
    return Took(wall, cpu, events, size, len(slices), 0.0, 0.0, key)


def _cut(job: Job, bounds: Sequence[str] | None) -> Cuts:
    if bounds is None:
        found = Reader(job.reader.events).run(cuts.cut(job.layout, job.export.span))
    else:
        found = Cuts(tuple(bounds), at_once=1, most_events=_UNLIMITED)
    job.slices.cut(job.export, found, job.now())
    known = job.slices.cuts(job.export)
    assert known is not None
    return known


@dataclass
class _Clock:
    """Waiting takes no time."""

    moment: int = 0

    def now(self) -> int:
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.moment += math.ceil(seconds * clock.SECOND)


def _job(wanted: Wanted, bucket: buckets.Forgetful) -> Job:
    if wanted.source is None:
        pages: Any = endless.Pages(wanted.count, wanted.like)
        rows.attach(pages)
        export = _export(wanted, endless.span(wanted.count))
        return _with(export, RowStore(pages, ""), None, endless.Agreeing(), bucket)
    source, client = wanted.source, aws.dynamodb()
    span = Span.between(0, large.NOW)
    export = _export(wanted, Span(span.first, wanted.end or span.end))
    store = ExportStore(client, source.control)
    store.create(export)
    job = _with(
        export,
        RowStore(rows.client(), source.events),
        EventStore(client, source.events, source.digests),
        store,
        bucket,
    )
    job.slices = SliceStore(client, source.control)
    waiting = _Clock()
    job.pace = Pace(client, source.control, large.ORG, now=waiting.now, sleep=waiting.sleep)
    return job


def _with(export: Export, log: Any, events: Any, store: Any, bucket: Any) -> Job:
    return Job(
        export,
        Catalog.default(),
        Layout(large.ORG),
        rows=log,
        reader=Reader(events, consistent=True),
        threads=ThreadPoolExecutor(MAX_SHARDS),
        exports=store,
        slices=store,
        objects=ObjectStore(bucket, "bucket"),
        pace=store,
        hold=lambda: None,
        attempt="0",
        deadline=math.inf,
        now=lambda: large.NOW,
    )


def _export(wanted: Wanted, span: Span) -> Export:
    return Export(
        id=exports.new_id(large.NOW, secrets.token_bytes),
        org=large.ORG,
        state=State.QUEUED,
        format=Format(wanted.format),
        compression=Compression(wanted.compression),
        profile=Profile(wanted.profile),
        bom=False,
        filter={},
        span=span,
        requested_by=Requester("u-1", "bench", "k-1"),
        created_at=large.NOW,
        updated_at=large.NOW,
    )


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    made_of = asked.pop("source")
    print(json.dumps(asdict(_main(Wanted(Source(**made_of) if made_of else None, **asked)))))
