"""An export streams: its peak of memory does not depend on how many events it has.

The steps run in a process of their own, against a log that is made up as it is read and
a bucket that keeps nothing, so that what is measured is the export alone.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import io, json, resource, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from auditlog import canonical, clock
from auditlog.catalog import Catalog
from auditlog.event import StoredEvent, event_id, first_id, id_time
from auditlog.exports import Export, Requester, Slice, State
from auditlog.formats import Compression, Format, Profile
from auditlog.layout import Layout
from auditlog.reads import Rows, Standing
from auditlog.span import Span
from auditlog.store.objects import ObjectStore
from auditlog.store.reader import Reader
from auditlog.store.rows import Row, _Bytes, _Number, _Text
from export.assembly import finish
from export.job import Job
from export.slice import write_slice

HOW = json.loads(sys.argv[1])
COUNT, SHARDS, SLICES = HOW["count"], HOW.get("shards", 1), HOW.get("slices", 0)
START = clock.parse("2026-06-01T00:00:00Z")
RECORD = canonical.encode({
    "type": "repo.create", "occurred_at": "2026-06-01T00:00:00.000000Z", "description": "made it",
    "actor": {"id": "usr_1", "name": "Ada"}, "org": "acme", "salt": "x" * 22, "v": 1,
    "metadata": {"text": "abcdefgh" * HOW.get("eights", 60)},
})
PACKED = canonical.pack(RECORD)
MOST_BYTES = 1024 * 1024
export = Export("e1", "acme", State.RUNNING, Format(HOW.get("format", "json")),
    Compression(HOW["compression"]), Profile(HOW.get("profile", "native")), False,
    HOW.get("filter", {}), Span.between(0, START + 10 * COUNT), Requester("a", "a", "a"), START,
    START)

def peak():
    # What getrusage says begins with what the parent had when it forked.
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(status.read_text().partition("VmHWM:")[2].split()[0])

def ids(partition, span, count):
    # Event n is in partition n modulo their number. As DynamoDB: at most so many, at most 1 MB.
    shard = int(partition.partition("#")[2] or 0)
    first = max(0, id_time(span.first[:39]) - START + (len(span.first) > 39))
    first += (shard - first) % SHARDS
    of_page = min(count, MOST_BYTES // (len(PACKED) + 90) + 1)
    numbers = range(first, COUNT, SHARDS)
    found = [event_id(START + n, bytes(32)) for n in numbers[:of_page]]
    return found, len(found) == len(numbers)

class Log:
    digests = None
    def page(self, partition, span, count):
        found, complete = ids(partition, span, count)
        # A copy each, as a client would make them.
        copies = [(i, bytes(bytearray(PACKED))) for i in found]
        at = str(START)
        return [Row(_Text(i), _Bytes(packed), _Number(at)) for i, packed in copies], complete
    def rows(self, read, *, consistent):
        assert consistent and read.order == "asc"
        found, complete = ids(read.partition, read.span, read.count)
        copies = [(i, bytes(bytearray(PACKED))) for i in found]
        rows = [StoredEvent(i, "repo.create", START, True, packed) for i, packed in copies]
        return Rows(rows, complete)

class Digests:
    def standing(self, partition, *, consistent=False): return Standing()
    def marks(self, read): return ()

Log.digests = Digests()

class Exports:
    def is_running(self, export): return True
    def complete(self, export, *, events, left_out, size, completed_at, expires_at):
        say(events, size)
        return True

class Slices:
    def won(self, export, first): return None
    def win(self, export, written, *, wanted, now):
        assert written.span == wanted == export.span
        say(written.events, written.lead + written.bytes)
        return True
    def written(self, export):
        at = [export.span.first, *(first_id(START + n) for n in range(1, SLICES)), export.span.end]
        spans = [Span(a, b) for a, b in zip(at, at[1:])]
        # Some are copied, some pass through: all sizes around the least that S3 copies.
        return [Slice(span, f"k{n}", 2, (n * 997 % 9 + 1) * 1024 * 1024, "0" * 64, COUNT // SLICES,
            span.first, span.first) for n, span in enumerate(spans)]

def say(events, size):
    print(json.dumps({"events": events, "size": size, "sunk": sink.sunk, "peak_kib": peak()}))

class Pace:
    def spend(self, units, alive): pass

class Sink:
    sunk = 0
    def put_object(self, *, Body, **_): self.sunk += len(Body)
    def create_multipart_upload(self, **_): return {"UploadId": "u"}
    def upload_part(self, *, Body, **_):
        self.sunk += len(Body)
        return {"ETag": "e", "ChecksumCRC32": "c"}
    def upload_part_copy(self, **_): return {"CopyPartResult": {"ETag": "e", "ChecksumCRC32": "c"}}
    def complete_multipart_upload(self, **_): pass
    def get_object(self, *, Range, **_):
        first, last = map(int, Range.removeprefix("bytes=").split("-"))
        return {"Body": io.BytesIO(bytes(last + 1 - first))}
    def get_paginator(self, _):
        class Pages:
            def paginate(self, **_): return []
        return Pages()

sink = Sink()
changes = ((0, SHARDS),)
with ThreadPoolExecutor(16) as threads:
    job = Job(export, Catalog.default(), Layout("acme", changes), rows=Log(),
        reader=Reader(Log(), consistent=True), threads=threads, exports=Exports(), slices=Slices(),
        objects=ObjectStore(sink, "b"), pace=Pace(), hold=lambda: None, attempt="a",
        deadline=float("inf"), now=lambda: START)
    finish(job) if SLICES else write_slice(job, export.span, COUNT + 1)
"""
ROOT = Path(__file__).parents[2]
FEW, SOME, MANY = 1_000, 100_000, 300_000
MIB = 1024


def run(count: int, compression: str, **how: Any) -> dict[str, int]:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            PROGRAM,
            json.dumps({"count": count, "compression": compression} | how),
        ],
        env={"PYTHONPATH": os.pathsep.join([str(ROOT / "functions"), *sys.path])},
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_peak_does_not_grow_with_what_is_exported() -> None:
    few, some, many = (run(count, "none") for count in (FEW, SOME, MANY))
    assert [peak["events"] for peak in (few, some, many)] == [FEW, SOME, MANY]
    # All of it went through, which is more than the whole process had room for.
    assert many["sunk"] // 1024 > many["peak_kib"]
    # A thousand events are less than one part of 8 MiB; from then on it is flat,
    # give or take a part that was not freed yet.
    assert some["peak_kib"] - few["peak_kib"] < 96 * MIB
    assert many["peak_kib"] - some["peak_kib"] < 40 * MIB


def test_nor_does_it_where_it_is_packed() -> None:
    few, some = run(FEW, "gzip"), run(SOME, "gzip")
    assert some["events"] == SOME
    assert some["peak_kib"] - few["peak_kib"] < 16 * MIB


@pytest.mark.parametrize(
    "how",
    [
        {"shards": 16},
        {"filter": {"actor": ["usr_1"]}},
        {"filter": {"actor": ["usr_1"]}, "shards": 16},
        {"format": "csv"},
        {"profile": "hf"},
    ],
    ids=str,
)
def test_nor_does_it_on_any_other_way_through_the_code(how: dict[str, Any]) -> None:
    few, some = run(FEW, "gzip", **how), run(SOME // 2, "gzip", **how)
    assert some["events"] == SOME // 2
    assert some["peak_kib"] - few["peak_kib"] < 24 * MIB


@pytest.mark.parametrize("shards", [1, 16])
def test_a_page_of_records_that_inflate_two_hundredfold_is_not_held_whole(shards: int) -> None:
    """3,000 events of 200 KB are one page as they are stored, and 600 MB as they are written."""
    inflated = {"eights": 25_000, "shards": shards}
    few, some = run(100, "gzip", **inflated), run(3_000, "gzip", **inflated)
    assert some["events"] == 3_000
    assert some["peak_kib"] - few["peak_kib"] < 48 * MIB


def test_a_file_of_many_slices_is_put_together_in_the_memory_of_one_part() -> None:
    few, many = run(80_000, "none", slices=10), run(80_000, "none", slices=1_000)
    assert many["events"] == few["events"] == 80_000
    assert many["size"] > 100 * few["size"] // 2 > 2 * 1024 * many["peak_kib"]
    # Most of it is copied within S3.
    assert many["sunk"] < many["size"] // 2
    assert many["peak_kib"] - few["peak_kib"] < 24 * MIB
