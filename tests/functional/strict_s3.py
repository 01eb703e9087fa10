"""An S3 in memory that enforces what S3 enforces of multipart uploads, and moto does not.

Part sizes are judged against `auditlog.store.objects.MIN_PART`, so that a test may shrink both.
"""

# ruff: noqa: N803 -- parameters are named as boto3 names them

import base64
import io
import itertools
import zlib
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from auditlog.store import objects


def error(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


class StrictS3:
    """One bucket. Methods take what boto3's take and answer what the store reads of it."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.about: dict[str, dict[str, Any]] = {}
        self.uploads: dict[str, dict[str, Any]] = {}
        self.parts: list[int] = []
        """The sizes of the parts of the last upload that was completed."""
        self._ids = itertools.count(1)

    def put_object(
        self, *, Bucket: str, Key: str, Body: bytes, ChecksumAlgorithm: str, **about: Any
    ) -> Any:
        assert ChecksumAlgorithm == "CRC32"
        self.files[Key], self.about[Key] = bytes(Body), about
        return {}

    def get_object(self, *, Bucket: str, Key: str, Range: str | None = None) -> Any:
        if Key not in self.files:
            raise error("NoSuchKey", "GetObject")
        data = self.files[Key]
        if Range is not None:
            data = self._range(data, Range)
        return {"Body": io.BytesIO(data)}

    def list_objects_v2(self, *, Bucket: str, Prefix: str = "") -> Any:
        keys = sorted(key for key in self.files if key.startswith(Prefix))
        return {"Contents": [{"Key": key} for key in keys]}

    def delete_object(self, *, Bucket: str, Key: str) -> Any:
        self.files.pop(Key, None)
        return {}

    def delete_objects(self, *, Bucket: str, Delete: dict[str, Any]) -> Any:
        assert 1 <= len(Delete["Objects"]) <= 1_000
        for each in Delete["Objects"]:
            self.files.pop(each["Key"], None)
        return {}

    def create_multipart_upload(
        self, *, Bucket: str, Key: str, ChecksumAlgorithm: str, **about: Any
    ) -> Any:
        assert ChecksumAlgorithm == "CRC32"
        upload_id = f"u{next(self._ids)}"
        self.uploads[upload_id] = {"key": Key, "about": about, "parts": {}}
        return {"UploadId": upload_id}

    def upload_part(
        self,
        *,
        Bucket: str,
        Key: str,
        UploadId: str,
        PartNumber: int,
        Body: bytes,
        ChecksumAlgorithm: str,
    ) -> Any:
        # Where the upload names an algorithm, so must each part.
        assert ChecksumAlgorithm == "CRC32"
        return self._add(Key, UploadId, PartNumber, bytes(Body))

    def upload_part_copy(
        self,
        *,
        Bucket: str,
        Key: str,
        UploadId: str,
        PartNumber: int,
        CopySource: dict[str, str],
        CopySourceRange: str,
    ) -> Any:
        if CopySource["Key"] not in self.files:
            raise error("NoSuchKey", "UploadPartCopy")
        data = self._range(self.files[CopySource["Key"]], CopySourceRange)
        return {"CopyPartResult": self._add(Key, UploadId, PartNumber, data)}

    def complete_multipart_upload(
        self, *, Bucket: str, Key: str, UploadId: str, MultipartUpload: dict[str, Any]
    ) -> Any:
        upload = self._upload(UploadId, "CompleteMultipartUpload")
        listed = MultipartUpload["Parts"]
        numbers = [part["PartNumber"] for part in listed]
        if numbers != list(range(1, len(listed) + 1)) or not 1 <= len(listed) <= 10_000:
            raise error("InvalidPartOrder", "CompleteMultipartUpload")
        whole: list[bytes] = []
        for part in listed:
            data = upload["parts"].get(part["PartNumber"])
            if data is None or part["ETag"] != f'"{crc32(data)}"':
                raise error("InvalidPart", "CompleteMultipartUpload")
            # Where an algorithm is named, AWS wants the sums of all parts back.
            if part.get("ChecksumCRC32") != crc32(data):
                raise error("InvalidPart", "CompleteMultipartUpload")
            whole.append(data)
        if any(len(data) < objects.MIN_PART for data in whole[:-1]):
            raise error("EntityTooSmall", "CompleteMultipartUpload")
        del self.uploads[UploadId]
        self.files[Key], self.about[Key] = b"".join(whole), upload["about"]
        self.parts = [len(data) for data in whole]
        return {}

    def abort_multipart_upload(self, *, Bucket: str, Key: str, UploadId: str) -> Any:
        self._upload(UploadId, "AbortMultipartUpload")
        del self.uploads[UploadId]
        return {}

    def get_paginator(self, name: str) -> Any:
        return SimpleNamespace(paginate=lambda **arguments: [getattr(self, name)(**arguments)])

    def generate_presigned_url(self, operation: str, **_how: Any) -> str:
        return f"https://s3.example/{operation}"

    def _upload(self, upload_id: str, operation: str) -> dict[str, Any]:
        if upload_id not in self.uploads:
            raise error("NoSuchUpload", operation)
        return self.uploads[upload_id]

    def _add(self, key: str, upload_id: str, number: int, data: bytes) -> Any:
        upload = self._upload(upload_id, "UploadPart")
        assert upload["key"] == key
        assert 1 <= number <= 10_000
        upload["parts"][number] = data
        return {"ETag": f'"{crc32(data)}"', "ChecksumCRC32": crc32(data)}

    @staticmethod
    def _range(data: bytes, text: str) -> bytes:
        first, last = (int(place) for place in text.removeprefix("bytes=").split("-"))
        if not 0 <= first <= last < len(data):
            raise error("InvalidRange", "GetObject")
        return data[first : last + 1]
