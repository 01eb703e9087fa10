"""The export job's memory does not depend on how much it exports.

Measured with 1,000, 100,000 and 300,000 events, in a process of its own each; a
million, in the same way, is for the benchmarks.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import io, json, resource, sys
from pathlib import Path
from auditlog import canonical, clock
from auditlog.catalog import Catalog
from auditlog.event import StoredEvent, event_id, id_time
from auditlog.exports import Export, Requester, State
from auditlog.formats import Compression, Format
from auditlog.layout import Layout
from auditlog.reads import Rows
from auditlog.span import Span
from auditlog.store.objects import ObjectStore
from auditlog.store.reader import Reader
from export.job import Job

COUNT, COMPRESSION = int(sys.argv[1]), sys.argv[2]
START = clock.parse("2026-06-01T00:00:00Z")
RECORD = canonical.encode({
    "type": "repo.create", "occurred_at": "2026-06-01T00:00:00.000000Z", "description": "made it",
    "actor": {"id": "usr_1", "name": "Ada"}, "metadata": {"text": "abcdefgh" * 60}, "org": "acme",
    "salt": "x" * 22, "v": 1,
})
PACKED = canonical.pack(RECORD)

def peak():
    # What getrusage says begins with what the parent had when it forked.
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(status.read_text().partition("VmHWM:")[2].split()[0])

class Events:
    def rows(self, read, *, consistent):
        assert consistent and read.order == "asc"
        first = max(0, id_time(read.span.first[:39]) - START + (len(read.span.first) > 39))
        last = min(COUNT, first + read.count)
        ids = [event_id(START + n, bytes(32)) for n in range(first, last)]
        # A copy each, as a client would make them.
        copies = [(i, bytes(bytearray(PACKED))) for i in ids]
        rows = [StoredEvent(i, "repo.create", START, True, packed) for i, packed in copies]
        return Rows(rows, last == COUNT)

class Exports:
    def report(self, export, **progress): return True
    def winner(self, export, number): return None
    def win(self, export, attempt): return attempt
    def complete(self, export, *, events, size, completed_at, expires_at):
        print(json.dumps({"events": events, "size": size, "sunk": sink.sunk,
            "peak_kib": peak()}))
        return True

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
export = Export("e1", "acme", State.QUEUED, Format.JSON, Compression(COMPRESSION), {},
    Span.between(0, None), Requester("a", "a", "a"), START + COUNT, START)
Job(export, Catalog.default(), Layout("acme"),
    reader=Reader(Events(), consistent=True), exports=Exports(),
    objects=ObjectStore(sink, "b"), hold=lambda: None, attempt="a").run()
"""
ROOT = Path(__file__).parents[2]
FEW, SOME, MANY = 1_000, 100_000, 300_000
MIB = 1024


def run(count: int, compression: str) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(count), compression],
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
