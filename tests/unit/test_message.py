"""Messages of the inbox: what is recorded of them, what is rejected, and how that is said."""

import json
from typing import Any

import pytest

from auditlog import clock
from auditlog.erasures import Erased, Subject
from auditlog.orgs import Deletion, Org
from record.message import Message, sort
from tests.unit.published import CATALOG, NOW, SECRET, event, record_of

SENT_AT = NOW // 1_000
ORGS = {"acme": Org("acme", 90, 0)}
ERASED = {Subject("actor", "usr_gone").digest("acme", SECRET): NOW}


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are sorted when they are sent."""
    monkeypatch.setattr(clock, "now", lambda: NOW)


def sorted_message(body: str, **attributes: str) -> Message:
    raw: dict[str, Any] = {
        "messageId": "m-1",
        "body": body,
        "attributes": {"SentTimestamp": str(SENT_AT)},
        "messageAttributes": {
            name: {"stringValue": value, "dataType": "String"} for name, value in attributes.items()
        },
    }
    return sort(raw, CATALOG, ORGS.get, find_erased, SECRET)


def find_erased(org: Org) -> Erased:
    return Erased(org.name, ERASED, ERASED, SECRET)


def message(value: dict[str, Any]) -> str:
    return json.dumps(value)


def test_an_event_of_somebody_who_was_erased_is_what_is_left_of_it() -> None:
    gone = event(actor={"id": "usr_gone", "name": "Nobody"}, description="secret")
    made = sorted_message(message({"org": "acme", "events": [gone, event()]}))
    assert (made.reject, made.refused) == (None, 0)
    left, kept = (json.loads(new.record.data) for new in made.events)
    assert set(left) == {"erased_at", "occurred_at", "org", "record_hash", "type", "v"}
    assert kept["actor"] == {"id": "usr_1"}
    assert made.events[0].record.id == record_of(gone).id


GONE = event(actor={"id": "usr_gone"}, type="no.such")
STAYS = event(type="no.such")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"events": [GONE, STAYS]}, {"events": [STAYS]}),
        ({"events": [GONE, GONE]}, None),
        (GONE, None),
        (STAYS, STAYS),
        ({"events": [{"by": [{"id": "usr_gone"}]}, STAYS, event()]}, {"events": [STAYS]}),
        ({"events": [STAYS], "by": "usr_gone"}, None),
        ({"events": [STAYS] * 1_001, "by": ["x"]}, {"events": [STAYS] * 1_001, "by": ["x"]}),
        ({"events": [GONE] * 1_000 + [STAYS]}, {"events": [STAYS]}),
    ],
)
def test_of_what_is_refused_the_rejects_get_nothing_of_them(
    sent: dict[str, Any], kept: dict[str, Any] | None
) -> None:
    made = sorted_message(message({"org": "acme"} | sent), sent_at=str(SENT_AT - 1))
    assert made.refused >= 1
    assert (made.reject and json.loads(made.reject)) == (kept and {"org": "acme"} | kept)


def test_the_reasons_are_of_what_is_kept() -> None:
    made = sorted_message(message({"org": "acme", "events": [GONE, STAYS]}))
    [fault] = json.loads(str(made.reasons["errors"]))
    assert fault["pointer"] == "/events/1/type"
    assert (made.refused, made.reasons["faults"]) == (2, 1)


@pytest.mark.parametrize(
    ("occurred_at", "sent", "is_kept"),
    [
        (clock.text(NOW + 1), SENT_AT + 1, True),
        (clock.text(NOW - 1), SENT_AT + 1, False),
        (clock.text(NOW + 1), SENT_AT - 1, False),
        ("soon", SENT_AT + 1, True),
        (7, SENT_AT - 1, False),
    ],
)
def test_a_refused_one_is_as_old_as_it_says_or_as_its_message(
    monkeypatch: pytest.MonkeyPatch, occurred_at: Any, sent: int, *, is_kept: bool
) -> None:
    monkeypatch.setattr("tests.unit.test_message.SENT_AT", sent)
    made = sorted_message(message({"org": "acme"} | GONE | {"occurred_at": occurred_at}))
    assert (made.reject is not None) == is_kept


@pytest.mark.parametrize("said", ['"usr_gone"', '["usr_gone", "x"]', '{"id": "usr_gone"}'])
def test_one_that_says_something_twice_goes_by_all_that_it_says(said: str) -> None:
    body = f'{{"org":"acme","actor":{said},"actor":{{"id":"usr_1"}},"type":"x.y"}}'
    first_sent = str(SENT_AT - 1)
    assert sorted_message(body, sent_at=first_sent).reject is None
    nested = f'{{"org":"acme","events":[{{"actor":{said},"actor":1}},{message(STAYS)}]}}'
    kept = sorted_message(nested, sent_at=first_sent).reject
    assert kept == f'{{"org":"acme","events":[{message(STAYS)}]}}'
    other = body.replace("usr_gone", "usr_2")
    assert sorted_message(other, sent_at=first_sent).reject == other


def test_one_that_is_no_json_is_kept() -> None:
    assert sorted_message('{"org":"acme","actor":"usr_gone"').reject is not None


def test_however_deep_it_is() -> None:
    deep = "[" * 400 + '"usr_gone"' + "]" * 400
    made = sorted_message(f'{{"org":"acme","actor":{deep}}}', sent_at=str(SENT_AT - 1))
    assert (made.refused, made.reject) == (1, None)


def test_of_a_deleted_org_nothing_but_the_reason_is_kept() -> None:
    gone = Org("gone", None, 0, deletion=Deletion(5, "x"))
    for body in ({"org": "gone"} | event(), {"org": "gone", "events": [], "more": "secret"}):
        raw: dict[str, Any] = {
            "messageId": "m-1",
            "body": message(body),
            "attributes": {"SentTimestamp": str(SENT_AT)},
        }
        made = sort(raw, CATALOG, {"gone": gone}.get, find_erased, SECRET)
        assert (made.events, made.reject, made.refused) == ((), "{}", 1)
        assert made.reasons["reason"]


def test_a_good_message() -> None:
    made = sorted_message(message({"org": "acme", "events": [event(), event(key="x")]}))
    assert (made.reject, made.refused, made.group) == (None, 0, "acme")
    assert [new.recorded_at for new in made.events] == [SENT_AT * 1_000] * 2
    assert {new.partition for new in made.events} == {"acme"}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ("", None),
        ("{", None),
        ("[]", ""),
        (message(event()), "/org"),
        (message({"org": "nobody"} | event()), "/org"),
        (message({"org": "../x"} | event()), "/org"),
        (message({"org": "acme", "events": []}), "/events"),
        (message({"org": "acme", "events": [1] * 1_001}), "/events"),
    ],
)
def test_one_that_can_never_be_recorded(body: str, pointer: str | None) -> None:
    made = sorted_message(body)
    assert made.events == ()
    assert made.reject == body
    assert made.refused == 1
    errors = json.loads(str(made.reasons["errors"]))
    assert [each["pointer"] for each in errors] == ([] if pointer is None else [pointer])
    assert made.reasons["sent_at"] == SENT_AT


def test_the_good_of_a_mixed_one_are_recorded_and_the_bad_rejected() -> None:
    bad = '{"metadata":{"a":1e999,"b":%s},"more":1}' % ("9" * 5_000)
    made = sorted_message(f'{{"events":[{message(event())},{bad}],"org":"acme"}}')
    assert len(made.events) == 1
    assert made.reject == f'{{"org":"acme","events":[{bad}]}}'
    assert made.refused == 1
    assert made.reasons["org"] == "acme"


def test_times_are_judged_by_when_it_was_first_sent() -> None:
    old = event(occurred_at=clock.text(NOW - 95 * clock.DAY))
    body = message({"org": "acme"} | old)
    assert sorted_message(body).refused == 1
    first_sent = str(SENT_AT - 10 * clock.DAY // 1_000)
    again = sorted_message(body, sent_at=first_sent)
    assert (again.refused, again.events[0].recorded_at) == (0, int(first_sent) * 1_000)


@pytest.mark.parametrize(
    "sent_at", ["", "x", "-5", str(SENT_AT + 1), str(SENT_AT - 33 * clock.DAY // 1_000), "9" * 400]
)
def test_a_claim_about_that_which_is_not_believed(sent_at: str) -> None:
    made = sorted_message(message({"org": "acme"} | event()), sent_at=sent_at)
    assert made.events == ()
    assert "sent_at" in str(made.reasons["reason"])


@pytest.mark.parametrize(
    "hostile",
    [
        '{"org":"acme","metadata":[' + "NaN," * 200_000 + "1]}",
        '{"org":"acme",' + ",".join(f'"{n}":1' for n in range(80_000)) + "}",
        '{"org":"acme","' + "k" * 1_000_000 + '":1}',
    ],
    ids=["faults", "fields", "name"],
)
def test_the_reasons_of_a_hostile_one_fit_and_are_quick(hostile: str) -> None:
    begun = clock.monotonic()
    made = sorted_message(hostile)
    # A second where it was written; what is not linear takes hours.
    assert clock.monotonic() - begun < 20
    errors = str(made.reasons["errors"])
    assert len(errors) <= 4_000
    listed = json.loads(errors)
    assert int(made.reasons["faults"]) >= len(listed)


def test_reasons_are_ascii() -> None:
    made = sorted_message(message({"org": "acme", "é😀": 1} | event()))
    for value in made.reasons.values():
        assert str(value).isascii()
    [fault] = json.loads(str(made.reasons["errors"]))
    assert fault["pointer"] == "/é😀"
