"""Messages of the inbox: what is recorded of them, what is rejected, and how that is said."""

import json
from typing import Any

import pytest

from auditlog import clock
from auditlog.erasures import Erased, Subject
from auditlog.orgs import Org
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
    return sort(raw, CATALOG, ORGS.get, lambda org: Erased(org.name, ERASED, SECRET), SECRET)


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
