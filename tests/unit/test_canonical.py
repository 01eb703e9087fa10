"""RFC 8785 bytes, what is refused on the way to them, and the packed form."""

import json
import struct
import zlib
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from auditlog import canonical
from auditlog.errors import DamagedRecordError

SAFE = 2**53 - 1

# Letters around the borders where UTF-8, UTF-16 and code points sort otherwise.
characters = st.characters(exclude_categories=["Cs"]) | st.sampled_from(
    "\ud7ff\ue000\ufb33\uffff𐀀😀"
)
strings = st.text(characters, max_size=8)
numbers = st.integers(-SAFE, SAFE) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | strings
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(strings, inner, max_size=4),
    max_leaves=12,
)


class TestEncode:
    @given(values)
    @example({"a": 1.0})
    @example([1e-7])
    @example([1e16, -1e22])
    @example({"a": "1.0,"})
    @example({"\U0001f600": 1, "\ufb33": 2})
    @example({"a": [[1.5, 2.0]]})
    @example({"": {"\x00\x1f\x7f\u2028": "\x00\x1f\x7f\u2028"}})
    def test_is_rfc_8785(self, value: Any) -> None:
        assert canonical.encode(value) == rfc8785.dumps(value)

    @given(values)
    def test_comes_back_from_decode(self, value: Any) -> None:
        encoded = canonical.encode(value)
        back, faults = canonical.decode(encoded)
        # A float beyond the safe integers may be spelled as one, which is refused.
        if not faults:
            assert back == value
            assert canonical.encode(back) == encoded

    @given(values, st.integers(0, 4))
    def test_does_not_depend_on_the_spelling(self, value: Any, indent: int) -> None:
        spelled = json.dumps(value, indent=indent, ensure_ascii=indent % 2 == 0)
        back, faults = canonical.decode(spelled.encode())
        if not faults:
            assert canonical.encode(back) == canonical.encode(value)

    # RFC 8785, appendix B.
    @pytest.mark.parametrize(
        ("bits", "text"),
        [
            ("0000000000000000", "0"),
            ("8000000000000000", "0"),
            ("0000000000000001", "5e-324"),
            ("8000000000000001", "-5e-324"),
            ("7fefffffffffffff", "1.7976931348623157e+308"),
            ("ffefffffffffffff", "-1.7976931348623157e+308"),
            ("4340000000000000", "9007199254740992"),
            ("c340000000000000", "-9007199254740992"),
            ("4430000000000000", "295147905179352830000"),
            ("44b52d02c7e14af5", "9.999999999999997e+22"),
            ("44b52d02c7e14af6", "1e+23"),
            ("44b52d02c7e14af7", "1.0000000000000001e+23"),
            ("444b1ae4d6e2ef4e", "999999999999999700000"),
            ("444b1ae4d6e2ef4f", "999999999999999900000"),
            ("444b1ae4d6e2ef50", "1e+21"),
            ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
            ("3eb0c6f7a0b5ed8d", "0.000001"),
            ("41b3de4355555553", "333333333.3333332"),
            ("41b3de4355555554", "333333333.33333325"),
            ("41b3de4355555555", "333333333.3333333"),
            ("41b3de4355555556", "333333333.3333334"),
            ("41b3de4355555557", "333333333.33333343"),
            ("becbf647612f3696", "-0.0000033333333333333333"),
            ("43143ff3c1cb0959", "1424953923781206.2"),
        ],
    )
    def test_numbers_of_the_rfc(self, bits: str, text: str) -> None:
        (number,) = struct.unpack(">d", bytes.fromhex(bits))
        assert canonical.encode([number, number]).decode() == f"[{text},{text}]"
        assert canonical.encode(number).decode() == text

    # RFC 8785, section 3.2.3.
    def test_order_of_keys_of_the_rfc(self) -> None:
        keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\x80", "\xf6"]
        encoded = canonical.encode(dict.fromkeys(keys, 0))
        assert list(json.loads(encoded)) == [
            "\r", "1", "\x80", "\xf6", "\u20ac", "\U0001f600", "\ufb33",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "value", ["\ud800", {"\udfff": 1}, ["a\udc00"], {"a": 1.0, "b": "\ud83d"}]
    )
    def test_a_lone_surrogate_has_no_bytes(self, value: Any) -> None:
        with pytest.raises(UnicodeEncodeError):
            canonical.encode(value)


class TestNumbers:
    @pytest.mark.parametrize(
        ("literal", "text"),
        [
            ("0", "0"), ("-0", "0"), ("-0.0", "0"), ("0e0", "0"), ("0.00", "0"), ("0E-400", "0"),
            ("1", "1"), ("1.0", "1"), ("1e0", "1"), ("10e-1", "1"), ("100e2", "10000"),
            ("0.1", "0.1"), ("0.10", "0.1"), ("1E-1", "0.1"),
            ("9007199254740991", "9007199254740991"), ("-9007199254740991", "-9007199254740991"),
            ("9007199254740991.0", "9007199254740991"),
            ("9.007199254740991e15", "9007199254740991"),
            ("1e21", "1e+21"), ("-1E+21", "-1e+21"), ("1000000000000000000000.0", "1e+21"),
            ("5e-324", "5e-324"), ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("333333333.33333325", "333333333.33333325"),
        ],
    )  # fmt: skip
    def test_taken(self, literal: str, text: str) -> None:
        value, faults = canonical.decode(f"[{literal}]".encode())
        assert faults == []
        assert canonical.encode(value).decode() == f"[{text}]"

    @pytest.mark.parametrize(
        "literal",
        [
            "9007199254740992", "-9007199254740992", "9007199254740993", "9007199254740992.0",
            "9.007199254740992e15", "12345678901234567890", "100000000000000000000", "1e20",
            "-1e20", "1e16", "123456789012345680000.0", "9" * 400, "-" + "9" * 5_000,
        ],
    )  # fmt: skip
    def test_an_integer_that_is_not_safe(self, literal: str) -> None:
        _, [fault] = canonical.decode(f'{{"a":[0,{literal}]}}'.encode())
        assert fault.pointer == "/a/1"
        assert "send a string" in fault.detail
        assert "integer beyond" in fault.detail

    @pytest.mark.parametrize(
        "literal",
        [
            "1e400", "-1e400", "1e99999", "1e" + "9" * 30, "1e-400", "1e-" + "9" * 30, "3e-324",
            "1.7976931348623159e308", "0.1000000000000000055511151231257827",
            "0.10000000000000000000000000000000000001", "1.00000000000000001", "9007199254740991.5",
            "0.1" + "0" * 400 + "1", "4503599627370496.25", "1" * 5_000 + ".5",
        ],
    )  # fmt: skip
    def test_a_fraction_that_would_change(self, literal: str) -> None:
        _, [fault] = canonical.decode(f'{{"a":{literal}}}'.encode())
        assert fault.pointer == "/a"
        assert "send a string" in fault.detail

    @pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
    def test_what_json_does_not_have(self, literal: str) -> None:
        _, [fault] = canonical.decode(f'{{"a":{{"b":{literal}}}}}'.encode())
        assert fault.as_dict() == {"pointer": "/a/b", "detail": f"{literal} is not a JSON number"}

    @given(st.decimals(allow_nan=False, allow_infinity=False))
    def test_what_is_taken_keeps_its_value(self, number: Any) -> None:
        value, faults = canonical.decode(f"[{number}]".encode())
        if not faults:
            assert type(number)(canonical.encode(value).decode()[1:-1]) == number

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_every_double_as_python_writes_it(self, number: float) -> None:
        _, faults = canonical.decode(f"[{number!r}]".encode())
        whole = rfc8785.dumps(number).decode().lstrip("-").isdigit()
        assert bool(faults) == (whole and abs(number) > SAFE)


class TestPacking:
    @given(st.binary(max_size=2_000) | values.map(canonical.encode))
    @example(b"")
    def test_round_trip(self, record: bytes) -> None:
        assert canonical.unpack(canonical.pack(record)) == record

    def test_is_raw_deflate_with_the_first_dictionary(self) -> None:
        record = canonical.encode({"type": "repo.create", "occurred_at": "2026-01-01"})
        packed = canonical.pack(record)
        assert packed[0] == 1
        dictionary = canonical._dictionary(1)
        unpacker = zlib.decompressobj(-15, zdict=dictionary)
        assert unpacker.decompress(packed[1:]) == record
        assert len(packed) < len(record)

    @pytest.mark.parametrize("stored", [b"", b"\x00", b"\x02abc", b"\x01", b"\x01\xff\xff\xff"])
    def test_what_no_version_can_read(self, stored: bytes) -> None:
        with pytest.raises(DamagedRecordError):
            canonical.unpack(stored)

    @given(st.data())
    def test_a_cut_record_is_never_read_as_a_whole_one(self, data: st.DataObject) -> None:
        packed = canonical.pack(b'{"type":"repo.create","v":1}')
        cut = packed[: data.draw(st.integers(0, len(packed) - 1))]
        with pytest.raises(DamagedRecordError):
            canonical.unpack(cut)
