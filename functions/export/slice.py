"""A slice: one part of the range, read, written out, and stored as an object of its own."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from auditlog.answers import Answers
from auditlog.exports import Slice
from auditlog.formats import LAYOUTS
from auditlog.packing import literal, pack
from auditlog.span import Span
from export.feed import Feed
from export.job import Job, Stopped
from export.lines import Lines
from export.patience import patiently


def write_slice(job: Job, span: Span, most_events: int) -> Slice:
    """Writes what matches in a span, or its beginning where time runs out, and says so.

    Its beginning also where it has more than `most_events`: no slice takes much
    longer than others.

    Returns the slice that counts, which another delivery of the same message may
    have written. Memory does not depend on its size: some pages of rows and one
    part of an upload. Raises `Stopped` where the export is not wanted any more;
    then nothing of this attempt is left.
    """
    won = job.slices.won(job.export, span.first)
    if won is not None:
        return won
    job.alive()
    written = _Writing(job, span, most_events).write()
    # A crash here leaves an object that no slice points to; it goes with the
    # others once the file is there.
    if patiently(lambda: job.slices.win(job.export, written, wanted=span, now=job.now())):
        return written
    won = job.slices.won(job.export, span.first)
    if written.object_key is not None and (won is None or won.object_key != written.object_key):
        job.objects.delete(written.object_key)
    if won is None:
        raise Stopped
    return won


@dataclass(slots=True)
class _Writing:
    job: Job
    span: Span
    most_events: int
    _lines: Lines = field(init=False)
    _reached: str = field(init=False)
    _events: int = field(default=0, init=False)
    _first_id: str | None = field(default=None, init=False)
    _last_id: str | None = field(default=None, init=False)
    _hash: Any = field(init=False)
    _size: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        export = self.job.export
        self._lines = Lines(Answers(self.job.catalog), export.format, export.profile)
        self._reached = self.span.first
        self._hash = hashlib.sha256()

    def write(self) -> Slice:
        """The slice, whose object is whole."""
        job = self.job
        chunks = self._chunks()
        # What parts it from the slice before is a member of its own, so that it can
        # be left out where there is none before.
        between = LAYOUTS[job.export.format].between
        lead = literal(between, job.export.compression) if between else b""
        key = None
        first = next(chunks, None)
        if first is not None:
            key = f"{job.folder}{self.span.first}-{job.attempt}"
            packed = pack(chain([first], chunks), job.export.compression)
            job.objects.write(key, chain([lead], self._hashed(packed)))
        return Slice(
            Span(self.span.first, self._reached),
            key,
            lead=len(lead) if key else 0,
            bytes=self._size,
            sha256=self._hash.hexdigest() if key else "",
            events=self._events,
            first_id=self._first_id,
            last_id=self._last_id,
            left_out=self._lines.left_out,
            unsaid=self._lines.unsaid,
        )

    def _chunks(self) -> Iterator[bytes]:
        """The slice's inside, about a megabyte at a time."""
        job = self.job
        layout = LAYOUTS[job.export.format]
        join = layout.after + layout.between
        feed = Feed(job.rows, job.reader, job.threads, job.alive)
        shown = Span(max(self.span.first, job.floor), self.span.end)
        for batch in feed.read(job.layout, job.wanted, shown) if not shown.is_empty else ():
            lines, written = self._lines.of(batch.entries)
            if lines:
                before = layout.between if self._events else b""
                yield before + join.join(lines) + layout.after
                self._events += len(lines)
                self._first_id = self._first_id or written[0][0]
                self._last_id = written[-1][0]
            self._reached = batch.reached
            job.alive()
            job.pace.spend(batch.units, job.alive)
            if self._events >= self.most_events or job.monotonic() >= job.deadline:
                return
        self._reached = self.span.end

    def _hashed(self, packed: Iterable[bytes]) -> Iterator[bytes]:
        for piece in packed:
            self._hash.update(piece)
            self._size += len(piece)
            yield piece
