"""Which numbers have which places: the inside of a digest.

    byte 0       1 or 2: bytes of a count and of a place
    bytes 1-4    how many numbers there are, big-endian
    then         the numbers' high, middle and low bytes, in ascending order, each kind together
    then         how many places each number has
    then         the places, ascending for each number

Numbers are of 24 bits. The high bytes are sorted, so that one number is found by
bisection without decoding the others; places are handed out as bits of an
integer, so that two sets are joined by one operation.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence

_WIDE_FROM = 256
_MOST_PLACES = 65_535
_HEAD = 5


class Postings:
    """Read access to what `encode` wrote. Raises `ValueError` where that is damaged."""

    def __init__(self, data: bytes) -> None:
        if len(data) < _HEAD or data[0] not in {1, 2}:
            raise ValueError("no postings")
        width, count = data[0], int.from_bytes(data[1:_HEAD], "big")
        numbers_end = _HEAD + 3 * count
        counts_end = numbers_end + width * count
        self._high = data[_HEAD : _HEAD + count]
        self._middle = data[_HEAD + count : _HEAD + 2 * count]
        self._low = data[_HEAD + 2 * count : numbers_end]
        self._counts = _read(data[numbers_end:counts_end], width)
        self._places = _read(data[counts_end:], width)
        if len(self._counts) != count or sum(self._counts) != len(self._places):
            raise ValueError("damaged postings")

    def places(self, number: int) -> int:
        """The places of a number, as bits; 0 where it has none. Logarithmic in the numbers."""
        high, middle, low = number >> 16, number >> 8 & 255, number & 255
        start = bisect_left(self._high, high)
        for index in range(start, bisect_right(self._high, high, start)):
            if self._middle[index] == middle and self._low[index] == low:
                at = sum(self._counts[:index])
                return _bits(self._places[at : at + self._counts[index]])
        return 0

    def __iter__(self) -> Iterator[int]:
        """Every number, ascending."""
        for high, middle, low in zip(self._high, self._middle, self._low, strict=True):
            yield high << 16 | middle << 8 | low


def encode(places: Mapping[int, Sequence[int]]) -> bytes:
    """The bytes of numbers (24 bits each) and their ascending places (below 65,536)."""
    numbers = sorted(places)
    listed = [places[number] for number in numbers]
    most = max((of[-1] for of in listed), default=0)
    if most >= _MOST_PLACES:
        raise ValueError("too many places")
    width = 1 if most < _WIDE_FROM - 1 else 2
    return b"".join(
        [
            bytes([width]),
            len(numbers).to_bytes(_HEAD - 1, "big"),
            bytes(number >> 16 for number in numbers),
            bytes(number >> 8 & 255 for number in numbers),
            bytes(number & 255 for number in numbers),
            _write([len(of) for of in listed], width),
            _write([place for of in listed for place in of], width),
        ]
    )


def _bits(places: Sequence[int]) -> int:
    found = 0
    for place in places:
        found |= 1 << place
    return found


def _read(data: bytes, width: int) -> Sequence[int]:
    if width == 1:
        return data
    if len(data) % 2:
        raise ValueError("damaged postings")
    return [high << 8 | low for high, low in zip(data[::2], data[1::2], strict=True)]


def _write(values: Sequence[int], width: int) -> bytes:
    if width == 1:
        return bytes(values)
    return b"".join(value.to_bytes(2, "big") for value in values)
