"""The query language as text: `q` -> terms.

    query  = [ term *( space term ) ]
    term   = [ "-" ] ( name ":" value / value )
    name   = one of `QUALIFIERS` and `ALIASES`
    value  = quoted / word
    quoted = DQUOTE *( any character but DQUOTE and backslash / backslash DQUOTE /
             backslash backslash ) DQUOTE
    word   = 1*( any character but space and DQUOTE )

One pass, left to right, without going back: a query takes time in proportion
to its length. What a value means is `qualifiers.py`'s business.
"""

import difflib
import re
from dataclasses import dataclass

from auditlog.errors import Fault, MalformedError

MAX_LENGTH = 2_000

QUALIFIERS = (
    "type",
    "actor",
    "actor_type",
    "target",
    "ip",
    "country",
    "city",
    "credential",
    "operation",
    "created",
)
ALIASES = {"author": "actor"}
#: The qualifier of a term that has none: words that are looked for.
TEXT = "text"

_NAMES = (*QUALIFIERS, *ALIASES)
_SPACE = re.compile(r"\s*")
_WORD = re.compile(r'[^\s"]+')
_NAME = re.compile(r"([A-Za-z_]+):")
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
# What other languages have between terms; here it would be a word, and find nothing.
_OPERATOR = re.compile(r"(?:AND|OR|NOT)(?!\S)")
_ESCAPED = re.compile(r'\\(["\\])')


@dataclass(frozen=True, slots=True)
class Term:
    """One condition. Its value stands from `at` up to `end`, in characters from 0."""

    qualifier: str
    value: str
    negated: bool
    at: int
    end: int


def parse(query: str) -> list[Term]:
    """The terms of a query, in its order.

    Raises `MalformedError` that names the position (from 1), what was found
    there and what was expected.
    """
    if len(query) > MAX_LENGTH:
        raise _refusal(MAX_LENGTH, "more", f"at most {MAX_LENGTH} characters")
    terms: list[Term] = []
    at = _end(_SPACE, query, 0)
    while at < len(query):
        term, at = _term(query, at)
        terms.append(term)
        after = _end(_SPACE, query, at)
        if after == at and at < len(query):
            raise _refusal(at, _shown(query, at), "a space between two terms")
        at = after
    return terms


def fault(at: int, found: str, reason: str) -> Fault:
    """What a caller is told of a query that cannot be read at `at` (from 0)."""
    return Fault(f"at character {at + 1}: found {found}, {reason}", parameter="q")


def _refusal(at: int, found: str, expected: str) -> MalformedError:
    return MalformedError("The query is not valid.", [fault(at, found, f"expected {expected}")])


def _term(query: str, at: int) -> tuple[Term, int]:
    negated = query[at] == "-"
    at += negated
    if negated and query[at : at + 1] == "-":
        raise _refusal(at, '"-"', "one - before a term, or quotes around the text")
    name = _NAME.match(query, at)
    if name is None:
        if operator := _OPERATOR.match(query, at):
            raise _refusal(
                at, operator[0], 'a term: the same qualifier twice means "or", and "-" "not"'
            )
        value, end = _value(query, at, "a word, a qualifier or a quoted phrase")
        return Term(TEXT, value, negated, at, end), end
    qualifier = ALIASES.get(name[1], name[1])
    if qualifier not in QUALIFIERS:
        near = difflib.get_close_matches(name[1].lower(), _NAMES, n=1, cutoff=0.0)[0]
        expected = f"a qualifier (the nearest is {near}:), or quotes around the text"
        raise _refusal(at, f'"{name[1]}:"', expected)
    at = name.end()
    value, end = _value(query, at, f"a value for {name[1]}:")
    return Term(qualifier, value, negated, at, end), end


def _value(query: str, at: int, expected: str) -> tuple[str, int]:
    if query[at : at + 1] == '"':
        quoted = _QUOTED.match(query, at)
        if quoted is None:
            raise _refusal(at, "a quote that is never closed", 'text up to another "')
        if not quoted[1].strip():
            raise _refusal(at, "empty quotes", expected)
        return _ESCAPED.sub(r"\1", quoted[1]), quoted.end()
    word = _WORD.match(query, at)
    if word is None:
        raise _refusal(at, _shown(query, at), expected)
    return word[0], word.end()


def _end(pattern: re.Pattern[str], query: str, at: int) -> int:
    match = pattern.match(query, at)
    return at if match is None else match.end()


def _shown(query: str, at: int) -> str:
    if at >= len(query):
        return "the end"
    return "a space" if query[at].isspace() else f'"{query[at]}"'
