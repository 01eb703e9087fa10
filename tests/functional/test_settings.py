"""The settings of an org over HTTP: shown, changed by who has read them, and recorded."""

from collections.abc import Callable
from typing import Any

import pytest

import manage.door
from auditlog import clock, trail
from auditlog.policy import MAX_FORMER
from auditlog.retention import GRACE
from tests.functional.conftest import ORG, Response, Watched, World, an_event

PATH = f"/v1/orgs/{ORG}/settings"


def show(world: World) -> Response:
    answer = world.call("GET", PATH)
    assert answer.status == 200, answer.text
    return answer


def change(world: World, if_match: str | None = None, **asked: Any) -> Response:
    headers = {} if if_match is None else {"if-match": if_match}
    return world.call("PATCH", PATH, body=asked, headers=headers)


def changes(world: World) -> list[dict[str, Any]]:
    """What the log says was changed, oldest first."""
    found = world.search(type=trail.SETTINGS_CHANGE, order="asc").json["events"]
    return [event["metadata"] for event in found]


def test_what_an_org_begins_with(world: World) -> None:
    answer = show(world)
    assert answer.header("etag") == '"1"'
    assert answer.json["retention_days"] is None
    assert answer.json["hold"] is None
    assert answer.json["shards"] == [{"since": "1970-01-01T00:00:00.000000Z", "number": 1}]
    assert answer.json["record_reads"] is False
    assert answer.json["purged_before"] is None
    assert answer.json["limits"] == {"events_per_day": None, "exports_at_once": 10, "keys": 100}


def test_what_is_not_named_stays_and_each_change_is_a_version(world: World) -> None:
    first = change(world, retention_days=30)
    assert (first.status, first.header("etag")) == (200, '"2"')
    second = change(world, record_reads=True)
    assert (second.json["retention_days"], second.json["record_reads"]) == (30, True)
    assert second.header("etag") == '"3"'
    shown = show(world)
    assert shown.header("etag") == '"3"'
    moves = {"purged_before": None}
    assert shown.json | moves == second.json | moves


def test_a_change_that_changes_nothing_is_none(world: World) -> None:
    change(world, retention_days=30)
    nothing: list[dict[str, Any]] = [
        {}, {"retention_days": 30}, {"record_reads": False}, {"hold": None}
    ]  # fmt: skip
    for asked in nothing:
        answer = change(world, **asked)
        assert (answer.status, answer.header("etag")) == (200, '"2"')
    assert len(changes(world)) == 1


def test_who_has_read_an_older_version_is_told_so_and_changes_nothing(world: World) -> None:
    etag = show(world).header("etag")
    assert change(world, etag, retention_days=30).status == 200
    before = world.everything()
    answer = change(world, etag, retention_days=365)
    assert '"2"' in answer.is_problem(412)["detail"]
    assert world.everything() == before
    for good in ('"2"', '"7", "2"', "*"):
        assert change(world, good, retention_days=30).status == 200
    assert change(world, '"2"', retention_days=365).header("etag") == '"3"'


def test_two_at_once_are_both_made(world: World) -> None:
    """The second finds that the first was faster, and looks again."""
    sound, raced = world.dynamodb, list[int]()

    def race(name: str, _number: int, call: Any) -> Any:
        if name == "put_item" and not raced:
            raced.append(1)
            world.dynamodb = sound
            assert change(world, record_reads=True).status == 200
        return call()

    world.dynamodb = Watched(sound, race)
    answer = change(world, retention_days=30)
    assert (answer.json["retention_days"], answer.json["record_reads"]) == (30, True)
    assert answer.header("etag") == '"3"'


def test_a_change_says_in_the_log_who_made_it_and_what_it_was(world: World) -> None:
    headers = {"x-actor-id": "usr_7", "x-actor-name": "Grace"}
    world.call("PATCH", PATH, body={"retention_days": 30, "record_reads": True}, headers=headers)
    [event] = world.search(type=trail.SETTINGS_CHANGE).json["events"]
    assert event["actor"] == {"id": "usr_7", "name": "Grace", "type": "user"}
    assert event["credential"]["type"] == "api_key"
    assert "ip" not in event
    assert event["metadata"] == {
        "before": {"retention_days": None, "record_reads": False},
        "after": {"retention_days": 30, "record_reads": True},
    }
    assert event["summary"] == (
        "Grace changed the settings of the audit log: retention_days and record_reads"
    )


def test_what_cannot_be_recorded_is_not_done(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "_PATIENCE", 0.05)

    def busy(name: str, _number: int, call: Any) -> Any:
        if name == "batch_execute_statement":
            statements = [{"Error": {"Code": "ThrottlingError"}}]
            return {"Responses": statements}
        return call()

    sound = world.dynamodb
    world.dynamodb = Watched(sound, busy)
    change(world, retention_days=30).is_problem(503)
    world.dynamodb = sound
    assert show(world).json["retention_days"] is None


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"retention_days": 0}, "/retention_days"),
        ({"retention_days": 3_651}, "/retention_days"),
        ({"retention_days": 1.5}, "/retention_days"),
        ({"retention_days": "30"}, "/retention_days"),
        ({"hold": True}, "/hold"),
        ({"hold": {}}, "/hold/reason"),
        ({"hold": {"reason": ""}}, "/hold/reason"),
        ({"hold": {"reason": "x", "until": "2027"}}, "/hold/until"),
        ({"shards": 4}, "/shards"),
        ({"shards": {"number": 17}}, "/shards/number"),
        ({"shards": {"number": 4, "since": "2020-01-01T00:00:00Z"}}, "/shards"),
        ({"record_reads": 1}, "/record_reads"),
        ({"purged_before": None}, "/purged_before"),
        ({"limits": {"keys": 1_000}}, "/limits"),
    ],
)
def test_what_cannot_be_set(world: World, asked: dict[str, Any], pointer: str) -> None:
    before = world.everything()
    document = change(world, **asked).is_problem(422)
    assert [error["pointer"] for error in document["errors"]] == [pointer]
    assert world.everything() == before


def test_a_shorter_retention_holds_for_reads_at_once_and_a_longer_one_shows_them_again(
    world: World,
) -> None:
    now = clock.now()
    young, old = now - 2 * clock.DAY, now - 5 * clock.DAY
    ids = world.publish(
        *(an_event(occurred_at=clock.text(moment), type="repo.create") for moment in (young, old))
    )
    path = f"/v1/orgs/{ORG}/events/{ids[1]}"

    def seen() -> tuple[int, int, int]:
        found = world.search(type="repo").json["events"]
        counted = world.call(
            "GET", f"/v1/orgs/{ORG}/timeline", query={"interval": "day", "type": "repo"}
        ).json["total"]
        return len(found), counted, world.call("GET", path).status

    assert seen() == (2, 2, 200)
    change(world, retention_days=3)
    assert seen() == (1, 1, 404)
    assert show(world).json["purged_before"] is not None
    change(world, retention_days=30)
    assert seen() == (2, 2, 200)
    change(world, retention_days=3)
    change(world, hold={"reason": "case 7"})
    assert seen() == (2, 2, 200)
    change(world, hold=None)
    assert seen() == (1, 1, 404)
    change(world, retention_days=None)
    assert seen() == (2, 2, 200)


def test_what_was_purged_is_neither_shown_nor_taken_whatever_the_settings_say_later(
    world: World, moved: Callable[[int], None]
) -> None:
    start = clock.now()
    change(world, retention_days=1)
    [gone] = world.publish(an_event(occurred_at=clock.text(start - clock.HOUR)))
    moved(start + clock.DAY + GRACE + clock.HOUR)
    shown = change(world, retention_days=None).json
    assert clock.parse(shown["purged_before"]) > start
    world.call("GET", f"/v1/orgs/{ORG}/events/{gone}").is_problem(404)
    late = an_event(occurred_at=clock.text(start - clock.MINUTE))
    answer = world.call("POST", f"/v1/orgs/{ORG}/events", body=late)
    [error] = answer.is_problem(422)["errors"]
    assert error["pointer"] == "/occurred_at"
    assert "purged" in error["detail"]
    assert world.publish(an_event(occurred_at=clock.text(start + 2 * clock.HOUR)))


def test_shards_are_changed_from_a_time_on(world: World) -> None:
    shown = change(world, shards={"number": 4}).json["shards"]
    assert [each["number"] for each in shown] == [1, 4]
    since = clock.text(clock.now() + clock.DAY)
    shown = change(world, shards={"number": 8, "since": since}).json["shards"]
    assert shown[-1] == {"since": since, "number": 8}
    assert change(world, shards={"number": 8, "since": since}).header("etag") == '"3"'


def test_a_retention_that_changes_too_often_is_told_so(world: World) -> None:
    for days in range(1, MAX_FORMER + 2):
        assert change(world, retention_days=days).status == 200
    document = change(world, retention_days=MAX_FORMER + 2).is_problem(422)
    assert document["errors"][0]["pointer"] == "/retention_days"
    for hold in ({"reason": "a case"}, None):
        assert change(world, hold=hold).status == 200
    assert change(world, retention_days=5).status == 200
    assert change(world, retention_days=None).status == 200


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the clock of everything."""

    def move(moment: int) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)
        monkeypatch.setattr(manage.door.api.authentication, "_now", lambda: moment)

    return move
