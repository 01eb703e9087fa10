"""What an export's file is made of, to be checked by whoever has the file.

Compatibility: a reader of version 1 has to know what follows, and may ignore
what it does not know. Whatever would mislead it takes a new version.

`slices` are byte ranges of the file, in order; the SHA-256 of each is that of
the bytes in it. What lies in none of them (the head, what parts two slices, the
tail) has, joined in order, the SHA-256 `rest_sha256`.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from auditlog import clock
from auditlog.event import id_time
from auditlog.exports import MOST_TYPES, OTHER_TYPES, Export, Slice

VERSION = 1


def manifest(export: Export, slices: Sequence[Slice], rest: Sequence[bytes]) -> bytes:
    """The manifest of the file `rest[0]`, slice, `rest[1]`, slice and so on, as JSON.

    A slice without events is not in the file; `rest` is one longer than the others.
    """
    written = [part for part in slices if part.events]
    ranges: list[dict[str, Any]] = []
    at = len(rest[0])
    for part, after in zip(written, rest[1:], strict=True):
        ranges.append(
            {
                "offset": at,
                "bytes": part.bytes,
                "sha256": part.sha256,
                "events": part.events,
                "first_id": part.first_id,
                "last_id": part.last_id,
            }
        )
        at += part.bytes + len(after)
    left_out, unsaid = Counter[str](), Counter[str]()
    for part in slices:
        left_out.update(part.left_out)
        unsaid.update(part.unsaid)
    since, until = id_time(export.span.first), id_time(export.span.end)
    value = {
        "version": VERSION,
        "export": {
            "id": export.id,
            "org": export.org,
            "format": export.format.value,
            "compression": export.compression.value,
            "profile": export.profile.value,
            "bom": export.bom,
            "filter": dict(export.filter),
            "created_at": clock.text(export.created_at),
        },
        "bounds": {"since": clock.text(since) if since else None, "until": clock.text(until)},
        "file": export.file_name,
        "bytes": at,
        "events": sum(part.events for part in written),
        "left_out": {
            "events": left_out.total(),
            "types": dict(sorted(_named(left_out).items())),
            "fields": dict(sorted(unsaid.items())),
        },
        "first_id": written[0].first_id if written else None,
        "last_id": written[-1].last_id if written else None,
        "slices": ranges,
        "rest_sha256": hashlib.sha256(b"".join(rest)).hexdigest(),
    }
    return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"


def _named(left_out: Counter[str]) -> Counter[str]:
    """The most frequent types by name, the others together."""
    named = Counter(dict(left_out.most_common(MOST_TYPES)))
    others = left_out.total() - named.total()
    return named + Counter({OTHER_TYPES: others})
