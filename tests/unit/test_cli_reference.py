"""The reference's own download as events: nothing lost, and each entry the same event for ever."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given

from auditlog import canonical, privacy, reference
from auditlog.cli.carrying import decode
from auditlog.cli.reference import to_event
from auditlog.event import InvalidEventError, Record, admit
from tests.unit import published
from tests.unit.entries import ENTRIES, EVENTS, entry_of, validator

AUTHOR: dict[str, Any] = {
    "_id": "0123456789abcdef01234567",
    "user": "ada",
    "avatarUrl": "https://a.example/1",
    "type": "user",
}
ENTRY: dict[str, Any] = {
    "_id": "6650a1b2c3d4e5f601234567",
    "createdAt": "2026-02-03T04:05:06.789Z",
    "type": "repo.create",
    "message": "Created acme/engine",
    "author": AUTHOR,
    "ip": "203.0.113.77",
    "location": {"formatted": "Paris, FR", "country": "FR", "city": "Paris"},
    "userAgent": "curl/8",
    "token": {
        "type": "access_token",
        "id": "t-1",
        "role": "fineGrained",
        "last4": "9abc",
        "deleted": False,
    },
    "data": {"after": [1, 1.5, "é", None]},
}
EVENT: dict[str, Any] = {
    "type": "repo.create",
    "occurred_at": "2026-02-03T04:05:06.789Z",
    "actor": {
        "id": "0123456789abcdef01234567",
        "name": "ada",
        "type": "user",
        "avatar_url": "https://a.example/1",
    },
    "description": "Created acme/engine",
    "key": "6650a1b2c3d4e5f601234567",
    "ip": "203.0.113.77",
    "location": {"country": "FR", "city": "Paris"},
    "user_agent": "curl/8",
    "credential": {"type": "access_token", "id": "t-1", "role": "fineGrained", "last4": "9abc"},
    "metadata": {"after": [1, 1.5, "é", None]},
}
# All that our own fields cannot hold.
ODD: dict[str, Any] = {
    **ENTRY,
    "createdAt": "2026-02-03T04:05:06Z",
    "author": {**AUTHOR, "avatarUrl": "", "deleted": False},
    "ip": "unknown",
    "location": {"formatted": "Somewhere", "country": "France"},
    "userAgent": "x" * 1025,
    "token": {"type": "access_token", "id": "t-1", "last4": "12345", "deleted": True},
    "oauth": {"clientId": "app-1", "name": "App"},
    "data": [1],
}
ODD_EVENT: dict[str, Any] = {
    "type": "repo.create",
    "occurred_at": "2026-02-03T04:05:06Z",
    "actor": {"id": "0123456789abcdef01234567", "name": "ada", "type": "user"},
    "description": "Created acme/engine",
    "key": "6650a1b2c3d4e5f601234567",
    "credential": {"type": "access_token", "id": "t-1"},
    "metadata": {
        "hf": {
            "createdAt": "2026-02-03T04:05:06Z",
            "author": {"deleted": False},
            "ip": "unknown",
            "location": {"formatted": "Somewhere", "country": "France"},
            "userAgent": "x" * 1025,
            "token": {"last4": "12345", "deleted": True},
            "oauth": {"clientId": "app-1", "name": "App"},
            "data": [1],
        }
    },
}
LEAST = {name: ENTRY[name] for name in ("_id", "createdAt", "type", "message", "author")}


def imported(entry: object) -> Record:
    """The record of an entry that was written to a file, read from there and published."""
    event = to_event(decode(json.dumps(entry)))
    raw, faults = canonical.decode(json.dumps(event).encode())
    assert faults == []
    return admit(raw, published.RULES, published.SECRET)


def exported(entry: object) -> dict[str, Any]:
    """The entry that an import of `entry` comes out as, without the `_id`, which is ours."""
    found, unsaid = entry_of(imported(entry))
    assert set(unsaid) <= {"key"}
    return {name: value for name, value in found.items() if name != "_id"}


def expected(entry: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in entry.items() if name != "_id"}
    if reference.is_address(entry.get("ip", "")):
        rest["ip"] = privacy.truncate(entry["ip"])
    return rest


def same(one: object, other: object) -> bool:
    """Whether two values are the same JSON; to Python 1 is also `True`."""
    return canonical.encode(one) == canonical.encode(other)


@pytest.mark.parametrize(("entry", "event"), [(ENTRY, EVENT), (ODD, ODD_EVENT)])
def test_an_entry_maps_to_this_very_event_for_ever(
    entry: dict[str, Any], event: dict[str, Any]
) -> None:
    before = copy.deepcopy(entry)
    assert to_event(entry) == event
    assert before == entry
    assert same(exported(entry), expected(entry))


def test_the_least_entry_has_no_metadata() -> None:
    assert to_event(LEAST).keys() == {"type", "occurred_at", "actor", "description", "key"}


@given(ENTRIES)
def test_every_entry_comes_out_as_it_was(entry: dict[str, Any]) -> None:
    assert not list(validator().iter_errors([entry]))
    record = imported(entry)
    assert json.loads(record.data)["key"] == entry["_id"]
    assert same(exported(entry), expected(entry))
    assert imported(entry) == record


@given(EVENTS)
def test_an_export_of_ours_comes_out_of_an_import_as_it_was(event: dict[str, Any]) -> None:
    entry, _ = entry_of(published.record_of(event))
    assert same(exported(entry), expected(entry))


@pytest.mark.parametrize(
    ("data", "metadata"),
    [
        ({"a": 1}, {"a": 1}),
        ({}, {}),
        ({"hf": 1}, {"hf": {"data": {"hf": 1}}}),
        ({"a": 1, "hf": {"data": 1}}, {"hf": {"data": {"a": 1, "hf": {"data": 1}}}}),
        ([], {"hf": {"data": []}}),
        (None, {"hf": {"data": None}}),
        ("text", {"hf": {"data": "text"}}),
    ],
)
def test_data_is_the_metadata_or_wrapped_in_it(data: object, metadata: object) -> None:
    assert to_event({**LEAST, "data": data})["metadata"] == metadata
    assert same(exported({**LEAST, "data": data})["data"], data)


def test_empty_data_beside_what_is_kept_stays_apart_from_no_data() -> None:
    deleted = {**LEAST, "author": {**AUTHOR, "deleted": True}}
    assert to_event(deleted)["metadata"] == {"hf": {"author": {"deleted": True}}}
    assert "data" not in exported(deleted)
    assert exported({**deleted, "data": {}})["data"] == {}


@pytest.mark.parametrize(
    ("more", "credential", "kept"),
    [
        (
            {"oauth": {"clientId": "c", "name": ""}},
            {"type": "oauth_app", "id": "c", "name": ""},
            {},
        ),
        (
            {"oauth": {"clientId": "c"}, "token": {**ENTRY["token"], "id": ""}},
            {"type": "oauth_app", "id": "c"},
            {"token": {**ENTRY["token"], "id": ""}},
        ),
        (
            {"oauth": {"clientId": ""}, "token": {**ENTRY["token"], "id": ""}},
            None,
            {"token": {**ENTRY["token"], "id": ""}, "oauth": {"clientId": ""}},
        ),
    ],
)
def test_the_credential_is_the_first_that_has_an_id(
    more: dict[str, Any], credential: dict[str, str] | None, kept: dict[str, Any]
) -> None:
    event = to_event({**LEAST, **more})
    assert event.get("credential") == credential
    assert event.get("metadata", {}).get("hf", {}) == kept
    assert same(exported({**LEAST, **more}), expected({**LEAST, **more}))


@pytest.mark.parametrize(
    ("ip", "truncated"), [("203.0.113.77", "203.0.113.0"), ("::ffff:203.0.113.77", "203.0.113.0")]
)
def test_an_address_is_nowhere_but_in_ip(ip: str, truncated: str) -> None:
    event = to_event({**LEAST, "ip": ip})
    assert (event["ip"], "metadata" in event) == (ip, False)
    assert exported({**LEAST, "ip": ip})["ip"] == truncated


def test_a_user_agent_is_ours_as_long_as_it_fits() -> None:
    at_most = to_event({**LEAST, "userAgent": "x" * 1024})
    longer = to_event({**LEAST, "userAgent": "x" * 1025})
    assert (at_most["user_agent"], "metadata" in at_most) == ("x" * 1024, False)
    assert "user_agent" not in longer
    assert longer["metadata"] == {"hf": {"userAgent": "x" * 1025}}


def test_a_type_that_is_new_to_us_is_for_the_catalog_to_judge() -> None:
    assert to_event({**LEAST, "type": "repo.paint"})["type"] == "repo.paint"


@pytest.mark.parametrize(
    ("literal", "kept"),
    [
        ("9007199254740991", 9007199254740991),
        ("9007199254740992", "9007199254740992"),
        ("0.12345678901234567890", "0.12345678901234567890"),
        ("1e400", "1E+400"),
    ],
)
def test_a_number_keeps_every_digit(literal: str, kept: object) -> None:
    text = json.dumps({**LEAST, "data": {"n": [0]}}).replace("[0]", f"[{literal}]")
    assert to_event(decode(text))["metadata"] == {"n": [kept]}


@pytest.mark.parametrize("literal", ["1" * 5000, "1e" + "9" * 20, "{}, {}", '{"a": 1, "a": 2}'])
def test_what_cannot_be_read_is_refused(literal: str) -> None:
    with pytest.raises(ValueError, match=r"digits|exponent|Expecting|twice"):
        decode(json.dumps({**LEAST, "data": 0}).replace('"data": 0', f'"data": {literal}'))


def nested(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels - 1):
        value = {"in": value}
    return value


@pytest.mark.parametrize(
    ("data", "depth"), [(nested, 31), (lambda levels: [nested(levels - 1)], 29)]
)
def test_data_is_as_deep_as_an_event_can_be_and_never_cut(data: Any, depth: int) -> None:
    assert same(exported({**LEAST, "data": data(depth)})["data"], data(depth))
    with pytest.raises(ValueError, match="nested more than 32 levels"):
        to_event({**LEAST, "data": data(depth + 1)})
    with pytest.raises(ValueError, match="nested more than 32 levels"):
        to_event({**LEAST, "data": data(5_000)})


def test_data_that_is_too_large_is_refused_at_the_door() -> None:
    event = to_event({**LEAST, "data": {"a": "x" * 300_000}})
    with pytest.raises(InvalidEventError) as refused:
        published.record_of(event)
    assert "at most 262144" in refused.value.faults[0].detail


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (None, "expected an object"),
        ([], "expected an object"),
        ({}, "/_id: required"),
        ({**LEAST, "_id": "7"}, "/_id: expected 24 hexadecimal digits"),
        ({**LEAST, "author": {**AUTHOR, "_id": "A" * 24}}, "/author/_id: expected 24"),
        ({**LEAST, "author": {**AUTHOR, "type": "bot"}}, "/author/type: expected one of"),
        ({**LEAST, "author": {**AUTHOR, "deleted": 1}}, "/author/deleted"),
        ({**LEAST, "createdAt": "2026-02-03"}, "/createdAt: expected RFC 3339 in UTC"),
        ({**LEAST, "createdAt": "2026-02-03T04:05:06+01:00"}, "/createdAt: expected RFC 3339"),
        ({**LEAST, "createdAt": "2026-02-30T04:05:06Z"}, "/createdAt: no such time"),
        ({**LEAST, "message": None}, "/message: .*found null"),
        ({**LEAST, "surprise": 1}, "/surprise: not a field"),
        ({**LEAST, "location": {"city": "Paris"}}, "/location/formatted: required"),
        ({**LEAST, "token": {**ENTRY["token"], "role": "admin"}}, "/token/role: expected one of"),
        ({**LEAST, "oauth": {}}, "/oauth/clientId: required"),
        ({**LEAST, "ip": "203.0.113.77:443"}, "/ip: holds an address that is not alone"),
    ],
)
def test_what_is_no_entry_is_refused_with_the_place(entry: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        to_event(entry)


def test_a_refusal_never_repeats_an_address() -> None:
    with pytest.raises(ValueError, match="/ip") as refused:
        to_event({**LEAST, "ip": "for 203.0.113.77"})
    assert "203" not in str(refused.value)


@given(ENTRIES)
def test_an_entry_that_lacks_something_is_refused(entry: dict[str, Any]) -> None:
    for name in LEAST:
        lacking = {member: value for member, value in entry.items() if member != name}
        assert list(validator().iter_errors([lacking]))
        with pytest.raises(ValueError, match=f"/{name}: required"):
            to_event(lacking)
