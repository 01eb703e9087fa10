"""One event as a row of CSV, for spreadsheets and whatever else reads RFC 4180.

What holds of a row:

- It has a cell for each of `formats.COLUMNS`, in their order. What is absent is an
  empty cell; `targets` and `metadata` are JSON, as they stand in the record. Of an event
  that was erased nothing else is there than its times, its type and its hash.
- No cell is a formula. A spreadsheet runs a cell that begins with `=` or the like, so
  such a cell has one `'` in front, and so has one that begins with a `'` itself. Taking
  one leading `'` off a cell, where there is one, gives the value back, always.
- Programs differ in whether they trim a cell before they look at it. So what counts is
  the first character that can be seen: "␠␠=1+1" gets its `'` too. One too many does no
  harm, since it comes off again.
- A value may hold any character, line ends and NUL too: the cell is quoted then. A
  program that splits at semicolons, as no RFC says, sees other cells.
"""

import csv
import io
import json
import re
from collections.abc import Mapping
from typing import Any

# A tab or a line end alone is enough: some programs split a cell there. Full-width signs are
# formulas where the locale has them. Between them and the start may be what is not seen: white
# space, control characters, marks of no width.
_NEEDS_APOSTROPHE = re.compile(
    r"['\t\r\n]|[\s\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*[=+\-@＝＋－＠]"
)
_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def row(event_id: str, recorded_at: str, record: Mapping[str, Any], summary: str | None) -> bytes:
    """The row of an event, without a line end.

    `record` is the parsed record; `recorded_at` and `summary` are what the service adds.
    """
    actor = record.get("actor", {})
    location = record.get("location", {})
    credential = record.get("credential", {})
    values = (
        event_id,
        record["occurred_at"],
        recorded_at,
        record["type"],
        actor.get("id", ""),
        actor.get("name", ""),
        actor.get("type", ""),
        record.get("description", ""),
        summary or "",
        _json(record.get("targets")),
        record.get("ip", ""),
        location.get("country", ""),
        location.get("region", ""),
        location.get("city", ""),
        record.get("user_agent", ""),
        credential.get("type", ""),
        credential.get("id", ""),
        credential.get("name", ""),
        credential.get("role", ""),
        credential.get("last4", ""),
        record.get("key", ""),
        _json(record.get("metadata")),
        record.get("erased_at", ""),
        record.get("record_hash", ""),
    )
    line = io.StringIO()
    # The line end is the writer's own, since it quotes cells that hold a character of it.
    csv.writer(line, lineterminator="\r\n").writerow([_no_formula(value) for value in values])
    return line.getvalue().removesuffix("\r\n").encode()


def _no_formula(value: str) -> str:
    return f"'{value}" if _NEEDS_APOSTROPHE.match(value) else value


def _json(value: object) -> str:
    return "" if value is None else _dumps(value)
