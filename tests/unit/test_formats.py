"""Answers and files: the record's own bytes, with what stands around them."""

import gzip
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import clock, formats, plan
from auditlog.event import Record
from auditlog.formats import LAYOUTS, Compression, Format
from tests.unit.published import CATALOG, NOW, event, record_of, stored

ANN = {"id": "usr_1", "name": "Ann \u201cA\u201d {actor} \\ \n 😀"}
names = st.text(max_size=200)


def answer(record: Record) -> bytes:
    return formats.answer(stored(record), record.data, CATALOG)


def ends_with_the_record(answered: bytes, record: Record) -> bool:
    return answered.endswith(b"," + record.data[1:]) and answered[:1] == b"{"


class TestAnswer:
    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"description": ""},
            {"description": "Created it"},
            {"metadata": {"a": 1e-7, "b": 1e21, "\ufb33": "\x00", "😀": '"\\'}},
            {"actor": ANN, "targets": [{"type": "repo", "id": "x", "name": "\u2028"}]},
        ],
    )
    def test_carries_the_record_verbatim(self, fields: dict[str, Any]) -> None:
        record = record_of(event(**fields))
        answered = answer(record)
        assert ends_with_the_record(answered, record)
        names_in_order = list(json.loads(answered))
        assert len(names_in_order) == len(set(names_in_order))
        assert names_in_order[:2] == ["id", "recorded_at"]
        assert json.loads(answered)["id"] == record.id
        assert json.loads(answered)["recorded_at"] == clock.text(NOW)

    @pytest.mark.parametrize("description", ["", "x"])
    def test_no_summary_beside_a_description(self, description: str) -> None:
        assert "summary" not in json.loads(answer(record_of(event(description=description))))

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({}, "usr_1 created a repository"),
            ({"actor": {"id": "usr_1", "name": "Ann"}}, "Ann created a repository"),
            ({"actor": {"id": "usr_1", "name": ""}}, "usr_1 created a repository"),
            ({"targets": []}, "usr_1 created a repository"),
            (
                {
                    "targets": [
                        {"type": "repo", "id": "r1"},
                        {"type": "repo", "id": "r2", "name": "N"},
                    ]
                },
                "usr_1 created a repository: r1 and N",
            ),
        ],
    )
    def test_summary(self, fields: dict[str, Any], sentence: str) -> None:
        assert json.loads(answer(record_of(event(**fields))))["summary"] == sentence

    def test_a_type_that_the_catalog_has_lost_is_still_shown(self) -> None:
        record = record_of(event(type="aws.s3.GetObject"))
        lost = record.data.replace(b"aws.s3.GetObject", b"gone.for.good")
        answered = formats.answer(stored(record), lost, CATALOG)
        assert json.loads(answered)["summary"] == "usr_1 performed gone.for.good"

    @given(
        st.sampled_from([each.name for each in CATALOG.types]), names, st.lists(names, max_size=3)
    )
    def test_is_never_larger_than_a_page_reckons(
        self, name: str, actor: str, targets: list[str]
    ) -> None:
        listed = [{"type": "t", "id": "i", "name": each} for each in targets]
        record = record_of(event(type=name, actor={"id": "u", "name": actor}, targets=listed))
        in_lambda = json.dumps(answer(record).decode(), ensure_ascii=False).encode()
        assert len(in_lambda) <= plan.answer_bytes(stored(record), record.data)


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


class TestFiles:
    @given(st.integers(0, 6), st.sets(st.integers(0, 5)), st.sampled_from(Compression))
    def test_are_whole_over_slices_and_members(
        self, count: int, cuts: set[int], compression: Compression
    ) -> None:
        records = [record_of(event(key=str(n), description="\u2028\n")) for n in range(count)]
        answers = [answer(record) for record in records]
        for chosen in Format:
            slices = file_of(answers, sorted(cuts), chosen)
            packed = b"".join(b"".join(formats.pack([each], compression)) for each in slices)
            text = gzip.decompress(packed) if compression is Compression.GZIP else packed
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

    def test_content_types(self) -> None:
        assert LAYOUTS[Format.JSON].content_type == "application/json"
        assert LAYOUTS[Format.NDJSON].content_type == "application/x-ndjson"
        assert set(LAYOUTS) == set(Format)


class TestPack:
    @given(st.lists(st.binary(max_size=200), max_size=5))
    def test_one_gzip_member_whatever_the_chunks(self, chunks: list[bytes]) -> None:
        packed = b"".join(formats.pack(chunks, Compression.GZIP))
        assert gzip.decompress(packed) == b"".join(chunks)
        assert packed[:3] == b"\x1f\x8b\x08"

    def test_nothing_is_a_member_too(self) -> None:
        assert gzip.decompress(b"".join(formats.pack([], Compression.GZIP))) == b""

    def test_none_passes_the_chunks_through(self) -> None:
        chunks = [b"a", b"", b"bc"]
        assert list(formats.pack(chunks, Compression.NONE)) == chunks

    def test_does_not_wait_for_the_end(self) -> None:
        """Memory does not depend on size: chunks come out while others go in."""
        taken = 0

        def endless() -> Any:
            nonlocal taken
            while True:
                taken += 1
                yield taken.to_bytes(4, "big") * 1_000

        next(iter(formats.pack(endless(), Compression.GZIP)))
        next(iter(formats.pack(endless(), Compression.NONE)))
        assert taken < 10_000
