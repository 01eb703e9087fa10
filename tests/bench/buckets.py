"""As much of S3 as an export needs: one bucket that forgets what it is given, one of files."""

# ruff: noqa: N803 -- parameters are named as boto3 names them

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

_COPIED_AT_ONCE = 1 << 20


class Forgetful:
    """Counts bytes and forgets them, so that what is measured is the job and not this.

    Of each part it takes the checksum, which boto3 does for the real one.
    """

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}

    def size(self, key: str) -> int:
        """Bytes of an object."""
        return self._sizes[key]

    def put_object(self, *, Key: str, Body: bytes, **_: Any) -> dict[str, Any]:
        """Takes an object."""
        zlib.crc32(Body)
        self._sizes[Key] = len(Body)
        return {}

    def create_multipart_upload(self, *, Key: str, **_: Any) -> dict[str, Any]:
        """Begins an upload."""
        self._sizes[Key] = 0
        return {"UploadId": Key}

    def upload_part(self, *, Key: str, Body: bytes, **_: Any) -> dict[str, Any]:
        """Takes a part."""
        self._sizes[Key] += len(Body)
        return {"ETag": f"{zlib.crc32(Body):08x}"}

    def upload_part_copy(self, *, Key: str, CopySourceRange: str, **_: Any) -> dict[str, Any]:
        """Copies a range, which costs the client nothing."""
        first, end = _range(CopySourceRange)
        self._sizes[Key] += end - first
        return {"CopyPartResult": {"ETag": "copied"}}

    def complete_multipart_upload(self, **_: Any) -> dict[str, Any]:
        """Ends an upload."""
        return {}

    def abort_multipart_upload(self, *, Key: str, **_: Any) -> dict[str, Any]:
        """Ends an upload without an object."""
        del self._sizes[Key]
        return {}

    def get_object(self, *, Range: str, **_: Any) -> dict[str, Any]:
        """A range of an object: so many bytes, of no content."""
        first, end = _range(Range)
        return {"Body": _Body(bytes(end - first))}

    def delete_object(self, *, Key: str, **_: Any) -> dict[str, Any]:
        """Forgets the size, too."""
        self._sizes.pop(Key, None)
        return {}

    def delete_objects(self, *, Delete: Any, **_: Any) -> dict[str, Any]:
        """The same of several."""
        for each in Delete["Objects"]:
            self.delete_object(Key=each["Key"])
        return {}

    def get_paginator(self, _name: str) -> Any:
        """A listing of a folder."""
        return _Listing(self._sizes)


class Folder(Forgetful):
    """Keeps each object as a file below `home`; one that is copied from is not read by us."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self._home = home
        self._parts: dict[str, dict[int, tuple[Path, int, int]]] = {}

    def path(self, key: str) -> Path:
        """Where an object is."""
        return self._home / key

    def put_object(self, *, Key: str, Body: bytes, **_: Any) -> dict[str, Any]:
        """Takes an object."""
        _written(self.path(Key), Body)
        return super().put_object(Key=Key, Body=Body)

    def create_multipart_upload(self, *, Key: str, **_: Any) -> dict[str, Any]:
        """Begins an upload."""
        self._parts[Key] = {}
        return super().create_multipart_upload(Key=Key)

    def upload_part(self, *, Key: str, Body: bytes, PartNumber: int, **_: Any) -> dict[str, Any]:
        """Takes a part."""
        place = self.path(f"{Key}.part-{PartNumber}")
        _written(place, Body)
        self._parts[Key][PartNumber] = place, 0, len(Body)
        return super().upload_part(Key=Key, Body=Body)

    def upload_part_copy(
        self, *, Key: str, CopySource: Any, CopySourceRange: str, PartNumber: int, **_: Any
    ) -> dict[str, Any]:
        """Copies a range, at the end."""
        self._parts[Key][PartNumber] = self.path(CopySource["Key"]), *_range(CopySourceRange)
        return super().upload_part_copy(Key=Key, CopySourceRange=CopySourceRange)

    def complete_multipart_upload(
        self, *, Key: str, MultipartUpload: Any, **_: Any
    ) -> dict[str, Any]:
        """Puts the object together of the parts that are named."""
        parts = self._parts.pop(Key)
        with self.path(Key).open("wb") as file:
            for named in MultipartUpload["Parts"]:
                _append(file, *parts[named["PartNumber"]])
        for place, _first, _end in parts.values():
            if ".part-" in place.name:
                place.unlink()
        return {}

    def get_object(self, *, Key: str, Range: str, **_: Any) -> dict[str, Any]:
        """A range of an object."""
        first, end = _range(Range)
        with self.path(Key).open("rb") as file:
            file.seek(first)
            return {"Body": _Body(file.read(end - first))}

    def delete_object(self, *, Key: str, **_: Any) -> dict[str, Any]:
        """Removes an object."""
        self.path(Key).unlink(missing_ok=True)
        return super().delete_object(Key=Key)


class _Body:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self) -> bytes:
        return self._data


class _Listing:
    def __init__(self, keys: dict[str, int]) -> None:
        self._keys = keys

    def paginate(self, *, Prefix: str, **_: Any) -> Iterator[dict[str, Any]]:
        yield {"Contents": [{"Key": key} for key in list(self._keys) if key.startswith(Prefix)]}


def _range(text: str) -> tuple[int, int]:
    """The bounds of `bytes=0-99`, the second exclusive."""
    first, last = text.removeprefix("bytes=").split("-")
    return int(first), int(last) + 1


def _written(place: Path, data: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)


def _append(file: BinaryIO, place: Path, first: int, end: int) -> None:
    with place.open("rb") as source:
        source.seek(first)
        while first < end:
            first += file.write(source.read(min(end - first, _COPIED_AT_ONCE)))
