"""The timeline over HTTP: what it counts, how it is cut, and what it says of itself."""

from functools import partial
from typing import Any

import pytest

import query.handler
from auditlog import clock, plan
from auditlog.keys import Grant
from tests.functional.conftest import ORG, Response, World, an_event

# A Monday.
MONDAY = clock.parse("2026-06-01T00:00:00Z")
HIDDEN = "org.audit_log.export"


def told(world: World, **asked: Any) -> Any:
    answer = ask(world, **asked)
    assert answer.status == 200, answer.text
    return answer.json


def ask(world: World, org: str = ORG, key: str = "admin", **asked: Any) -> Response:
    return world.call("GET", f"/v1/orgs/{org}/timeline", key=key, query=asked)


def counted(answer: Any) -> dict[str, int]:
    """The buckets that have any, by the beginning of their start."""
    return {each["start"][:13]: each["events"] for each in answer["buckets"] if each["events"]}


@pytest.fixture
def week(world: World) -> World:
    """Ann does three things on Monday at 9, Bob one on Wednesday at noon, cron one on Sunday."""
    day = clock.DAY
    ann, bob = {"id": "ann", "name": "Ann"}, {"id": "bob"}
    made = [
        (9 * clock.HOUR, ann, "repo.create", "FR"),
        (9 * clock.HOUR + 1, ann, "repo.create", "FR"),
        (10 * clock.HOUR - 1, ann, "repo.delete", "DE"),
        (2 * day + 12 * clock.HOUR, bob, "org.sso_login", None),
        (7 * day - 1, {"id": "cron", "type": "system"}, HIDDEN, None),
    ]
    for after, actor, kind, country in made:
        event = an_event(
            occurred_at=clock.text(MONDAY + after),
            actor=actor,
            type=kind,
            location=None if country is None else {"country": country},
        )
        world.publish(event)
    return world


RANGE = {"since": "2026-06-01", "until": "2026-06-08"}


def test_hours_days_and_weeks(week: World) -> None:
    hours = told(week, interval="hour", **RANGE)
    assert len(hours["buckets"]) == 7 * 24
    assert counted(hours) == {"2026-06-01T09": 3, "2026-06-03T12": 1}
    days = told(week, interval="day", **RANGE, include_hidden="true")
    assert [each["events"] for each in days["buckets"]] == [3, 0, 1, 0, 0, 0, 1]
    assert days["buckets"][0]["start"] == "2026-06-01T00:00:00.000000Z"
    weeks = told(week, interval="week", since="2026-05-31", until="2026-06-09")
    assert [each["start"][:10] for each in weeks["buckets"]] == [
        "2026-05-25", "2026-06-01", "2026-06-08",
    ]  # fmt: skip
    assert [each["events"] for each in weeks["buckets"]] == [0, 4, 0]


def test_what_is_most_frequent(week: World) -> None:
    answer = told(week, interval="day", **RANGE)
    assert answer["total"] == 4
    assert answer["exact"] is True
    assert answer["covered"] == {
        "since": "2026-06-01T00:00:00.000000Z",
        "until": "2026-06-08T00:00:00.000000Z",
    }
    assert answer["types"] == [
        {"type": "repo.create", "events": 2},
        {"type": "org.sso_login", "events": 1},
        {"type": "repo.delete", "events": 1},
    ]
    assert answer["actors"] == [
        {"id": "ann", "name": "Ann", "events": 3},
        {"id": "bob", "events": 1},
    ]
    assert answer["countries"] == [{"country": "FR", "events": 2}, {"country": "DE", "events": 1}]


def test_not_more_than_ten_of_a_kind_are_named_and_all_are_counted(world: World) -> None:
    made = [an_event(actor={"id": f"u{number:02}"}) for number in range(25)]
    world.publish(*made, *[an_event(actor={"id": "u07"}) for _ in range(3)])
    answer = told(world, interval="hour")
    assert answer["total"] == 28
    assert [each["id"] for each in answer["actors"]] == [
        "u07", "u00", "u01", "u02", "u03", "u04", "u05", "u06", "u08", "u09",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"actor": "ann"}, 3),
        ({"actor": "Ann", "type": "repo.create"}, 2),
        ({"type": "repo"}, 3),
        ({"q": "-actor:ann"}, 1),
        ({"q": "type:repo -country:FR"}, 1),
        ({"country": "FR"}, 2),
        ({"type": HIDDEN}, 1),
        ({"include_hidden": "true"}, 5),
        ({"q": "created:2026-06-03"}, 1),
        ({"actor": "nobody"}, 0),
    ],
)
def test_a_filter_counts_what_a_search_finds(
    week: World, asked: dict[str, str], expected: int
) -> None:
    answer = told(week, interval="day", **RANGE, **asked)
    assert answer["total"] == expected == sum(each["events"] for each in answer["buckets"])
    assert len(week.search(**RANGE, **asked).json["events"]) == expected


def test_without_since_it_begins_with_the_first_event(week: World) -> None:
    answer = told(week, interval="week", until="2026-06-10")
    assert answer["since"] == "2026-06-01T09:00:00.000000Z"
    assert len(answer["buckets"]) == 2
    later = told(week, interval="week", q="created:>=2026-06-02", until="2026-06-10")
    assert later["since"] == "2026-06-03T12:00:00.000000Z"


def test_an_empty_log_has_an_empty_timeline(world: World) -> None:
    answer = told(world, interval="hour")
    assert (answer["total"], answer["buckets"], answer["exact"]) == (0, [], True)
    assert answer["types"] == answer["actors"] == answer["countries"] == []
    assert told(world, interval="hour", since="2026-06-02", until="2026-06-01")["buckets"] == []


@pytest.mark.parametrize(
    ("asked", "parameter", "says"),
    [
        ({}, "interval", "expected one of hour, day, week"),
        ({"interval": "month"}, "interval", "expected one of"),
        ({"interval": ["day", "day"]}, "interval", "one value"),
        ({"interval": "hour", "since": "2020-01-01"}, "interval", "at most 1000"),
        ({"interval": "day", "actor": ""}, "actor", "at least one character"),
        ({"interval": "day", "limit": "3"}, "limit", "not a parameter of this route"),
    ],
)
def test_what_is_not_valid_is_named(
    world: World, asked: dict[str, Any], parameter: str, says: str
) -> None:
    [fault] = ask(world, **asked).is_problem(400)["errors"]
    assert fault["parameter"] == parameter
    assert says in fault["detail"]


def test_who_may_see_it(week: World) -> None:
    other = week.org("other")
    assert ask(week, key=week.key(Grant.EVENTS_READ), interval="day").status == 200
    ask(week, key=week.key(Grant.EVENTS_WRITE), interval="day").is_problem(403)
    ask(week, key=other, interval="day").is_problem(404)
    assert told_other(week, other)["total"] == 0


def told_other(world: World, key: str) -> Any:
    return ask(world, org="other", key=key, interval="day", **RANGE).json


def test_what_is_past_its_time_is_not_counted(world: World) -> None:
    now = clock.now()
    key = world.org("brief", retention_days=2)
    ages = (0, clock.DAY, 2 * clock.DAY - clock.MINUTE)
    events = [an_event(occurred_at=clock.text(now - age)) for age in ages]
    world.publish(*events, org="brief", key=key)
    answer = ask(world, org="brief", key=key, interval="day", since="2020-01-01").json
    assert answer["total"] == 3
    assert len(answer["buckets"]) <= 4


def test_where_the_work_is_too_much_it_says_what_it_covers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = clock.now() - 2 * clock.HOUR
    moments = [start + number * clock.SECOND for number in range(3_000)]
    made = [an_event(occurred_at=clock.text(moment), actor={"id": "a"}) for moment in moments]
    world.publish(*made)
    monkeypatch.setattr(query.handler.plan, "Budget", partial(plan.Budget, rows=1_500))
    for asked in ({}, {"actor": "a"}, {"q": "-type:org"}):
        answer = told(world, interval="hour", since=clock.text(start), **asked)
        assert answer["exact"] is False
        covered = clock.parse(answer["covered"]["since"])
        assert start < covered < moments[-1]
        assert answer["total"] == sum(moment >= covered for moment in moments) > 500
        assert sum(each["events"] for each in answer["buckets"]) == answer["total"]
