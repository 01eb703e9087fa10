"""The members of one JSON array, one after the other, from text that comes in pieces."""

import json
import re
from collections.abc import Iterator

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()
# No event is nearly that long: what has no end by then is broken, and is not read further.
_LONGEST = 8 << 20


class BrokenJsonError(ValueError):
    """Not one whole JSON array; `line` says where."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


def members(pieces: Iterator[str], start: int = 0, closing: str = "") -> Iterator[tuple[int, str]]:
    """Each member's line, from 1, and its text as it stands there.

    The array begins at `start` of the first piece, perhaps after white space; after it comes
    `closing` and then nothing. Holds one piece and one member in memory. Raises
    `BrokenJsonError` at what is not so, an early end included.
    """
    text = _Window(pieces, start)
    text.take("[")
    if text.next() != "]":
        yield text.line, text.value()
        while text.next() == ",":
            text.take(",")
            text.next()
            yield text.line, text.value()
    text.take("]")
    for character in closing:
        text.take(character)
    if text.next():
        raise BrokenJsonError("more text after the end", text.line)


class _Window:
    """The part of the text that is being looked at."""

    def __init__(self, pieces: Iterator[str], start: int) -> None:
        self._pieces = pieces
        self._text = next(pieces, "")
        self._at = start
        self.line = 1 + self._text.count("\n", 0, start)

    def next(self) -> str:
        """The next character that is not white space, not taken; empty at the end."""
        while True:
            end = self._end_of_space()
            self._advance(end)
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, character: str) -> None:
        """Goes past `character`, or raises."""
        found = self.next()
        if found != character:
            raise BrokenJsonError(f"expected {character} but found {found or 'the end'}", self.line)
        self._at += 1

    def value(self) -> str:
        """The text of the value that begins here."""
        while True:
            try:
                _, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if len(self._text) - self._at > _LONGEST or not self._more():
                    line = self.line + self._text.count("\n", self._at, error.pos)
                    raise BrokenJsonError(error.msg, line) from None
                continue
            except (RecursionError, ValueError):
                raise BrokenJsonError("nested too deeply, or too many digits", self.line) from None
            # A number at the end of the window may have more digits in the next piece.
            if end < len(self._text) or not self._more():
                found = self._text[self._at : end]
                self._advance(end)
                return found

    def _end_of_space(self) -> int:
        match = _SPACE.match(self._text, self._at)
        return match.end() if match else self._at

    def _advance(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def _more(self) -> bool:
        piece = next(self._pieces, "")
        while piece == "":
            following = next(self._pieces, None)
            if following is None:
                return False
            piece = following
        self._text = self._text[self._at :] + piece
        self._at = 0
        return True
