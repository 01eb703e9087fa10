"""The scheduled function: deletes what TTL left behind, and nothing else."""

import json
from typing import Any

from botocore.exceptions import ClientError

import retain.handler
from auditlog import clock, intake
from auditlog.catalog import Catalog
from auditlog.event import Rules, admit
from auditlog.orgs import Org
from tests.functional.conftest import Context, Watched, World, events_at, sample

LONG = Context(900_000)


def store(world: World, org: str, days: int | None, *moments: int) -> None:
    """Put events into the table as they were stored when they were young."""
    catalog = Catalog.default()
    for event, moment in zip(events_at(*moments), moments, strict=True):
        rules = Rules(catalog, org, days, judged_at=moment)
        record = admit(event, rules, b"secret")
        new = intake.new_events([record], Org(org, days, created_at=0), moment)
        world.log.insert(new, deadline=clock.monotonic() + 10)


def left(world: World, org: str) -> int:
    return len([row for row in world.rows() if row["pk"]["S"] == org])


def run(context: Context = LONG) -> dict[str, int]:
    return retain.handler.handler(sample("triggers/schedule-retain"), context)


def test_what_should_have_gone_nine_days_after_the_retention_goes(world: World) -> None:
    now, day = clock.now(), clock.DAY
    world.org("brief", retention_days=30)
    edge = now - 39 * day
    store(world, "brief", 30, edge - 60 * clock.SECOND, edge + 60 * clock.SECOND, now)
    store(world, "brief", 30, *[edge - 6 * 365 * day + n for n in range(3)])
    assert run() == {"orgs": 1, "deleted": 4, "unfinished": 0}
    assert left(world, "brief") == 2
    assert run() == {"orgs": 1, "deleted": 0, "unfinished": 0}
    assert left(world, "brief") == 2


def test_an_org_that_keeps_for_ever_is_left_alone_and_so_is_one_with_its_name_in_front(
    world: World,
) -> None:
    now = clock.now()
    world.org("brief", retention_days=1)
    world.org("briefly")
    old = now - 400 * clock.DAY
    for org in ("acme", "briefly", "gone"):
        store(world, org, None, old, old + 1)
    store(world, "brief", 1, old, old + 1)
    assert run() == {"orgs": 1, "deleted": 2, "unfinished": 0}
    assert [left(world, org) for org in ("acme", "briefly", "gone", "brief")] == [2, 2, 2, 0]


def test_more_than_one_batch_and_more_than_one_org(world: World) -> None:
    old = clock.now() - 100 * clock.DAY
    for number in range(3):
        world.org(f"brief{number}", retention_days=1)
        store(world, f"brief{number}", 1, *[old + n for n in range(60)])
    assert run() == {"orgs": 3, "deleted": 180, "unfinished": 0}
    assert world.rows() == []


def test_without_time_it_leaves_the_rest_to_the_next_run(world: World) -> None:
    world.org("brief", retention_days=1)
    store(world, "brief", 1, clock.now() - 100 * clock.DAY)
    assert run(Context(10_000)) == {"orgs": 1, "deleted": 0, "unfinished": 1}
    assert left(world, "brief") == 1
    assert run() == {"orgs": 1, "deleted": 1, "unfinished": 0}


def test_what_the_table_does_not_take_at_once_is_sent_again(world: World) -> None:
    world.org("brief", retention_days=1)
    store(world, "brief", 1, *[clock.now() - 100 * clock.DAY + n for n in range(30)])
    sound = world.dynamodb

    class Client:
        def __getattr__(self, name: str) -> Any:
            return getattr(sound, name)

        @staticmethod
        def batch_execute_statement(Statements: Any) -> Any:  # noqa: N803 -- boto3's name
            done = sound.batch_execute_statement(Statements=Statements[:10])["Responses"]
            busy = {"Error": {"Code": "ThrottlingError"}}
            return {"Responses": [*done, *[busy] * len(Statements[10:])]}

    world.dynamodb = Client()
    assert run()["deleted"] == 30
    assert left(world, "brief") == 0


def test_one_org_that_is_busy_does_not_keep_the_others_waiting(world: World) -> None:
    for name in ("brief1", "brief2", "brief3"):
        world.org(name, retention_days=1)
        store(world, name, 1, clock.now() - 100 * clock.DAY)

    def busy(name: str, _number: int, call: Any) -> Any:
        if name == "batch_execute_statement" and world.dynamodb.calls.count(name) == 2:
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, name)
        return call()

    sound = world.dynamodb
    world.dynamodb = Watched(sound, busy)
    assert run() == {"orgs": 3, "deleted": 2, "unfinished": 1}
    world.dynamodb = sound
    assert [left(world, name) for name in ("brief1", "brief2", "brief3")] == [0, 1, 0]
    assert run() == {"orgs": 3, "deleted": 1, "unfinished": 0}


def test_it_logs_how_much_and_not_what(world: World, logged: Any) -> None:
    world.org("brief", retention_days=1)
    store(world, "brief", 1, clock.now() - 100 * clock.DAY)
    run()
    [line] = [json.loads(text) for text in logged.getvalue().splitlines() if "retention" in text]
    assert (line["orgs"], line["deleted"], line["unfinished"]) == (1, 1, 0)
