"""Erasures at their edges: evidence of governance, holds, deletions, what comes too late."""

import itertools
import json
from typing import Any

import pytest

import erase.deletion
import erase.erasing
import erase.handler
import manage.erasures
import seal.builder
import seal.handler
from auditlog import bootstrap, canonical, clock, digest, keys, trail
from auditlog.erasures import Erasure, State, Subject
from auditlog.event import first_id
from auditlog.keys import Grant
from auditlog.store import backlog
from auditlog.store.queue import Queue
from retain import stuck
from tests.functional import issuers
from tests.functional.conftest import ORG, SECRET, World, an_event, message
from tests.functional.test_erase import (
    CANARIES,
    GONE,
    Clock,
    Undelayed,
    canary,
    erased,
    found,
    left,
    put,
    records,
    sealed,
    store,
    tombstones,
)

SETTINGS = f"/v1/orgs/{ORG}/settings"
ERASURES = f"/v1/orgs/{ORG}/erasures"


@pytest.fixture
def time_(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock(clock.now())
    monkeypatch.setattr(clock, "now", lambda: made.now)
    return made


@pytest.fixture(autouse=True)
def _at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits; who was under way when an erasure was asked for is done at once."""
    world.sqs = Undelayed(world.sqs)
    monkeypatch.setattr(backlog, "_WAIT_SECONDS", 0)
    for module in (erase.erasing, erase.deletion):
        monkeypatch.setattr(module, "SETTLED", 0)


@pytest.fixture
def platform(world: World) -> str:
    """A key of the platform."""
    made = bootstrap.create_platform_key(world.control, "test", now=clock.now(), expires_at=None)
    return made.secret


def hold(world: World, reason: str | None = "a case") -> None:
    body = {"hold": None if reason is None else {"reason": reason}}
    answer = world.call("PATCH", SETTINGS, body=body)
    assert answer.status == 200, answer.text


def of_the_log(world: World) -> dict[str, list[dict[str, Any]]]:
    """What the log says of itself, by type."""
    told: dict[str, list[dict[str, Any]]] = {}
    for record in records(world).values():
        if record["type"].startswith("org.audit_log."):
            told.setdefault(record["type"], []).append(record)
    return told


def is_whole(world: World, kind: str) -> bool:
    """Whether there are events of a type, of which none is erased."""
    told = of_the_log(world)[kind]
    return bool(told) and not any("erased_at" in record for record in told)


class TestEvidence:
    def test_the_service_and_keys_are_no_persons(self, world: World) -> None:
        own = keys.key_id(world.admin_key)
        for actor in ("auditlog", own):
            body = {"actor": actor, "reason": "why"}
            problem = world.call("POST", ERASURES, body=body).is_problem(422)
            assert [error["pointer"] for error in problem["errors"]] == ["/actor"]
        assert of_the_log(world) == {}
        # Nobody learns whether another org has a key of that id.
        other = keys.key_id(world.org("other"))
        assert world.ask_erasure(actor=other)

    def test_what_a_key_did_with_the_log_stays_though_it_is_revoked(self, world: World) -> None:
        key = world.key(Grant.ORG_ADMIN)
        key_id = str(keys.key_id(key))
        assert world.call("PATCH", SETTINGS, key=key, body={"retention_days": 30}).status == 200
        body = {"name": "evil", "grants": ["events:read"]}
        assert world.call("POST", f"/v1/orgs/{ORG}/keys", key=key, body=body).status == 201
        assert world.call("DELETE", f"/v1/orgs/{ORG}/keys/{key_id}", key=key).status == 204
        [event] = world.publish(an_event(actor={"id": key_id}))

        assert erased(world, actor=key_id).events == 1

        assert set(tombstones(world)) == {event}
        for kind in (trail.SETTINGS_CHANGE, trail.KEY_CREATE, trail.KEY_REVOKE):
            assert is_whole(world, kind)

    @pytest.mark.parametrize(
        "target",
        [
            {"type": "settings", "id": "hold"},
            {"id": "hold"},
            {"type": "settings", "id": "retention_days"},
            {"id": ORG},
        ],
    )
    def test_what_is_governed_is_no_target(self, world: World, target: dict[str, str]) -> None:
        hold(world)
        hold(world, None)
        world.call("PATCH", SETTINGS, body={"retention_days": 30})
        assert erased(world, target=target).events == 0
        assert is_whole(world, trail.SETTINGS_CHANGE)

    def test_no_erasure_takes_the_request_of_another(self, world: World) -> None:
        first = erased(world)
        assert erased(world, target={"type": "erasure", "id": first.id}).events == 0
        assert is_whole(world, trail.ERASURE_REQUEST)
        assert is_whole(world, trail.ERASURE_COMPLETE)

    def test_a_person_in_it_goes_as_an_actor_and_as_whom_it_was_for(self, world: World) -> None:
        headers = {"x-actor-id": GONE, "x-actor-name": CANARIES["name"]}
        body = {"retention_days": 30}
        assert world.call("PATCH", SETTINGS, body=body, headers=headers).status == 200
        world.open_session(GONE)
        assert erased(world, target={"type": "user", "id": GONE}).events == 1
        [session] = of_the_log(world)[trail.SESSION_CREATE]
        assert "erased_at" in session
        assert is_whole(world, trail.SETTINGS_CHANGE)
        assert erased(world).events == 1
        assert not is_whole(world, trail.SETTINGS_CHANGE)

    def test_the_request_of_who_asks_for_their_own_stays(self, world: World) -> None:
        headers = {"x-actor-id": GONE, "x-actor-name": CANARIES["name"]}
        body = {"actor": GONE, "reason": "I go"}
        answer = world.call("POST", ERASURES, body=body, headers=headers)
        world.erase()
        [request] = of_the_log(world)[trail.ERASURE_REQUEST]
        own = keys.key_id(world.admin_key)
        assert request["actor"] == {"id": own, "type": "service_account"}
        assert request["credential"]["id"] == own
        assert found(world, answer.json["id"]).asked_by == own
        assert left(world) == set()

    def test_a_token_without_an_id_of_its_own_names_nobody_either(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with issuers.trusted_issuer(monkeypatch) as issuer:
            token = issuer.token(ORG, ["exports:create", "org:admin"], sub=GONE, jti=None)
            body = {"format": "ndjson"}
            asked = world.call("POST", f"/v1/orgs/{ORG}/exports", key=token, body=body)
            assert asked.status == 202, asked.text
            world.work()
            body = {"actor": GONE, "reason": "I go"}
            answer = world.call("POST", ERASURES, key=token, body=body)
            assert answer.status == 202, answer.text
            world.erase()
        [request] = of_the_log(world)[trail.ERASURE_REQUEST]
        assert "erased_at" not in request
        assert not {"ip", "user_agent"} & set(request)
        assert found(world, answer.json["id"]).state is State.COMPLETED
        requester = world.shown(asked.json["id"])["requested_by"]
        assert requester == {"id": "erased", "name": "erased", "credential": "erased"}
        assert left(world) == set()

    def test_a_target_of_any_type_goes_from_what_was_asked(self, world: World) -> None:
        world.call("PATCH", SETTINGS, body={"record_reads": True})
        world.publish(an_event(targets=[{"type": "user", "id": GONE}]))
        for target in (f"user/{GONE}", GONE):
            world.search(target=target)
        export_id = world.ask_export(target=[f"user/{GONE}", "user/other"])
        world.work()
        done = erased(world, target={"id": GONE})
        assert done.events == 4
        assert sorted(world.shown(export_id)["filter"]["target"]) == ["erased", "user/other"]
        assert left(world) == set()


class TestProtection:
    def test_an_erasure_that_fails_takes_nothing_from_one_that_was_done(self, world: World) -> None:
        event = canary()
        assert erased(world).state is State.COMPLETED
        world.ask_erasure(actor=GONE)
        hold(world)
        world.erase()
        assert [each.state for each in store(world).newest(ORG)] == [
            State.FAILED,
            State.COMPLETED,
        ]
        world.publish(event)
        assert len(tombstones(world)) == 1
        assert left(world) == set()

    def test_whatever_ends_in_whatever_order(self, world: World) -> None:
        subject, erasures = Subject("actor", GONE), store(world)
        orders = itertools.permutations(range(3))
        ends = itertools.product((True, False), repeat=3)
        for number, (order, is_completed) in enumerate(itertools.product(orders, list(ends))):
            name = f"org-{number}"
            world.org(name)
            made = [
                Erasure(f"e-{n}", name, "actor", "why", 100 + n, "x", subject=subject)
                for n in range(3)
            ]
            for erasure in made:
                erasures.create(erasure, subject, SECRET.encode())
            org = world.control.any_org(name)
            assert org is not None
            name_of = subject.digest(name, SECRET.encode())
            stays = {0, 1, 2}
            for n in order:
                if is_completed[n]:
                    erasures.supersede(made[n], name_of)
                else:
                    erasures.withdraw(made[n], name_of)
                    stays.discard(n)
                before = erasures.erased(org, SECRET.encode()).before
                assert before == ({name_of: made[max(stays)].before} if stays else {})

    def test_one_row_is_left_of_a_subject_that_is_erased_again_and_again(
        self, world: World, time_: Clock
    ) -> None:
        for _ in range(3):
            time_.pass_(clock.HOUR)
            erased(world)
        assert store(world).protected(ORG) == 1
        org = world.control.org(ORG)
        assert org is not None
        [before] = store(world).erased(org, SECRET.encode()).before.values()
        assert before == time_.now + 1

    def test_there_is_a_most(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(manage.erasures, "MOST", 2)
        erased(world, actor="x-1")
        erased(world, target={"type": "user", "id": "x-1"})
        before = world.everything()
        body = {"actor": "b", "reason": "why"}
        problem = world.call("POST", ERASURES, body=body).is_problem(409)
        assert "no more are taken" in problem["detail"]
        assert world.everything() == before


class TestIds:
    @pytest.mark.parametrize("kind", ["actor", "target"])
    @pytest.mark.parametrize("of", ["u" * 20_000, " ", 'a"\\/b/c', "a/" * 40 + "x"])
    def test_whatever_an_event_may_have(self, world: World, kind: str, of: str) -> None:
        changes: dict[str, Any] = {
            "actor": {"actor": {"id": of}},
            "target": {"targets": [{"type": "user", "id": of}]},
        }[kind]
        [event] = world.publish(an_event(**changes))
        kept = world.publish(an_event())
        asked = {"actor": of} if kind == "actor" else {"target": {"id": of}}
        answer = world.call("POST", ERASURES, body=asked | {"reason": "they-asked"})
        assert answer.status == 202, answer.text
        world.erase()
        assert found(world, answer.json["id"]).state is State.COMPLETED
        assert set(tombstones(world)) == {event}
        assert kept[0] not in tombstones(world)


class TestHold:
    def test_within_a_batch_it_ends_before_eight_more(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.publish(*(canary(n) for n in range(30)))
        sound, gone = erase.handler.TombstoneStore._put, list[str]()

        def held(tombstones_: Any, partition: str, until: int, record: Any) -> None:
            sound(tombstones_, partition, until, record)
            gone.append(record.id)
            if len(gone) == 3:
                hold(world)

        monkeypatch.setattr(erase.handler.TombstoneStore, "_put", held)
        done = erased(world)
        assert (done.state, done.events) == (State.FAILED, 8)
        assert len(tombstones(world)) == 8

    def test_a_table_that_is_busy_for_long_is_not_waited_for(
        self, world: World, time_: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.publish(*(canary(n) for n in range(9)))
        tries = list[int]()

        def busy(*_: Any, **__: Any) -> None:
            tries.append(time_.now)
            time_.pass_(11 * clock.SECOND)
            raise erase.handler.aws.UnavailableError("busy")

        made = erase.handler._tombstones

        def patched() -> Any:
            tombstones_: Any = made()
            tombstones_._client = type(
                "Busy",
                (),
                {"update_item": busy, "__getattr__": lambda _, n: getattr(world.dynamodb, n)},
            )()
            tombstones_._sleep = lambda _seconds: None
            return tombstones_

        monkeypatch.setattr(erase.handler, "_tombstones", patched)
        monkeypatch.setattr("auditlog.store.tombstones._AT_ONCE", 1)
        world.ask_erasure(actor=GONE)
        with pytest.raises(erase.handler.aws.UnavailableError):
            world.erase()
        assert len(tries) == 3

    def test_between_the_log_and_the_queues(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        body = {"org": ORG, **canary(type="no.such")}
        put(world, "rejects", body)
        export_id = world.ask_export(actor=GONE)
        sound = erase.erasing.Erasing._read_log

        def placed(self: Any, progress: Any) -> None:
            sound(self, progress)
            hold(world)

        monkeypatch.setattr(erase.erasing.Erasing, "_read_log", placed)
        assert erased(world).state is State.FAILED
        assert world.shown(export_id)["filter"]["actor"] == [GONE]
        [one] = world.received("rejects")
        assert json.loads(one["Body"]) == body

    def test_between_two_messages(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        for number in range(4):
            put(world, "rejects", {"org": ORG, **canary(number)})
        sound, calls = erase.erasing.Erasing._left_of, list[Any]()

        def placed(self: Any, waiting: Any) -> Any:
            calls.append(waiting)
            if len(calls) == 3:
                hold(world)
            return sound(self, waiting)

        monkeypatch.setattr(erase.erasing.Erasing, "_left_of", placed)
        assert erased(world).state is State.FAILED
        world.sqs.wait()
        assert len(world.received("rejects")) == 2

    def test_no_erasure_begins_once_it_is_placed(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sound = trail.record

        def placed(*arguments: Any) -> None:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(trail, "record", sound)
                hold(world)
            sound(*arguments)

        monkeypatch.setattr(trail, "record", placed)
        body = {"actor": GONE, "reason": "why"}
        world.call("POST", ERASURES, body=body).is_problem(409)
        monkeypatch.undo()
        assert not store(world).is_any_running(ORG)
        assert store(world).newest(ORG) == []
        assert store(world).protected(ORG) == 0

    def test_one_that_stands_still_is_handed_in_at_once(self, world: World) -> None:
        world.ask_erasure(actor=GONE)
        queue = Queue(world.sqs, world.queues["erasures"])
        assert world.received("erasures")
        org = world.control.org(ORG)
        assert org is not None
        assert stuck.hand_in(org, store(world), queue, clock.now()) == 0
        hold(world)
        org = world.control.org(ORG)
        assert org is not None
        assert stuck.hand_in(org, store(world), queue, clock.now()) == 1
        world.erase()
        assert stuck.hand_in(org, store(world), queue, clock.now() + clock.DAY) == 0

    def test_whether_any_is_running_is_told(self, world: World) -> None:
        assert not store(world).is_any_running(ORG)
        world.ask_erasure(actor=GONE)
        assert store(world).is_any_running(ORG)
        hold(world)
        world.erase()
        assert not store(world).is_any_running(ORG)


class TestDeletion:
    def test_an_erasure_that_ends_meanwhile_writes_nothing(
        self, world: World, platform: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.publish(canary())
        world.ask_erasure(actor=GONE)
        sound = erase.handler.TombstoneStore.forget

        def late(tombstones_: Any, *arguments: Any) -> None:
            sound(tombstones_, *arguments)
            monkeypatch.setattr(erase.handler.TombstoneStore, "forget", sound)
            answer = world.call("DELETE", f"/v1/orgs/{ORG}", key=platform)
            assert answer.status == 202, answer.text
            world.erase()
            shown = world.call("GET", f"/v1/orgs/{ORG}", key=platform).json
            assert shown["state"] == "deleted"

        monkeypatch.setattr(erase.handler.TombstoneStore, "forget", late)
        world.erase()
        assert world.rows() == []
        assert [r for r in world.rows(world.control_table) if "erase" in r["pk"]["S"]] == []

    def test_it_ends_the_erasures_first(
        self, world: World, platform: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        erasure_id = world.ask_erasure(actor=GONE)
        assert world.received("erasures")
        world.call("DELETE", f"/v1/orgs/{ORG}", key=platform)
        sound, states = erase.deletion.Deleting._remove_log, list[Any]()

        def looked(self: Any, removal: Any) -> Any:
            ended = found(world, erasure_id)
            states.append((ended.state, ended.subject, ended.error))
            return sound(self, removal)

        monkeypatch.setattr(erase.deletion.Deleting, "_remove_log", looked)
        world.erase()
        assert states == [(State.FAILED, None, "The org is being deleted.")]

    def test_nothing_of_what_comes_later_is_kept(self, world: World, platform: str) -> None:
        world.call("DELETE", f"/v1/orgs/{ORG}", key=platform)
        for _ in range(2):
            for body in ({"org": ORG, **canary()}, {"org": ORG, "events": [canary()], "x": 1}):
                assert world.record(message(body)) == []
            bodies = [(one["Body"], one["MessageAttributes"]) for one in world.received("rejects")]
            assert [body for body, _ in bodies] == ["{}", "{}"]
            assert all(about["reason"]["StringValue"] for _, about in bodies)
            world.erase()
        assert left(world) == set()


class TestGoneByTheirExpiry:
    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(digest, "CELL_BYTES", 700)
        for module in (digest, seal.builder):
            monkeypatch.setattr(module, "BLOCK_EVENTS", 8)
            monkeypatch.setattr(module, "SEGMENT_BLOCKS", 4)

    def test_their_names_go_from_the_digests(self, world: World, time_: Clock) -> None:
        step, start = 4 * clock.HOUR, time_.now - 45 * clock.DAY - 12 * clock.HOUR
        moments = [start + n * step for n in range(90)]
        line = time_.now - 37 * clock.DAY
        theirs = [moment + 1 for moment in moments if moment < line][::3]
        world.publish(
            *(an_event(occurred_at=clock.text(moment)) for moment in moments),
            *(canary(n, occurred_at=clock.text(m)) for n, m in enumerate(theirs)),
        )
        sealed(time_)
        bound = first_id(line)
        for kind in ("block-counts", "segment-counts"):
            rows = [r for r in world.rows(world.digests_table) if r["pk"]["S"] == f"{kind}/{ORG}"]
            assert any(row["end"]["S"] <= bound for row in rows)
            assert any(row["sk"]["S"] < bound < row["end"]["S"] for row in rows)
        assert world.call("PATCH", SETTINGS, body={"retention_days": 30}).status == 200
        # As DynamoDB does by itself.
        for row in world.rows():
            record = json.loads(canonical.unpack(row["r"]["B"]))
            if clock.parse(record["occurred_at"]) < line:
                key = {"pk": row["pk"], "sk": row["sk"]}
                world.dynamodb.delete_item(TableName=world.events_table, Key=key)
        assert left(world)
        since = clock.text(line)
        query = {"interval": "day", "since": since, "type": "repo"}
        told = world.call("GET", f"/v1/orgs/{ORG}/timeline", query=query).json["total"]

        done = erased(world)

        assert (done.state, done.events) == (State.COMPLETED, 0)
        assert left(world) == set()
        after = world.call("GET", f"/v1/orgs/{ORG}/timeline", query=query).json["total"]
        assert after == told
        kept = [row for row in world.rows(world.digests_table) if "d" in row]
        assert any(row["d"]["B"] != b"-" for row in kept)
        assert all(row["end"]["S"] > bound for row in kept)
        sealed(time_)
        assert left(world) == set()
