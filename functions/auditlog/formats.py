"""What a file of events can be: its shape, what it says of an event, how it is packed.

Imports nothing but the standard library: the command's `--help` reads this too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Format(StrEnum):
    """The shape of a file."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


class Compression(StrEnum):
    """How a file is packed."""

    GZIP = "gzip"
    NONE = "none"


class Profile(StrEnum):
    """Whose words an event is told in: ours, or the reference's (`reference.py`)."""

    NATIVE = "native"
    HF = "hf"


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


#: The columns of a CSV file, in order. A new one is added at the end; none ever goes,
#: moves or changes its meaning, since people's spreadsheets count on that.
COLUMNS = (
    "id", "occurred_at", "recorded_at", "type", "actor_id", "actor_name", "actor_type",
    "description", "summary", "targets", "ip", "country", "region", "city", "user_agent",
    "credential_type", "credential_id", "credential_name", "credential_role", "credential_last4",
    "key", "metadata", "erased_at", "record_hash",
)  # fmt: skip
#: What a spreadsheet needs at the start of a file to take it for UTF-8.
BOM = b"\xef\xbb\xbf"

LAYOUTS: Mapping[Format, Layout] = {
    Format.JSON: Layout(b"[", b",\n", b"", b"]\n", "application/json"),
    Format.NDJSON: Layout(b"", b"", b"\n", b"", "application/x-ndjson"),
    Format.CSV: Layout(
        (",".join(COLUMNS) + "\r\n").encode(), b"", b"\r\n", b"", "text/csv; charset=utf-8"
    ),
}


def head(format_: Format, *, bom: bool) -> bytes:
    """What a file begins with."""
    return (BOM if bom else b"") + LAYOUTS[format_].head
