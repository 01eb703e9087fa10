"""The profile `hf`: always valid against the reference's schema, and nothing lost in silence."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given

from auditlog import canonical, clock, reference
from auditlog.reference import TYPES, entry, holds_address
from tests.unit import published
from tests.unit.entries import EVENTS, entry_of, schema, validator

HEX = "0123456789abcdef01234567"
EVENT: dict[str, Any] = {
    "type": "repo.create",
    "occurred_at": "2026-05-01T09:30:00.000001Z",
    "actor": {"id": HEX, "name": "Ada", "type": "user", "avatar_url": "https://a.example/1"},
    "description": "made it",
    "ip": "203.0.113.77",
    "location": {"country": "FR", "region": "Île-de-France", "city": "Paris"},
    "user_agent": "curl/8",
    "credential": {"type": "access_token", "id": "t-1", "role": "write", "last4": "9abc"},
    "metadata": {"after": [1, {"é": None}]},
}


def made(**fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The entry of `EVENT` with these fields, None for none, and what it does not say."""
    event = {name: value for name, value in (EVENT | fields).items() if value is not None}
    return entry_of(published.record_of(event))


def test_the_types_are_those_of_the_schema() -> None:
    assert schema()["items"]["properties"]["type"]["enum"]
    assert set(schema()["items"]["properties"]["type"]["enum"]) == TYPES


def test_there_are_116_types_and_the_catalog_knows_each() -> None:
    assert len(TYPES) == 116
    assert all(published.CATALOG.get(name) for name in TYPES)


@pytest.mark.parametrize("name", ["aws.s3.GetObject", "org.audit_log.export"])
def test_another_type_is_left_out(name: str) -> None:
    record = published.record_of(EVENT | {"type": name})
    assert entry(record.id, json.loads(record.data), "made it") is None


def test_an_event_becomes_this_very_entry() -> None:
    record = published.record_of(EVENT)
    found = entry(record.id, json.loads(record.data), "made it")
    assert found is not None
    assert (json.loads(found[0]), found[1]) == (
        {
            "_id": base64.b32hexdecode(record.id.upper() + "=")[:12].hex(),
            "createdAt": "2026-05-01T09:30:00.000001Z",
            "type": "repo.create",
            "message": "made it",
            "author": {
                "_id": HEX,
                "user": "Ada",
                "avatarUrl": "https://a.example/1",
                "type": "user",
            },
            "ip": "203.0.113.0",
            "location": {
                "formatted": "Paris, Île-de-France, FR",
                "country": "FR",
                "city": "Paris",
            },
            "userAgent": "curl/8",
            "token": {
                "type": "access_token",
                "id": "t-1",
                "role": "write",
                "last4": "9abc",
                "deleted": False,
            },
            "data": {"after": [1, {"é": None}]},
        },
        (),
    )
    assert "é".encode() in found[0]
    assert b'": ' not in found[0]


@pytest.mark.parametrize(
    ("occurred_at", "created_at"),
    [
        ("2026-05-01T09:30:00Z", "2026-05-01T09:30:00.000Z"),
        ("2026-05-01T09:30:00.120Z", "2026-05-01T09:30:00.120Z"),
        ("2026-05-01T09:30:00.120001Z", "2026-05-01T09:30:00.120001Z"),
        ("2026-05-01T11:30:00+02:00", "2026-05-01T09:30:00.000Z"),
    ],
)
def test_a_time_has_milliseconds_where_those_say_it_all(occurred_at: str, created_at: str) -> None:
    assert made(occurred_at=occurred_at)[0]["createdAt"] == created_at


@pytest.mark.parametrize(
    ("actor", "author", "lost"),
    [
        ({"id": HEX}, {"_id": HEX, "user": HEX, "avatarUrl": "", "type": "user"}, ()),
        (
            {"id": HEX, "name": "", "type": "system", "avatar_url": ""},
            {"_id": HEX, "user": "", "avatarUrl": "", "type": "system"},
            (),
        ),
        (
            {"id": "usr_1", "type": "service_account"},
            {
                # printf usr_1 | sha256sum | cut -c 1-24
                "_id": "ac9852aff2e92a734c6c3f72",
                "user": "usr_1",
                "avatarUrl": "",
                "type": "user",
            },
            ("actor.id", "actor.type"),
        ),
    ],
)
def test_the_author_is_the_actor(
    actor: dict[str, str], author: dict[str, str], lost: tuple[str, ...]
) -> None:
    found, unsaid = made(actor=actor)
    assert (found["author"], unsaid) == (author, lost)


@pytest.mark.parametrize(
    ("credential", "said", "lost"),
    [
        (
            {"type": "access_token", "id": "t", "name": "ci", "role": "admin"},
            {"token": {"type": "access_token", "id": "t", "deleted": False}},
            ("credential.name", "credential.role"),
        ),
        (
            {"type": "oauth_app", "id": "c", "name": "app", "role": "read", "last4": "1"},
            {"oauth": {"clientId": "c", "name": "app"}},
            ("credential.last4", "credential.role"),
        ),
        ({"type": "session", "id": "s"}, {}, ("credential",)),
        ({"type": "api_key", "id": "k", "last4": "1"}, {}, ("credential",)),
        (None, {}, ()),
    ],
)
def test_a_credential_is_a_token_or_an_app_or_lost(
    credential: dict[str, str] | None, said: dict[str, Any], lost: tuple[str, ...]
) -> None:
    found, unsaid = made(credential=credential)
    assert {name: found[name] for name in ("token", "oauth") if name in found} == said
    assert unsaid == lost


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ({"country": "FR"}, {"formatted": "FR", "country": "FR"}),
        ({"region": "Bavaria"}, {"formatted": "Bavaria"}),
        ({"city": ""}, {"formatted": "", "city": ""}),
        ({}, None),
        (None, None),
    ],
)
def test_a_location_has_a_line_of_what_is_there(
    location: dict[str, str] | None, said: dict[str, str] | None
) -> None:
    found, unsaid = made(location=location)
    assert (found.get("location"), unsaid) == (said, ())


def test_targets_and_key_have_no_place() -> None:
    assert made(targets=[{"type": "repo", "id": "a/b"}], key="req-1")[1] == ("key", "targets")
    assert made(targets=[], key=HEX)[1] == ("key",)


def test_an_event_with_nothing_but_the_least_has_the_least() -> None:
    record = published.record_of(published.event(actor={"id": HEX}))
    found = entry(record.id, json.loads(record.data), "")
    assert found is not None
    assert json.loads(found[0]).keys() == {"_id", "createdAt", "type", "message", "author"}


class TestWhatImportKept:
    @pytest.mark.parametrize(
        ("kept", "member"),
        [
            ({"createdAt": "2026-05-01T09:30:00.0000019Z"}, "createdAt"),
            ({"author": {"deleted": False}}, "author"),
            ({"ip": "unknown"}, "ip"),
            ({"userAgent": "x" * 1025}, "userAgent"),
            ({"location": {"formatted": "Paris, France", "country": "France"}}, "location"),
            ({"token": {"type": "access_token", "id": "", "deleted": True}}, "token"),
            ({"oauth": {"clientId": ""}}, "oauth"),
        ],
    )
    def test_is_in_the_entry_again(self, kept: dict[str, Any], member: str) -> None:
        gone: dict[str, Any] = dict.fromkeys(("ip", "user_agent", "location", "credential"))
        found, unsaid = made(**gone, metadata={"a": 1, "hf": kept}, key=HEX)
        value = kept[member]
        assert found["data"] == {"a": 1}
        assert unsaid == ()
        if isinstance(value, dict):
            assert found[member].items() >= value.items()
        else:
            assert found[member] == value

    def test_completes_a_token_of_ours(self) -> None:
        kept = {"token": {"deleted": True, "last4": "98765"}}
        credential = {"type": "access_token", "id": "t"}
        found, _ = made(credential=credential, metadata={"hf": kept})
        assert found["token"] == {
            "type": "access_token",
            "id": "t",
            "deleted": True,
            "last4": "98765",
        }
        assert "data" not in found

    @pytest.mark.parametrize("data", [None, 7, "text", [1], {}, {"hf": 1}, {"hf": {"data": 2}}])
    def test_data_of_any_kind_comes_out_of_its_wrapping(self, data: object) -> None:
        assert made(metadata={"hf": {"data": data}})[0]["data"] == data

    def test_a_key_of_import_is_not_lost(self) -> None:
        kept = {"hf": {"author": {"deleted": True}}}
        assert made(metadata=kept, key=HEX)[1] == ()
        assert made(metadata=kept, key="req-1")[1] == ("key",)

    def test_a_line_about_the_place_may_hide_the_region(self) -> None:
        kept = {"hf": {"location": {"formatted": "Paris"}}}
        assert made(metadata=kept)[1] == ("location.region",)
        assert made(metadata=kept, location={"city": "Paris"})[1] == ()

    @pytest.mark.parametrize(
        "kept",
        [
            None,
            [],
            {},
            "text",
            {"unknown": 1},
            {"author": {"deleted": True}, "unknown": 1},
            {"author": {"deleted": 1}},
            {"author": {}},
            {"author": {"deleted": True, "_id": HEX}},
            {"createdAt": "2026-05-01T09:30:00.000002Z"},  # another time
            {"createdAt": "2026-05-01T09:30:00.000001+00:00"},
            {"createdAt": "2026-05-01T09:30:00.000001Z\n"},
            {"createdAt": "2026-13-01T09:30:00.000001Z"},
            {"createdAt": 1},
            {"ip": "unknown"},  # the event has an address
            {"userAgent": "curl/9"},  # and a user agent
            {"location": {"formatted": 1}},
            {"location": {"country": "Italy"}},  # and a country
            {"location": {"city": "Rome"}},
            {"location": "Rome"},
            {"token": {"type": "access_token", "id": "t-2", "deleted": True}},  # and a token
            {"token": {"last4": "12345"}},  # with its last four
            {"token": {"deleted": "yes"}},
            {"oauth": {"name": "app"}},
            {"oauth": {}},
            {"oauth": {"clientId": "c", "secret": "s"}},
        ],
    )
    def test_what_import_would_not_keep_is_data(self, kept: object) -> None:
        metadata = {"a": 1, "hf": kept}
        found, _ = made(metadata=metadata)
        assert found == made()[0] | {"_id": found["_id"], "data": metadata}

    @pytest.mark.parametrize(
        "kept",
        [
            {"ip": "203.0.113.77"},
            {"ip": "203.0.113.0"},
            {"ip": "203.0.113.77:443"},
            {"ip": 7},
            {"location": {"country": "France"}},
            {"token": {"deleted": True}},
            {"token": {"type": "access_token", "id": "t"}},
            {"token": {"type": "session", "id": "t", "deleted": True}},
            {"token": {"type": "access_token", "id": "t", "deleted": True, "role": "admin"}},
        ],
    )
    def test_half_a_part_without_one_of_ours_is_data(self, kept: object) -> None:
        gone: dict[str, Any] = dict.fromkeys(("ip", "location", "credential"))
        found, _ = made(**gone, metadata={"hf": kept})
        assert found["data"] == {"hf": kept}
        assert not {"ip", "location", "token"} & found.keys()

    def test_an_app_beside_one_of_ours_is_data(self) -> None:
        metadata = {"hf": {"oauth": {"clientId": "other"}}}
        found, _ = made(credential={"type": "oauth_app", "id": "c"}, metadata=metadata)
        assert (found["oauth"], found["data"]) == ({"clientId": "c"}, metadata)

    def test_data_in_a_wrapping_with_something_beside_it_is_data(self) -> None:
        metadata = {"a": 1, "hf": {"data": [1]}}
        assert made(metadata=metadata)[0]["data"] == metadata


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("203.0.113.77:443", True),
        ("[2001:db8::7:8]:443", True),
        ("fe80::1:2%eth0", True),
        ("10.0.0.1, 203.0.113.0", True),
        ("for=198.51.100.9.", True),
        ("203.0.113.0/24", False),
        ("203.0.113.0:80", False),
        ("unknown", False),
        ("1.2.3", False),
        ("", False),
    ],
)
def test_an_address_is_found_in_other_text(text: str, holds: bool) -> None:
    assert holds_address(text) is holds


@given(EVENTS)
def test_every_entry_is_valid_and_hides_nothing_of_the_event(event: dict[str, Any]) -> None:
    record = published.record_of(event)
    fields = json.loads(record.data)
    found, unsaid = entry_of(record)
    assert not list(validator().iter_errors([found]))
    assert list(unsaid) == sorted(set(unsaid))
    assert clock.parse(found["createdAt"]) == record.occurred_at
    for name, member in (("ip", "ip"), ("user_agent", "userAgent"), ("description", "message")):
        if name in fields:
            assert found[member] == fields[name]
    for name in ("country", "city"):
        if name in (location := fields.get("location", {})):
            assert found["location"][name] == location[name]
    region = fields.get("location", {}).get("region", "")
    assert region in found.get("location", {}).get("formatted", "") or "location.region" in unsaid
    credential = fields.get("credential", {"type": None})
    if credential["type"] == "access_token":
        assert found["token"]["id"] == credential["id"]
    elif credential["type"] == "oauth_app":
        assert found["oauth"]["clientId"] == credential["id"]
    actor = fields["actor"]
    assert found["author"]["_id"] == actor["id"] or "actor.id" in unsaid
    assert found["author"]["user"] == actor.get("name", actor["id"])
    metadata = fields.get("metadata")
    kept = metadata.get("hf") if metadata else None
    if kept is None:
        assert found.get("data") == metadata
    else:
        assert said_of(metadata, found)


def said_of(metadata: dict[str, Any], found: dict[str, Any]) -> bool:
    """Whether all of the metadata is somewhere in the entry: as data, or as parts of it."""
    if "data" in found and canonical.encode(found["data"]) == canonical.encode(metadata):
        return True
    kept = dict(metadata["hf"])
    rest = {name: value for name, value in metadata.items() if name != reference.KEPT}
    data = kept.pop("data", rest or None)
    assert canonical.encode(found.get("data")) == canonical.encode(data)
    return all(
        found[name].items() >= part.items() if isinstance(part, dict) else found[name] == part
        for name, part in kept.items()
    )
