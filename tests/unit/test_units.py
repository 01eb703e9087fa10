"""The rounding of DynamoDB: examples worked by hand, and what holds for all."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog.units import KB, item_size, read_units, write_units

SIZES = st.integers(0, 400 * KB)
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=6).map(str) | st.integers().map(
    str
)
SCALARS = st.one_of(
    st.text().map(lambda text: {"S": text}),
    st.binary().map(lambda data: {"B": data}),
    NUMBERS.map(lambda number: {"N": number}),
    st.booleans().map(lambda truth: {"BOOL": truth}),
    st.just({"NULL": True}),
    st.sets(st.text(), min_size=1).map(lambda texts: {"SS": list(texts)}),
    st.sets(st.binary(), min_size=1).map(lambda blobs: {"BS": list(blobs)}),
    st.lists(NUMBERS, min_size=1).map(lambda numbers: {"NS": numbers}),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner).map(lambda elements: {"L": elements})
        | st.dictionaries(st.text(), inner).map(lambda members: {"M": members})
    ),
    max_leaves=10,
)
ITEMS = st.dictionaries(st.text(min_size=1), VALUES)


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": ""}, 0),
        ({"S": "acme"}, 4),
        ({"S": "é"}, 2),
        ({"S": "日本"}, 6),
        ({"S": "🚀"}, 4),
        ({"B": b""}, 0),
        ({"B": b"\x00\xff\x00"}, 3),
        ({"B": bytearray(5)}, 5),
        ({"BOOL": True}, 1),
        ({"BOOL": False}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["a", "bé"]}, 1 + 3),
        ({"BS": [b"", b"abc"]}, 3),
        ({"NS": ["1", "-123"]}, 2 + 4),
        ({"L": []}, 3),
        ({"M": {}}, 3),
        ({"L": [{"S": "a"}, {"N": "1"}]}, 3 + (1 + 1) + (2 + 1)),
        ({"M": {"ab": {"S": "c"}}}, 3 + 2 + 1 + 1),
        ({"M": {"é": {"L": [{"NULL": True}]}}}, 3 + 2 + (3 + 1 + 1) + 1),
    ],
)
def test_the_size_of_a_value(value: dict[str, Any], size: int) -> None:
    assert item_size({"name": value}) == 4 + size


@pytest.mark.parametrize(
    ("number", "size"),
    [
        ("0", 1),
        ("-0", 1),
        ("0.00", 1),
        ("1", 2),
        ("12", 2),
        ("123", 3),
        ("1234", 3),
        ("-1", 3),
        ("-123", 4),
        ("+12", 2),
        ("1000", 2),
        ("0.001", 2),
        ("00120", 2),
        ("1.5E+10", 2),
        ("-12e-130", 3),
        ("1005", 3),
        ("1780272000123456", 9),
        ("1780272000000000", 5),
        ("9" * 38, 20),
        ("-" + "9" * 38, 21),
    ],
)
def test_the_size_of_a_number(number: str, size: int) -> None:
    assert item_size({"n": {"N": number}}) == 1 + size


def test_the_name_of_an_attribute_counts_as_its_utf_8() -> None:
    assert item_size({}) == 0
    assert item_size({"pk": {"S": "a"}, "größe": {"S": "b"}}) == (2 + 1) + (7 + 1)


def test_an_event_as_the_log_has_it() -> None:
    item = {
        "pk": {"S": "acme"},  # 2 + 4
        "sk": {"S": "0" * 39},  # 2 + 39
        "r": {"B": bytes(230)},  # 1 + 230
        "t": {"S": "repo.create"},  # 1 + 11
        "at": {"N": "1780272000123456"},  # 2 + 9
        "s": {"BOOL": True},  # 1 + 1
        "ttl": {"N": "1788048001"},  # 3 + 6
    }
    assert item_size(item) == 6 + 41 + 231 + 12 + 11 + 2 + 9


@pytest.mark.parametrize("value", [{}, {"X": "1"}, {"S": "a", "N": "1"}])
def test_what_is_no_value_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no value of DynamoDB"):
        item_size({"name": value})


@pytest.mark.parametrize(
    ("size", "units"),
    [(0, 1), (1, 1), (500, 1), (KB, 1), (KB + 1, 2), (1_638, 2), (3_584, 4), (400 * KB, 400)],
)
def test_a_write_unit_is_a_kilobyte_begun(size: int, units: int) -> None:
    assert write_units(size) == units


# The guide's own: 3.5 KB, 8 KB, 10 KB; ten items of 40.8 KB in all; 1,500 of 64 bytes.
@pytest.mark.parametrize(
    ("size", "consistent", "eventual"),
    [
        (0, 1, 0.5),
        (1, 1, 0.5),
        (3_584, 1, 0.5),
        (4 * KB, 1, 0.5),
        (4 * KB + 1, 2, 1),
        (8 * KB, 2, 1),
        (10 * KB, 3, 1.5),
        (41_780, 11, 5.5),
        (1_500 * 64, 24, 12),
    ],
)
def test_a_read_unit_is_four_kilobytes_begun(size: int, consistent: int, eventual: float) -> None:
    assert read_units(size, consistent=True) == consistent
    assert read_units(size) == read_units(size, consistent=False) == eventual


@given(one=SIZES, other=SIZES)
def test_more_never_costs_less_and_together_never_costs_more(one: int, other: int) -> None:
    for units in (write_units, read_units):
        assert units(min(one, other)) <= units(max(one, other))
        assert units(one + other) <= units(one) + units(other)
        assert units(one) > 0


@given(item=ITEMS, name=st.text(min_size=1), value=VALUES)
def test_an_attribute_more_is_its_own_size_more(
    item: dict[str, Any], name: str, value: dict[str, Any]
) -> None:
    rest = {key: kept for key, kept in item.items() if key != name}
    assert item_size({**rest, name: value}) == item_size(rest) + item_size({name: value})
    assert item_size({name: value}) >= len(name)


@given(elements=st.lists(VALUES), more=VALUES)
def test_a_list_grows_by_its_element_and_a_byte(
    elements: list[dict[str, Any]], more: dict[str, Any]
) -> None:
    grown = item_size({"": {"L": [*elements, more]}}) - item_size({"": {"L": elements}})
    assert grown == item_size({"": more}) + 1


@given(number=st.integers(-(10**38) + 1, 10**38 - 1), zeros=st.integers(0, 20))
def test_zeros_at_the_ends_of_a_number_are_free(number: int, zeros: int) -> None:
    def size(text: str) -> int:
        return item_size({"": {"N": text}})

    sign, digits = ("-", -number) if number < 0 else ("", number)
    # What no number of 38 digits exceeds.
    assert 1 <= size(str(number)) <= 21
    assert size(f"{sign}{digits}{'0' * zeros}") == size(str(number))
    assert size(f"{sign}{'0' * zeros}{digits}") == size(str(number))
    assert size(f"{sign}{digits}e{zeros}") == size(str(number))
    assert size(f"{sign}0.{'0' * zeros}{digits}") == size(str(number))
    if number:
        assert size(str(-abs(number))) == size(str(abs(number))) + 1
