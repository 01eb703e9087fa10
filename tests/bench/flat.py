"""One export in a process of its own: `python -m tests.bench.flat EVENTS PACKING`.

Pages cost nothing to read and files nothing to keep, so that what is left is
the job. Says in JSON how long it took and how much memory the process had at
the most, before it and all in all.
"""

import json
import sys
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from auditlog import canonical
from auditlog.event import MAX_AHEAD, StoredEvent
from auditlog.exports import Export, Requester, Slice, State
from auditlog.formats import Compression, Format
from auditlog.reads import EventsRead, Rows
from auditlog.span import Span
from auditlog.store.objects import ObjectStore
from auditlog.store.reader import Reader
from export.job import _PER_PAGE, Job
from tests.bench import corpus

EXPORT = Export(
    id="0" * 24,
    org=corpus.ORG,
    state=State.QUEUED,
    format=Format.NDJSON,
    compression=Compression.GZIP,
    filter={},
    span=Span.between(0, corpus.RULES.judged_at + MAX_AHEAD),
    requested_by=Requester("u-1", "bench", "k-1"),
    created_at=corpus.RULES.judged_at,
    updated_at=corpus.RULES.judged_at,
)


class Generated:
    """An event store without a store: the same page, moved on, as often as asked."""

    def __init__(self, number: int) -> None:
        page = [
            StoredEvent(r.id, r.type, 0, r.described, canonical.pack(r.data))
            for r in islice(corpus.records(1_000), 1_000)
        ]
        self._page = sorted(page)
        self._left = number

    def rows(self, read: EventsRead, *, consistent: bool) -> Rows:
        """What the job reads with; it asks again for what a page has no room for."""
        assert consistent
        given = self._page[: min(read.count, self._left)]
        complete = self._left <= read.count
        self._left -= _PER_PAGE
        return Rows(given, complete)


class Agreeing:
    """An export store that takes everything and keeps nothing."""

    def winner(self, _export: Export, _number: int) -> Slice | None:
        """No attempt has won before."""
        return None

    def win(self, _export: Export, attempt: Slice) -> Slice:
        """This one wins."""
        return attempt

    def report(self, _export: Export, **_: Any) -> bool:
        """It is wanted."""
        return True

    complete = report


def job(exports: Any, events: Any, export: Export, bucket: corpus.Bucket) -> Job:
    """The job as the worker makes it."""
    objects = ObjectStore(bucket, "bucket")  # type: ignore[arg-type] -- as much of S3 as is needed
    return Job(
        export,
        corpus.CATALOG,
        corpus.SETTINGS.layout,
        reader=Reader(events, consistent=True),
        exports=exports,
        objects=objects,
        hold=lambda: None,
        attempt="0",
    )


def main(count: int, compression: Compression) -> None:
    """Run one and print what it took."""
    bucket = corpus.Bucket()
    export = replace(EXPORT, compression=compression)
    ready = job(Agreeing(), Generated(count), export, bucket)
    before, began = _highest(), time.perf_counter()
    ready.run()
    seconds = time.perf_counter() - began
    said = {"seconds": seconds, "bytes": bucket.bytes, "before": before, "highest": _highest()}
    print(json.dumps(said))


def _highest() -> int:
    # Not ru_maxrss, which a process inherits from the one that started it.
    lines = Path("/proc/self/status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines)
    return int(status["VmHWM"].split()[0]) * 1024


if __name__ == "__main__":
    main(int(sys.argv[1]), Compression(sys.argv[2]))
