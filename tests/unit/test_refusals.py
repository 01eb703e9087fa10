"""Every refusal of an event, with its place: through the path that both doors share."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import clock
from auditlog.errors import InvalidError, TooLargeError
from auditlog.event import MAX_EVENT_BYTES, Rules
from tests.unit.published import CATALOG, NOW, body, event, faults, judged, places

KNOWN = {
    "type", "occurred_at", "actor", "description", "targets", "ip", "location", "user_agent",
    "credential", "metadata", "key",
}  # fmt: skip
ACTOR = {"id": "usr_1"}
TARGET = {"type": "repo", "id": "r"}
CREDENTIAL = {"type": "session", "id": "s"}


def refused(sent: dict[str, Any]) -> dict[str | None, str]:
    """The faults of one event, which is the whole body; and that they are a 422."""
    outcome = judged(body(sent))
    assert outcome.records == []
    with pytest.raises(InvalidError) as error:
        outcome.raise_refusals()
    assert error.value.status == 422
    return {fault.pointer: fault.detail for fault in error.value.faults}


def taken(sent: dict[str, Any]) -> bool:
    return judged(body(sent)).refusals == []


def test_the_least_and_the_most() -> None:
    assert taken(event())
    assert taken(
        event(
            actor=ACTOR | {"name": "", "type": "system", "avatar_url": "x"},
            description="",
            targets=[TARGET | {"name": ""}] * 16,
            ip="::",
            location={"country": "PT", "region": "", "city": ""},
            user_agent="x" * 1_024,
            credential=CREDENTIAL | {"name": "", "role": "", "last4": "9f2c"},
            metadata={},
            key="k" * 128,
        )
    )


@pytest.mark.parametrize("name", ["type", "occurred_at", "actor"])
def test_a_required_field_that_is_missing(name: str) -> None:
    sent = event()
    del sent[name]
    assert refused(sent) == {f"/{name}": "required, and not there"}


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"actor": {}}, "/actor/id"),
        ({"targets": [TARGET, {"id": "x"}]}, "/targets/1/type"),
        ({"targets": [{"type": "x"}]}, "/targets/0/id"),
        ({"credential": {"id": "x"}}, "/credential/type"),
        ({"credential": {"type": "session"}}, "/credential/id"),
    ],
)
def test_a_required_member_that_is_missing(sent: dict[str, Any], pointer: str) -> None:
    assert refused(event(**sent)) == {pointer: "required, and not there"}


@pytest.mark.parametrize("name", sorted(KNOWN))
@pytest.mark.parametrize("value", [None, True, 1, 1.5])
def test_a_field_of_the_wrong_kind(name: str, value: object) -> None:
    [(pointer, detail)] = refused(event(**{name: value})).items()
    assert pointer == f"/{name}"
    assert "expected" in detail


@pytest.mark.parametrize("name", sorted(KNOWN - {"targets"}))
def test_a_field_that_is_a_list(name: str) -> None:
    [pointer] = refused(event(**{name: []}))
    assert pointer == f"/{name}"


@pytest.mark.parametrize("name", sorted(KNOWN - {"actor", "location", "credential", "metadata"}))
def test_a_field_that_is_an_object(name: str) -> None:
    [pointer] = refused(event(**{name: {}}))
    assert pointer == f"/{name}"


@pytest.mark.parametrize(
    ("around", "good", "names"),
    [
        ("actor", ACTOR, ["id", "name", "type", "avatar_url"]),
        ("location", {}, ["country", "region", "city"]),
        ("credential", CREDENTIAL, ["type", "id", "name", "role", "last4"]),
    ],
)
@pytest.mark.parametrize("value", [None, 7, [], {}])
def test_a_member_of_the_wrong_kind(
    around: str, good: dict[str, Any], names: list[str], value: object
) -> None:
    for name in names:
        assert list(refused(event(**{around: good | {name: value}}))) == [f"/{around}/{name}"]


@pytest.mark.parametrize("name", ["type", "id", "name"])
@pytest.mark.parametrize("value", [None, 7, [], {}])
def test_a_member_of_a_target_of_the_wrong_kind(name: str, value: object) -> None:
    sent = event(targets=[TARGET, TARGET | {name: value}])
    assert list(refused(sent)) == [f"/targets/1/{name}"]


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"ocurred_at": "x"}, "/ocurred_at"),
        ({"": 1}, "/"),
        ({"a/b~": 1}, "/a~1b~0"),
        ({"org": "acme"}, "/org"),
        ({"actor": ACTOR | {"email": "x"}}, "/actor/email"),
        ({"targets": [TARGET, TARGET | {"url": "x"}]}, "/targets/1/url"),
        ({"location": {"zip": "x"}}, "/location/zip"),
        ({"credential": CREDENTIAL | {"secret": "x"}}, "/credential/secret"),
    ],
)
def test_an_unknown_field_at_every_level(sent: dict[str, Any], pointer: str) -> None:
    assert refused(event(**sent)) == {pointer: "not a field that is known here"}


@pytest.mark.parametrize(
    ("sent", "pointer", "words"),
    [
        ({"user_agent": "x" * 1_025}, "/user_agent", "at most 1024 characters"),
        ({"key": "k" * 129}, "/key", "at most 128 characters"),
        ({"credential": CREDENTIAL | {"last4": "12345"}}, "/credential/last4", "at most 4"),
        ({"targets": [TARGET] * 17}, "/targets", "at most 16 entries"),
        ({"key": ""}, "/key", "at least 1 character"),
        ({"actor": {"id": ""}}, "/actor/id", "at least 1 character"),
        ({"targets": [{"type": "", "id": "x"}]}, "/targets/0/type", "at least 1 character"),
        ({"targets": [{"type": "x", "id": ""}]}, "/targets/0/id", "at least 1 character"),
        ({"credential": CREDENTIAL | {"id": ""}}, "/credential/id", "at least 1 character"),
        ({"actor": ACTOR | {"type": "robot"}}, "/actor/type", "'service_account'"),
        ({"credential": {"type": "password", "id": "x"}}, "/credential/type", "'oauth_app'"),
        ({"location": {"country": "pt"}}, "/location/country", "ISO 3166-1 alpha-2"),
        ({"location": {"country": "PRT"}}, "/location/country", "ISO 3166-1 alpha-2"),
        ({"location": {"country": "P1"}}, "/location/country", "ISO 3166-1 alpha-2"),
        ({"location": {"country": "ÅÄ"}}, "/location/country", "ISO 3166-1 alpha-2"),
        ({"location": {"country": ""}}, "/location/country", "ISO 3166-1 alpha-2"),
        ({"ip": "s3.amazonaws.com"}, "/ip", "expected an IPv4 or IPv6 address"),
        ({"ip": "fe80::1%eth0"}, "/ip", "without a zone"),
        ({"ip": "192.0.2.0/24"}, "/ip", "expected an IPv4 or IPv6 address"),
    ],
)
def test_a_value_that_breaks_its_rule(sent: dict[str, Any], pointer: str, words: str) -> None:
    [(place, detail)] = refused(event(**sent)).items()
    assert place == pointer
    assert words in detail


def test_lengths_are_of_characters_not_bytes() -> None:
    assert taken(event(user_agent="😀" * 1_024, key="é" * 128))


class TestType:
    @pytest.mark.parametrize("name", ["repo.craete", "Repo.create", "repo.create ", "repo", ""])
    def test_unknown_with_the_nearest(self, name: str) -> None:
        assert "the nearest are " in refused(event(type=name))["/type"]

    def test_the_nearest_is_the_right_one(self) -> None:
        assert "repo.create" in refused(event(type="repo.craete"))["/type"]

    def test_an_open_scope_takes_any_action(self) -> None:
        assert taken(event(type="aws.s3.NeverSeenBefore"))
        assert not taken(event(type="aws.s3-NeverSeenBefore"))


class TestTime:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("2026-05-01T09:30:00", "RFC 3339 with an offset"),
            ("2026-05-01", "RFC 3339 with an offset"),
            ("", "RFC 3339 with an offset"),
            ("2026-02-30T09:30:00Z", "no such time"),
            ("2016-12-31T23:59:60Z", "leap second"),
            ("2026-05-01T09:30:00+24:00", "offset"),
            ("1969-12-31T23:59:59.999999Z", "1970 or later"),
            ("0001-01-01T00:00:00+14:00", "no such time"),
            ("9999-12-31T23:59:59-14:00", "no such time"),
        ],
    )
    def test_refused_with_the_reason(self, text: str, words: str) -> None:
        [(pointer, detail)] = refused(event(occurred_at=text)).items()
        assert pointer == "/occurred_at"
        assert words in detail

    @pytest.mark.parametrize(("late", "good"), [(0, True), (1, False), (clock.DAY, False)])
    def test_fifteen_minutes_ahead_and_no_more(self, late: int, good: bool) -> None:
        sent = event(occurred_at=clock.text(NOW + 15 * clock.MINUTE + late))
        assert taken(sent) == good
        if not good:
            detail = refused(sent)["/occurred_at"]
            assert detail.startswith("more than 15 minutes ahead of the clock")
            assert detail.endswith(clock.text(NOW))

    @pytest.mark.parametrize(("early", "good"), [(0, True), (1, False)])
    def test_older_than_the_retention(self, early: int, good: bool) -> None:
        rules = Rules(CATALOG, "acme", 30, NOW)
        sent = body(event(occurred_at=clock.text(NOW - 30 * clock.DAY - early)))
        assert (judged(sent, rules).refusals == []) == good
        if not good:
            assert "older than the 30 days" in places(sent, rules)["/occurred_at"]

    def test_an_org_that_keeps_for_ever_takes_what_is_old(self) -> None:
        assert taken(event(occurred_at="1970-01-01T00:00:00Z"))

    def test_before_1970_is_said_once_also_with_a_retention(self) -> None:
        rules = Rules(CATALOG, "acme", 30, NOW)
        found = faults(body(event(occurred_at="1969-01-01T00:00:00Z")), rules)
        assert [fault.pointer for fault in found] == ["/occurred_at"]

    def test_digits_after_the_microsecond_are_cut(self) -> None:
        [record] = judged(body(event(occurred_at="2026-05-01T09:30:00.1234569Z"))).records
        assert json.loads(record.data)["occurred_at"] == "2026-05-01T09:30:00.123456Z"


class TestSizes:
    def test_nesting(self) -> None:
        def nested(levels: int) -> dict[str, Any]:
            inner: object = 1
            for level in range(levels - 2):
                inner = [inner] if level % 2 else {"a": inner}
            return event(metadata={"a": inner})

        assert taken(nested(32))
        for levels in (33, 34, 200, 900):
            assert refused(nested(levels)) == {"": "nested more than 32 levels deep"}

    def test_many_brackets_are_not_deep(self) -> None:
        assert taken(event(metadata={"a": [[] for _ in range(1_000)]}))

    def test_256_kib_as_canonical_json(self) -> None:
        def sized(size: int) -> bytes:
            bare = len(body_without_spaces(event(description="")))
            return body(event(description="x" * (size - bare)))

        assert judged(sized(MAX_EVENT_BYTES)).refusals == []
        outcome = judged(sized(MAX_EVENT_BYTES + 1))
        with pytest.raises(TooLargeError) as error:
            outcome.raise_refusals()
        assert error.value.status == 413
        assert [fault.as_dict() for fault in error.value.faults] == [
            {"pointer": "", "detail": "262145 bytes as canonical JSON; at most 262144 are taken"}
        ]

    def test_it_is_the_canonical_form_that_counts(self) -> None:
        text = json.dumps(event(description="é" * 60_000), indent=4)
        assert len(text) > MAX_EVENT_BYTES
        assert judged(text.encode()).refusals == []
        assert judged(body(event(description="é" * 131_072))).refusals != []


def body_without_spaces(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def test_every_fault_is_named_at_once() -> None:
    sent = {"type": "no.such", "actor": {"nme": "x"}, "ip": "x", "key": "", "more": 1}
    assert set(refused(sent)) == {
        "/type", "/occurred_at", "/actor/id", "/actor/nme", "/ip", "/key", "/more",
    }  # fmt: skip


CANARY = "canary7"
SPOILED = [
    {"type": CANARY}, {"occurred_at": CANARY}, {"occurred_at": "2026-05-01T00:00:0" + CANARY},
    {"actor": CANARY}, {"actor": {"id": [CANARY]}}, {"actor": {"id": "x", "type": CANARY}},
    {"description": [CANARY]}, {"targets": CANARY}, {"targets": [CANARY]}, {"ip": CANARY},
    {"ip": "192.0.2.1%" + CANARY}, {"ip": {"a": CANARY}}, {"location": {"country": CANARY}},
    {"user_agent": CANARY * 200}, {"key": CANARY * 20}, {"metadata": CANARY},
    {"metadata": [CANARY]}, {"credential": {"type": CANARY, "id": CANARY, "last4": CANARY}},
    {"more": CANARY}, {"location": {"more": [CANARY]}}, {"metadata": {"a": ["\ud800" + CANARY]}},
    {"actor": {"id": "\udc00" + CANARY}}, {"metadata": {"a": [CANARY, float("nan")]}},
]  # fmt: skip


@given(st.lists(st.sampled_from(SPOILED), min_size=1, max_size=4))
def test_no_fault_repeats_what_was_sent(spoiled: list[dict[str, Any]]) -> None:
    sent = event()
    for fields in spoiled:
        sent |= fields
    found = faults(body({"events": [sent]}))
    assert found
    for fault in found:
        assert CANARY not in fault.detail
        assert CANARY not in (fault.pointer or "")
        assert fault.parameter is None


def test_an_event_that_is_too_large_and_invalid_is_told_as_too_large() -> None:
    sent = event(type="no.such", metadata={"x": "y" * MAX_EVENT_BYTES})
    [refusal] = judged(body(sent)).refusals
    assert refusal.too_large
    assert [fault.pointer for fault in refusal.faults] == ["", "/type"]


@pytest.mark.parametrize(
    "member",
    ['"n": NaN', '"s": "\\ud800"', f'"deep": {"[" * 40}{"]" * 40}', '"twice": 1, "twice": 2'],
)
def test_too_large_is_told_whatever_else_is_wrong(member: str) -> None:
    sent = json.dumps(event(metadata={"x": "y" * MAX_EVENT_BYTES}))
    sent = sent.replace('"metadata": {', f'"metadata": {{{member}, ')
    [refusal] = judged(sent.encode()).refusals
    assert refusal.too_large
    assert refusal.faults[0].pointer == ""
    assert f"at most {MAX_EVENT_BYTES} are taken" in refusal.faults[0].detail
