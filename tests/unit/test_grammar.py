"""The query language as text: what is a term, and what is refused with its place."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import grammar
from auditlog.errors import MalformedError
from auditlog.grammar import ALIASES, MAX_LENGTH, QUALIFIERS, TEXT, Term


def said(query: str) -> list[tuple[str, str, bool]]:
    return [(term.qualifier, term.value, term.negated) for term in grammar.parse(query)]


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("", []),
        (" \t ", []),
        ("type:repo", [("type", "repo", False)]),
        ("-type:repo.*", [("type", "repo.*", True)]),
        ("author:ada", [("actor", "ada", False)]),
        ('actor:"Ada Lovelace"', [("actor", "Ada Lovelace", False)]),
        ('actor:"a \\"b\\" \\\\c"', [("actor", 'a "b" \\c', False)]),
        ("engine", [(TEXT, "engine", False)]),
        ('-"big engine"', [(TEXT, "big engine", True)]),
        ('"type:repo"', [(TEXT, "type:repo", False)]),
        ("ip:2001:db8::/32", [("ip", "2001:db8::/32", False)]),
        ("target:repo/acme:x", [("target", "repo/acme:x", False)]),
        ("a  b", [(TEXT, "a", False), (TEXT, "b", False)]),
        ("well-known", [(TEXT, "well-known", False)]),
        ("9:30", [(TEXT, "9:30", False)]),
    ],
)
def test_terms(query: str, terms: list[tuple[str, str, bool]]) -> None:
    assert said(query) == terms


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ("-", "at character 2: found the end, expected a word"),
        ("a - b", "at character 4: found a space, expected a word"),
        ("type:", "at character 6: found the end, expected a value for type:"),
        ("type: repo", "at character 6: found a space, expected a value for type:"),
        ("typ:repo", 'at character 1: found "typ:", expected a qualifier (the nearest is type:)'),
        (
            "x Type:repo",
            'at character 3: found "Type:", expected a qualifier (the nearest is type:',
        ),
        ('"open', "at character 1: found a quote that is never closed"),
        ('actor:"a\\"', "at character 7: found a quote that is never closed"),
        ('"a"b', 'at character 4: found "b", expected a space between two terms'),
        ('a"b"', 'at character 2: found """, expected a space between two terms'),
        ('actor:""', "at character 7: found empty quotes"),
        ("a OR b", "at character 3: found OR, expected a term"),
        ("NOT a", "at character 1: found NOT, expected a term"),
        ("a" * (MAX_LENGTH + 1), f"at character {MAX_LENGTH + 1}: found more"),
    ],
)
def test_refused_with_its_place(query: str, refusal: str) -> None:
    with pytest.raises(MalformedError) as raised:
        grammar.parse(query)
    [fault] = raised.value.faults
    assert fault.parameter == "q"
    assert fault.detail.startswith(refusal)


words = st.text(min_size=1, max_size=20).filter(str.strip)


@given(
    st.lists(
        st.tuples(st.sampled_from([*QUALIFIERS, *ALIASES, TEXT]), words, st.booleans()), max_size=8
    )
)
def test_any_value_can_be_said_in_quotes(wanted: list[tuple[str, str, bool]]) -> None:
    def quoted(value: str) -> str:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    query = " ".join(
        f"{'-' * negated}{'' if name == TEXT else name + ':'}{quoted(value)}"
        for name, value, negated in wanted
    )
    assert said(query) == [(ALIASES.get(name, name), value, no) for name, value, no in wanted]


@given(st.text(alphabet='-:"\\ \tatype.*creodxé🚀', max_size=200) | st.text(max_size=300))
def test_any_text_is_terms_or_a_refusal(query: str) -> None:
    with contextlib.suppress(MalformedError):
        assert all(isinstance(term, Term) and term.value for term in grammar.parse(query))
