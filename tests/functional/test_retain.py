"""The scheduled function: what it removes, keeps, counts, records and says."""

import json
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

import retain.handler
from auditlog import clock, intake, trail
from auditlog.catalog import Catalog
from auditlog.event import Rules, admit, id_time
from auditlog.orgs import Deletion, Org
from retain.run import Told
from tests.functional.conftest import ORG, Context, Watched, World, events_at, sample
from tests.functional.memory_dynamodb import MemoryDynamoDB
from tests.functional.test_retention_model import CrashError, Log

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
    """How many events of the org are there, without what tells of purges."""
    rows = [row for row in world.rows() if row["pk"]["S"] == org]
    return len([row for row in rows if row["t"]["S"] != trail.PURGE])


def told(**numbers: int) -> dict[str, int]:
    names = ("orgs", "deleted", "extended", "unfinished", "overdue")
    return dict.fromkeys(names, 0) | numbers


def purges(world: World, org: str, key: str) -> list[dict[str, Any]]:
    """What the log of the org says of purges, oldest first."""
    found = world.search(org=org, key=key, type=trail.PURGE, order="asc").json["events"]
    assert all(each["actor"]["type"] == "system" for each in found)
    return [each["metadata"] for each in found]


def run(context: Context = LONG) -> dict[str, int]:
    return retain.handler.handler(sample("triggers/schedule-retain"), context)


def test_what_should_have_gone_nine_days_after_the_retention_goes(world: World) -> None:
    now, day = clock.now(), clock.DAY
    world.org("brief", retention_days=30)
    edge = now - 39 * day
    store(world, "brief", 30, edge - 60 * clock.SECOND, edge + 60 * clock.SECOND, now)
    store(world, "brief", 30, *[edge - 6 * 365 * day + n for n in range(3)])
    assert run() == told(orgs=1, deleted=4)
    assert left(world, "brief") == 2
    assert run() == told(orgs=1)
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
    assert run() == told(orgs=1, deleted=2)
    assert [left(world, org) for org in ("acme", "briefly", "gone", "brief")] == [2, 2, 2, 0]


def test_more_than_one_batch_and_more_than_one_org(world: World) -> None:
    old = clock.now() - 100 * clock.DAY
    for number in range(3):
        world.org(f"brief{number}", retention_days=1)
        store(world, f"brief{number}", 1, *[old + n for n in range(60)])
    assert run() == told(orgs=3, deleted=180)
    assert [left(world, f"brief{number}") for number in range(3)] == [0, 0, 0]


def test_without_time_it_leaves_the_rest_to_the_next_run(world: World) -> None:
    world.org("brief", retention_days=1)
    store(world, "brief", 1, clock.now() - 100 * clock.DAY)
    assert run(Context(10_000)) == told(orgs=1, unfinished=1)
    assert left(world, "brief") == 1
    assert run() == told(orgs=1, deleted=1)


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
    assert run() == told(orgs=3, deleted=2, unfinished=1, overdue=1)
    world.dynamodb = sound
    assert sorted(left(world, name) for name in ("brief1", "brief2", "brief3")) == [0, 0, 1]
    assert run() == told(orgs=3, deleted=1)


def test_it_logs_how_much_and_not_what(world: World, logged: Any) -> None:
    world.org("brief", retention_days=1)
    store(world, "brief", 1, clock.now() - 100 * clock.DAY)
    run()
    [line] = [json.loads(text) for text in logged.getvalue().splitlines() if "retention" in text]
    assert {name: line[name] for name in told()} == told(orgs=1, deleted=1)


def test_what_it_removed_is_in_the_log_of_the_org_once(world: World) -> None:
    key = world.org("brief", retention_days=30)
    old = clock.now() - 50 * clock.DAY
    store(world, "brief", 30, *[old + n for n in range(7)])
    run()
    run()
    [said] = purges(world, "brief", key)
    # Nobody knows what TTL had taken before the first run.
    assert (said["events"], said["at_least"]) == (7, True)
    assert said["policy"] == {"retention_days": 30}
    assert said["range"]["from"] == "1970-01-01T00:00:00.000000Z"
    assert clock.parse(said["range"]["until"]) > old


def test_a_purge_of_nothing_is_not_recorded(world: World) -> None:
    key = world.org("brief", retention_days=30)
    run()
    assert purges(world, "brief", key) == []


def test_what_is_overdue_is_said_with_the_name_of_the_org(
    world: World, logged: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail, "_PATIENCE", 0.1)
    world.org("brief", retention_days=30)
    old = clock.now() - 50 * clock.DAY
    store(world, "brief", 30, old)
    sound = world.dynamodb

    def refuses(name: str, _number: int, call: Any) -> Any:
        if name == "batch_execute_statement":
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, name)
        return call()

    world.dynamodb = Watched(sound, refuses)
    assert run()["overdue"] == 1
    lines = [json.loads(text) for text in logged.getvalue().splitlines()]
    [warning] = [line for line in lines if line["message"] == "overdue"]
    assert (warning["level"], warning["org"], warning["oldest"]) == (
        "WARNING",
        "brief",
        clock.text(old),
    )
    world.dynamodb = sound
    assert run()["overdue"] == 0


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
@pytest.mark.parametrize("failing", ["batch_execute_statement", "update_item"])
def test_an_org_that_always_fails_is_overdue_and_said_to_fail_in_every_run(
    world: World, logged: Any, monkeypatch: pytest.MonkeyPatch, failing: str, code: str
) -> None:
    monkeypatch.setattr(trail, "_PATIENCE", 0.1)
    for name in ("brief", "other"):
        world.org(name, retention_days=30)
        store(world, name, 30, clock.now() - 50 * clock.DAY)
    sound = world.dynamodb

    def refuses(name: str, _number: int, call: Any) -> Any:
        if name == failing:
            raise ClientError({"Error": {"Code": code}}, name)
        return call()

    world.dynamodb = Watched(sound, refuses)
    for _ in range(2):
        assert run() == told(orgs=2, unfinished=2, overdue=2)
    world.dynamodb = sound
    lines = [json.loads(text) for text in logged.getvalue().splitlines()]
    failed = [line["org"] for line in lines if line["level"] == "ERROR"]
    assert sorted(failed) == (["brief", "brief", "other", "other"] if "Denied" in code else [])
    # None has to wait until somebody's time with it is over.
    assert run() == told(orgs=2, deleted=2)


def test_an_org_that_a_dead_run_has_is_overdue_all_the_same(world: World) -> None:
    log = Log(world, 30, ((0, 1),), seed=9)
    log.publish([29 * clock.DAY] * 10, 0)
    log.wait(20 * clock.DAY)

    def dies(_call: Any) -> Any:
        raise CrashError

    with pytest.raises(CrashError):
        log.run({4: dies})
    done = log.run()
    assert done is not None
    assert (done.is_whole, done.overdue_since) == (False, log._rows()[0].occurred_at)


@pytest.mark.parametrize("later", [[None], [30, 31], [90, None], [31, 30]])
def test_no_change_of_the_policy_makes_what_is_overdue_less_so(
    world: World, monkeypatch: pytest.MonkeyPatch, later: list[int | None]
) -> None:
    monkeypatch.setattr(trail, "record", lambda *_: None)  # it would wait for the table
    world.dynamodb = MemoryDynamoDB()
    log = Log(world, 30, ((0, 1),), seed=10)
    log.publish([29 * clock.DAY] * 5, 0)
    log.wait(9 * clock.DAY)

    def refuses(name: str, _number: int, call: Any) -> Any:
        if name == "batch_execute_statement":
            raise ClientError({"Error": {"Code": "ThrottlingException"}}, name)
        return call()

    world.dynamodb = Watched(world.dynamodb, refuses)
    began, overdue = log.now, list[int]()
    for number in range(16):
        if number % 4 == 0:
            log.change(later[number // 4 % len(later)], hold=False)
        log.wait(6 * clock.HOUR)
        done = log.run()
        if done is not None and done.overdue_since is not None:
            overdue.append(log.now - began)
    assert overdue
    assert 3 * clock.DAY <= overdue[0] <= 3.6 * clock.DAY
    log.change(later[0], hold=True)
    log.wait(15 * clock.MINUTE)
    log.run()
    assert log.policy.hold is not None
    log.change(later[0], hold=False)
    log.wait(clock.DAY)
    done = log.run()
    assert done is None or done.overdue_since is None


def test_two_runs_do_not_work_on_one_org_and_a_dead_one_has_it_for_sixteen_minutes(
    world: World,
) -> None:
    log = Log(world, 30, ((0, 1),), seed=1)
    log.publish([29 * clock.DAY] * 10, 0)
    log.wait(20 * clock.DAY)

    def dies(_call: Any) -> Any:
        raise CrashError

    with pytest.raises(CrashError):
        log.run({4: dies})
    there = Told(overdue_since=log._rows()[0].occurred_at)
    assert log.run() == there
    log.wait(15 * clock.MINUTE)
    assert log.run() == there
    log.wait(clock.MINUTE)
    done = log.run()
    assert done is not None
    assert (done.deleted, done.is_whole) == (10, True)


def test_in_the_steady_state_counts_are_exact_whatever_ttl_does(world: World) -> None:
    world.dynamodb = MemoryDynamoDB()  # it runs 144 times
    log = Log(world, 1, ((0, 1),), seed=2)
    log.publish([n * clock.HOUR // 2 for n in range(48)], 0)
    for _ in range(6):
        log.wait(clock.DAY)
        log.run()
    for _ in range(3 * 24 * 2):
        log.wait(30 * clock.MINUTE)
        log.expire(1.0)
        log.run()
    assert log.deleted == 0, "DynamoDB deletes for nothing"
    assert sum(said["events"] for said in log.recorded.values()) >= 48
    assert not any("at_least" in said for said in log.recorded.values())
    log.account()


def test_a_shorter_retention_is_counted_exactly_and_goes_at_once(world: World) -> None:
    log = Log(world, 90, ((0, 2),), seed=3)
    log.run()
    log.publish([n * clock.DAY for n in range(80)], 0)
    log.wait(clock.HOUR)
    log.run()
    log.change(30, hold=False)
    log.wait(15 * clock.MINUTE)
    done = log.run(saved_every=7)
    assert done is not None
    assert done.is_whole
    # 37 days with the grace; DynamoDB would have kept them for 60 days more.
    assert done.deleted == 80 - 37
    [said] = log.recorded.values()
    assert (said["events"], "at_least" in said) == (43, False)


def test_a_longer_retention_keeps_what_is_in_its_grace(world: World) -> None:
    log = Log(world, 30, ((0, 1),), seed=4)
    log.run()
    log.publish([29 * clock.DAY] * 30, 0)
    log.wait(6 * clock.DAY)
    log.change(90, hold=False)
    log.wait(15 * clock.MINUTE)
    done = log.run(saved_every=7)
    assert done is not None
    assert done.extended == 30
    for _ in range(20):
        log.wait(clock.DAY)
        log.expire(1.0)
        log.run()
    log.check()
    assert len(log._rows()) == 30


def test_a_hold_keeps_all_that_is_there_from_when_it_is_effective(world: World) -> None:
    log = Log(world, 30, ((0, 1),), seed=5)
    log.publish([29 * clock.DAY] * 10 + [0] * 10, 0)
    log.wait(20 * clock.DAY)  # the older ones are past their time, and still there
    log.change(30, hold=True)
    assert log.run() == Told(), "somebody may still be writing as it was before"
    assert log.policy.hold is not None
    assert log.policy.hold.effective_at is None
    log.wait(15 * clock.MINUTE)
    log.run()
    assert log.policy.hold is not None
    assert log.policy.hold.effective_at is not None
    for _ in range(100):
        log.wait(clock.DAY)
        log.expire(1.0)
        log.run()
    assert len(log._rows()) == 20
    log.change(30, hold=False)
    log.wait(15 * clock.MINUTE)
    log.run()
    assert log.policy.shown_from(log.now) > log.now - 31 * clock.DAY
    assert {id_time(row.id) > log.now - clock.HOUR for row in log._rows()} == {True}


def test_a_hold_is_effective_only_when_no_erasure_runs_any_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    erasure_id = world.ask_erasure(actor="usr_9")
    settings = f"/v1/orgs/{ORG}/settings"
    assert world.call("PATCH", settings, body={"hold": {"reason": "a case"}}).status == 200
    now = clock.now()

    def effective_at(minutes: int) -> str | None:
        monkeypatch.setattr(clock, "now", lambda: now + minutes * clock.MINUTE)
        done = run()
        held = world.call("GET", settings).json
        assert done["unfinished"] == (held["hold"]["effective_at"] is None)
        assert held["retention"]["state"] == ("working" if done["unfinished"] else "current")
        return held["hold"]["effective_at"]

    assert [effective_at(15), effective_at(30)] == [None, None]
    world.erase()
    shown = world.call("GET", f"/v1/orgs/{ORG}/erasures/{erasure_id}").json
    assert shown["state"] == "failed"
    assert effective_at(45) == clock.text(now + 45 * clock.MINUTE)


def test_a_run_that_ends_early_leaves_its_progress(world: World) -> None:
    log = Log(world, None, ((0, 1),), seed=6)
    log.publish([n * clock.HOUR for n in range(100, 900)], 0)
    log.change(1, hold=False)
    runs = 0
    log.wait(15 * clock.MINUTE)
    while (done := log.run(calls=60, saved_every=20)) is None or not done.is_whole:
        log.wait(15 * clock.MINUTE)
        runs += 1
        assert runs < 60
    assert runs > 3
    log.account()
    assert not [row for row in log._rows() if row.occurred_at < log.now - 9 * clock.DAY]


def test_what_stands_still_is_handed_in_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.org("going")
    erasure_id = world.ask_erasure(actor="usr_9")
    now = clock.now()
    going = world.control.org("going")
    assert going is not None
    world.control.save_org(replace(going, deletion=Deletion(now, "usr_1")))
    world.received("erasures")
    run()
    assert world.received("erasures") == []
    monkeypatch.setattr(clock, "now", lambda: now + 2 * clock.HOUR)
    run()
    bodies = [json.loads(message["Body"]) for message in world.received("erasures")]
    assert sorted(bodies, key=str) == [
        {"org": "acme", "erasure_id": erasure_id},
        {"org": "going", "deletion": True},
    ]


def test_the_settings_show_how_far_it_is(world: World) -> None:
    key = world.org("brief", retention_days=30)

    def shown() -> Any:
        return world.call("GET", "/v1/orgs/brief/settings", key=key).json["retention"]

    assert (shown()["state"], shown()["last_run_at"]) == ("working", None)
    store(world, "brief", 30, *[clock.now() - 50 * clock.DAY + n for n in range(5)])
    run()
    assert shown()["state"] == "current"
    assert (shown()["removed"], shown()["behind"], shown()["purge"]) == (5, False, None)
    change = world.call("PATCH", "/v1/orgs/brief/settings", key=key, body={"retention_days": 10})
    assert change.json["retention"]["state"] == "working"


def test_a_hold_keeps_also_what_carries_an_older_expiry_and_is_seen_by_nobody(
    world: World,
) -> None:
    log = Log(world, 30, ((0, 1),), seed=7)
    log.publish([29 * clock.DAY] * 10, 0)
    log.wait(9 * clock.DAY)
    log.change(None, hold=False)  # they are past their time, and TTL has not been there
    log.change(None, hold=True)
    log.wait(15 * clock.MINUTE)
    log.run()
    log.check()
    log.expire(1.0)
    log.check()
    assert len(log._rows()) == 10


def test_a_retention_that_comes_back_at_once_does_not_make_a_count_exact(world: World) -> None:
    log = Log(world, 30, ((0, 1),), seed=8)
    log.publish([29 * clock.DAY + n * clock.MINUTE for n in range(60)], 0)
    log.wait(8 * clock.DAY - clock.HOUR)
    log.run()
    log.change(90, hold=False)
    log.wait(clock.SECOND)
    log.change(30, hold=False)
    for _ in range(12):
        log.wait(20 * clock.MINUTE)
        log.expire(1.0)
        log.run()
    log.account()
