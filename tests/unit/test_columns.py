"""Rows of CSV: every value comes back, and no cell is a formula."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog.columns import row
from auditlog.formats import COLUMNS, LAYOUTS, Format

ID = "000o9mpj8v6000tqa5p4j2n0c8r1m3v5s7u9d08"
SIGNS = "=+-@＝＋－＠"
FORMULA = SIGNS + "\t\r\n"
UNSEEN = " \t\r\n\x00\ufeff"
RECORD: dict[str, Any] = {
    "type": "repo.create",
    "occurred_at": "2026-05-01T09:30:00.000001Z",
    "actor": {"id": "usr_1", "name": "Ada", "type": "user", "avatar_url": "https://a.example"},
    "description": "made it",
    "targets": [{"id": "acme/é", "type": "repo"}],
    "ip": "203.0.113.0",
    "location": {"city": "Paris", "country": "FR", "region": "Île-de-France"},
    "user_agent": "curl/8",
    "credential": {
        "id": "t-1", "last4": "9abc", "name": "ci", "role": "write", "type": "access_token",
    },
    "key": "k-1",
    "metadata": {"after": {"n": 1.5}, "why": "né"},
    "org": "acme",
    "salt": "c2FsdA",
    "v": 1,
}  # fmt: skip
LEAST = {name: RECORD[name] for name in ("type", "occurred_at", "org", "salt", "v")} | {
    "actor": {"id": "usr_1"}
}


def cells(line: bytes) -> list[str]:
    (found,) = csv.reader(io.StringIO(line.decode(), newline=""), strict=True)
    return found


def values(line: bytes) -> dict[str, str]:
    """What stood in the event, by column."""
    found = [cell.removeprefix("'") for cell in cells(line)]
    return dict(zip(COLUMNS, found, strict=True))


def described(text: str) -> str:
    """The cell of a description."""
    record = RECORD | {"description": text}
    return cells(row(ID, "now", record, None))[COLUMNS.index("description")]


def test_a_row_has_every_column_in_order() -> None:
    assert values(row(ID, "2026-05-01T09:30:01.000000Z", RECORD, "Ada made it")) == {
        "id": ID,
        "occurred_at": "2026-05-01T09:30:00.000001Z",
        "recorded_at": "2026-05-01T09:30:01.000000Z",
        "type": "repo.create",
        "actor_id": "usr_1",
        "actor_name": "Ada",
        "actor_type": "user",
        "description": "made it",
        "summary": "Ada made it",
        "targets": '[{"id":"acme/é","type":"repo"}]',
        "ip": "203.0.113.0",
        "country": "FR",
        "region": "Île-de-France",
        "city": "Paris",
        "user_agent": "curl/8",
        "credential_type": "access_token",
        "credential_id": "t-1",
        "credential_name": "ci",
        "credential_role": "write",
        "credential_last4": "9abc",
        "key": "k-1",
        "metadata": '{"after":{"n":1.5},"why":"né"}',
        "erased_at": "",
        "record_hash": "",
    }


def test_what_is_absent_is_empty() -> None:
    found = values(row(ID, "now", LEAST, None))
    assert {name for name, value in found.items() if value} == {
        "id", "occurred_at", "recorded_at", "type", "actor_id",
    }  # fmt: skip


def test_empty_lists_and_objects_are_not_absent() -> None:
    found = values(row(ID, "now", LEAST | {"targets": [], "metadata": {}}, None))
    assert (found["targets"], found["metadata"]) == ("[]", "{}")


def test_a_row_of_what_an_erasure_left() -> None:
    left = {
        "erased_at": "2026-05-02T00:00:00.000000Z",
        "occurred_at": RECORD["occurred_at"],
        "org": "acme",
        "record_hash": "ab" * 32,
        "type": "repo.create",
        "v": 1,
    }
    said = {name: cell for name, cell in values(row(ID, "now", left, None)).items() if cell}
    assert said == {
        "id": ID,
        "recorded_at": "now",
        **{n: left[n] for n in ("erased_at", "occurred_at", "record_hash", "type")},
    }


def test_a_row_has_no_line_end_of_its_own() -> None:
    line = row(ID, "now", LEAST | {"metadata": {}}, None)
    assert line.endswith(b",{},,")
    assert row(ID, "now", LEAST, None).endswith(b",")


@pytest.mark.parametrize("first", [*FORMULA, "'", "\ufeff=", "  =", "\u00a0@", "\x00-", "\u200b＝"])
def test_a_formula_has_an_apostrophe_in_front(first: str) -> None:
    assert described(f"{first}1+1") == f"'{first}1+1"


@pytest.mark.parametrize("text", ["a=1", "1-1", "", " ", "  text", '"=1"', "é", "\x00"])
def test_other_text_is_as_it_was(text: str) -> None:
    assert described(text) == text


def test_one_apostrophe_comes_off_whatever_stood_there() -> None:
    for text in ("=1", "'=1", "''=1", "'", "''", "it's"):
        assert described(text).removeprefix("'") == text


STARTS = st.sampled_from([*FORMULA, "'", "''", " ", "\ufeff", "\x00", ",", '"', ";", ""])
TEXTS = st.builds(
    "{}{}{}".format, STARTS, STARTS, st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
)
PARTS = {
    "actor": st.fixed_dictionaries({"id": TEXTS}, optional={"name": TEXTS, "type": TEXTS}),
    "location": st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("country", "region", "city"), TEXTS)
    ),
    "credential": st.fixed_dictionaries(
        {"type": TEXTS, "id": TEXTS}, optional=dict.fromkeys(("name", "role", "last4"), TEXTS)
    ),
}
RECORDS = st.fixed_dictionaries(
    {"type": TEXTS, "occurred_at": TEXTS, "actor": PARTS["actor"]},
    optional={
        **dict.fromkeys(("description", "ip", "user_agent", "key"), TEXTS),
        **{name: PARTS[name] for name in ("location", "credential")},
        "targets": st.lists(st.dictionaries(TEXTS, TEXTS, max_size=2), max_size=2),
        "metadata": st.dictionaries(TEXTS, TEXTS | st.integers() | st.none(), max_size=2),
    },
)


def expected(record: dict[str, Any], summary: str | None) -> list[str]:
    flat = {
        "id": ID,
        "recorded_at": "now",
        "summary": summary or "",
        **{f"actor_{name}": value for name, value in record["actor"].items()},
        **{f"credential_{name}": value for name, value in record.get("credential", {}).items()},
        **record.get("location", {}),
        **{name: value for name, value in record.items() if isinstance(value, str)},
    }
    return [flat.get(name, "") for name in COLUMNS if name not in {"targets", "metadata"}]


@given(st.lists(st.tuples(RECORDS, st.none() | TEXTS), max_size=3))
def test_a_file_gives_back_every_value_and_holds_no_formula(
    events: list[tuple[dict[str, Any], str | None]],
) -> None:
    layout = LAYOUTS[Format.CSV]
    rows = [row(ID, "now", record, summary) for record, summary in events]
    file = layout.head + b"".join(each + layout.after for each in rows) + layout.tail
    head, *found = csv.reader(io.StringIO(file.decode(), newline=""), strict=True)
    assert tuple(head) == COLUMNS
    assert len(found) == len(events)
    for line, (record, summary) in zip(found, events, strict=True):
        assert not any(cell.startswith(tuple(FORMULA)) for cell in line)
        assert not any(cell.lstrip(UNSEEN).startswith(tuple(SIGNS)) for cell in line)
        named = dict(zip(COLUMNS, (cell.removeprefix("'") for cell in line), strict=True))
        for name in ("targets", "metadata"):
            told = named.pop(name)
            assert (json.loads(told) if told else None) == record.get(name)
        assert list(named.values()) == expected(record, summary)
