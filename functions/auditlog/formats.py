"""How an event is written for a reader: the API's answers, JSON and NDJSON files.

All forms carry the record's own bytes; what the service adds is spliced in
front of them, so that nothing is ever serialised a second time.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from auditlog import clock
from auditlog.catalog import Catalog
from auditlog.event import StoredEvent


class Format(StrEnum):
    """The shape of a file."""

    JSON = "json"
    NDJSON = "ndjson"


class Compression(StrEnum):
    """How a file is packed."""

    GZIP = "gzip"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Layout:
    """What stands around the events of a file.

    `between` stands between two events, also across slices; `after` behind each.
    """

    head: bytes
    between: bytes
    after: bytes
    tail: bytes
    content_type: str


LAYOUTS = {
    Format.JSON: Layout(b"[", b",\n", b"", b"]\n", "application/json"),
    Format.NDJSON: Layout(b"", b"", b"\n", b"", "application/x-ndjson"),
}

_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def answer(event: StoredEvent, record: bytes, catalog: Catalog) -> bytes:
    """One event as the API shows it: what the service adds, then the record.

    Only a record without a description is parsed, for its summary.
    """
    added = {"id": event.id, "recorded_at": clock.text(event.recorded_at)}
    if not event.described:
        added["summary"] = summary(json.loads(record), catalog)
    return b"".join((_dumps(added)[:-1].encode(), b",", record[1:]))


def summary(record: Mapping[str, Any], catalog: Catalog) -> str:
    """The catalog's sentence for the event's type, filled in."""
    actor = record["actor"]
    targets = [target.get("name") or target["id"] for target in record.get("targets", ())]
    return catalog.sentence_for(record["type"], actor.get("name") or actor["id"], targets)


def pack(chunks: Iterable[bytes], compression: Compression) -> Iterator[bytes]:
    """`chunks` as they are, or as one gzip member; members may be concatenated (RFC 1952 2.2)."""
    if compression is Compression.NONE:
        yield from chunks
        return
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    for chunk in chunks:
        if packed := packer.compress(chunk):
            yield packed
    yield packer.flush()
