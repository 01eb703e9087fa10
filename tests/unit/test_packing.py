"""Files: what stands around events in each format, and members of gzip that are simply joined."""

import csv
import gzip
import io
import itertools
import json
import os
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlog import columns, formats
from auditlog.answers import Answers
from auditlog.event import Record
from auditlog.formats import COLUMNS, LAYOUTS, Compression, Format
from auditlog.packing import literal, pack
from tests.unit.published import CATALOG, event, record_of, stored

ROOT = Path(__file__).parents[2]


def line(record: Record, chosen: Format) -> bytes:
    """An event as it stands in a file."""
    if chosen is Format.CSV:
        return columns.row(record.id, "then", json.loads(record.data), None)
    return Answers(CATALOG).of(stored(record), record.data)


def file_of(answers: Sequence[bytes], cuts: Sequence[int], chosen: Format) -> list[bytes]:
    """A file in slices, cut before these events, as an export writes them."""
    layout = LAYOUTS[chosen]
    slices: list[list[bytes]] = [[layout.head]]
    for number, each in enumerate(answers):
        if number in cuts:
            slices.append([])
        between = layout.between if number else b""
        slices[-1].append(between + each + layout.after)
    slices[-1].append(layout.tail)
    return [b"".join(each) for each in slices]


def members_of(
    answers: Sequence[bytes], cuts: Sequence[int], chosen: Format, compression: Compression
) -> bytes:
    """The same, each slice packed by itself and what stands around it by `literal`."""
    layout = LAYOUTS[chosen]
    bounds = [0, *(cut for cut in cuts if 0 < cut < len(answers)), len(answers)]
    slices = [answers[a:b] for a, b in itertools.pairwise(bounds)] if answers else []
    pieces = [literal(layout.head, compression)]
    for number, part in enumerate(slices):
        if number:
            pieces.append(literal(layout.between, compression))
        inside = (layout.after + layout.between).join(part) + layout.after
        pieces += pack([inside], compression)
    return b"".join([*pieces, literal(layout.tail, compression)])


class TestFiles:
    @given(st.integers(0, 6), st.sets(st.integers(0, 5)), st.sampled_from(Compression))
    def test_are_whole_over_slices_and_members(
        self, count: int, cuts: set[int], compression: Compression
    ) -> None:
        records = [record_of(event(key=str(n), description="\u2028\n")) for n in range(count)]
        for chosen in Format:
            answers = [line(record, chosen) for record in records]
            slices = file_of(answers, sorted(cuts), chosen)
            packed = b"".join(b"".join(pack([each], compression)) for each in slices)
            text = gzip.decompress(packed) if compression is Compression.GZIP else packed
            joined = members_of(answers, sorted(cuts), chosen, compression)
            assert (gzip.decompress(joined) if compression is Compression.GZIP else joined) == text
            if chosen is Format.CSV:
                head, *read = csv.reader(io.StringIO(text.decode(), newline=""), strict=True)
                assert tuple(head) == COLUMNS
                assert text.endswith(b"\r\n")
                named = [dict(zip(head, row, strict=True)) for row in read]
                assert [row["id"] for row in named] == [record.id for record in records]
                assert [row["description"] for row in named] == ["\u2028\n"] * count
                continue
            if chosen is Format.JSON:
                read = json.loads(text)
            else:
                assert text.count(b"\n") == count
                assert text == b"" or text.endswith(b"\n")
                read = [json.loads(line) for line in text.split(b"\n")[:-1]]
            assert read == [json.loads(each) for each in answers]
            assert all(record.data[1:] in text for record in records)

    def test_an_empty_log(self) -> None:
        assert b"".join(file_of([], [], Format.JSON)) == b"[]\n"
        assert b"".join(file_of([], [], Format.NDJSON)) == b""
        assert b"".join(file_of([], [], Format.CSV)) == ",".join(COLUMNS).encode() + b"\r\n"

    def test_content_types(self) -> None:
        assert LAYOUTS[Format.JSON].content_type == "application/json"
        assert LAYOUTS[Format.NDJSON].content_type == "application/x-ndjson"
        assert LAYOUTS[Format.CSV].content_type == "text/csv; charset=utf-8"
        assert set(LAYOUTS) == set(Format)

    @pytest.mark.parametrize("chosen", Format)
    def test_a_byte_order_mark_comes_first_and_only_where_asked(self, chosen: Format) -> None:
        head = LAYOUTS[chosen].head
        assert formats.head(chosen, bom=False) == head
        assert formats.head(chosen, bom=True) == "\ufeff".encode() + head

    def test_what_a_file_can_be_is_known_without_the_service(self) -> None:
        """The command's `--help` reads it, also where nothing but the command is installed."""
        program = (
            "import sys; before = set(sys.modules); import auditlog.formats; "
            "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
            "print(sorted(new - sys.stdlib_module_names))"
        )
        done = subprocess.run(
            [sys.executable, "-S", "-c", program],
            env={"PYTHONPATH": str(ROOT / "functions")},
            capture_output=True,
            check=True,
            text=True,
        )
        assert done.stdout == "['auditlog']\n"


class TestPack:
    @given(st.lists(st.binary(max_size=200), max_size=5))
    def test_one_gzip_member_whatever_the_chunks(self, chunks: list[bytes]) -> None:
        packed = b"".join(pack(chunks, Compression.GZIP))
        assert gzip.decompress(packed) == b"".join(chunks)
        assert packed[:3] == b"\x1f\x8b\x08"
        assert members(packed) == 1

    def test_nothing_is_a_member_too(self) -> None:
        assert gzip.decompress(b"".join(pack([], Compression.GZIP))) == b""

    def test_none_passes_the_chunks_through(self) -> None:
        chunks = [b"a", b"", b"bc"]
        assert list(pack(chunks, Compression.NONE)) == chunks

    def test_does_not_wait_for_the_end(self) -> None:
        """Memory does not depend on size: chunks come out while others go in."""
        taken = 0

        def endless() -> Any:
            nonlocal taken
            while True:
                taken += 1
                yield taken.to_bytes(4, "big") * 1_000

        next(iter(pack(endless(), Compression.GZIP)))
        next(iter(pack(endless(), Compression.NONE)))
        assert taken < 10_000

    def test_the_same_content_gives_the_same_bytes(self) -> None:
        """No name and no time in it: a step that is repeated writes what it wrote before."""
        text = b"".join(b'{"n":%d}\n' % n for n in range(5_000))
        once, again = (b"".join(pack([text], Compression.GZIP)) for _ in range(2))
        assert once == again
        assert once[3:8] == bytes(5)  # no flags, no time
        assert len(once) * 2 < len(text)


class TestLiteral:
    def test_is_the_same_in_every_release(self) -> None:
        """A slice's writer counts on the finisher's bytes, which may be of another version."""
        assert literal(b"", Compression.GZIP).hex() == (
            "1f8b08000000000000ff" + "010000ffff" + "0000000000000000"
        )
        assert literal(b",\n", Compression.GZIP).hex() == (
            "1f8b08000000000000ff" + "010200fdff" + "2c0a" + "4f903d9802000000"
        )

    @given(st.binary(max_size=3_000))
    def test_is_one_member_of_nothing_but_the_data(self, data: bytes) -> None:
        packed = literal(data, Compression.GZIP)
        assert packed == literal(data, Compression.GZIP)
        assert gzip.decompress(packed) == data
        assert members(packed) == 1
        assert len(packed) == len(data) + 23
        assert literal(data, Compression.NONE) == data

    def test_takes_less_than_64_kib_and_nothing_more(self) -> None:
        most = bytes(range(256)) * 256
        assert gzip.decompress(literal(most[:-1], Compression.GZIP)) == most[:-1]
        with pytest.raises(struct.error):
            literal(most, Compression.GZIP)
        for chosen in Format:
            assert len(formats.head(chosen, bom=True)) < 1 << 16


pieces = st.lists(
    st.one_of(
        st.binary(max_size=300).map(lambda data: (data, literal(data, Compression.GZIP))),
        st.lists(st.binary(max_size=300), max_size=3).map(
            lambda chunks: (b"".join(chunks), b"".join(pack(chunks, Compression.GZIP)))
        ),
        # Of more than one window of DEFLATE.
        st.binary(min_size=1, max_size=30).map(
            lambda data: (data * 3_000, b"".join(pack([data] * 3_000, Compression.GZIP)))
        ),
    ),
    min_size=1,
    max_size=6,
)


class TestMembers:
    @given(pieces)
    def test_joined_in_any_order_are_a_file(self, made: list[tuple[bytes, bytes]]) -> None:
        text, packed = (b"".join(each) for each in zip(*made, strict=True))
        assert gzip.decompress(packed) == text
        assert members(packed) == len(made)
        with gzip.open(io.BytesIO(packed)) as opened:
            assert b"".join(iter(lambda: opened.read(997), b"")) == text

    @settings(max_examples=20)
    @given(pieces)
    def test_the_program_gzip_takes_them_too(self, made: list[tuple[bytes, bytes]]) -> None:
        if shutil.which("gzip") is None:
            pytest.skip("there is no program gzip here")
        text, packed = (b"".join(each) for each in zip(*made, strict=True))
        tested = run_gzip("-t", packed)
        assert (tested.returncode, tested.stderr) == (0, b"")
        assert run_gzip("-dc", packed).stdout == text
        # It looks: this one it does not take.
        assert run_gzip("-t", packed[:-1]).returncode != 0


def run_gzip(how: str, packed: bytes) -> subprocess.CompletedProcess[bytes]:
    environment = {name: value for name, value in os.environ.items() if name != "GZIP"}
    return subprocess.run(
        ["gzip", how], input=packed, env=environment, capture_output=True, check=False
    )


def members(packed: bytes) -> int:
    """How many members of gzip there are, and nothing behind them."""
    count = 0
    while packed:
        reader = zlib.decompressobj(31)
        reader.decompress(packed)
        assert reader.eof
        packed, count = reader.unused_data, count + 1
    return count
