"""The files of the page: read once, each with its bytes as they are and as gzip.

What holds of them:

- `version` is of every name and every byte, the page's own too: one that changes
  changes the address of all, so what is under an address never changes;
- packed twice, a file has the same bytes;
- nothing is looked for on the disk when a request comes: a name is a member of a
  mapping, or there is no such file.
"""

import gzip
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

#: By the ending of a name. A font would need `font-src` in the page's policy too.
TYPES: Mapping[str, str] = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
}
PAGE = "index.html"
_NAME = re.compile(rf"[a-z0-9-]+\.({'|'.join(TYPES)})")
_VERSION_LENGTH = 20


@dataclass(frozen=True)
class File:
    """What is sent, and what it is."""

    type: str
    data: bytes

    @cached_property
    def packed(self) -> bytes:
        """The same as gzip, made when it is first asked for."""
        return gzip.compress(self.data, compresslevel=9, mtime=0)


class Files:
    """The files of a folder, which is flat.

    Raises `ValueError` where one has a name that could not be served.
    """

    def __init__(self, folder: Path) -> None:
        page = (folder / PAGE).read_bytes()
        self.page = page.decode()
        self._files = dict(_read(folder))
        hashed = hashlib.sha256()
        for name, data in [(PAGE, page), *((n, self._files[n].data) for n in sorted(self._files))]:
            hashed.update(f"{name} {len(data)}\n".encode() + data)
        self.version = hashed.hexdigest()[:_VERSION_LENGTH]

    @property
    def names(self) -> list[str]:
        """The names of all files but the page's own."""
        return sorted(self._files)

    def get(self, version: str, name: str) -> File | None:
        """The file of this name, where `version` is the one that is here."""
        return self._files.get(name) if version == self.version else None


def _read(folder: Path) -> Iterator[tuple[str, File]]:
    for path in folder.iterdir():
        named = _NAME.fullmatch(path.name)
        if named is not None:
            yield path.name, File(TYPES[named[1]], path.read_bytes())
        elif path.name != PAGE:
            raise ValueError(f"{path.name} is not a name that a file of the page can have")
