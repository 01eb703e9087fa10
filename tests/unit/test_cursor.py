"""Page tokens: they come back as they went, and nowhere else."""

import base64
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import cursor, filters
from auditlog.errors import MalformedError
from auditlog.event import event_id
from tests.unit.published import CATALOG

positions = st.builds(event_id, st.integers(0, 2**60), st.binary(min_size=32, max_size=32))
POSITION = event_id(1_777_627_800_000_001, bytes(range(255, 223, -1)))
ALPHABET = string.ascii_letters + string.digits + "-_"


def parsed(**query: list[str]) -> filters.Filter:
    return filters.parse(query, CATALOG, hidden_by_default=True)


EVERYTHING = parsed()
TOKEN = cursor.write(POSITION, org="acme", wanted=EVERYTHING, order="desc")


def read(token: str, **changed: Any) -> str:
    return cursor.read(token, **({"org": "acme", "wanted": EVERYTHING, "order": "desc"} | changed))


@given(positions, st.sampled_from(["asc", "desc"]), st.lists(st.text(min_size=1), max_size=100))
def test_round_trip(position: str, order: str, actors: list[str]) -> None:
    wanted = parsed(actor=actors)
    token = cursor.write(position, org="acme", wanted=wanted, order=order)
    assert len(token) <= cursor.MAX_LENGTH
    assert set(token) <= set(ALPHABET)
    assert cursor.read(token, org="acme", wanted=wanted, order=order) == position


def test_is_fixed() -> None:
    """A deployment must not break the paging that is under way."""
    assert TOKEN == "AQAGUL45j9YB__79_Pv6-fj39vX08_Lx8B_Uf1Zg9wmc"


def test_the_same_filter_in_other_words_is_the_same() -> None:
    one = parsed(type=["repo", "org"], since=["2026-01-01"], ip=["192.0.2.7/24"])
    other = parsed(
        ip=["192.0.2.0/24"], since=["2026-01-01T01:00:00+01:00"], type=["org", "repo", "org"]
    )
    token = cursor.write(POSITION, org="acme", wanted=one, order="asc")
    assert cursor.read(token, org="acme", wanted=other, order="asc") == POSITION


@pytest.mark.parametrize(
    "changed",
    [
        {"org": "other"},
        {"org": "ACME"},
        {"order": "asc"},
        {"wanted": parsed(type=["repo"])},
        {"wanted": parsed(actor=["x"])},
        {"wanted": parsed(target=["x"])},
        {"wanted": parsed(ip=["::/0"])},
        {"wanted": parsed(country=["PT"])},
        {"wanted": parsed(since=["2026-01-01"])},
        {"wanted": parsed(until=["2026-01-01"])},
        {"wanted": parsed(include_hidden=["true"])},
    ],
)
def test_another_org_filter_or_order(changed: dict[str, Any]) -> None:
    with pytest.raises(MalformedError) as error:
        read(TOKEN, **changed)
    [fault] = error.value.faults
    assert fault.parameter == "cursor"
    assert "another org, filter or order" in fault.detail


def test_every_single_character_that_is_wrong() -> None:
    for at, original in enumerate(TOKEN):
        for character in ALPHABET + "+/=. é\n":
            if character != original:
                with pytest.raises(MalformedError):
                    read(TOKEN[:at] + character + TOKEN[at + 1 :])


@pytest.mark.parametrize(
    "token",
    ["", "x", "null", TOKEN[:-1], TOKEN[:-4], TOKEN + "A", TOKEN + "AAAA", TOKEN + "=", TOKEN * 2,
     f" {TOKEN}", f"{TOKEN}\n", "A" * 500, "A" * 501, "A" * 100_000, "é" * 44, "\udc00"],
)  # fmt: skip
def test_what_is_no_token(token: str) -> None:
    with pytest.raises(MalformedError) as error:
        read(token)
    assert [fault.parameter for fault in error.value.faults] == ["cursor"]


def test_another_version() -> None:
    raw = base64.urlsafe_b64decode(TOKEN)
    with pytest.raises(MalformedError):
        read(base64.urlsafe_b64encode(b"\x02" + raw[1:]).decode())


@given(st.text(max_size=60))
def test_any_text_is_refused_and_nothing_else_happens(token: str) -> None:
    with pytest.raises(MalformedError):
        read(token)
