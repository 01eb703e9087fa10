"""`POST /v1/orgs/{org}/events`: what is stored, what is answered, what is refused."""

import gzip
import json
import tracemalloc
import zlib
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

import publish.handler
from auditlog import canonical, clock, intake, retention
from auditlog.event import MAX_EVENT_BYTES
from tests.functional.conftest import (
    EVENTS,
    ORG,
    Diverted,
    Watched,
    World,
    an_event,
    message,
    sample,
    zipped,
)

PATH = f"/v1/orgs/{ORG}/events"
GZIP = {"content-encoding": "gzip"}
SAMPLES = sorted(path.stem for path in (EVENTS / "publish").glob("*.json"))


def records(world: World) -> list[dict[str, Any]]:
    return [json.loads(canonical.unpack(row["r"]["B"])) for row in world.rows()]


def test_the_sample_of_the_trigger(world: World) -> None:
    event = sample("triggers/http-publish")
    event["headers"]["authorization"] = f"Bearer {world.admin_key}"
    answer = world.answer(publish.handler, event)
    assert answer.status == 201
    assert answer.header("content-type") == "application/json"
    assert (answer.json["recorded"], answer.json["duplicates"]) == (2, 0)
    # In the order of the request, which is not that of time.
    assert [(e["type"], e["occurred_at"], e["duplicate"]) for e in answer.json["events"]] == [
        ("repo.create", "2026-06-02T09:21:55.000131Z", False),
        ("org.change_role", "2026-06-02T09:14:07.204518Z", False),
    ]
    assert {e["id"] for e in answer.json["events"]} == {row["sk"]["S"] for row in world.rows()}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_of_each_scope(world: World, name: str) -> None:
    event = sample(f"publish/{name}")
    [event_id] = world.publish(event)
    [row] = world.rows()
    assert (row["pk"]["S"], row["sk"]["S"], row["t"]["S"]) == (ORG, event_id, event["type"])
    [record] = records(world)
    kept = {"occurred_at", "ip"}
    assert {k: v for k, v in event.items() if k not in kept} == {
        k: v for k, v in record.items() if k not in kept | {"org", "v", "salt"}
    }
    assert record.get("ip") != event.get("ip", "none")


def test_the_form_of_an_item(world: World) -> None:
    before = clock.now()
    world.publish(an_event(description="Made it", ip="198.51.100.77"))
    world.publish(an_event(ip="2001:db8:aaaa:bbbb:cccc::77"))
    described, not_described = sorted(world.rows(), key=lambda row: "s" in row)
    assert set(described) == {"pk", "sk", "r", "t", "at"}
    assert set(not_described) == {"pk", "sk", "r", "t", "at", "s"}
    assert not_described["s"] == {"BOOL": True}
    assert before <= int(described["at"]["N"]) <= clock.now()
    whole = "".join(
        f"{row} {canonical.unpack(row['r']['B']).decode()}" for row in (described, not_described)
    )
    assert "198.51.100.0" in whole
    assert "2001:db8:aaaa::" in whole
    for hidden in ("198.51.100.77", "bbbb", "cccc"):
        assert hidden not in whole


def test_the_expiry_is_the_retention_and_a_week_of_grace(world: World) -> None:
    key = world.org("brief", retention_days=30)
    moment = clock.now() - clock.DAY
    event = an_event(occurred_at=clock.text(moment))
    world.publish(event, org="brief", key=key)
    [row] = world.rows()
    exact = (moment + 37 * clock.DAY) / clock.SECOND
    assert exact <= int(row["ttl"]["N"]) < exact + 1
    assert int(row["ttl"]["N"]) == retention.expiry(moment, 30)


def test_what_is_older_than_the_retention_is_refused(world: World) -> None:
    key = world.org("brief", retention_days=1)
    old = an_event(occurred_at=clock.text(clock.now() - clock.DAY - clock.SECOND))
    answer = world.call("POST", "/v1/orgs/brief/events", key=key, body=old)
    assert answer.is_problem(422)["errors"][0]["pointer"] == "/occurred_at"
    early = an_event(occurred_at=clock.text(clock.now() + 16 * clock.MINUTE))
    assert world.call("POST", PATH, body=early).is_problem(422)["errors"][0]["pointer"] == (
        "/occurred_at"
    )


@pytest.mark.parametrize("many", [False, True])
def test_every_way_to_send_a_body(world: World, many: bool) -> None:
    event = an_event(description="Zofia Wójcik 漢字 \U0001f4a3")
    body = {"events": [event]} if many else event
    text = json.dumps(body, ensure_ascii=False)
    answers = [
        world.call("POST", PATH, body=text),
        world.call("POST", PATH, body=text.encode()),
        world.call("POST", PATH, body=zipped(body), headers=GZIP),
        world.call("POST", PATH, body=zipped(body), headers={"Content-Encoding": " GZIP "}),
        world.call("POST", PATH, body=text, headers={"content-encoding": "identity"}),
    ]
    assert [a.json["recorded"] for a in answers] == [1, 0, 0, 0, 0]
    assert [a.json["duplicates"] for a in answers] == [0, 1, 1, 1, 1]
    assert len({a.json["events"][0]["id"] for a in answers}) == 1
    assert len(world.rows()) == 1


def test_duplicates_in_one_request_across_requests_and_across_doors(world: World) -> None:
    one, two, three = an_event(), an_event(), an_event()
    again = dict(reversed(one.items()))  # The order of fields is not content.
    answer = world.call("POST", PATH, body={"events": [one, two, again, two]}).json
    assert (answer["recorded"], answer["duplicates"]) == (2, 2)
    assert [e["duplicate"] for e in answer["events"]] == [False, False, True, True]
    before = world.rows()
    assert world.record(message({"org": ORG, "events": [two, three, three]})) == []
    answer = world.call("POST", PATH, body={"events": [three, one]}).json
    assert (answer["recorded"], answer["duplicates"]) == (0, 2)
    after = world.rows()
    assert len(after) == 3
    # The first writer wins: a repeat changes nothing, not even recorded_at.
    assert all(row in after for row in before)


def test_the_same_event_of_two_orgs_is_two(world: World) -> None:
    key, event = world.org("umbrella"), an_event()
    assert world.publish(event) != world.publish(event, org="umbrella", key=key)
    assert len(world.rows()) == 2


def test_one_bad_event_writes_none_and_every_fault_is_listed(world: World) -> None:
    events = [
        an_event(),
        an_event(type="repo.craete", ip="here"),
        an_event(actor=None, colour="red"),
        [],
        an_event(occurred_at="2026-06-02 10:00"),
    ]
    body = json.dumps({"events": events})
    body = body[:-2] + ', {"type": "repo.create", "n/~": NaN, "metadata": {"a": 1, "a": 2}}]}'
    document = world.call("POST", PATH, body=body).is_problem(422)
    assert {error["pointer"] for error in document["errors"]} == {
        "/events/1/type",
        "/events/1/ip",
        "/events/2/actor",
        "/events/2/colour",
        "/events/3",
        "/events/4/occurred_at",
        "/events/5/n~1~0",
        "/events/5/metadata/a",
        "/events/5/actor",
        "/events/5/occurred_at",
    }
    assert world.rows() == []


def test_a_lone_surrogate_is_refused_and_its_place_can_be_said(world: World) -> None:
    body = json.dumps(an_event())[:-1] + ', "metadata": {"\\ud800": 1}, "user_agent": "\\udfff"}'
    document = world.call("POST", PATH, body=body).is_problem(422)
    assert {e["pointer"] for e in document["errors"]} == {"/metadata/?", "/user_agent"}


def test_a_thousand_events_and_no_more(world: World) -> None:
    assert len(set(world.publish(*[an_event() for _ in range(1_000)]))) == 1_000
    before = world.rows()
    document = world.call("POST", PATH, body={"events": [an_event()] * 1_001}).is_problem(413)
    assert document["errors"][0]["pointer"] == "/events"
    for empty in ({"events": []}, {"events": {}}, {"events": [an_event()], "org": ORG}):
        world.call("POST", PATH, body=empty).is_problem(422)
    assert world.rows() == before


def test_a_body_of_a_mebibyte_and_no_more(world: World) -> None:
    text = json.dumps(an_event())
    fits = text + " " * (intake.MAX_BODY_BYTES - len(text))
    assert world.call("POST", PATH, body=fits).status == 201
    assert world.call("POST", PATH, body=zipped(fits.encode()), headers=GZIP).status == 201
    world.call("POST", PATH, body=fits + " ").is_problem(413)
    too_large = zipped(fits.encode() + b" ")
    world.call("POST", PATH, body=too_large, headers=GZIP).is_problem(413)
    assert len(world.rows()) == 1


def test_an_event_of_256_kib_and_no_more(world: World) -> None:
    event = an_event(metadata={"text": ""})
    room = MAX_EVENT_BYTES - len(canonical.encode(event))
    event["metadata"]["text"] = "x" * room
    world.publish(event)
    event["metadata"]["text"] += "x"
    document = world.call("POST", PATH, body={"events": [an_event(), event]}).is_problem(413)
    assert [error["pointer"] for error in document["errors"]] == ["/events/1"]
    assert len(world.rows()) == 1


def test_a_gibibyte_of_zeros_is_refused_in_little_memory(world: World) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    mebibyte = bytes(1024 * 1024)
    # After a full flush the same packs to the same: what follows is not packed again.
    first, again = (packer.compress(mebibyte) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    bomb = first + again * 1_022 + packer.compress(mebibyte) + packer.flush()
    assert len(bomb) < 2 * 1024 * 1024
    tracemalloc.start()
    try:
        answer = world.call("POST", PATH, body=bomb, headers=GZIP)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    answer.is_problem(413)
    assert peak < 20 * 1024 * 1024


def test_a_body_of_gzip_that_is_cut_or_goes_on_is_refused(world: World) -> None:
    whole = zipped(an_event())
    for body in (whole[:-1], whole[:20], whole + b"x", whole + whole, b"", gzip.compress(b"")):
        world.call("POST", PATH, body=body, headers=GZIP).is_problem(400)
    assert world.rows() == []


class Throttle:
    """Lets the table answer so many statements of each call, and calls the others throttled."""

    def __init__(self, *taken: int, code: str = "ThrottlingError") -> None:
        self.taken = list(taken)
        self.code = code

    def __call__(self, sound: Any, arguments: Any) -> Any:
        taken = self.taken.pop(0) if self.taken else 0
        statements = arguments["Statements"]
        answers: list[Any] = []
        if taken:
            answers = sound.batch_execute_statement(Statements=statements[:taken])["Responses"]
        refused = {"Error": {"Code": self.code, "Message": "not now"}}
        return {"Responses": answers + [refused] * (len(statements) - len(answers))}


def throttled(world: World, throttle: Throttle) -> None:
    sound = world.dynamodb

    class Client:
        @staticmethod
        def batch_execute_statement(**arguments: Any) -> Any:
            return throttle(sound, arguments)

    world.dynamodb = Diverted(sound, world.events_table, Client())


@pytest.mark.parametrize(
    "code",
    [
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "TransactionConflict",
        "InternalServerError",
    ],
)
def test_what_is_throttled_is_tried_again(world: World, code: str) -> None:
    throttle = Throttle(1, 0, 2, 25, code=code)
    throttled(world, throttle)
    answer = world.call("POST", PATH, body={"events": [an_event() for _ in range(5)]})
    assert answer.json["recorded"] == 5
    assert throttle.taken == []
    assert len(world.rows()) == 5


def test_what_the_table_does_not_take_503_and_a_repeat_is_safe(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish.handler, "PATIENCE", 0.2)
    sound = world.dynamodb
    throttled(world, Throttle(3))
    events = [an_event() for _ in range(5)]
    answer = world.call("POST", PATH, body={"events": events})
    answer.is_problem(503)
    assert int(answer.header("retry-after") or "") >= 1
    world.dynamodb = sound
    stored = world.rows()
    assert len(stored) == 3
    again = world.call("POST", PATH, body={"events": events}).json
    assert (again["recorded"], again["duplicates"]) == (2, 3)
    assert all(row in world.rows() for row in stored)
    assert len(world.rows()) == 5


def test_a_write_whose_answer_was_lost_is_a_duplicate_of_itself(world: World) -> None:
    def lose_first(name: str, _number: int, call: Any) -> Any:
        done = call()
        if name == "batch_execute_statement" and calls.count(name) == 1:
            raise ReadTimeoutError(endpoint_url="x")
        return done

    calls: list[str] = []
    world.dynamodb = Watched(world.dynamodb, lose_first, calls)
    answer = world.call("POST", PATH, body=an_event()).json
    assert (answer["recorded"], answer["duplicates"]) == (0, 1)
    assert len(world.rows()) == 1


def test_a_refusal_that_no_waiting_mends_is_not_waited_for(world: World) -> None:
    def denied(name: str, _number: int, call: Any) -> Any:
        if name != "batch_execute_statement":
            return call()
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, name)

    world.dynamodb = Watched(world.dynamodb, denied)
    world.call("POST", PATH, body=an_event()).is_problem(500)
    assert world.dynamodb.calls.count("batch_execute_statement") == 1


@pytest.mark.parametrize(
    "name", ["org.audit_log.settings.update", "org.audit_log.erasure.complete", "org.audit_log.x"]
)
def test_what_the_service_records_of_itself_is_taken_from_nobody_else(
    world: World, name: str
) -> None:
    before = world.everything()
    answer = world.call("POST", PATH, body=an_event(type=name))
    errors = answer.is_problem(422)["errors"]
    assert {error["pointer"] for error in errors} == {"/type"}
    assert world.everything() == before
    # The reference's download has those that were made there.
    assert world.publish(an_event(type="org.audit_log.export"))
