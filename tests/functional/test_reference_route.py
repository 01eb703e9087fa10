"""The reference's own export: one route that a client asks until it is sent to the file."""

import json
from typing import Any

import pytest

from auditlog import clock
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
