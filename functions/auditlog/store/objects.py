"""Files in S3: written in parts as they come, assembled from parts, and linked to.

S3's rules for multipart uploads, kept here whether or not a stand-in for S3
enforces them: every part but the last has at least 5 MiB, numbers run from 1
without a gap, at most 10,000 parts, and a checksum
algorithm that is named at the upload is named at each part.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from auditlog.errors import AuditlogError, StoreError
from auditlog.store import aws

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIN_PART = 5 * 1024 * 1024
#: S3 copies up to 5 GiB at once; this much takes seconds, so that whoever waits
#: can say that it lives. 10,000 parts of it are 4.8 TiB, all that an object holds.
MAX_COPY = 512 * 1024 * 1024
# 10,000 parts of this size are 78 GiB: no export of one slice comes near.
_PART = 8 * 1024 * 1024
_ALGORITHM = "CRC32"
#: A copy takes S3 a second or so, and us nothing.
_COPIES_AT_ONCE = 16
#: A presigned link lives this long, in seconds, and no longer than the role's credentials.
LINK_LIVES_FOR = 15 * 60


@dataclass(frozen=True, slots=True)
class Stored:
    """A piece that is an object already: its bytes from `start` on, of `size` in all."""

    key: str
    size: int
    start: int = 0


class ObjectStore:
    """One bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def write(self, key: str, chunks: Iterable[bytes], **about: str) -> int:
        """Writes an object from a stream in memory of one part; its size in bytes.

        The object appears whole at the end or not at all; a stream that raises
        leaves nothing. `about` is passed to S3: ContentType, ContentDisposition.
        """
        return self._upload(key, _parts(chunks), about, lambda: None)

    def assemble(
        self,
        key: str,
        pieces: Sequence[Stored | bytes],
        *,
        alive: Callable[[], None],
        **about: str,
    ) -> int:
        """Writes an object out of others and of literal bytes, in order; its size in bytes.

        `alive` is called with each part; what it raises ends the upload.

        What is large enough is copied within S3, some parts at the same time; only
        what is smaller than a part, and the start of what follows a small piece,
        passes through here. Appears whole at the end or not at all.
        """
        return self._upload(key, self._merged(pieces, alive), about, alive)

    def link(self, key: str, file_name: str) -> str:
        """A presigned URL with which anyone may download the object for 15 minutes."""
        return self._client.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": key,
                "ResponseContentDisposition": f'attachment; filename="{file_name}"',
            },
            ExpiresIn=LINK_LIVES_FOR,
        )

    def delete_folder(self, prefix: str) -> None:
        """Removes every object under a prefix. Idempotent."""
        with aws.translated("s3:DeleteObject"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            for page in pages:
                keys: Any = [{"Key": found.get("Key", "")} for found in page.get("Contents", [])]
                if keys:
                    answer = self._client.delete_objects(
                        Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True}
                    )
                    if errors := answer.get("Errors"):
                        raise StoreError(f"s3:DeleteObject: {errors[0].get('Code')}")

    def delete(self, key: str) -> None:
        """Removes an object. Idempotent."""
        with aws.translated("s3:DeleteObject"):
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def _upload(
        self,
        key: str,
        parts: Iterator["bytes | _Copy"],
        about: dict[str, str],
        alive: Callable[[], None],
    ) -> int:
        place: Any = {"Bucket": self._bucket, "Key": key}
        extra: Any = about
        part, following = next(parts, b""), next(parts, None)
        if isinstance(part, bytes) and following is None:
            with aws.translated("s3:PutObject"):
                self._client.put_object(**place, Body=part, ChecksumAlgorithm=_ALGORITHM, **extra)
            return len(part)
        with aws.translated("s3:CreateMultipartUpload"):
            upload: Any = place | {
                "UploadId": self._client.create_multipart_upload(
                    **place, ChecksumAlgorithm=_ALGORITHM, **extra
                )["UploadId"]
            }
        try:
            whole = chain([part] if following is None else [part, following], parts)
            done, size = self._put_parts(upload, whole, alive)
            # A crash before this leaves an upload that no one sees; the bucket's
            # lifecycle ends it after a day.
            with aws.translated("s3:CompleteMultipartUpload"):
                self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": done})
        except BaseException:
            # What ended it is what is said; an upload that stays goes by the lifecycle.
            with suppress(AuditlogError), aws.translated("s3:AbortMultipartUpload"):
                self._client.abort_multipart_upload(**upload)
            raise
        return size

    def _put_parts(
        self, upload: Any, parts: Iterable["bytes | _Copy"], alive: Callable[[], None]
    ) -> tuple[list[Any], int]:
        """Puts the parts, copies several at a time: what S3 wants back, in order, and the size."""
        done: list[Any] = []
        copying: deque[Future[Any]] = deque()
        size = 0
        with ThreadPoolExecutor(_COPIES_AT_ONCE, thread_name_prefix="copies") as threads:
            for number, part in enumerate(parts, start=1):
                alive()
                if isinstance(part, bytes):
                    done.append(self._put_part(upload, part, number))
                    size += len(part)
                    continue
                size += part.end - part.start
                copying.append(threads.submit(self._put_part, upload, part, number))
                if len(copying) >= _COPIES_AT_ONCE:
                    done.append(copying.popleft().result())
            for copy in copying:
                done.append(copy.result())
                alive()
        return sorted(done, key=lambda each: each["PartNumber"]), size

    def _put_part(self, upload: Any, part: "bytes | _Copy", number: int) -> Any:
        if isinstance(part, bytes):
            with aws.translated("s3:PutObject"):
                answer: Any = self._client.upload_part(
                    **upload, PartNumber=number, Body=part, ChecksumAlgorithm=_ALGORITHM
                )
        else:
            with aws.translated("s3:UploadPartCopy"):
                answer = self._client.upload_part_copy(
                    **upload,
                    PartNumber=number,
                    CopySource={"Bucket": self._bucket, "Key": part.key},
                    CopySourceRange=f"bytes={part.start}-{part.end - 1}",
                )["CopyPartResult"]
        sums = {name: answer[name] for name in ("ChecksumCRC32",) if name in answer}
        return {"PartNumber": number, "ETag": answer["ETag"], **sums}

    def _merged(
        self, pieces: Sequence[Stored | bytes], alive: Callable[[], None]
    ) -> Iterator["bytes | _Copy"]:
        """Parts that S3 takes: small neighbours joined, large ones copied."""
        held = b""
        for piece in pieces:
            alive()
            if isinstance(piece, bytes):
                held += piece
                continue
            start = piece.start
            if held or piece.size - start < MIN_PART:
                # The first bytes fill up what is held, so that the rest can be copied.
                start = min(piece.size, start + max(0, MIN_PART - len(held)))
                held += self._range(piece.key, piece.start, start)
            if len(held) >= MIN_PART:
                yield held
                held = b""
            while piece.size - start >= MIN_PART:
                end = min(piece.size, start + MAX_COPY)
                yield _Copy(piece.key, start, end)
                start = end
            held += self._range(piece.key, start, piece.size)
        if held:
            yield held

    def _range(self, key: str, start: int, end: int) -> bytes:
        if start == end:
            return b""
        with aws.translated("s3:GetObject"):
            return self._client.get_object(
                Bucket=self._bucket, Key=key, Range=f"bytes={start}-{end - 1}"
            )["Body"].read()


@dataclass(frozen=True, slots=True)
class _Copy:
    """A range of an object, to be copied within S3; `end` is exclusive."""

    key: str
    start: int
    end: int


def _parts(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The stream in parts of at least one size, the last of what is left."""
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size >= _PART:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)
