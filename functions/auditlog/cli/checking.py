"""A file against all that is known of it: its size, every byte by a manifest, its events."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditlog.cli.counting import BrokenFileError, Counted, count
from auditlog.cli.failures import CommandError
from auditlog.formats import Compression, Format

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from auditlog.cli.manifest import Manifest

#: Is told how many more bytes of the file were read.
Watch = Callable[[int], object]

_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Expected:
    """What a file should be."""

    format: Format
    compression: Compression
    bytes: int
    events: int

    @classmethod
    def of(cls, export: Mapping[str, Any]) -> "Expected":
        """What the API or a manifest says; `CommandError` where this command does not know it."""
        try:
            form, compression = Format(export["format"]), Compression(export["compression"])
        except ValueError:
            raise CommandError(
                f"this command does not know {export['format']} with {export['compression']}.",
                hint="Update the `auditlog` command.",
            ) from None
        return cls(form, compression, export["bytes"], export["events"])


def check(path: Path, expected: Expected, manifest: "Manifest | None", watch: Watch) -> Counted:
    """What the file holds; `CommandError` unless it is expected, and `OSError` as reading does.

    Without a manifest the size and the number of events are all there is to check. The file is
    read once for the events, and once more for the manifest.
    """
    with io.BufferedReader(_Watched(path, watch), _AT_ONCE) as file:
        size = file.seek(0, io.SEEK_END)
        if size != expected.bytes:
            raise CommandError(
                f"{path} has {size} bytes, but the export has {expected.bytes}: it is not whole."
            )
        if manifest is not None:
            manifest.check(file, str(path))
        file.seek(0)
        try:
            counted = count(file, expected.format, expected.compression)
        except BrokenFileError as error:
            raise CommandError(f"{path} is not what the export should be: {error}.") from None
        if counted.events != expected.events:
            raise CommandError(
                f"{path} holds {counted.events} events, but the export has {expected.events}."
            )
        return counted


class _Watched(io.FileIO):
    """A file that tells of every read how much it gave."""

    def __init__(self, path: Path, watch: Watch) -> None:
        super().__init__(path)
        self._watch = watch

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        given = super().readinto(buffer)
        self._watch(given)
        return given
