"""The deletion of an org: nothing of it is left but its name, and what went and when."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

import erase.deletion
import erase.handler
import seal.handler
from auditlog import bootstrap, clock, keys
from auditlog.erasures import SETTLED
from auditlog.orgs import Deletion, Org
from auditlog.store import backlog
from auditlog.store.remains import RemainsStore
from tests.functional.conftest import (
    ORG,
    Context,
    Watched,
    World,
    an_event,
    events_at,
    message,
    sample,
)
from tests.functional.test_erase import Clock, Undelayed, put


@pytest.fixture
def time_(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock(clock.now())
    monkeypatch.setattr(clock, "now", lambda: made.now)
    return made


@pytest.fixture(autouse=True)
def _at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits; who was under way when a deletion was asked for is done at once."""
    world.sqs = Undelayed(world.sqs)
    monkeypatch.setattr(backlog, "_WAIT_SECONDS", 0)
    monkeypatch.setattr(erase.deletion, "SETTLED", 0)


@pytest.fixture
def platform(world: World) -> str:
    """A key of the platform."""
    made = bootstrap.create_platform_key(world.control, "test", now=clock.now(), expires_at=None)
    return made.secret


def filled(world: World, time_: Clock, events: int = 40) -> int:
    """An org that has one of everything; how many events are in its log."""
    org = world.control.org(ORG)
    assert org is not None
    world.control.change_shards(org, ((0, 2),))
    world.publish(*events_at(*(time_.now - n * clock.HOUR - clock.SECOND for n in range(events))))
    time_.pass_(30 * clock.MINUTE)
    seal.handler.handler(sample("triggers/schedule-seal"), Context(300_000))
    world.key(keys.Grant.EVENTS_READ)
    world.open_session("usr_1")
    world.ask_export()
    world.work()
    world.ask_export(type="repo")
    world.ask_erasure(actor="usr_none")
    world.call("PATCH", f"/v1/orgs/{ORG}/settings", body={"retention_days": 400})
    for queue in ("rejects", "dlq"):
        put(world, queue, {"org": ORG, **an_event(type="no.such")}, ORG)
        put(world, queue, "broken", ORG)
    world.record(message({"org": ORG, **an_event(type="no.such")}))
    return len([row for row in world.rows() if row["pk"]["S"].startswith(ORG)])


def another(world: World) -> str:
    """Another org with as much, whose name begins with that of the one that goes."""
    name = f"{ORG}2"
    key = world.org(name)
    world.publish(an_event(), an_event(), org=name, key=key)
    body = {"format": "ndjson"}
    assert world.call("POST", f"/v1/orgs/{name}/exports", key=key, body=body).status == 202
    world.work()
    put(world, "rejects", {"org": name, **an_event()}, name)
    put(world, "dlq", "broken", "unknown")
    return name


def of(world: World, org: str) -> list[Any]:
    """Everything of an org in tables and bucket, the org itself apart."""
    rows = [row for table in world.tables for row in world.rows(table)]
    return [
        row for row in rows if any(part == org for part in _parts(row)) and row["pk"]["S"] != "org"
    ] + [key for key in world.objects() if key.split("/")[0] == org]


def _parts(row: Any) -> list[str]:
    text = f"{row['pk']['S']}#{row['sk']['S']}#{row.get('org', {}).get('S', '')}"
    return text.replace("/", "#").split("#")


def ask(world: World, platform: str) -> Any:
    answer = world.call("DELETE", f"/v1/orgs/{ORG}", key=platform)
    assert answer.status == 202, answer.text
    return answer.json


def shown(world: World, platform: str) -> Any:
    return world.call("GET", f"/v1/orgs/{ORG}", key=platform).json


def test_everything_goes_and_the_org_says_what_and_when(
    world: World, platform: str, time_: Clock, logged: io.StringIO
) -> None:
    events = filled(world, time_)
    name = another(world)
    kept, asked_at = of(world, name), time_.now
    assert len(of(world, ORG)) > events

    assert ask(world, platform)["state"] == "deleting"
    world.work()
    time_.pass_(clock.MINUTE)
    world.erase()

    told = shown(world, platform)
    assert told["state"] == "deleted"
    assert told["deletion"] == {
        "requested_at": clock.text(asked_at),
        "requested_by": told["deletion"]["requested_by"],
        "completed_at": clock.text(time_.now),
        "events": events,
    }
    assert of(world, ORG) == []
    assert of(world, name) == kept
    org = world.control.any_org(ORG)
    assert org is not None
    assert org == Org(
        ORG,
        None,
        org.created_at,
        version=org.version,
        revision=org.revision,
        deletion=Deletion(asked_at, told["deletion"]["requested_by"], time_.now, events),
    )
    bodies = [json.loads(m["Body"]) for m in world.received("rejects")]
    assert [body["org"] for body in bodies] == [name]
    assert [m["Body"] for m in world.received("dlq")] == ["broken"]
    assert '"deleted"' in logged.getvalue()


def test_its_name_stays_taken_and_nobody_gets_in(world: World, platform: str, time_: Clock) -> None:
    filled(world, time_, events=1)
    ask(world, platform)
    world.search().is_problem(404)
    world.erase()
    # The key is gone, but for a container that has it cached; then the org is.
    assert world.search().status in {401, 404}
    body = {"name": ORG}
    world.call("POST", "/v1/orgs", key=platform, body=body).is_problem(409)
    late = message({"org": ORG, **an_event()})
    assert world.record(late) == []
    assert of(world, ORG) == []


def test_under_a_hold_it_is_refused(world: World, platform: str) -> None:
    body = {"hold": {"reason": "a case"}}
    assert world.call("PATCH", f"/v1/orgs/{ORG}/settings", body=body).status == 200
    before = world.rows()
    world.call("DELETE", f"/v1/orgs/{ORG}", key=platform).is_problem(409)
    assert world.erase() == 0
    assert world.rows() == before


def test_what_a_writer_under_way_stores_goes_and_counts_with_the_last_run(
    world: World, platform: str, time_: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase.deletion, "SETTLED", SETTLED)
    world.publish(*(an_event() for _ in range(5)))
    org = world.control.org(ORG)
    assert org is not None
    ask(world, platform)
    world.sqs.delays.clear()
    assert world.deliver_erasure()
    assert shown(world, platform)["state"] == "deleting"
    assert world.rows() == []
    [delay] = world.sqs.delays
    assert delay == 120
    with pytest.MonkeyPatch.context() as patch:
        # It has looked at the org before.
        patch.setattr(type(world.control), "org", lambda *_: org)
        world.publish(an_event(), an_event())
    assert len(world.rows()) == 2
    time_.pass_(delay * clock.SECOND)
    world.erase()

    told = shown(world, platform)
    assert (told["state"], told["deletion"]["events"]) == ("deleted", 7)
    assert of(world, ORG) == []


def test_the_end_waits_for_a_builder_of_digests(world: World, platform: str, time_: Clock) -> None:
    world.publish(an_event())
    assert world.log.digests.take(ORG, time_.now, time_.now + 4 * clock.MINUTE)
    ask(world, platform)
    # What is taken goes with the rest; whoever has it may still store digests.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            erase.handler.TombstoneStore,
            "builds_until",
            lambda *_: time_.now + 4 * clock.MINUTE,
        )
        assert world.deliver_erasure()
    assert shown(world, platform)["state"] == "deleting"
    assert world.sqs.delays[-1] == 240
    world.erase()
    assert shown(world, platform)["state"] == "deleted"


def test_a_crash_at_any_call_changes_nothing_of_the_result(
    world: World, platform: str, time_: Clock
) -> None:
    events = filled(world, time_, events=6)
    ask(world, platform)
    sound, lives = (world.dynamodb, world.sqs, world.s3), 0

    class DiedError(Exception):
        """The function ends here."""

    def fails(at: int, *, after: bool) -> Callable[[str, int, Callable[[], Any]], Any]:
        def fault(_name: str, number: int, call: Callable[[], Any]) -> Any:
            if number < at:
                return call()
            if after and number == at:
                call()
            raise DiedError

        return fault

    while True:
        shared: list[str] = []
        fault = fails(lives * 3, after=lives % 2 == 0)
        watched = [Watched(client, fault, shared) for client in sound]
        world.dynamodb, world.sqs, world.s3 = watched
        try:
            if not world.deliver_erasure(sqs=sound[1]):
                break
        except DiedError:
            lives += 1
            sound[1].wait()
        finally:
            world.dynamodb, world.sqs, world.s3 = sound
        assert lives < 400
    assert lives > 20
    told = shown(world, platform)
    assert (told["state"], told["deletion"]["events"]) == ("deleted", events)
    assert of(world, ORG) == []


def test_out_of_time_it_goes_on_with_the_next_message(
    world: World, platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auditlog.store.remains._BATCH", 4)
    world.publish(*(an_event() for _ in range(30)))
    now, remove = [clock.monotonic()], RemainsStore.remove_events
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])

    def slow(store: RemainsStore, partition: str, ids: Any) -> None:
        remove(store, partition, ids)
        now[0] += 500

    monkeypatch.setattr(RemainsStore, "remove_events", slow)
    ask(world, platform)
    assert world.erase() >= 4
    told = shown(world, platform)
    assert (told["state"], told["deletion"]["events"]) == ("deleted", 30)
    assert world.rows() == []


def test_of_two_at_work_one_goes_on_and_counts(
    world: World, platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.publish(*(an_event() for _ in range(9)))
    ask(world, platform)
    remove, inner = RemainsStore.remove_events, list[int]()
    event = sample("triggers/sqs-erase")
    event["Records"][0]["body"] = json.dumps({"org": ORG, "deletion": True})

    def meanwhile(store: RemainsStore, partition: str, ids: Any) -> None:
        if not inner:
            inner.append(1)
            erase.handler.handler(event, Context(900_000))
        remove(store, partition, ids)

    monkeypatch.setattr(RemainsStore, "remove_events", meanwhile)
    world.erase()
    told = shown(world, platform)
    assert (told["state"], told["deletion"]["events"]) == ("deleted", 9)
    assert of(world, ORG) == []
