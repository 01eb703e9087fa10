"""Whatever a caller writes into a query or a cursor, the answer is one of the documented errors.

`make test ARGS='--hypothesis-profile long -k test_fuzz'` goes on for as long as there is time.
"""

import base64
import time

from hypothesis import given
from hypothesis import strategies as st

from auditlog import cursor, filters, grammar
from auditlog.errors import MalformedError
from tests.unit.published import CATALOG

NAMES = [*grammar.QUALIFIERS, *grammar.ALIASES, "text", "unknown", "TYPE", "ty pe", ""]
VALUES = [
    "repo", "repo.*", "org.change_role", "*", "..", "*..*", "2026-01-01", "2026-13-01..", ">=", "<",
    ">2026-01-01T00:00:00Z", "1969-01-01", "9999-12-31..*", "192.0.2.1", "::1/0", "2001:db8::/129",
    "fr", "1e400", "\\", '\\"', "create", "user", "a/b/c", "/" * 20, "\u0130", "ß", "\ud800",
]  # fmt: skip
PIECES = st.one_of(
    st.sampled_from([f"{name}:{value}" for name in NAMES for value in VALUES]),
    st.sampled_from(["-", '"', " ", ":", "AND", "OR", "NOT", "\u00a0", "\n", "\\", "-type:", "--"]),
    st.text(max_size=20),
    st.text(alphabet=st.characters(codec=None), max_size=5),
)
QUERIES = st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=2_100)


@given(QUERIES)
def test_a_query_is_read_or_refused_with_its_place(query: str) -> None:
    began = time.process_time()
    refused: MalformedError | None = None
    try:
        wanted = filters.parse({"q": [query]}, CATALOG, hidden_by_default=True)
        assert wanted.takes_type("repo.create") in {True, False}
    except MalformedError as error:
        refused = error
    assert refused is None or {fault.parameter for fault in refused.faults} == {"q"}
    # Not a measurement: a guard against work that grows with the square of the query.
    assert time.process_time() - began < 5


WANTED = filters.parse({"type": ["repo"]}, CATALOG, hidden_by_default=True)
GOOD = cursor.write("0" * 38 + "8", org="acme", wanted=WANTED, order="desc")


@st.composite
def tokens(draw: st.DrawFn) -> str:
    """Cursors that are nearly good, and others that are not at all."""
    raw = bytearray(base64.urlsafe_b64decode(GOOD + "=" * (-len(GOOD) % 4)))
    for _ in range(draw(st.integers(0, 3))):
        raw[draw(st.integers(0, len(raw) - 1))] = draw(st.integers(0, 255))
    cut = draw(st.integers(0, len(raw)))
    text = base64.urlsafe_b64encode(bytes(raw[:cut])).decode().rstrip("=")
    return draw(st.sampled_from([text, text + "=", text + "A", "\n" + text, text.upper()]))


@given(tokens() | st.text(max_size=600))
def test_a_cursor_is_ours_or_refused(token: str) -> None:
    refused: MalformedError | None = None
    try:
        position = cursor.read(token, org="acme", wanted=WANTED, order="desc")
        assert cursor.write(position, org="acme", wanted=WANTED, order="desc") == token
    except MalformedError as error:
        refused = error
    assert refused is None or [fault.parameter for fault in refused.faults] == ["cursor"]
