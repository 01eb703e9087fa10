"""An export from request to file: wait, download, check, and only then give it its name.

The file grows as `NAME.part` and becomes `NAME` in one step once its size and its number of
events are what the service says. A broken connection is taken up where it broke, a link that
has run out is asked for again.
"""

import gzip
import io
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from auditlog.cli.failures import CommandError, RefusedError, UnreachableError
from auditlog.cli.members import BrokenJsonError, members

if TYPE_CHECKING:
    from auditlog.cli.client import Api

_BROKEN_LINKS = 6
_FIRST_LOOK, _LAST_LOOK = 0.5, 5.0
_ENDS = {
    "failed": "Make another with `auditlog export`.",
    "cancelled": "Somebody cancelled it. Make another with `auditlog export`.",
    "expired": "Its file has been removed. Make another with `auditlog export`.",
}
_CHUNK = 1 << 20
_UNSAFE = re.compile("[^A-Za-z0-9._-]")

Watch = Callable[[dict[str, Any]], object]


@dataclass(frozen=True, slots=True)
class Waiting:
    """How to wait for the service, and what to do at each look."""

    sleep: Callable[[float], None]
    watch: Watch


def until_ready(api: "Api", org: str, export: dict[str, Any], waiting: Waiting) -> dict[str, Any]:
    """The export once it is ready. Raises `CommandError` where it never will be."""
    pause = _FIRST_LOOK
    while export["state"] != "ready":
        if export["state"] in _ENDS:
            error = export.get("error")
            because = f": {_said(error)}" if error else ""
            raise CommandError(
                f"export {export['id']} is {export['state']}{because}",
                hint=_ENDS[export["state"]],
            )
        waiting.watch(export)
        waiting.sleep(pause)
        pause = min(_LAST_LOOK, pause * 1.5)
        export = api.export(org, export["id"])
    waiting.watch(export)
    return export


def fetch(
    api: "Api", org: str, export: dict[str, Any], path: Path, got: Callable[[int], object]
) -> None:
    """Downloads a ready export to `path`, checked. `got` is told the bytes that are there so far.

    Raises `CommandError`; what was downloaded then stays as `NAME.part`.
    """
    part = path.with_name(f"{path.name}.part")
    again = f"auditlog exports download {export['id']} -o {path}"
    try:
        with part.open("wb") as file:
            _download(api, org, export, file, got)
            file.flush()
            os.fsync(file.fileno())
        _check(export, part)
        part.replace(path)
    except OSError as error:
        raise CommandError(
            f"cannot write {path}: {error.strerror or error}", hint=f"Then go on with: {again}"
        ) from None
    except CommandError as error:
        raise CommandError(
            error.message, places=error.places, hint=f"{error.hint} Go on with: {again}".strip()
        ) from None


def file_name(org: str, export: dict[str, Any]) -> str:
    """A name that says what is in the file."""
    ending = ".gz" if export["compression"] == "gzip" else ""
    return _UNSAFE.sub("_", f"{org}-{export['id']}.{export['format']}{ending}")


def _download(
    api: "Api", org: str, export: dict[str, Any], file: IO[bytes], got: Callable[[int], object]
) -> None:
    url = export["download_url"]
    for attempt in range(_BROKEN_LINKS):
        try:
            for chunk in api.download(url, file.tell()):
                file.write(chunk)
                got(file.tell())
        except (UnreachableError, RefusedError) as error:
            if attempt == _BROKEN_LINKS - 1:
                raise CommandError(
                    f"the download broke off after {file.tell()} bytes: {error}"
                ) from None
        else:
            return
        if file.tell() == export["bytes"]:
            return
        fresh = api.export(org, export["id"])
        if fresh["state"] != "ready":
            raise CommandError(f"export {export['id']} is {fresh['state']} now")
        url = fresh["download_url"]


def _check(export: dict[str, Any], part: Path) -> None:
    size = part.stat().st_size
    if size != export["bytes"]:
        raise CommandError(
            f"{part} has {size} bytes, but the export has {export['bytes']}: it is not whole."
        )
    try:
        count = _count(export, part)
    except (BrokenJsonError, EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError) as error:
        raise CommandError(f"{part} is not what the export should be: {error}.") from None
    if count != export["events"]:
        raise CommandError(f"{part} holds {count} events, but the export has {export['events']}.")


def _count(export: dict[str, Any], part: Path) -> int:
    """How many events the file holds, read to its end."""
    with part.open("rb") as raw:
        packed = export["compression"] == "gzip"
        plain: io.BufferedIOBase = gzip.GzipFile(fileobj=raw) if packed else raw
        if export["format"] == "json":
            text = io.TextIOWrapper(plain, encoding="utf-8", newline="")
            return sum(1 for _ in members(_pieces(text)))
        return sum(1 for line in plain if _is_object(line))


def _is_object(line: bytes) -> bool:
    if not line.endswith(b"}\n"):
        raise BrokenJsonError("a line is not one whole event", 0)
    return True


def _pieces(text: io.TextIOWrapper) -> Iterator[str]:
    while piece := text.read(_CHUNK):
        yield piece


def _said(error: object) -> str:
    return error if isinstance(error, str) else json.dumps(error)
