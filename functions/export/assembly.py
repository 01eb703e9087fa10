"""The file: put together of its slices within S3, and its manifest beside it."""

from collections.abc import Sequence
from typing import Any

from auditlog import exports, formats
from auditlog.errors import StoreError
from auditlog.exports import Slice
from auditlog.manifests import manifest
from auditlog.packing import literal
from auditlog.store.objects import Stored
from export.job import Job, Stopped


def finish(job: Job) -> None:
    """Makes the file and its manifest of the slices, then calls the export ready.

    Whatever it did before is done again to the same end. Raises `Stopped` where
    the export is not wanted any more; then nothing of it is left.
    """
    export = job.export
    job.alive()
    slices = job.slices.written(export)
    _check_whole(job, slices)
    written = [part for part in slices if part.object_key]
    rest = _rest(job, len(written))
    size = job.objects.assemble(
        export.object_key,
        _pieces(written, rest),
        alive=job.alive,
        ContentType=export.content_type,
    )
    about = manifest(export, slices, rest)
    job.objects.write(export.manifest_key, [about], ContentType="application/json")
    done_at = job.now()
    # A crash here leaves the whole file under its name, and the export running:
    # the next attempt writes the same bytes again and finishes.
    if not job.exports.complete(
        export,
        events=sum(part.events for part in slices),
        left_out=sum(sum(part.left_out.values()) for part in slices),
        size=size,
        completed_at=done_at,
        expires_at=done_at + exports.KEPT_FOR,
    ):
        raise Stopped
    job.objects.delete_folder(job.folder)


def _check_whole(job: Job, slices: Sequence[Slice]) -> None:
    """Raises `StoreError` where the slices are not the range, one after the other."""
    at = job.export.span.first
    for part in slices:
        if part.span.first != at:
            raise StoreError("the slices do not follow one another")
        at = part.span.end
    if at != job.export.span.end:
        raise StoreError("the slices do not reach the end of the range")


def _rest(job: Job, written: int) -> list[bytes]:
    """What stands before, between and behind so many slices."""
    layout, packing = formats.LAYOUTS[job.export.format], job.export.compression
    head = formats.head(job.export.format, bom=job.export.bom)
    packed = [literal(text, packing) if text else b"" for text in (head, layout.between)]
    tail = literal(layout.tail, packing) if layout.tail else b""
    if not (written or head or layout.tail):
        tail = literal(b"", packing)  # a file of no bytes at all is no gzip file
    if not written:
        return [packed[0] + tail]
    return [packed[0], *[packed[1]] * (written - 1), tail]


def _pieces(written: Sequence[Slice], rest: Sequence[bytes]) -> list[Stored | bytes]:
    """The file's pieces: a slice brings what parts it from the one before, where there is one."""
    pieces: list[Stored | bytes] = [rest[0]]
    for number, part in enumerate(written):
        start = part.lead if number == 0 else 0
        key: Any = part.object_key
        pieces.append(Stored(key, part.lead + part.bytes, start))
    if written:
        pieces.append(rest[-1])
    return pieces
