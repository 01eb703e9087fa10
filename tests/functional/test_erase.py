"""Erasures: what goes, what stays, and that nothing is left of a person anywhere."""

import hashlib
import io
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

import erase.deletion
import erase.erasing
import erase.handler
import seal.builder
import seal.handler
from auditlog import canonical, clock, digest, erasures
from auditlog.erasures import Erasure, State, is_intact
from auditlog.store import backlog
from auditlog.store.erasures import ErasureStore
from tests.functional.conftest import (
    ORG,
    Context,
    Watched,
    World,
    an_event,
    events_at,
    message,
    pages,
    sample,
)

GONE = "usr-canary-4711"
#: Everything that only the person's events say, and that must not be anywhere.
CANARIES = {
    "id": GONE,
    "name": "Canary Cornelius",
    "avatar_url": "https://canary.example/face",
    "ip": "203.0.113.77",
    "city": "Canarytown",
    "user_agent": "canary-agent/1.0",
    "metadata": "canary-in-the-metadata",
    "description": "a canary sang",
    "key": "canary-key",
    "token": "canary-token",
}


def canary(number: int = 0, **changes: Any) -> dict[str, Any]:
    """An event of the person."""
    return an_event(
        actor={n: CANARIES[n] for n in ("id", "name", "avatar_url")},
        ip=CANARIES["ip"],
        location={"country": "FR", "city": CANARIES["city"]},
        user_agent=CANARIES["user_agent"],
        metadata={"after": {"x": CANARIES["metadata"]}},
        description=CANARIES["description"],
        credential={"type": "access_token", "id": CANARIES["token"]},
        key=f"{CANARIES['key']}-{number}",
        **changes,
    )


@dataclass
class Clock:
    """The time of a test, which stands still until the test moves it."""

    now: int
    monotonic: float = 1_000.0

    def pass_(self, microseconds: int) -> None:
        self.now += microseconds
        self.monotonic += microseconds / clock.SECOND


@pytest.fixture
def time_(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock(clock.now())
    monkeypatch.setattr(clock, "now", lambda: made.now)
    return made


class Undelayed:
    """SQS, in which a message comes at once, however long it was to wait; `delays` were asked."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.delays: list[int] = []
        self._seen: list[dict[str, str]] = []

    def send_message(self, **arguments: Any) -> Any:
        self.delays.append(arguments.pop("DelaySeconds"))
        return self._client.send_message(**arguments)

    def receive_message(self, **arguments: Any) -> Any:
        answer = self._client.receive_message(**arguments)
        self._seen += [
            {"QueueUrl": arguments["QueueUrl"], "ReceiptHandle": each["ReceiptHandle"]}
            for each in answer.get("Messages", [])
        ]
        return answer

    def wait(self) -> None:
        """So long that everything that somebody has received and not removed is shown again."""
        for receipt in self._seen:
            with suppress(ClientError):
                self._client.change_message_visibility(**receipt, VisibilityTimeout=0)
        self._seen.clear()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


@pytest.fixture(autouse=True)
def _at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits; who was under way when an erasure was asked for is done at once."""
    world.sqs = Undelayed(world.sqs)
    monkeypatch.setattr(backlog, "_WAIT_SECONDS", 0)
    for module in (erase.erasing, erase.deletion):
        monkeypatch.setattr(module, "SETTLED", 0)


def store(world: World) -> ErasureStore:
    return ErasureStore(world.dynamodb, world.control_table)


def found(world: World, erasure_id: str) -> Erasure:
    erasure = store(world).get(ORG, erasure_id)
    assert erasure is not None
    return erasure


def records(world: World) -> dict[str, dict[str, Any]]:
    return {row["sk"]["S"]: json.loads(canonical.unpack(row["r"]["B"])) for row in world.rows()}


def erased(world: World, **asked: Any) -> Erasure:
    """An erasure that was asked for and done."""
    erasure_id = world.ask_erasure(**asked or {"actor": GONE})
    world.erase()
    return found(world, erasure_id)


def is_erased_row(row: Any) -> bool:
    """Whether it tells writers of somebody who was erased."""
    return row["pk"]["S"].startswith("erased#")


def tombstones(world: World) -> dict[str, dict[str, Any]]:
    return {i: record for i, record in records(world).items() if "erased_at" in record}


def everything(world: World) -> Iterator[bytes]:
    """Every byte that a table or a queue holds, packed ones unpacked."""
    for table in world.tables:
        for row in world.rows(table):
            yield repr(row).encode()
            for value in row.values():
                for binary in [value["B"]] if "B" in value else []:
                    yield bytes(binary)
                    if table == world.events_table:
                        yield canonical.unpack(binary)
                    elif table == world.digests_table and binary != b"-":
                        yield zlib.decompress(binary)
    for queue in world.queues:
        for one in world.received(queue):
            yield repr(one).encode()


def left(world: World, logged: io.StringIO | None = None) -> set[tuple[str, bytes]]:
    """Which canaries are still somewhere, and where."""
    places = [*everything(world), (logged.getvalue() if logged else "").encode()]
    return {
        (canary, place)
        for place in places
        for canary in CANARIES.values()
        if canary.encode() in place
    }


class TestTheLog:
    def test_only_type_time_id_and_hash_are_left(self, world: World) -> None:
        [event] = world.publish(canary(type="repo.delete"))
        before = records(world)[event]
        [stored] = [row for row in world.rows() if row["sk"]["S"] == event]

        done = erased(world)

        assert (done.state, done.events) == (State.COMPLETED, 1)
        assert (done.subject, done.error) == (None, None)
        record = records(world)[event]
        assert set(record) == {"erased_at", "occurred_at", "org", "record_hash", "type", "v"}
        assert {n: record[n] for n in ("occurred_at", "org", "type", "v")} == {
            n: before[n] for n in ("occurred_at", "org", "type", "v")
        }
        assert record["record_hash"] == hashlib.sha256(canonical.encode(before)).hexdigest()
        assert is_intact(event, record)
        [now] = [row for row in world.rows() if row["sk"]["S"] == event]
        assert {n: now.get(n) for n in ("at", "t", "ttl")} == {
            n: stored.get(n) for n in ("at", "t", "ttl")
        }

    def test_events_of_others_stay_as_they_are_and_those_that_mention_them_too(
        self, world: World
    ) -> None:
        kept = world.publish(
            an_event(),
            an_event(actor={"id": "usr_2", "name": GONE}),
            an_event(actor={"id": GONE + "0"}),
            an_event(targets=[{"type": "user", "id": GONE}]),
            an_event(metadata={"id": GONE}),
        )
        world.publish(canary())
        before = {i: record for i, record in records(world).items() if i in kept}

        assert erased(world).events == 1

        assert {i: record for i, record in records(world).items() if i in kept} == before

    def test_by_target_of_one_type_or_of_any(self, world: World) -> None:
        repo, user, both = world.publish(
            an_event(targets=[{"type": "repo", "id": "x"}]),
            an_event(targets=[{"type": "user", "id": "x"}]),
            an_event(targets=[{"type": "a", "id": "b"}, {"type": "repo", "id": "x"}]),
        )
        other = world.publish(an_event(targets=[{"type": "team", "id": "repo/x"}]))

        assert erased(world, target={"type": "repo", "id": "x"}).events == 2
        assert set(tombstones(world)) == {repo, both}
        assert erased(world, target={"id": "x"}).events == 1
        assert set(tombstones(world)) == {repo, both, user}
        assert other[0] not in tombstones(world)

    def test_what_waits_in_its_grace_goes_too_and_what_they_do_later_stays(
        self, world: World, time_: Clock
    ) -> None:
        world.org("other", retention_days=None)
        old = world.publish(canary(occurred_at=clock.text(time_.now - 40 * clock.DAY)))
        ahead = world.publish(canary(1, occurred_at=clock.text(time_.now + 10 * clock.MINUTE)))
        answer = world.call("PATCH", f"/v1/orgs/{ORG}/settings", body={"retention_days": 30})
        assert answer.status == 200, answer.text
        erasure_id = world.ask_erasure(actor=GONE)
        time_.pass_(clock.MINUTE)
        later = world.publish(canary(2, occurred_at=clock.text(time_.now)))
        world.erase()

        assert found(world, erasure_id).events == 2
        assert set(tombstones(world)) == {*old, *ahead}
        assert "erased_at" not in records(world)[later[0]]

    def test_of_a_sharded_org_also_what_stands_in_the_wrong_place(self, world: World) -> None:
        org = world.control.org(ORG)
        assert org is not None
        world.control.change_shards(org, ((0, 4),))
        world.publish(*(canary(n) for n in range(30)), *(an_event() for _ in range(30)))
        rows = world.rows()
        assert len({row["pk"]["S"] for row in rows}) == 4
        [copied] = [row for row in rows if row["pk"]["S"] == f"{ORG}#0"][:1]
        world.dynamodb.put_item(
            TableName=world.events_table, Item=copied | {"pk": {"S": f"{ORG}#1"}}
        )

        erased(world)

        left_ = [canonical.unpack(row["r"]["B"]) for row in world.rows()]
        assert sum(GONE.encode() in record for record in left_) == 0
        assert sum(b"usr_1" in record for record in left_) >= 30

    def test_that_there_is_an_end_is_recorded_without_whom(self, world: World) -> None:
        world.publish(canary())
        done = erased(world)
        of_the_log = [r for r in records(world).values() if "erasure" in r["type"]]
        request, complete = sorted(of_the_log, key=lambda record: record["type"], reverse=True)

        assert request["type"] == "org.audit_log.erasure.request"
        assert complete["type"] == "org.audit_log.erasure.complete"
        assert complete["actor"]["type"] == "system"
        assert complete["targets"] == [{"type": "erasure", "id": done.id}]
        assert complete["metadata"] == {"events": 1}
        assert GONE not in json.dumps(of_the_log)

    def test_who_asks_for_their_own_is_not_in_the_request_either(
        self, world: World, logged: io.StringIO
    ) -> None:
        headers = {"x-actor-id": GONE, "x-actor-name": CANARIES["name"]}
        body = {"actor": GONE, "reason": "I go"}
        answer = world.call("POST", f"/v1/orgs/{ORG}/erasures", body=body, headers=headers)
        assert answer.status == 202, answer.text
        world.erase()

        assert found(world, answer.json["id"]).state is State.COMPLETED
        assert left(world, logged) == set()

    def test_done_twice_it_changes_nothing(self, world: World) -> None:
        world.publish(canary(), canary(1))
        assert erased(world).events == 2
        before = tombstones(world)
        assert erased(world).events == 0
        assert tombstones(world) == before

    def test_another_org_with_the_same_actor_keeps_everything(self, world: World) -> None:
        key = world.org("other")
        [event] = world.publish(canary(), org="other", key=key)
        erased(world)
        assert GONE in json.dumps(records(world)[event])


class TestReaders:
    @pytest.fixture
    def both(self, world: World) -> tuple[str, str]:
        """Two events, of which the first is erased."""
        gone, kept = world.publish(canary(type="repo.delete"), an_event(description="kept"))
        erased(world)
        return gone, kept

    def test_search_and_get_show_what_is_left(self, world: World, both: tuple[str, str]) -> None:
        gone, _ = both
        shown = world.call("GET", f"/v1/orgs/{ORG}/events/{gone}").json
        record = tombstones(world)[gone]
        assert shown == {"id": gone, "recorded_at": shown["recorded_at"], **record}
        assert shown in world.search(limit="10").json["events"]

    @pytest.mark.parametrize(
        ("query", "is_found"),
        [
            ({"type": "repo.delete"}, True),
            ({"actor": GONE}, False),
            ({"q": "actor:" + GONE}, False),
            ({"q": "-actor:" + GONE}, True),
            ({"q": "canary"}, False),
            ({"q": "-canary"}, True),
            ({"q": "actor_type:user"}, False),
            ({"q": "city:Canarytown"}, False),
            ({"q": "-country:FR"}, True),
            ({"q": "created:>=2020-01-01"}, True),
            ({"ip": "203.0.113.77"}, False),
            ({"q": "operation:remove"}, True),
        ],
    )
    def test_filters(
        self, world: World, both: tuple[str, str], query: dict[str, str], *, is_found: bool
    ) -> None:
        ids = [event["id"] for page in pages(world, **query) for event in page]
        assert (both[0] in ids) == is_found

    def test_the_timeline_counts_it_by_type_alone(
        self, world: World, both: tuple[str, str]
    ) -> None:
        query = {"type": "repo", "interval": "day"}
        answer = world.call("GET", f"/v1/orgs/{ORG}/timeline", query=query)
        told = answer.json
        assert {each["type"] for each in told["types"]} == {"repo.delete", "repo.create"}
        assert told["total"] == 2
        assert told["actors"] == [{"id": "usr_1", "name": "Ada", "events": 1}]
        assert told["countries"] == []

    def test_downloads(self, world: World, both: tuple[str, str]) -> None:
        record = tombstones(world)[both[0]]
        made = {
            "ndjson": world.ask_export(type="repo"),
            "csv": world.ask_export(type="repo", format="csv"),
            "hf": world.ask_export(type="repo", format="json", profile="hf"),
        }
        world.work()
        lines = [json.loads(line) for line in world.file(made["ndjson"]).splitlines()]
        [line] = [line for line in lines if line["id"] == both[0]]
        assert line == {"id": both[0], "recorded_at": line["recorded_at"], **record}
        head, *rows = [row.split(",") for row in world.file(made["csv"]).decode().splitlines()]
        [cells] = [dict(zip(head, row, strict=True)) for row in rows if row[0] == both[0]]
        assert {name for name, cell in cells.items() if cell} == {
            "id", "occurred_at", "recorded_at", "type", "erased_at", "record_hash",
        }  # fmt: skip
        assert cells["record_hash"] == record["record_hash"]
        assert len(json.loads(world.file(made["hf"]))) == 1
        assert world.shown(made["hf"])["left_out"] == 1


class TestLate:
    def test_a_republish_is_a_duplicate_at_both_doors(self, world: World) -> None:
        event = canary()
        [event_id] = world.publish(event)
        erased(world)
        before = tombstones(world)

        answer = world.call("POST", f"/v1/orgs/{ORG}/events", body=event)
        assert (answer.status, answer.json["duplicates"]) == (201, 1)
        assert answer.json["events"][0]["id"] == event_id
        assert world.record(message({"org": ORG, **event})) == []
        assert tombstones(world) == before

    def test_what_comes_for_the_first_time_is_stored_erased(
        self, world: World, logged: io.StringIO
    ) -> None:
        event, queued = canary(1), canary(2)
        erased(world)

        answer = world.call("POST", f"/v1/orgs/{ORG}/events", body=event)
        assert (answer.status, answer.json["recorded"]) == (201, 1)
        kept = an_event()
        assert world.record(message({"org": ORG, "events": [queued, kept]})) == []

        assert len(tombstones(world)) == 2
        assert all(is_intact(i, record) for i, record in tombstones(world).items())
        assert answer.json["events"][0]["id"] in tombstones(world)
        assert left(world, logged) == set()

    def test_however_late_it_comes(self, world: World, time_: Clock) -> None:
        event = canary()
        erased(world)
        assert not [r for r in world.rows(world.control_table) if "ttl" in r and is_erased_row(r)]
        time_.pass_(400 * clock.DAY)
        world.publish(event)
        assert len(tombstones(world)) == 1
        assert left(world) == set()

    def test_where_nobody_was_erased_nothing_is_read(self, world: World) -> None:
        org = world.control.org(ORG)
        assert org is not None
        calls: list[str] = []
        client: Any = Watched(world.dynamodb, lambda _name, _n, call: call(), calls)
        assert ErasureStore(client, world.control_table).erased(org, b"").before == {}
        assert calls == []

    def test_one_dated_ahead_that_was_sent_before(self, world: World, time_: Clock) -> None:
        sent = time_.now
        ahead = canary(occurred_at=clock.text(time_.now + 5 * clock.MINUTE))
        time_.pass_(clock.SECOND)
        erased(world)
        assert world.record(message({"org": ORG, **ahead}, sent_at=sent // 1_000)) == []
        assert len(tombstones(world)) == 1
        # What they do later stays.
        time_.pass_(clock.MINUTE)
        later = canary(1, occurred_at=clock.text(time_.now + 5 * clock.MINUTE))
        assert world.record(message({"org": ORG, **later}, sent_at=time_.now // 1_000)) == []
        assert len(tombstones(world)) == 1

    def test_a_bad_one_is_not_handed_to_the_rejects(self, world: World, time_: Clock) -> None:
        sent = time_.now // 1_000
        time_.pass_(clock.HOUR)
        erased(world)
        bad = canary(1, type="no.such")
        kept = an_event(type="no.such")
        alone = {"org": ORG, **canary(2, type="no.such")}
        twice = json.dumps({"org": ORG, **canary(3)})[:-1] + ', "type": "x.y"}'
        more = {"org": ORG, "events": [canary(4), kept], "beside": 1}
        for body in ({"org": ORG, "events": [bad, kept]}, alone, more):
            assert world.record(message(body, sent_at=sent)) == []
        raw = message(alone, sent_at=sent)
        raw["body"] = twice
        assert world.record(raw) == []
        bodies = [json.loads(each["Body"]) for each in world.received("rejects")]
        assert bodies == [
            {"org": ORG, "events": [bad, kept]} | {"events": [kept]},
            {"org": ORG, "beside": 1, "events": [kept]},
        ]
        assert left(world) == set()
        # What was sent later, of later, is kept as any other.
        later = canary(5, type="no.such", occurred_at=clock.text(time_.now + clock.SECOND))
        time_.pass_(clock.MINUTE)
        world.record(message({"org": ORG, **later}, sent_at=time_.now // 1_000))
        [one] = world.received("rejects")
        assert GONE in one["Body"]

    def test_a_writer_that_began_before_is_caught_by_the_last_pass(
        self, world: World, time_: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(erase.erasing, "SETTLED", erasures.SETTLED)
        world.publish(canary())
        erasure_id = world.ask_erasure(actor=GONE)
        world.sqs.delays.clear()
        assert world.deliver_erasure()
        assert found(world, erasure_id).state is State.RUNNING
        assert found(world, erasure_id).events == 1
        [delay] = world.sqs.delays
        assert delay == 120
        # It has looked at the org, and at who was erased, before the erasure was asked for.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ErasureStore, "erased", lambda *_: erasures.Erased(ORG, {}, {}, b""))
            world.publish(canary(1))
        assert len(tombstones(world)) == 1
        time_.pass_(delay * clock.SECOND)
        world.erase()

        done = found(world, erasure_id)
        assert (done.state, done.events) == (State.COMPLETED, 2)
        assert left(world) == set()


def sealed(time_: Clock) -> None:
    """Two runs of the builder, so far apart that the second one finds all marks settled."""
    for _ in range(2):
        seal.handler.handler(sample("triggers/schedule-seal"), Context(300_000))
        time_.pass_(20 * clock.MINUTE)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests of a few events each."""
    monkeypatch.setattr(digest, "CELL_BYTES", 700)
    for module in (digest, seal.builder):
        monkeypatch.setattr(module, "BLOCK_EVENTS", 8)
        monkeypatch.setattr(module, "SEGMENT_BLOCKS", 4)


def a_log(time_: Clock, theirs: int = 6, others: int = 90) -> list[dict[str, Any]]:
    """Events of some hours ago, among them theirs in some places."""
    start = time_.now - 10 * clock.HOUR
    moments = [start + n * 2 * clock.MINUTE for n in range(others)]
    return [
        *events_at(*moments),
        *(canary(n, occurred_at=clock.text(moments[n * 13 % others] + 1)) for n in range(theirs)),
    ]


@pytest.mark.usefixtures("small")
class TestDigests:
    def test_nothing_of_them_is_left_and_what_went_is_built_again(
        self, world: World, time_: Clock
    ) -> None:
        world.publish(*a_log(time_))
        time_.pass_(clock.HOUR)
        sealed(time_)
        time_.pass_(clock.HOUR)
        before = {row["pk"]["S"] for row in world.rows(world.digests_table)}
        assert {f"segment-counts/{ORG}", f"block-counts/{ORG}", f"terms-00/{ORG}"} <= before
        assert any(GONE.encode() in place for place in everything(world))
        since = clock.text(time_.now - clock.DAY)
        query = {"interval": "hour", "type": "repo", "since": since}
        total = world.call("GET", f"/v1/orgs/{ORG}/timeline", query=query).json["total"]

        assert erased(world).events == 6

        assert left(world) == set()
        assert _fingerprints(world) & _of(canary()) == set()
        told = world.call("GET", f"/v1/orgs/{ORG}/timeline", query=query).json
        assert told["total"] == total
        assert [each["id"] for each in told["actors"]] == ["usr_1"]
        time_.pass_(6 * clock.MINUTE)
        sealed(time_)
        sealed(time_)
        rows = world.rows(world.digests_table)
        assert {row["pk"]["S"] for row in rows} >= {
            f"segment-counts/{ORG}", f"block-counts/{ORG}", f"terms-00/{ORG}",
        }  # fmt: skip
        assert not [row for row in rows if row.get("d", {}).get("B") == b"-"]
        assert not [row for row in rows if row["pk"]["S"] == f"mark/{ORG}"]
        assert left(world) == set()
        assert _fingerprints(world) & _of(canary()) == set()
        told = world.call("GET", f"/v1/orgs/{ORG}/timeline", query=query).json
        assert (told["total"], len(told["actors"])) == (total, 1)

    def test_digests_of_other_times_stay(self, world: World, time_: Clock) -> None:
        log = a_log(time_, theirs=0)
        # One event of theirs, days before all others.
        world.publish(canary(occurred_at=clock.text(time_.now - 9 * clock.DAY)), *log)
        time_.pass_(clock.HOUR)
        sealed(time_)
        blocks = [row for row in world.rows(world.digests_table) if "d" in row]
        erased(world)
        after = [row for row in world.rows(world.digests_table) if "d" in row]
        same = sum(row in after for row in blocks if row["pk"]["S"] == f"block/{ORG}")
        assert same >= len([row for row in blocks if row["pk"]["S"] == f"block/{ORG}"]) - 1

    def test_the_end_waits_for_a_builder_that_has_read_the_log_before(
        self, world: World, time_: Clock
    ) -> None:
        world.publish(*a_log(time_))
        time_.pass_(clock.HOUR)
        events = seal.handler.EventStore(
            world.dynamodb, world.events_table, world.digests_table, now=lambda: time_.now
        )
        assert events.digests.take(ORG, time_.now, time_.now + 4 * clock.MINUTE)
        builder = seal.builder.Builder(ORG, events, time_.now, lambda: False)
        cut = seal.builder.Builder._store_blocks
        erasure_id = world.ask_erasure(actor=GONE)

        def meanwhile(self: Any, batch: Any) -> None:
            """The builder has read the events; now they are erased, and then it stores."""
            if found(world, erasure_id).progress is None:
                world.sqs.delays.clear()
                world.deliver_erasure()
                assert found(world, erasure_id).state is State.RUNNING
                assert 239 <= world.sqs.delays[-1] <= 241
            cut(self, batch)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(seal.builder.Builder, "_store_blocks", meanwhile)
            builder.run()
        events.digests.leave(ORG)
        world.erase()

        assert found(world, erasure_id).state is State.COMPLETED
        assert left(world) == set()
        assert _fingerprints(world) & _of(canary()) == set()


def _fingerprints(world: World) -> set[int]:
    """Every fingerprint in a digest."""
    marks: set[int] = set()
    for row in world.rows(world.digests_table):
        kind = row["pk"]["S"].partition("/")[0]
        if kind in {"block", "segment"} or kind.startswith("terms-"):
            stored = digest.Stored(digest.Span(row["sk"]["S"], row["end"]["S"]), 0, row["d"]["B"])
            read = digest.read(stored)
            marks |= set(read.terms) if read else set()
    return marks


def _of(event: dict[str, Any]) -> set[int]:
    """The fingerprints of what only their events have."""
    terms = digest.terms_of(event | {"ip": "203.0.113.0"})
    return {digest.fingerprint(t) for t in terms if "actor_type" not in t and ":FR" not in t}


def put(world: World, queue: str, body: Any, group: str = ORG, **attributes: str) -> None:
    """A message that waits in a queue."""
    world.sqs.send_message(
        QueueUrl=world.queues[queue],
        MessageBody=body if isinstance(body, str) else json.dumps(body),
        MessageGroupId=group,
        DelaySeconds=0,
        MessageAttributes={
            n: {"DataType": "Number" if v.isdigit() else "String", "StringValue": v}
            for n, v in attributes.items()
        },
    )


class TestQueues:
    @pytest.mark.parametrize("queue", ["rejects", "dlq"])
    def test_a_message_loses_their_events_and_keeps_the_others(
        self, world: World, queue: str
    ) -> None:
        kept = '{"type": "x.y",  "actor": {"id": "usr_1"}, "n": 1e400}'
        body = f'{{"org": "{ORG}", "events": [{json.dumps(canary())}, {kept}]}}'
        put(
            world, queue, body, reason="why", errors='["canary-key"]', org=ORG,
            faults="2", sent_at="1700000000000", trace=CANARIES["name"],
        )  # fmt: skip
        erased(world)

        [one] = world.received(queue)
        assert one["Body"] == f'{{"org": "{ORG}","events":[{kept}]}}'
        assert one["Attributes"]["MessageGroupId"] == ORG
        assert {n: v["StringValue"] for n, v in one["MessageAttributes"].items()} == {
            "reason": "why", "org": ORG, "faults": "2", "sent_at": "1700000000000",
        }  # fmt: skip

    @pytest.mark.parametrize(
        "body",
        [
            {"org": ORG, **canary()},
            {"org": ORG, "events": [canary(), canary(1)]},
            {"org": ORG, "events": [{"actor": GONE}]},
            {"org": ORG, "events": [{"actor": {"id": 7}, "user": [{"id": GONE}]}]},
            {"org": ORG, "actor": {"id": GONE}, "events": []},
            {"org": ORG, "events": [canary()], "by": GONE},
            f'{{"org": "{ORG}", "actor": {{"id": "{GONE}"}}, "actor": {{"id": "x"}}}}',
            f'{{"org": "{ORG}", "actor": {{"id": "{GONE}"',
            f"actor={GONE}, broken",
        ],
    )
    def test_a_message_of_theirs_goes(self, world: World, body: Any) -> None:
        put(world, "rejects", body)
        put(world, "dlq", body)
        if isinstance(body, str):
            put(world, "rejects", body, group="unknown")
        erased(world)
        assert world.received("rejects") == world.received("dlq") == []

    @pytest.mark.parametrize(
        ("body", "group"),
        [
            ({"org": ORG, **an_event()}, ORG),
            ({"org": ORG, "events": [an_event(metadata={"id": GONE}), an_event()]}, ORG),
            ({"org": "other", **canary()}, ORG),
            ({"org": "other", **canary()}, "other"),
            (f"actor={GONE}, broken", "other"),
            (f"actor={GONE}0, broken", ORG),
            ("broken", "unknown"),
        ],
    )
    def test_any_other_stays_and_is_shown_again(self, world: World, body: Any, group: str) -> None:
        for queue in ("rejects", "dlq"):
            put(world, queue, body, group)
        erased(world)
        for queue in ("rejects", "dlq"):
            [one] = world.received(queue)
            assert one["Body"] == (body if isinstance(body, str) else json.dumps(body))

    def test_what_was_replaced_can_be_redriven_with_its_time(self, world: World) -> None:
        long_ago = str((clock.now() - 10 * clock.DAY) // 1_000)
        body = {"org": ORG, "events": [canary(), an_event()]}
        put(world, "dlq", body)
        put(world, "dlq", body, sent_at=long_ago)
        sent = clock.now()
        erased(world)
        times = {
            int(one["MessageAttributes"]["sent_at"]["StringValue"]) for one in world.received("dlq")
        }
        assert int(long_ago) in times
        [other] = times - {int(long_ago)}
        assert abs(other * 1_000 - sent) < 10 * clock.SECOND

    def test_a_long_queue_is_gone_through_to_its_end(self, world: World) -> None:
        for number in range(35):
            put(world, "rejects", {"org": ORG, "events": [an_event(), canary(number)]})
        erased(world)
        bodies = [json.loads(one["Body"]) for one in world.received("rejects")]
        assert [len(body["events"]) for body in bodies] == [1] * 35
        assert left(world) == set()


class TestControl:
    def test_exports_name_them_no_more(self, world: World) -> None:
        world.publish(canary(), an_event())
        headers = {"x-actor-id": GONE, "x-actor-name": CANARIES["name"]}
        body = {"format": "ndjson", "compression": "none"}
        asked = world.call("POST", f"/v1/orgs/{ORG}/exports", body=body, headers=headers).json["id"]
        named = world.ask_export(actor=["usr_1", GONE])
        queried = world.ask_export(q=f'actor:"{GONE}" type:repo')
        other = world.ask_export(actor="usr_1")
        world.work()
        under_way = world.ask_export(q=f"-actor:{GONE}")

        done = erased(world)

        assert world.shown(asked)["requested_by"]["id"] == "erased"
        assert world.shown(asked)["requested_by"]["name"] == "erased"
        assert world.shown(named)["filter"]["actor"] == ["erased", "usr_1"] or world.shown(named)[
            "filter"
        ]["actor"] == ["usr_1", "erased"]
        assert world.shown(queried)["filter"]["q"] == ["erased"]
        assert world.shown(other)["filter"]["actor"] == ["usr_1"]
        failed = world.shown(under_way)
        assert (failed["state"], failed["filter"]["q"]) == ("failed", ["erased"])
        assert "erased" in failed["error"]
        assert set(done.exports) == {asked, named, queried, other}
        shown = world.call("GET", f"/v1/orgs/{ORG}/erasures/{done.id}").json
        assert shown["exports"] == sorted(done.exports)
        assert left(world) == set()

    def test_an_export_that_is_under_way_is_listed_and_goes_on(self, world: World) -> None:
        world.publish(canary(), an_event())
        export_id = world.ask_export()
        done = erased(world)
        world.work()
        assert done.exports == (export_id,)
        assert world.shown(export_id)["state"] == "ready"
        assert GONE.encode() not in world.file(export_id)

    def test_their_sessions_end_and_those_of_others_do_not(self, world: World) -> None:
        world.open_session(GONE)
        kept = world.open_session("usr_1")
        revoked = world.open_session(GONE)
        answer = world.call("DELETE", f"/v1/orgs/{ORG}/sessions/{revoked}")
        assert answer.status == 204
        erased(world)
        listed = world.call("GET", f"/v1/orgs/{ORG}/sessions").json["sessions"]
        assert [session["id"] for session in listed] == [kept]
        assert left(world) == set()

    def test_who_asked_for_other_erasures_is_not_named_there(self, world: World) -> None:
        headers = {"x-actor-id": GONE}
        body = {"actor": "somebody", "reason": "why"}
        answer = world.call("POST", f"/v1/orgs/{ORG}/erasures", body=body, headers=headers)
        world.erase()
        erased(world)
        assert found(world, answer.json["id"]).asked_by == "erased"
        assert left(world) == set()


class TestHold:
    def hold(self, world: World, reason: str | None = "a case") -> None:
        body = {"hold": None if reason is None else {"reason": reason}}
        answer = world.call("PATCH", f"/v1/orgs/{ORG}/settings", body=body)
        assert answer.status == 200, answer.text

    def test_under_a_hold_nothing_can_be_erased(self, world: World) -> None:
        world.publish(canary())
        self.hold(world)
        body = {"actor": GONE, "reason": "why"}
        answer = world.call("POST", f"/v1/orgs/{ORG}/erasures", body=body)
        answer.is_problem(409)
        assert world.erase() == 0
        assert tombstones(world) == {}

    def test_a_hold_that_is_placed_meanwhile_ends_it(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(erase.erasing, "BATCH", 2)
        world.publish(*(canary(n) for n in range(6)))
        put = erase.handler.TombstoneStore.put
        batches: list[int] = []

        def held(store: Any, partition: str, gone: Any, look: Any) -> None:
            put(store, partition, gone, look)
            batches.append(len(gone))
            if len(batches) == 2:
                self.hold(world)

        monkeypatch.setattr(erase.handler.TombstoneStore, "put", held)
        done = erased(world)

        assert (done.state, done.events) == (State.FAILED, 4)
        assert done.error == "A hold was placed; ask again when it is released."
        assert done.subject is None
        assert len(tombstones(world)) == 4
        # What comes late is kept as well.
        assert not [row for row in world.rows(world.control_table) if "erased#" in row["pk"]["S"]]
        late = world.publish(canary(9))
        assert "erased_at" not in records(world)[late[0]]
        # And nobody goes on with it.
        body = json.dumps({"org": ORG, "erasure_id": done.id})
        world.sqs.send_message(
            QueueUrl=world.queues["erasures"], MessageBody=body, MessageGroupId="x", DelaySeconds=0
        )
        assert world.erase() == 1
        assert len(tombstones(world)) == 4

    def test_what_was_counted_and_not_erased_is_not_counted_then(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(erase.erasing, "BATCH", 3)
        world.publish(*(canary(n) for n in range(6)))
        erasure_id = world.ask_erasure(actor=GONE)
        put = erase.handler.TombstoneStore._put
        tries: list[str] = []

        def dies(store: Any, partition: str, until: int, gone: Any) -> None:
            tries.append(gone.id)
            if len(tries) >= 5:
                raise RuntimeError
            put(store, partition, until, gone)

        monkeypatch.setattr(erase.handler.TombstoneStore, "_put", dies)
        with pytest.raises(RuntimeError):
            world.erase()
        assert found(world, erasure_id).events == 6
        gone = len(tombstones(world))
        assert gone == 4
        self.hold(world)
        world.erase()
        assert (found(world, erasure_id).state, found(world, erasure_id).events) == (
            State.FAILED,
            gone,
        )

    def test_it_can_be_asked_for_again_once_it_is_released(self, world: World) -> None:
        world.publish(canary())
        erasure_id = world.ask_erasure(actor=GONE)
        self.hold(world)
        world.erase()
        assert found(world, erasure_id).state is State.FAILED
        self.hold(world, None)
        assert erased(world).events == 1
        assert left(world) == set()


class TestSteps:
    def test_out_of_time_it_goes_on_with_the_next_message(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(erase.erasing, "BATCH", 4)
        world.publish(*(canary(n) for n in range(30)))
        erasure_id = world.ask_erasure(actor=GONE)
        put, now = erase.handler.TombstoneStore.put, [clock.monotonic()]
        monkeypatch.setattr(clock, "monotonic", lambda: now[0])

        def slow(store: Any, partition: str, gone: Any, look: Any) -> None:
            put(store, partition, gone, look)
            now[0] += 500

        monkeypatch.setattr(erase.handler.TombstoneStore, "put", slow)
        counts = [found(world, erasure_id).events]
        while world.deliver_erasure():
            counts.append(found(world, erasure_id).events)
        assert counts[:5] == [0, 8, 16, 24, 30]
        assert found(world, erasure_id).state is State.COMPLETED
        assert left(world) == set()

    def test_of_two_at_work_one_goes_on(self, world: World) -> None:
        world.publish(*(canary(n) for n in range(5)))
        erasure_id = world.ask_erasure(actor=GONE)
        put = erase.handler.TombstoneStore.put
        inner: list[int] = []

        def meanwhile(store: Any, partition: str, gone: Any, look: Any) -> None:
            if not inner:
                inner.append(1)
                event = sample("triggers/sqs-erase")
                event["Records"][0]["body"] = json.dumps({"org": ORG, "erasure_id": erasure_id})
                erase.handler.handler(event, Context(900_000))
            put(store, partition, gone, look)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(erase.handler.TombstoneStore, "put", meanwhile)
            world.erase()
        done = found(world, erasure_id)
        assert (done.state, done.events) == (State.COMPLETED, 5)
        complete = [r for r in records(world).values() if r["type"].endswith("erasure.complete")]
        assert len(complete) == 1

    def test_what_is_no_erasure_any_more_is_no_work(self, world: World) -> None:
        for body in (
            {"org": ORG, "erasure_id": "nothing"},
            {"org": "nobody", "erasure_id": "nothing"},
            {"org": "nobody", "deletion": True},
            {"org": ORG, "deletion": True},
        ):
            event = sample("triggers/sqs-erase")
            event["Records"][0]["body"] = json.dumps(body)
            before = world.everything()
            erase.handler.handler(event, Context(900_000))
            assert world.everything() == before


def the_world_of_a_canary(world: World, time_: Clock, others: int = 40) -> str:
    """Them in every place that there is; the id of a download that may hold them."""
    world.publish(*a_log(time_, theirs=4, others=others))
    time_.pass_(clock.HOUR)
    sealed(time_)
    world.publish(canary(100, occurred_at=clock.text(time_.now - clock.SECOND)), an_event())
    headers = {"x-actor-id": GONE, "x-actor-name": CANARIES["name"]}
    body = {"format": "ndjson", "compression": "none"}
    answer = world.call("POST", f"/v1/orgs/{ORG}/exports", body=body, headers=headers)
    world.ask_export(actor=GONE)
    world.work()
    world.open_session(GONE, actor={"id": GONE, "name": CANARIES["name"]})
    for queue in ("rejects", "dlq"):
        put(world, queue, {"org": ORG, "events": [canary(200, type="no.such"), an_event()]})
        put(world, queue, {"org": ORG, **canary(201)}, errors=f'["{CANARIES["key"]}"]')
        put(world, queue, json.dumps({"org": ORG, **canary(202)})[:-1], group="unknown")
    world.record(message({"org": ORG, "events": [canary(203, type="no.such")]}))
    return str(answer.json["id"])


@pytest.mark.usefixtures("small")
class TestEverywhere:
    def test_nothing_of_them_is_left_anywhere_but_in_downloads_that_are_listed(
        self, world: World, time_: Clock, logged: io.StringIO
    ) -> None:
        export_id = the_world_of_a_canary(world, time_)
        done = erased(world)

        assert done.state is State.COMPLETED
        assert export_id in done.exports
        holding = {
            key
            for key in world.objects()
            for canary_ in CANARIES.values()
            if canary_.encode() in world.s3.get_object(Bucket=world.bucket, Key=key)["Body"].read()
        }
        assert holding
        assert all(key.split("/")[1] in done.exports for key in holding)
        assert left(world, logged) == set()

    def test_a_crash_at_any_call_changes_nothing_of_the_result(
        self, world: World, time_: Clock
    ) -> None:
        the_world_of_a_canary(world, time_, others=18)
        erasure_id = world.ask_erasure(actor=GONE)
        dynamodb, sqs, calls = world.dynamodb, world.sqs, 0

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

        # Each life gets one call further than the one before, and then dies, before the
        # call or behind it.
        while True:
            shared: list[str] = []
            fault = fails(calls, after=calls % 2 == 0)
            world.dynamodb = Watched(dynamodb, fault, shared)
            world.sqs = Watched(sqs, fault, shared)
            try:
                if not world.deliver_erasure(sqs=sqs):
                    break
            except DiedError:
                calls += 1
                sqs.wait()
            finally:
                world.dynamodb, world.sqs = dynamodb, sqs
            if calls > 400:
                pytest.fail("it never ends")

        done = found(world, erasure_id)
        assert (done.state, done.events) == (State.COMPLETED, _theirs(world))
        assert calls > 30
        complete = [r for r in records(world).values() if r["type"].endswith("erasure.complete")]
        assert [r["metadata"]["events"] for r in complete] == [done.events]
        for queue in ("rejects", "dlq"):
            bodies = {m["Body"] for m in world.received(queue)}
            assert not any(GONE in body for body in bodies)
        assert left(world) == set()

    def test_a_table_that_is_busy_is_asked_again(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.publish(*(canary(n) for n in range(4)))
        monkeypatch.setattr(clock, "sleep", lambda _seconds: None)
        dynamodb, busy = world.dynamodb, iter([True, True, False] * 50)

        def fault(name: str, _number: int, call: Callable[[], Any]) -> Any:
            if name == "update_item" and next(busy):
                error: Any = {"Error": {"Code": "ThrottlingException"}}
                raise ClientError(error, name)
            return call()

        erasure_id = world.ask_erasure(actor=GONE)
        made = erase.handler._tombstones

        def patched() -> Any:
            store_: Any = made()
            store_._client = Watched(dynamodb, fault)
            store_._sleep = lambda _seconds: None
            return store_

        monkeypatch.setattr(erase.handler, "_tombstones", patched)
        world.erase()
        assert found(world, erasure_id).events == 4


def _theirs(world: World) -> int:
    """How many events are erased."""
    return len(tombstones(world))
