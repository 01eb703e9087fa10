"""The inbox: what is recorded, what is rejected and how, what comes again."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

import record.handler
from auditlog import canonical, clock
from auditlog.errors import UnavailableError
from tests.functional.conftest import ORG, Diverted, Watched, World, an_event, message, sample

MILLISECOND = 1_000


def good(**changes: Any) -> dict[str, Any]:
    return {"org": ORG, **an_event(**changes)}


def rejects(world: World) -> list[tuple[str, dict[str, str]]]:
    """What was rejected: the bodies, and what their attributes say."""
    return [
        (m["Body"], {k: v["StringValue"] for k, v in m["MessageAttributes"].items()})
        for m in world.received("rejects")
    ]


def pointers(reasons: dict[str, str]) -> list[str | None]:
    return [error.get("pointer") for error in json.loads(reasons["errors"])]


def keys_of(world: World) -> list[str]:
    return sorted(json.loads(canonical.unpack(r["r"]["B"]))["key"] for r in world.rows())


def test_the_sample_of_the_trigger(world: World) -> None:
    batch = sample("triggers/sqs-record")["Records"]
    assert world.record(*batch) == []
    rows = world.rows()
    assert len(rows) == 3
    # When SQS first had it, not when we got round to it.
    sent = sorted({int(raw["attributes"]["SentTimestamp"]) * MILLISECOND for raw in batch})
    assert sorted({int(row["at"]["N"]) for row in rows}) == sent
    assert rejects(world) == []
    assert world.record(*batch) == []
    assert world.rows() == rows


@pytest.mark.parametrize(
    ("body", "reason", "pointer"),
    [
        ("{", "not JSON", None),
        ("", "not JSON", None),
        ("\N{PILE OF POO} {]", "not JSON", None),
        ("[" * 200_000, "nested too deeply", None),
        ([], "no form", ""),
        ({"events": [{}]}, "no form", "/org"),
        ({"org": 7, "events": [{}]}, "no form", "/org"),
        ({"org": "umbrella", "events": [{}]}, "No such org", "/org"),
        ({"org": "../etc", "events": [{}]}, "No such org", "/org"),
        ({"org": ORG, "events": []}, "no form", "/events"),
        ({"org": ORG, "events": [{}] * 1_001}, "1001 events", "/events"),
        ({"org": ORG, "events": [{}], "colour": 1}, "no form", "/colour"),
        (good(type="repo.craete"), "breaks a rule", "/type"),
        (good(colour="red"), "breaks a rule", "/colour"),
        (good(ip="here"), "breaks a rule", "/ip"),
        (good(metadata={"text": "x" * 300_000}), "breaks a rule", ""),
        ('{"org": "acme", "n\\u0000\\ud800/": NaN}', "breaks a rule", "/n\x00?~1"),
        ('{"org": "acme", "\\u001b[2J": 1}', "breaks a rule", "/\x1b[2J"),
        ('{"org": "acme", "org": "acme"}', "", "/org"),
    ],
)
def test_what_can_never_be_recorded_is_rejected_verbatim_with_the_reason(
    world: World, body: Any, reason: str, pointer: str | None
) -> None:
    raw = message(body)
    assert world.record(raw) == []
    [(rejected, reasons)] = rejects(world)
    assert rejected == raw["body"]
    assert reason in reasons["reason"]
    assert reasons["sent_at"] == raw["attributes"]["SentTimestamp"]
    if pointer is None:
        assert json.loads(reasons["errors"]) == []
    else:
        assert pointer in pointers(reasons)
    assert all(text.isprintable() and text.isascii() for text in reasons.values())
    assert world.rows() == []


def test_of_a_mixed_message_the_bad_ones_are_rejected_and_only_they(world: World) -> None:
    bad = [
        '{"type": "repo.craete"}',
        '{ "type":"repo.create", "n": 1.0000000000000000000001 , "x": [1, {"]": "}"}]}',
        "null",
        '"\\ud83d\\udca3 \\" ] }"',
        f'{{"metadata": {{"n": {"9" * 5_000}}}}}',
    ]
    one, two = an_event(), an_event()
    listed = [json.dumps(one), *bad[:3], json.dumps(two, indent=2), *bad[3:]]
    body = f'\n{{ "events" : [ {" , ".join(listed)}\t] , "org":"{ORG}" }} '
    assert world.record(message(body)) == []
    assert keys_of(world) == sorted([one["key"], two["key"]])
    [(rejected, reasons)] = rejects(world)
    assert rejected == f'{{"org":"{ORG}","events":[{",".join(bad)}]}}'
    assert reasons["org"] == ORG
    listed_at = {str(pointer).split("/")[2] for pointer in pointers(reasons)}
    assert listed_at == {"1", "2", "3", "5", "6"}
    # Sent again as it is, nothing but the bad ones comes of it.
    assert world.record(message(rejected)) == []
    assert len(world.rows()) == 2


def test_a_message_that_is_all_bad_is_rejected_as_it_came(world: World) -> None:
    body = json.dumps({"events": [{"type": "x"}, {"type": "y"}], "org": ORG}, indent=1)
    world.record(message(body))
    [(rejected, reasons)] = rejects(world)
    assert rejected == body
    assert int(reasons["faults"]) == len(pointers(reasons)) >= 2


def test_a_thousand_faults_are_counted_and_as_many_listed_as_there_is_room(world: World) -> None:
    world.record(message({"org": ORG, "events": [{}] * 1_000}))
    [(_, reasons)] = rejects(world)
    assert int(reasons["faults"]) >= 3_000
    assert 10 < len(pointers(reasons)) < 1_000


def test_good_and_bad_messages_of_one_batch(world: World) -> None:
    one, two = good(), good()
    assert world.record(message(one), message("{"), message(two), message({"org": "no"})) == []
    assert keys_of(world) == sorted([one["key"], two["key"]])
    assert [body for body, _ in rejects(world)] == ["{", '{"org": "no"}']


def test_duplicates_across_the_messages_of_a_batch(world: World) -> None:
    one, two = an_event(), an_event()
    early, late = (clock.now() // MILLISECOND - 5_000, clock.now() // MILLISECOND)
    failed = world.record(
        message({"org": ORG, "events": [one, one]}, sent_at=early),
        message({"org": ORG, "events": [two, one]}, sent_at=late),
    )
    assert failed == []
    assert len(world.rows()) == 2
    at = {json.loads(canonical.unpack(r["r"]["B"]))["key"]: r["at"]["N"] for r in world.rows()}
    assert at == {one["key"]: str(early * MILLISECOND), two["key"]: str(late * MILLISECOND)}


def test_times_are_judged_against_when_it_was_sent(world: World) -> None:
    sent_at = (clock.now() - 3 * clock.DAY) // MILLISECOND
    sent = sent_at * MILLISECOND
    edge = good(occurred_at=clock.text(sent + 15 * clock.MINUTE))
    ahead = good(occurred_at=clock.text(sent + 15 * clock.MINUTE + 1))
    assert world.record(message(edge, sent_at=sent_at), message(ahead, sent_at=sent_at)) == []
    assert keys_of(world) == [edge["key"]]
    [(_, reasons)] = rejects(world)
    assert pointers(reasons) == ["/occurred_at"]


def test_what_was_kept_when_it_was_sent_is_recorded_late(world: World) -> None:
    world.org("brief", retention_days=1)
    sent_at = (clock.now() - 3 * clock.DAY) // MILLISECOND
    kept = an_event(occurred_at=clock.text(sent_at * MILLISECOND - clock.DAY))
    too_old = an_event(occurred_at=clock.text(sent_at * MILLISECOND - clock.DAY - 1))
    body = {"org": "brief", "events": [kept, too_old]}
    assert world.record(message(body, sent_at=sent_at)) == []
    assert keys_of(world) == [kept["key"]]


def test_a_redrive_keeps_the_original_time(world: World) -> None:
    now = clock.now() // MILLISECOND
    original = now - 20 * 24 * 3_600_000
    event = good(occurred_at=clock.text(original * MILLISECOND))
    raw = message(event, sent_at=now, attributes={"sent_at": str(original)})
    assert world.record(raw) == []
    [row] = world.rows()
    assert row["at"]["N"] == str(original * MILLISECOND)
    # What is rejected again says the original time again.
    bad = message("{", sent_at=now, attributes={"sent_at": str(original)})
    world.record(bad)
    [(_, reasons)] = rejects(world)
    assert reasons["sent_at"] == str(original)


@pytest.mark.parametrize(
    "claimed",
    [
        "1",
        "0",
        "-5",
        "",
        "soon",
        "9" * 13,
        "9" * 5_000,
        "1780687920155.5",
        "\u0661",
        "old",
        "future",
    ],
)
def test_a_time_that_a_redrive_cannot_have_is_rejected(world: World, claimed: str) -> None:
    now = clock.now() // MILLISECOND
    claimed = {"old": str(now - 32 * 86_400_000 - 1), "future": str(now + 1)}.get(claimed, claimed)
    neighbour = good()
    raw = message(good(), sent_at=now, attributes={"sent_at": claimed})
    assert world.record(raw, message(neighbour)) == []
    assert keys_of(world) == [neighbour["key"]]
    [(body, reasons)] = rejects(world)
    assert body == raw["body"]
    assert "sent_at" in reasons["reason"]
    assert reasons["sent_at"] == str(now)


@pytest.mark.parametrize("claimed", ["now", "oldest"])
def test_a_time_that_a_redrive_can_just_have(world: World, claimed: str) -> None:
    now = clock.now() // MILLISECOND
    first = {"now": now, "oldest": now - 32 * 86_400_000}[claimed]
    event = good(occurred_at=clock.text(first * MILLISECOND))
    assert world.record(message(event, sent_at=now, attributes={"sent_at": str(first)})) == []
    assert rejects(world) == []
    assert len(world.rows()) == 1


def test_only_the_messages_whose_events_are_throttled_come_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record.handler, "PATIENCE", 0.2)
    sound, unlucky = world.dynamodb, [an_event(), an_event()]

    class Client:
        @staticmethod
        def batch_execute_statement(Statements: list[Any]) -> Any:  # noqa: N803 -- boto3's name
            answers = []
            for statement in Statements:
                packed = statement["Parameters"][2]["B"]
                key = json.loads(canonical.unpack(packed))["key"]
                if key in {event["key"] for event in unlucky}:
                    answers.append({"Error": {"Code": "ThrottlingError"}})
                else:
                    answers += sound.batch_execute_statement(Statements=[statement])["Responses"]
            return {"Responses": answers}

    world.dynamodb = Diverted(sound, world.events_table, Client())
    bodies: list[Any] = [
        good(),
        {"org": ORG, "events": [an_event(), unlucky[0], {"type": "bad"}]},
        "{",
        {"org": ORG, **unlucky[1]},
        {"org": ORG, "events": [an_event(), unlucky[0]]},
    ]
    batch = [message(body) for body in bodies]
    assert world.record(*batch) == [batch[i]["messageId"] for i in (1, 3, 4)]
    # Nothing of a message that comes again is rejected yet: it would be, twice.
    assert [body for body, _ in rejects(world)] == ["{"]
    world.dynamodb = sound
    assert world.record(*[batch[i] for i in (1, 3, 4)]) == []
    assert len(world.rows()) == 5
    assert len(rejects(world)) == 1


@pytest.mark.parametrize("code", ["ThrottlingException", "InvalidMessageContents"])
def test_where_the_rejects_do_not_take_it_the_message_comes_again(world: World, code: str) -> None:
    def refuse(name: str, _number: int, _call: Any) -> Any:
        raise ClientError({"Error": {"Code": code}}, name)

    sound = world.sqs
    world.sqs = Watched(sound, refuse)
    event = an_event()
    batch = [message("{"), message({"org": ORG, "events": [event, {}]}), message(good())]
    assert world.record(*batch) == [batch[0]["messageId"], batch[1]["messageId"]]
    assert len(world.rows()) == 2
    world.sqs = sound
    assert world.record(*batch[:2]) == []
    assert len(world.rows()) == 2
    assert len(rejects(world)) == 2


def test_where_the_orgs_cannot_be_looked_up_all_comes_again(world: World) -> None:
    def busy(name: str, _number: int, call: Any) -> Any:
        if name == "get_item":
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, name)
        return call()

    sound = world.dynamodb
    world.dynamodb = Watched(sound, busy)
    batch = [message(good()), message("{")]
    try:
        failed = world.record(*batch)
    except UnavailableError:
        # SQS takes an invocation that fails for one whose messages all failed.
        failed = [raw["messageId"] for raw in batch]
    assert batch[0]["messageId"] in failed
    world.dynamodb = sound
    assert world.record(*[raw for raw in batch if raw["messageId"] in failed]) == []
    assert len(world.rows()) == 1
    assert len(rejects(world)) >= 1


def test_the_group_of_a_reject_is_its_org(world: World) -> None:
    world.record(message({"org": ORG, "events": [{}]}), message("{"))
    groups = [m["Attributes"]["MessageGroupId"] for m in world.received("rejects")]
    assert groups == [ORG, "unknown"]
