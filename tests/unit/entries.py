"""What the tests of the profile `hf` share: its schema, and entries and events of every shape."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from auditlog import reference
from auditlog.event import Record
from tests.unit.published import CATALOG

FILE = Path(__file__).parents[3] / "shared" / "hf-export.schema.json"


def schema() -> dict[str, Any]:
    """The schema of the reference's export, an array; skips where it is not here."""
    if not FILE.exists():
        pytest.skip("the reference's schema is not here: it is not part of the repository")
    return json.loads(FILE.read_text("utf-8"))["response_schema"]


def validator() -> Draft202012Validator:
    checker = Draft202012Validator.FORMAT_CHECKER
    assert "date-time" in checker.checkers, "rfc3339-validator is not installed"
    return Draft202012Validator(schema(), format_checker=checker)


def entry_of(record: Record) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The entry of a record as an export would ask for it, and what it does not say."""
    fields = json.loads(record.data)
    actor = fields["actor"]
    summary = CATALOG.sentence_for(record.type, actor.get("name", actor["id"]), [])
    made = reference.entry(record.id, fields, fields.get("description", summary))
    assert made is not None
    return json.loads(made[0]), made[1]


# Text of any characters but lone surrogates, which no event may have.
TEXTS = st.one_of(
    st.sampled_from(["", "hf", "data", "a\x00b", "\u2028", "😀", "é́"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
IDS = st.text("0123456789abcdef", min_size=24, max_size=24)
ADDRESSES = st.one_of(st.ip_addresses().map(str), st.just("::ffff:203.0.113.9"))
COUNTRIES = st.sampled_from(["FR", "DE", "France", "fr", ""])
ROLES = st.sampled_from(["read", "write", "fineGrained"])
TIMES = st.builds(
    "{:%Y-%m-%dT%H:%M:%S}{}Z".format,
    st.datetimes(datetime(1970, 1, 1), datetime(2026, 5, 31)),  # noqa: DTZ001 -- UTC, as text
    st.sampled_from(["", ".0", ".000", ".120", ".123456", ".123000", ".1234567"])
    | st.from_regex(r"\.[0-9]{1,9}", fullmatch=True),
)
SAFE = 2**53 - 1
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-SAFE, SAFE),
        st.floats(-SAFE, SAFE),
        TEXTS,
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(TEXTS, inner, max_size=3),
        st.fixed_dictionaries({"hf": inner}),
    ),
    max_leaves=6,
)

TOKENS = st.fixed_dictionaries(
    {"type": st.just("access_token"), "id": TEXTS, "deleted": st.booleans()},
    optional={"role": ROLES, "last4": TEXTS},
)
OAUTHS = st.fixed_dictionaries({"clientId": TEXTS}, optional={"name": TEXTS})
#: Entries that the schema allows.
ENTRIES = st.fixed_dictionaries(
    {
        "_id": IDS,
        "createdAt": TIMES,
        "type": st.sampled_from(sorted(reference.TYPES)),
        "message": TEXTS,
        "author": st.fixed_dictionaries(
            {
                "_id": IDS,
                "user": TEXTS,
                "avatarUrl": TEXTS,
                "type": st.sampled_from(["user", "system"]),
            },
            optional={"deleted": st.booleans()},
        ),
    },
    optional={
        "data": VALUES,
        "ip": ADDRESSES | TEXTS.filter(lambda text: not reference.holds_address(text)),
        "location": st.fixed_dictionaries(
            {"formatted": TEXTS | st.sampled_from(["FR", "Paris, FR"])},
            optional={"country": COUNTRIES, "city": TEXTS | st.just("Paris")},
        ),
        "userAgent": TEXTS | st.just("x" * 1024) | st.just("x" * 1025),
        "token": TOKENS,
        "oauth": OAUTHS,
    },
)

SOME_TEXT = TEXTS.filter(bool)
OCCURRED_AT = "2026-05-01T09:30:00.120000Z"
# A member `hf` as import would write it, nearly so, and as anybody might.
KEPT = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {},
        optional={
            "createdAt": st.sampled_from(
                [OCCURRED_AT, "2026-05-01T09:30:00.12Z", "2026-05-01T09:30:00.12+00:00", 7]
            )
            | TEXTS,
        },
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "author": st.fixed_dictionaries({}, optional={"deleted": VALUES, "_id": IDS}),
            "data": VALUES,
            "ip": ADDRESSES | TEXTS | st.just("203.0.113.7:80"),
            "location": st.fixed_dictionaries(
                {}, optional={"formatted": TEXTS, "country": COUNTRIES, "city": TEXTS}
            ),
            "userAgent": TEXTS,
            "token": TOKENS
            | st.fixed_dictionaries({}, optional={"deleted": st.booleans(), "last4": TEXTS}),
            "oauth": OAUTHS | st.fixed_dictionaries({}, optional={"name": TEXTS}),
        },
    ),
)
#: Events that the catalog and `event.admit` take, of types that the reference knows.
EVENTS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(sorted(reference.TYPES)),
        "occurred_at": st.just(OCCURRED_AT) | TIMES,
        "actor": st.fixed_dictionaries(
            {"id": SOME_TEXT | IDS},
            optional={
                "name": TEXTS,
                "type": st.sampled_from(["user", "service_account", "system"]),
                "avatar_url": TEXTS,
            },
        ),
    },
    optional={
        "description": TEXTS,
        "targets": st.lists(
            st.fixed_dictionaries({"type": SOME_TEXT, "id": SOME_TEXT}), max_size=2
        ),
        "ip": ADDRESSES,
        "location": st.fixed_dictionaries(
            {},
            optional={"country": st.sampled_from(["FR", "DE"]), "region": TEXTS, "city": TEXTS},
        ),
        "user_agent": TEXTS,
        "credential": st.fixed_dictionaries(
            {
                "type": st.sampled_from(["access_token", "oauth_app", "session", "api_key"]),
                "id": SOME_TEXT,
            },
            optional={"name": TEXTS, "role": TEXTS | ROLES, "last4": st.just("1234")},
        ),
        "metadata": st.dictionaries(TEXTS, VALUES, max_size=3)
        | st.fixed_dictionaries({"hf": KEPT}, optional={"more": VALUES}),
        "key": SOME_TEXT | IDS,
    },
)
