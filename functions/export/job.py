"""What the steps of an export work with."""

from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field

from auditlog import clock, filters
from auditlog.catalog import Catalog
from auditlog.errors import UnavailableError
from auditlog.exports import Export
from auditlog.filters import Filter
from auditlog.layout import Layout
from auditlog.span import BEGIN
from auditlog.store.exports import ExportStore
from auditlog.store.objects import ObjectStore
from auditlog.store.pace import Pace
from auditlog.store.reader import Reader
from auditlog.store.rows import RowStore
from auditlog.store.slices import SliceStore

#: Seconds between two signs of life.
REPORT_EVERY = 5.0


class Stopped(Exception):  # noqa: N818 -- nothing is wrong: somebody cancelled it
    """The export is not under way any more: cancelled, failed, or finished by another."""


@dataclass(slots=True)
class Job:
    """One attempt at a step of an export.

    `hold` keeps the message with this worker; `attempt` names what it writes;
    `deadline` (of the monotonic clock) is when it has to come to an end.
    """

    export: Export
    catalog: Catalog
    layout: Layout
    rows: RowStore
    reader: Reader
    threads: Executor
    exports: ExportStore
    slices: SliceStore
    objects: ObjectStore
    pace: Pace
    hold: Callable[[], None]
    attempt: str
    deadline: float
    now: Callable[[], int]
    monotonic: Callable[[], float] = clock.monotonic
    floor: str = BEGIN
    """Nothing below it is written, whatever the bounds say: the policy has changed since."""
    _reported: float = field(default=float("-inf"), init=False)

    @property
    def wanted(self) -> Filter:
        """The filter; what search hides is in an export unless it says otherwise."""
        return filters.parse(self.export.filter, self.catalog, hidden_by_default=False)

    @property
    def folder(self) -> str:
        """Where the slices of the export stand, until the file is there."""
        return f"{self.export.folder}slices/"

    def alive(self) -> None:
        """Keeps the message, and looks whether the export is still wanted, every few seconds.

        Raises `Stopped` where the export is not wanted any more.
        """
        if self.monotonic() - self._reported < REPORT_EVERY:
            return
        self._reported = self.monotonic()
        # Where it cannot be said or seen now, it will be in some seconds.
        with suppress(UnavailableError):
            self.hold()
            if not self.exports.is_running(self.export):
                raise Stopped
