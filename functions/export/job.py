"""One attempt at an export: read, write the slice, assemble, finish."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from auditlog import clock, exports, filters, formats, plan
from auditlog.catalog import Catalog
from auditlog.event import id_time
from auditlog.exports import Export, Slice
from auditlog.formats import LAYOUTS, Compression
from auditlog.layout import Layout
from auditlog.sieve import Found
from auditlog.store.exports import ExportStore
from auditlog.store.objects import ObjectStore, Stored
from auditlog.store.reader import Reader
from auditlog.walk import ROWS_PER_READ

#: Seconds between two reports of progress, and two renewals of the message.
REPORT_EVERY = 5.0
#: One read gives them all, and one more event that says that there are more.
_PER_PAGE = ROWS_PER_READ - 1
# A page of rows is 1 MB as stored, and may be a hundred times that unpacked.
_CHUNK = 1024 * 1024


class Stopped(Exception):  # noqa: N818 -- nothing is wrong: somebody cancelled it
    """The export is not under way any more: cancelled, or finished by another attempt."""


@dataclass(slots=True)
class Job:
    """An attempt. `hold` keeps the message with this worker; `attempt` names what it writes."""

    export: Export
    catalog: Catalog
    layout: Layout
    reader: Reader
    exports: ExportStore
    objects: ObjectStore
    hold: Callable[[], None]
    attempt: str
    now: Callable[[], int] = clock.now
    monotonic: Callable[[], float] = clock.monotonic
    _written: int = field(default=0, init=False)
    _reported: float = field(default=float("-inf"), init=False)

    def run(self) -> None:
        """Makes the file, from the first step that no earlier attempt has done.

        Memory does not depend on the size: one page of events and one part of
        an upload at a time. Raises `Stopped` where the export is not wanted any
        more; then nothing of this attempt is left.
        """
        self._report(fraction=0.0)
        won = self.exports.winner(self.export, 0) or self._make_slice()
        self._written = won.events
        size = self.objects.assemble(
            self.export.object_key,
            self._pieces(won),
            alive=lambda: self._report(fraction=1.0),
            ContentType=self._content_type(),
        )
        done_at = self.now()
        # A crash here leaves the whole file under its name, and the export
        # running: the next attempt writes the same bytes again and finishes.
        if not self.exports.complete(
            self.export,
            events=won.events,
            size=size,
            completed_at=done_at,
            expires_at=done_at + exports.KEPT_FOR,
        ):
            raise self._stopped()
        self.objects.delete_folder(self._slices)

    @property
    def _slices(self) -> str:
        return f"{self.export.folder}slices/"

    def _make_slice(self) -> Slice:
        key = f"{self._slices}0000-{self.attempt}"
        packed = formats.pack(self._lines(), self.export.compression)
        size = self.objects.write(key, packed)
        # A crash here leaves an object that no slice points to; the next
        # attempt writes its own.
        own = Slice(0, key, self._written, size)
        return self.exports.win(self.export, own)

    def _lines(self) -> Iterator[bytes]:
        """The file's inside, about a megabyte at a time."""
        for found in self._pages():
            lines: list[bytes] = []
            size = 0
            for one in found:
                lines.append(formats.answer(one.event, one.record, self.catalog))
                size += len(lines[-1])
                if size > _CHUNK:
                    yield self._joined(lines)
                    lines, size = [], 0
            if lines:
                yield self._joined(lines)

    def _joined(self, lines: list[bytes]) -> bytes:
        layout = LAYOUTS[self.export.format]
        before = layout.between if self._written else b""
        self._written += len(lines)
        return before + (layout.after + layout.between).join(lines) + layout.after

    def _pages(self) -> Iterator[list[Found]]:
        """Every event that matches, oldest first, read with strong consistency."""
        wanted = filters.parse(self.export.filter, self.catalog, hidden_by_default=False)
        span, start = self.export.span, None
        while True:
            page = self.reader.run(
                plan.page(self.layout, wanted, span, order="asc", limit=_PER_PAGE)
            )
            yield page.found
            if page.position is None:
                return
            if start is None and page.found:
                start = id_time(page.found[0].event.id)
            at = id_time(page.position)
            self._report(self._fraction(at if start is None else start, at))
            span = span.after(page.position, "asc")

    def _fraction(self, start: int, at: int) -> float:
        whole = self.export.created_at - start
        return min(1.0, (at - start) / whole) if whole > 0 else 1.0

    def _pieces(self, won: Slice) -> list[Stored | bytes]:
        layout, packing = LAYOUTS[self.export.format], self.export.compression
        head = b"".join(formats.pack([layout.head], packing)) if layout.head else b""
        tail = b"".join(formats.pack([layout.tail], packing)) if layout.tail else b""
        return [head, Stored(won.object_key, won.bytes), tail]

    def _content_type(self) -> str:
        if self.export.compression is Compression.GZIP:
            return "application/gzip"
        return LAYOUTS[self.export.format].content_type

    def _report(self, fraction: float) -> None:
        """Says how far it is, at most every few seconds, and keeps the message."""
        if self.monotonic() - self._reported < REPORT_EVERY:
            return
        self._reported = self.monotonic()
        self.hold()
        if not self.exports.report(
            self.export, events=self._written, fraction=fraction, now=self.now()
        ):
            raise self._stopped()

    def _stopped(self) -> Stopped:
        """Removes what this attempt wrote, unless another attempt made a file of it."""
        current = self.exports.get(self.export.org, self.export.id)
        if current is not None and current.state in {
            exports.State.CANCELLED,
            exports.State.EXPIRED,
            exports.State.FAILED,
        }:
            self.objects.delete_folder(self.export.folder)
        return Stopped()
