"""The manifest of an export: what the service wrote, by which a downloaded file is checked.

It is one JSON object. `slices` are byte ranges of the finished file with the SHA-256 of each, in
order and without overlaps; `rest_sha256` is that of all the bytes in no slice, one after the
other. So every byte of the file is in exactly one hash.

It is not signed: it shows that a file is what the service wrote, as far as the manifest itself is.

Within a version members are added and never change, so one that is not known here is left alone.
What changes a meaning has a new `version`, which this command refuses.
"""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Annotated, Any, BinaryIO

import msgspec

from auditlog.cli.failures import CommandError

VERSION = 1
#: Some 300,000 slices. A file that is longer is no manifest, and is not read.
MAX_BYTES = 64 << 20

_CHUNK = 1 << 20
_MOST_PLACES = 10
_AT_FAULT = "The manifest is at fault, which says nothing about the file."
_SHARED = ("id", "format", "compression", "profile", "bom", "events", "bytes", "left_out")
_DAMAGED = "It was damaged on its way, or changed since."

Count = Annotated[int, msgspec.Meta(ge=0)]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class Slice(msgspec.Struct, frozen=True):
    """A byte range of the file."""

    offset: Count
    bytes: Count
    sha256: Sha256
    events: Count

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + self.bytes


class Export(msgspec.Struct, frozen=True):
    """What was asked for."""

    id: str
    org: str
    format: str
    compression: str
    profile: str
    bom: bool
    filter: dict[str, Any]
    created_at: str


class Bounds(msgspec.Struct, frozen=True):
    """Which time the export covers, as it was frozen; `since` None is the log's beginning."""

    since: str | None
    until: str


class LeftOut(msgspec.Struct, frozen=True):
    """What the profile cannot say: events, by their types, and fields of those it can."""

    events: Count
    types: dict[str, Count]
    fields: dict[str, Count]


class Manifest(msgspec.Struct, frozen=True):
    """A manifest. One that `read` gave holds in itself: ranges, and the sum of the events."""

    export: Export
    bounds: Bounds
    bytes: Count
    events: Count
    left_out: LeftOut
    slices: tuple[Slice, ...]
    rest_sha256: Sha256

    def described(self) -> dict[str, Any]:
        """The export under the names that the API has for it."""
        return {
            **msgspec.structs.asdict(self.export),
            "events": self.events,
            "bytes": self.bytes,
            "left_out": self.left_out.events,
        }

    def agree(self, export: Mapping[str, Any]) -> None:
        """Raises `CommandError` unless it is the manifest of `export`, as the API shows that."""
        own = self.described()
        for name in _SHARED:
            told = export.get(name)
            if told is not None and told != own[name]:
                raise CommandError(
                    f"the manifest of export {export['id']} is another's: "
                    f"{name} is {own[name]} in it, but the export has {told}.",
                    hint=_AT_FAULT,
                )

    def check(self, file: BinaryIO, name: str) -> None:
        """Raises `CommandError` unless `file` is what the service wrote, byte for byte.

        Reads it once from its start, holding a megabyte in memory. `name` is what the error
        calls it.
        """
        file.seek(0)
        rest, wrong = sha256(), list[str]()
        at = 0
        for number, each in enumerate(self.slices, 1):
            _take(file, each.offset - at, rest.update)
            digest = sha256()
            _take(file, each.bytes, digest.update)
            if digest.hexdigest() != each.sha256:
                wrong.append(self.place(number))
            at = each.end
        _take(file, self.bytes - at, rest.update)
        if file.tell() < self.bytes or file.read(1):
            raise CommandError(f"{name} does not end after {self.bytes} bytes.", hint=_DAMAGED)
        if rest.hexdigest() != self.rest_sha256:
            wrong.append(f"outside the slices, {self._outside()}")
        if wrong:
            raise CommandError(
                f"{name} is not what the service wrote: the SHA-256 is another in",
                places=_first(wrong),
                hint=_DAMAGED,
            )

    def place(self, number: int) -> str:
        """Where a slice stands, for a person, who counts from 1."""
        each = self.slices[number - 1]
        return f"slice {number} of {len(self.slices)}, {_range(each.offset, each.end)}"

    def _outside(self) -> str:
        """The ranges that are in no slice."""
        starts = (0, *(each.end for each in self.slices))
        ends = (*(each.offset for each in self.slices), self.bytes)
        gaps = [_range(a, b) for a, b in zip(starts, ends, strict=True) if a < b]
        return " or ".join(_first(gaps)) or "where there is nothing"


class _Versioned(msgspec.Struct):
    version: Annotated[int, msgspec.Meta(ge=1)]


def read(data: bytes, name: str) -> Manifest:
    """The manifest that stands in `data`: ranges in order and in the file, events that add up.

    Raises `CommandError`; `name` is what it calls the manifest.
    """
    try:
        version = msgspec.json.decode(data, type=_Versioned).version
        if version > VERSION:
            raise CommandError(
                f"{name} is of version {version}, and this command knows {VERSION}.",
                hint="Update the `auditlog` command.",
            )
        found = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(name, str(error)) from None
    end = 0
    for number, each in enumerate(found.slices, 1):
        if each.offset < end:
            raise _broken(name, f"{found.place(number)}, begins before slice {number - 1} ends")
        end = each.end
        if end > found.bytes:
            raise _broken(name, f"{found.place(number)}, ends behind the file's {found.bytes}")
    events = sum(each.events for each in found.slices)
    if events != found.events:
        raise _broken(name, f"its slices hold {events} events, but it says {found.events}")
    return found


def _take(file: BinaryIO, left: int, taken: Callable[[bytes], object]) -> None:
    """Hands on the next `left` bytes, or as many as there are."""
    while left and (chunk := file.read(min(left, _CHUNK))):
        taken(chunk)
        left -= len(chunk)


def _broken(name: str, why: str) -> CommandError:
    return CommandError(f"{name} is no good manifest: {why}.", hint=_AT_FAULT)


def _range(start: int, end: int) -> str:
    """A range as HTTP writes it: both of its ends are in it."""
    return f"bytes {start}-{end - 1}" if start < end else f"no bytes, at {start}"


def _first(places: list[str]) -> list[str]:
    more = len(places) - _MOST_PLACES
    return [*places[:_MOST_PLACES], *([f"and {more} more"] if more > 0 else [])]
