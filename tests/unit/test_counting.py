"""How many events a file holds, whatever stands in them."""

import csv
import gzip
import io
import json
import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import erasures
from auditlog.cli.counting import BrokenFileError, count
from auditlog.formats import COLUMNS, Compression, Format
from tests.unit.published import event, record_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
HEADER = b"id,type\r\n"


def table(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def counted(data: bytes, form: Format, compression: Compression = Compression.NONE) -> int:
    return count(io.BytesIO(data), form, compression).events


@given(st.lists(st.tuples(TEXT, TEXT, TEXT)), st.booleans())
def test_rows_are_counted_whatever_their_cells_hold(
    rows: list[tuple[str, str, str]], bom: bool
) -> None:
    file = (b"\xef\xbb\xbf" if bom else b"") + b"id,type,metadata\r\n" + table(rows)
    assert counted(file, Format.CSV) == len(rows)
    members = gzip.compress(file[:20], mtime=0) + gzip.compress(file[20:], mtime=0)
    assert counted(members, Format.CSV, Compression.GZIP) == len(rows)


@given(st.lists(st.dictionaries(TEXT, TEXT)))
def test_objects_are_counted_whatever_they_hold(events: list[dict[str, str]]) -> None:
    lines = [json.dumps(event, ensure_ascii=False).encode() for event in events]
    assert counted(b"".join(line + b"\n" for line in lines), Format.NDJSON) == len(events)
    assert counted(b"[" + b",\n".join(lines) + b"]\n", Format.JSON) == len(events)


def test_a_cell_may_be_longer_than_the_csv_module_expects() -> None:
    # Its limit is one for the whole process, and this is what it is at first.
    csv.field_size_limit(128 * 1024)
    assert counted(HEADER + table([["1", "x" * 600_000]]), Format.CSV) == 1


@pytest.mark.parametrize(
    ("form", "file", "said"),
    [
        (Format.CSV, b"", "no header"),
        (Format.CSV, b"\r\n", "no header"),
        (Format.CSV, HEADER + b"1,2\r\n3,4", "a line does not end"),
        (Format.CSV, HEADER + b"1,2\r\n3\r\n", "row 2 has 1 cells, but the header has 2"),
        (Format.CSV, HEADER + b"1,2,3\r\n", "row 1 has 3 cells"),
        (Format.CSV, HEADER + b"1,2\r\n\r\n", "row 2 has 0 cells"),
        (Format.CSV, HEADER + b'1,"2\r\n', "unexpected end of data"),
        (Format.CSV, HEADER + b'1,"2"x\r\n', "expected after"),
        (Format.CSV, HEADER + b"1,\xff\r\n", "can't decode"),
        (Format.JSON, b'[{"a":1},\n{"a":2}', "expected"),
        (Format.JSON, b'[{"a":1}]\n[]\n', "more text"),
        (Format.JSON, b'[{"a":"\xe4"}]\n', "can't decode"),
        (Format.JSON, b"[]\n\xe2\x82", "unexpected end of data"),
        (Format.NDJSON, b'{"a":1}\n{"a":2}', "not one whole event"),
        (Format.NDJSON, b'{"a":1}\n\n', "not one whole event"),
    ],
)
def test_what_is_not_whole_is_not_counted(form: Format, file: bytes, said: str) -> None:
    with pytest.raises(BrokenFileError, match=said):
        counted(file, form)


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize(
    "damaged",
    [
        b"not gzip",
        gzip.compress(b"[]\n", mtime=0)[:-3],
        gzip.compress(b"[]\n", mtime=0) + b"rest",
        gzip.compress(b"[]\n" * 99, mtime=0)[:12] + b"\xff" * 9,
    ],
)
def test_what_is_not_gzip_is_not_counted(form: Format, damaged: bytes) -> None:
    with pytest.raises(BrokenFileError):
        counted(damaged, form, Compression.GZIP)


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("data", [b"{" * (20 << 20), b'"' + b"x" * (20 << 20)])
def test_what_has_no_end_is_not_read_to_it(form: Format, data: bytes) -> None:
    file = io.BytesIO(HEADER + data if form is Format.CSV else b"[" + data)
    with pytest.raises(BrokenFileError):
        count(file, form, Compression.NONE)
    assert file.tell() < 17 << 20


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("compression", Compression)
def test_memory_does_not_depend_on_the_size(form: Format, compression: Compression) -> None:
    event_ = dict.fromkeys(COLUMNS, "some text, and\r\nmore" * 9) | {"erased_at": ""}
    line = json.dumps(event_).encode()
    rows = table([event_.values()])
    many = 4_000
    file = {
        Format.JSON: b"[" + b",\n".join([line] * many) + b"]\n",
        Format.NDJSON: (line + b"\n") * many,
        Format.CSV: table([COLUMNS]) + rows * many,
    }[form]
    if compression is Compression.GZIP:
        file = gzip.compress(file, 1, mtime=0)
    opened = io.BytesIO(file)
    tracemalloc.start()
    try:
        assert count(opened, form, compression).events == many
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert many * len(line) > 14 << 20
    assert most < 6 << 20


class TestErased:
    """An event that was erased is counted as such, and its id has to fit its hash."""

    LEFT = erasures.tombstone("acme", record_of(event()), 1_790_000_000_000_000)

    def file(self, form: Format, **changes: str) -> bytes:
        left = {"id": self.LEFT.id, "recorded_at": "2026-05-01T09:30:01.000000Z"}
        left |= json.loads(self.LEFT.data)
        left |= changes
        line = json.dumps(left, separators=(",", ":")).encode()
        other = json.dumps({"id": "x", "recorded_at": "y", "type": "a", "erased": "erased_at"})
        return {
            Format.JSON: b"[" + line + b"," + other.encode() + b"]",
            Format.NDJSON: line + b"\n" + other.encode() + b"\n",
            Format.CSV: table(
                [COLUMNS, [str(left.get(n, "")) for n in COLUMNS], ["x"] * 22 + ["", ""]]
            ),
        }[form]

    @pytest.mark.parametrize("form", Format)
    @pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
    def test_it_is_counted(self, form: Format, bom: bytes) -> None:
        data = self.file(form)
        if form is Format.CSV:
            data = bom + data
        found = count(io.BytesIO(data), form, Compression.NONE)
        assert (found.events, found.erased) == (2, 1)

    @pytest.mark.parametrize("form", Format)
    @pytest.mark.parametrize(
        "changes",
        [
            {"record_hash": "00" * 32},
            {"record_hash": "no hash"},
            {"record_hash": ""},
            {"occurred_at": "2026-05-01T09:30:00.000002Z"},
            {"occurred_at": "yesterday"},
        ],
    )
    def test_another_hash_or_time_is_found(self, form: Format, changes: dict[str, str]) -> None:
        with pytest.raises(BrokenFileError, match="another id"):
            count(io.BytesIO(self.file(form, **changes)), form, Compression.NONE)

    def test_a_file_from_before_there_were_erasures(self) -> None:
        data = table([COLUMNS[:-2], ["x"] * 22])
        assert count(io.BytesIO(data), Format.CSV, Compression.NONE).erased == 0
