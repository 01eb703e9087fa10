"""The reference's own export: one route that a client asks until it is sent to the file."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from auditlog import clock, exports
from auditlog.keys import Grant
from tests.functional.conftest import ORG, Response, Watched, World, an_event
from tests.unit.entries import validator

PATH = f"/api/organizations/{ORG}/audit-log/export"
TEN_MINUTES = 10 * clock.MINUTE


def ask(world: World, query: str = "", **how: Any) -> Response:
    return world.call("GET", PATH, query=query, **how)


def is_being_made(answer: Response) -> None:
    answer.is_problem(503)
    assert int(answer.header("retry-after") or "") >= 1


def asked_for(world: World, **how: Any) -> int:
    """How many exports the log says were asked for."""
    found = world.search(type="org.audit_log.export", limit=1_000, **how)
    return len(found.json["events"])


def entries(world: World) -> list[dict[str, Any]]:
    """The entries of the newest export."""
    newest = world.call("GET", f"/v1/orgs/{ORG}/exports").json["exports"][0]
    return json.loads(world.file(newest["id"]))


def test_first_it_is_made_then_it_is_handed_out(world: World) -> None:
    world.publish(an_event(), an_event(type="aws.s3.GetObject"), an_event(description="made it"))
    is_being_made(ask(world))
    is_being_made(ask(world))
    world.work()
    for _ in range(3):
        answer = ask(world)
        assert (answer.status, answer.text) == (302, "")
        location = answer.header("location") or ""
        assert "response-content-disposition=attachment" in location
        assert ".json" in location
    assert asked_for(world) == 1
    found = entries(world)
    validator().validate(found)
    assert [entry["message"] for entry in found] == ["Ada created a repository", "made it"]
    shown = world.call("GET", f"/v1/orgs/{ORG}/exports").json["exports"]
    [one] = shown
    assert (one["profile"], one["compression"], one["left_out"]) == ("hf", "none", 2)


def test_a_query_filters(world: World) -> None:
    world.publish(an_event(), an_event(type="org.leave", actor={"id": "usr_2", "name": "Grace"}))
    query = "q=author%3AGrace+type%3Aorg"
    is_being_made(ask(world, query))
    world.work()
    assert ask(world, query).status == 302
    assert [entry["type"] for entry in entries(world)] == ["org.leave"]


def test_the_same_within_ten_minutes_is_the_same_file(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_being_made(ask(world))
    world.work()
    first = (ask(world).header("location") or "").partition("?")[0]
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + TEN_MINUTES - clock.SECOND)
    assert (ask(world).header("location") or "").startswith(first)
    assert asked_for(world) == 1
    monkeypatch.setattr(clock, "now", lambda: now + TEN_MINUTES + clock.SECOND)
    is_being_made(ask(world))
    world.work()
    second = (ask(world).header("location") or "").partition("?")[0]
    assert second.startswith("http")
    assert second != first
    assert asked_for(world) == 2


def test_who_asks_and_for_what_makes_it_another(world: World) -> None:
    is_being_made(ask(world))
    world.work()
    assert ask(world).status == 302
    is_being_made(ask(world, "q=type%3Arepo"))
    is_being_made(ask(world, headers={"x-actor-id": "usr_9"}))
    is_being_made(ask(world, key=world.key(Grant.EXPORTS_CREATE)))
    assert ask(world).status == 302
    assert asked_for(world) == 4


def test_one_that_failed_is_told_for_ten_minutes_and_then_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_being_made(ask(world))
    assert world.deliver(tries=4)
    for _ in range(2):
        assert "3 times" in ask(world).is_problem(409)["detail"]
    assert asked_for(world) == 1
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + TEN_MINUTES + clock.SECOND)
    is_being_made(ask(world))
    world.work()
    assert ask(world).status == 302


def test_one_that_was_deleted_is_made_again(world: World) -> None:
    is_being_made(ask(world))
    [made] = world.call("GET", f"/v1/orgs/{ORG}/exports").json["exports"]
    world.call("DELETE", f"/v1/orgs/{ORG}/exports/{made['id']}")
    is_being_made(ask(world))
    world.work()
    assert ask(world).status == 302
    world.call("DELETE", f"/v1/orgs/{ORG}/exports/{made['id']}")
    assert asked_for(world) == 2


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_two_at_once_make_one(world: World, after: bool) -> None:
    sound = world.dynamodb
    calls: list[str] = []
    world.dynamodb = Watched(sound, lambda _name, _number, call: call(), calls)
    is_being_made(ask(world, "q=type%3Arepo"))
    for step in range(len(calls)):
        query = f"q=actor%3Anobody-{step}-{after}"

        def meanwhile(
            _name: str, number: int, call: Any, step: int = step, query: str = query
        ) -> Any:
            if number != step:
                return call()
            done = call() if after else None
            watched, world.dynamodb = world.dynamodb, sound
            is_being_made(ask(world, query))
            world.dynamodb = watched
            return done if after else call()

        before = len(world.call("GET", f"/v1/orgs/{ORG}/exports").json["exports"])
        world.dynamodb = Watched(sound, meanwhile)
        is_being_made(ask(world, query))
        world.dynamodb = sound
        made = len(world.call("GET", f"/v1/orgs/{ORG}/exports").json["exports"]) - before
        assert made == 1, calls[step]


def test_where_the_maker_died_another_takes_its_place_after_a_minute(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = world.dynamodb

    def die(name: str, _number: int, call: Any) -> Any:
        if name == "batch_execute_statement":
            raise KeyboardInterrupt
        return call()

    world.dynamodb = Watched(sound, die)
    with pytest.raises(KeyboardInterrupt):
        ask(world)
    world.dynamodb = sound
    is_being_made(ask(world))
    assert asked_for(world) == 0
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + clock.MINUTE + clock.SECOND)
    is_being_made(ask(world))
    assert asked_for(world) == 1
    world.work()
    assert ask(world).status == 302


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("q=type%3Arepo.craete", "q"),
        ("q=a&q=b", "q"),
        ("type=repo", "type"),
        ("q=" + "a" * 2_001, "q"),
    ],
)
def test_what_is_no_query_of_this_route(world: World, query: str, parameter: str) -> None:
    before = world.everything()
    document = ask(world, query).is_problem(400)
    assert document["errors"][0]["parameter"] == parameter
    assert world.everything() == before


def test_who_may_not(world: World) -> None:
    stranger = world.org("umbrella")
    without = world.key(Grant.EVENTS_READ, Grant.ORG_ADMIN)
    before = world.everything()
    ask(world, key=None).is_problem(401)
    ask(world, key=stranger).is_problem(404)
    ask(world, key=without).is_problem(403)
    world.call("GET", "/api/organizations/nobody/audit-log/export").is_problem(404)
    world.call("GET", "/api/organizations/acme/audit-log").is_problem(404)
    world.call("POST", PATH).is_problem(405)
    assert world.everything() == before


def newest(world: World) -> dict[str, Any]:
    return world.call("GET", f"/v1/orgs/{ORG}/exports").json["exports"][0]


def at(monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
    monkeypatch.setattr(clock, "now", lambda: moment)


def test_two_services_that_act_for_one_person_have_a_file_each(world: World) -> None:
    headers = {"x-actor-id": "usr_9"}
    is_being_made(ask(world, headers=headers))
    is_being_made(ask(world, headers=headers, key=world.key(Grant.EXPORTS_CREATE)))
    assert asked_for(world) == 2
    # What the person is called is no matter.
    is_being_made(ask(world, headers=headers | {"x-actor-name": "Grace"}))
    assert asked_for(world) == 2


def waits(world: World, monkeypatch: pytest.MonkeyPatch, tries: int) -> list[int]:
    """For how long a client is told to wait, try for try, where nobody works on it."""
    found: list[int] = []
    for _ in range(tries):
        answer = ask(world)
        is_being_made(answer)
        found.append(int(answer.header("retry-after") or ""))
        at(monkeypatch, clock.now() + found[-1] * clock.SECOND)
        world.received("exports")
    assert asked_for(world) == 1
    return found


def test_the_longer_it_takes_the_longer_the_client_is_told_to_wait(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = waits(world, monkeypatch, 20)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (2, 300)
    # Never longer than it has taken until then.
    assert all(wait <= max(2, sum(told[:number])) for number, wait in enumerate(told))


def test_twenty_tries_last_for_more_than_an_hour(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the documentation says: curl is commonly told to try so often."""
    assert sum(waits(world, monkeypatch, 20)) > 3_600


def test_one_whose_message_was_never_sent_is_handed_to_the_workers_after_a_minute(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    is_being_made(ask(world))
    assert len(world.received("exports")) == 1  # it is lost
    at(monkeypatch, now + clock.MINUTE - clock.SECOND)
    is_being_made(ask(world))
    assert world.work() == 0
    at(monkeypatch, now + clock.MINUTE + clock.SECOND)
    is_being_made(ask(world))
    assert world.work() > 0
    assert ask(world).status == 302
    assert asked_for(world) == 1


def test_one_that_waits_long_for_a_worker_is_made_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.publish(an_event())
    now = clock.now()
    is_being_made(ask(world))
    for minutes in (2, 3, 4):
        at(monkeypatch, now + minutes * clock.MINUTE)
        is_being_made(ask(world))
    made: list[str] = []

    def watch(name: str, _number: int, call: Any) -> Any:
        made.append(name)
        return call()

    world.s3 = Watched(world.s3, watch)
    assert world.work() >= 4
    assert made.count("put_object") == 3  # a slice, the file and its manifest
    assert ask(world).status == 302
    assert asked_for(world) == 1


def test_one_of_which_nothing_is_heard_any_more_is_made_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    is_being_made(ask(world))
    assert world.deliver()  # it is cut, and running
    world.received("exports")
    at(monkeypatch, now + exports.STALLED_AFTER["running"] - clock.SECOND)
    is_being_made(ask(world))
    assert asked_for(world) == 1
    assert world.received("exports") == []  # what is running is not handed out again
    at(monkeypatch, now + exports.STALLED_AFTER["running"] + clock.MINUTE)
    is_being_made(ask(world))
    assert asked_for(world) == 2
    world.work()
    assert ask(world).status == 302


def patiently(world: World, monkeypatch: pytest.MonkeyPatch, now: int, query: str = "") -> Response:
    """What a client is told that asks on for two minutes, while workers are there."""
    answer = ask(world, query)
    for seconds in range(0, 120, 10):
        at(monkeypatch, now + seconds * clock.SECOND)
        answer = ask(world, query)
        if answer.status != 503:
            return answer
        is_being_made(answer)
        world.work()
    return answer


class DeadError(BaseException):
    """The function is gone."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_wherever_the_maker_dies_a_client_that_asks_on_has_its_file(
    world: World, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    dynamodb, sqs = world.dynamodb, world.sqs
    calls: list[str] = []

    def watch(fault: Any) -> None:
        world.dynamodb, world.sqs = (Watched(each, fault, calls) for each in (dynamodb, sqs))

    is_being_made(ask(world, "q=type%3Aorg"))  # what this process remembers from then on
    now = clock.now()
    at(monkeypatch, now := now + clock.HOUR)
    watch(lambda _name, _number, call: call())
    is_being_made(ask(world, "q=type%3Arepo"))
    steps = list(calls)
    assert {"put_item", "batch_execute_statement", "send_message"} <= set(steps)
    for step in range(len(steps)):
        at(monkeypatch, now := now + clock.HOUR)
        calls.clear()
        query = f"q=actor%3Anobody-{step}"

        def die(name: str, number: int, call: Any, step: int = step) -> Any:
            if number == step:
                if after:
                    call()
                raise DeadError
            return call()

        watch(die)
        with pytest.raises(DeadError):
            ask(world, query)
        world.dynamodb, world.sqs = dynamodb, sqs
        before = asked_for(world)
        assert patiently(world, monkeypatch, now, query).status == 302, steps[step]
        assert json.loads(world.file(newest(world)["id"])) == []
        assert asked_for(world) <= before + 1


def test_a_queue_that_does_not_take_it_now_is_no_failure(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client was told to ask again, and is not told for ten minutes that it failed."""
    sound = world.sqs

    def busy(name: str, _number: int, _call: Any) -> Any:
        raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, name)

    now = clock.now()
    world.sqs = Watched(sound, busy)
    is_being_made(ask(world))
    world.sqs = sound
    assert patiently(world, monkeypatch, now).status == 302
    assert asked_for(world) <= 2


@pytest.mark.parametrize(
    ("query", "character"),
    [("q=type%3Arepo+created%3Ayesterday", 19), ("q=%22open", 1), ("q=%C3%A9+nosuch%3Ax", 3)],
)
def test_a_bad_query_is_refused_with_the_place(world: World, query: str, character: int) -> None:
    before = world.everything()
    [error] = ask(world, query).is_problem(400)["errors"]
    assert error["parameter"] == "q"
    assert error["detail"].startswith(f"at character {character}: ")
    assert world.everything() == before
