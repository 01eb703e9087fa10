"""An export from request to file: wait, download, check, and only then give it its name.

The file grows as `NAME.part` and becomes `NAME` in one step once its size, its bytes and its
number of events are what the service says; its manifest then stands beside it. A broken
connection is taken up where it broke, a link that has run out is asked for again.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from auditlog.cli.checking import Expected, Watch, check
from auditlog.cli.failures import CommandError, RefusedError, UnreachableError

if TYPE_CHECKING:
    from auditlog.cli.client import Api
    from auditlog.cli.manifest import Manifest

_BROKEN_LINKS = 6
_FIRST_LOOK, _LAST_LOOK = 0.5, 5.0
_ENDS = {
    "failed": "Make another with `auditlog export`.",
    "cancelled": "Somebody cancelled it. Make another with `auditlog export`.",
    "expired": "Its file has been removed. Make another with `auditlog export`.",
}
_UNSAFE = re.compile("[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True)
class Waiting:
    """How to wait for the service, and what to do at each look."""

    sleep: Callable[[float], None]
    watch: Callable[[dict[str, Any]], object]


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
    api: "Api",
    org: str,
    export: dict[str, Any],
    path: Path,
    got: Callable[[int], object],
    read: Watch,
) -> "Manifest | None":
    """Downloads a ready export to `path`, checked, and keeps its manifest beside it.

    An export that was made before there were manifests has none, and so None is returned. `got`
    is told the bytes that are there so far, `read` those that the checks read. Raises
    `CommandError`; what was downloaded then stays as `NAME.part`.
    """
    part = _part(path)
    again = f"auditlog exports download {export['id']} -o {path}"
    if path.exists() or beside(path).exists():
        again += " --force"
    try:
        expected = Expected.of(export)
        with part.open("wb") as file:
            _download(api, org, export, file, got)
            file.flush()
            os.fsync(file.fileno())
        data, manifest = _manifest(api, org, export)
        check(part, expected, manifest, read)
        _name(path, data)
    except OSError as error:
        raise CommandError(
            f"cannot write {path}: {error.strerror or error}", hint=f"Then go on with: {again}"
        ) from None
    except CommandError as error:
        raise CommandError(
            error.message, places=error.places, hint=f"{error.hint} Go on with: {again}".strip()
        ) from None
    return manifest


def beside(path: Path) -> Path:
    """Where the manifest of a file stands."""
    return path.with_name(f"{path.name}.manifest.json")


def file_name(org: str, export: dict[str, Any]) -> str:
    """A name that says what is in the file."""
    ending = ".gz" if export["compression"] == "gzip" else ""
    return _UNSAFE.sub("_", f"{org}-{export['id']}.{export['format']}{ending}")


def _download(
    api: "Api", org: str, export: dict[str, Any], file: IO[bytes], got: Callable[[int], object]
) -> None:
    error: CommandError | None = None
    for url in _links(api, org, export, "download_url"):
        try:
            for chunk in api.download(url, file.tell()):
                file.write(chunk)
                got(file.tell())
        except (UnreachableError, RefusedError) as broken:
            error = broken
        else:
            return
        if file.tell() == export["bytes"]:
            return
    raise CommandError(f"the download broke off after {file.tell()} bytes: {error}")


def _manifest(
    api: "Api", org: str, export: dict[str, Any]
) -> "tuple[bytes, Manifest] | tuple[None, None]":
    """The manifest of `export`, as it was sent and as it was read."""
    from auditlog.cli import manifest  # noqa: PLC0415 -- --help does without msgspec

    if not export.get("manifest_url"):
        return None, None
    name = f"the manifest of export {export['id']}"
    error: CommandError | None = None
    for url in _links(api, org, export, "manifest_url"):
        data = bytearray()
        try:
            for chunk in api.download(url, 0):
                data += chunk
                if len(data) > manifest.MAX_BYTES:
                    raise CommandError(f"{name} is longer than {manifest.MAX_BYTES} bytes.")
        except (UnreachableError, RefusedError) as broken:
            error = broken
        else:
            found = manifest.read(bytes(data), name)
            found.agree(export)
            return bytes(data), found
    raise CommandError(f"{name} cannot be had: {error}")


def _links(api: "Api", org: str, export: dict[str, Any], name: str) -> Iterator[str]:
    """A link to the file or the manifest, then fresh ones for as long as that may still help."""
    yield export[name]
    for _ in range(_BROKEN_LINKS - 1):
        fresh = api.export(org, export["id"])
        if fresh["state"] != "ready":
            raise CommandError(f"export {export['id']} is {fresh['state']} now")
        yield fresh[name]


def _name(path: Path, manifest: bytes | None) -> None:
    """Gives the checked file its name, and its manifest one beside it."""
    own = beside(path)
    if manifest is not None:
        with _part(own).open("wb") as file:
            file.write(manifest)
            file.flush()
            os.fsync(file.fileno())
    # No manifest ever stands beside a file that is not its own. So a crash after this step leaves
    # the old file without one, and a crash after the next the new file, which is checked.
    own.unlink(missing_ok=True)
    _part(path).replace(path)
    if manifest is not None:
        _part(own).replace(own)


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _said(error: object) -> str:
    return error if isinstance(error, str) else json.dumps(error)
