"""What in a JSON text is refused, and where it says that it stands."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import canonical
from auditlog.errors import MalformedError


def pointers(text: str) -> list[str | None]:
    return [fault.pointer for fault in canonical.decode(text.encode())[1]]


class TestDuplicates:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ('{"a":1,"a":1}', ["/a"]),
            ('{"a":1,"b":2,"a":{},"b":[]}', ["/a", "/b"]),
            ('{"a":[{"b":1,"b":1,"b":1}]}', ["/a/0/b"]),
            ('{"a":1,"\\u0061":2}', ["/a"]),
            ('{"":1,"":2}', ["/"]),
            ('{"a/b":1,"a/b":2,"~":{"~1":1,"~1":2}}', ["/a~1b", "/~0/~01"]),
            ('{"a":{"x":1,"x":2},"a":3}', ["/a"]),
            ('{"a":NaN,"a":1}', ["/a"]),
            ('{"a":1,"A":1,"\\u0041 ":2}', []),
            # Strings are compared as they are: composed and decomposed are two keys.
            ('{"\u00e9":1,"e\u0301":2}', []),
        ],
    )
    def test_each_is_named_once(self, text: str, expected: list[str]) -> None:
        assert pointers(text) == expected


class TestNotJson:
    @pytest.mark.parametrize(
        "text",
        [
            "", " ", "{", "[1,]", '{"a":1,}', "{a:1}", "{'a':1}", '{"a":01}', '{"a":+1}',
            '{"a":.5}',
            '{"a":1.}', '{"a":0x1}', '{"a":1} x', "{}{}", '"\n"', '"\t"', '"\\x41"', '"\\u12"',
            "nul", "True", "nan", "inf", "// c\n1", "{} // c", '{"a" 1}', "[1 2]", "\ufeff{}",
            "\xa0{}", '{"a":1e}', '"a', "1e5 1",
        ],
    )  # fmt: skip
    def test_refused(self, text: str) -> None:
        with pytest.raises(MalformedError, match="not JSON"):
            canonical.decode(text.encode())

    def test_says_where(self) -> None:
        with pytest.raises(MalformedError, match="line 2 column 7"):
            canonical.decode(b'{\n "a": x}')

    @pytest.mark.parametrize(
        ("body", "offset"),
        [
            (b"\xff", 0),
            (b'{"a":"\xc3"}', 6),
            (b'{"a":"\xed\xa0\x80"}', 6),
            (b'{"a":"\xc0\xaf"}', 6),
            (b'{"a":"\xf4\x90\x80\x80"}', 6),
            ('{"é":"'.encode() + b"\x80", 7),
            ("{}".encode("utf-16"), 0),
        ],
    )
    def test_invalid_utf8_with_its_offset(self, body: bytes, offset: int) -> None:
        with pytest.raises(MalformedError, match=f"not UTF-8: invalid byte at offset {offset}\\."):
            canonical.decode(body)

    @pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
    def test_a_hundred_thousand_brackets(self, opening: str) -> None:
        with pytest.raises(MalformedError):
            canonical.decode((opening * 100_000).encode())

    def test_a_hundred_thousand_brackets_that_close(self) -> None:
        with pytest.raises(MalformedError, match="nested too deeply"):
            canonical.decode(b"[" * 100_000 + b"]" * 100_000)

    @given(st.binary(max_size=60))
    def test_bytes_are_a_value_or_refused(self, body: bytes) -> None:
        try:
            json.loads(body.decode())
        except ValueError:
            with pytest.raises(MalformedError):
                canonical.decode(body)
        else:
            canonical.decode(body)


class TestSurrogates:
    def test_in_values_and_keys(self) -> None:
        text = '{"a":["ok","\\ud800"],"\\udc00":{"b~/":"\\ud83d\\ude00\\ud83d"}}'
        value, faults = canonical.decode(text.encode())
        assert faults == []
        assert [fault.pointer for fault in canonical.surrogates(value)] == [
            "/?", "/a/1", "/?/b~0~1",
        ]  # fmt: skip

    def test_a_pair_is_a_character(self) -> None:
        value, _ = canonical.decode(b'{"a":"\\ud83d\\ude00"}')
        assert list(canonical.surrogates(value)) == []
        assert canonical.encode(value) == '{"a":"😀"}'.encode()

    @given(st.text(st.characters(min_codepoint=0xD700, max_codepoint=0xE100), max_size=3))
    def test_found_exactly_where_there_are_no_bytes(self, text: str) -> None:
        found = bool(list(canonical.surrogates({"a": text})))
        assert found == any("\ud800" <= character <= "\udfff" for character in text)


class TestPointers:
    @pytest.mark.parametrize(
        ("steps", "pointer"),
        [
            ([], ""), ([""], "/"), (["a", 0], "/a/0"), (["~"], "/~0"), (["/"], "/~1"),
            (["~1"], "/~01"), (["a/b~c"], "/a~1b~0c"), ([" ", '"', "é"], '/ /"/é'),
        ],
    )  # fmt: skip
    def test_rfc_6901(self, steps: list[str | int], pointer: str) -> None:
        joined = ""
        for step in steps:
            joined = canonical.join(joined, step)
        assert joined == pointer

    def test_of_many_faults_under_a_long_key(self) -> None:
        """A body must not cost its own length again for each of its faults."""
        long_key = "k" * 400_000
        literals = ",".join(["NaN"] * 100_000)
        found = pointers(f'{{"m":{{"{long_key}":[{literals}]}}}}')
        assert found == ["/m"] * 100_000

    def test_of_faults_that_are_deep(self) -> None:
        names = [f"name_{n:02}" for n in range(100)]
        text = "".join(f'{{"{name}":' for name in names) + "NaN" + "}" * 100
        [found] = pointers(text)
        assert found is not None
        assert len(found) <= canonical.MAX_POINTER_LENGTH
        assert ("/" + "/".join(names)).startswith(found + "/")


class TestDepth:
    @pytest.mark.parametrize(
        ("value", "depth"),
        [
            (1, 0), ("a", 0), (None, 0), ([], 1), ({}, 1), ([1], 1), ({"a": []}, 2),
            ([[], [[1]], {}], 3), ({"a": {"b": {"c": 1}}, "d": 1}, 3),
        ],
    )  # fmt: skip
    def test_counts_what_lies_around(self, value: object, depth: int) -> None:
        assert canonical.depth(value) == depth
