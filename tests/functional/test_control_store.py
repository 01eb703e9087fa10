"""The control table: orgs, keys and exports, written whole or not at all."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from auditlog import bootstrap, clock, keys
from auditlog.errors import ConflictError, NotFoundError, StoreError, UnavailableError
from auditlog.event import first_id
from auditlog.exports import KEPT_FOR, Cuts, Export, Requester, Slice, State
from auditlog.formats import Compression, Format, Profile
from auditlog.keys import Grant
from auditlog.orgs import Org
from auditlog.span import BEGIN, Span
from auditlog.store import aws
from auditlog.store.exports import Pointer
from auditlog.store.slices import SliceStore, export_key
from tests.functional.conftest import ORG, Watched, World

NOW = 1_780_000_000_000_000


def an_export(**changes: Any) -> Export:
    export = Export(
        id="000001",
        org=ORG,
        state=State.QUEUED,
        format=Format.JSON,
        compression=Compression.GZIP,
        profile=Profile.NATIVE,
        bom=False,
        filter={"type": ["repo"], "include_hidden": ["true"]},
        span=Span.between(0, NOW),
        requested_by=Requester("usr_1", "Ada", "key1"),
        created_at=NOW,
        updated_at=NOW,
    )
    return dataclasses.replace(export, **changes)


def finish(world: World, export: Export) -> bool:
    return world.exports.complete(
        export, events=3, left_out=2, size=9, completed_at=NOW, expires_at=NOW + 1
    )


def stored(world: World, export: Export) -> Export:
    found = world.exports.get(export.org, export.id)
    assert found is not None
    return found


def org_of(world: World, name: str) -> Org:
    found = world.control.org(name)
    assert found is not None
    return found


class TestOrgs:
    def test_an_org_is_read_as_it_was_made(self, world: World) -> None:
        bootstrap.create_org(world.control, "brief", retention_days=30, now=NOW)
        found = world.control.org("brief")
        assert found is not None
        assert (found.name, found.retention_days, found.created_at) == ("brief", 30, NOW)
        acme = world.control.org(ORG)
        assert acme is not None
        assert acme.retention_days is None
        assert world.control.org("none") is None
        assert [org.name for org in world.control.orgs()] == [ORG, "brief"]

    def test_every_org_is_listed_over_many_pages(self, world: World) -> None:
        sound = world.dynamodb

        class Client:
            @staticmethod
            def query(**arguments: Any) -> Any:
                return sound.query(Limit=2, **arguments)

            def __getattr__(self, name: str) -> Any:
                return getattr(sound, name)

        for number in range(5):
            world.org(f"org{number}")
        world.dynamodb = Client()
        assert [org.name for org in world.control.orgs()] == [ORG, *(f"org{n}" for n in range(5))]

    def test_an_org_that_exists_is_not_made_again_and_no_key_of_it_is_left(
        self, world: World
    ) -> None:
        before = world.rows(world.control_table)
        with pytest.raises(ConflictError):
            bootstrap.create_org(world.control, ORG, retention_days=1, now=NOW)
        assert world.rows(world.control_table) == before


class TestShards:
    LATER = NOW + 30 * clock.MINUTE

    def test_an_org_has_those_that_it_was_made_with(self, world: World) -> None:
        bootstrap.create_org(world.control, "busy", retention_days=None, now=NOW, shards=8)
        assert org_of(world, "busy").shards == ((0, 8),)
        assert org_of(world, ORG).shards == ((0, 1),)
        assert {org.name: org.shards for org in world.control.orgs()} == {
            ORG: ((0, 1),),
            "busy": ((0, 8),),
        }

    def test_an_org_that_never_had_but_one_says_nothing_of_it(self, world: World) -> None:
        [item] = [r for r in world.rows(world.control_table) if r["pk"]["S"] == "org"]
        assert "shards" not in item

    @pytest.mark.parametrize("shards", [0, -1, 17])
    def test_an_org_with_a_number_that_is_out_of_range_is_not_made(
        self, world: World, shards: int
    ) -> None:
        before = world.rows(world.control_table)
        with pytest.raises(ValueError, match="1 to 16 shards"):
            bootstrap.create_org(world.control, "b", retention_days=1, now=NOW, shards=shards)
        assert world.rows(world.control_table) == before

    def test_a_change_is_read_as_it_was_made_and_changes_nothing_else(self, world: World) -> None:
        bootstrap.create_org(world.control, "brief", retention_days=30, now=NOW)
        for changes in (((0, 1), (self.LATER, 8)), ((0, 1), (self.LATER, 8), (self.LATER + 1, 3))):
            org = org_of(world, "brief")
            world.control.change_shards(org, changes)
            assert org_of(world, "brief") == dataclasses.replace(
                org, shards=changes, version=org.version + 1, revision=org.revision + 1
            )
        assert org_of(world, ORG).shards == ((0, 1),)

    def test_a_change_holds_only_over_what_was_read(self, world: World) -> None:
        first = org_of(world, ORG)
        world.control.change_shards(first, ((0, 1), (self.LATER, 8)))
        second = org_of(world, ORG)
        before = world.rows(world.control_table)
        stale = dataclasses.replace(second, shards=((0, 1), (self.LATER, 7)))
        for org in (first, stale):
            with pytest.raises(ConflictError):
                world.control.change_shards(org, ((0, 1), (self.LATER, 3)))
        assert world.rows(world.control_table) == before
        world.control.change_shards(second, ((0, 1), (self.LATER + 5, 3)))
        with pytest.raises(ConflictError):
            world.control.change_shards(second, ((0, 1), (self.LATER + 5, 3)))
        assert org_of(world, ORG).shards == ((0, 1), (self.LATER + 5, 3))

    @pytest.mark.parametrize("shards", [1, 8])
    def test_an_org_that_is_not_there_is_not_made_by_a_change(
        self, world: World, shards: int
    ) -> None:
        before = world.rows(world.control_table)
        with pytest.raises(ConflictError):
            world.control.change_shards(
                Org("none", None, NOW, ((0, shards),)), ((0, shards), (self.LATER, 3))
            )
        assert world.rows(world.control_table) == before

    @pytest.mark.parametrize("shards", [1, 8])
    def test_of_those_who_change_at_the_same_time_one_wins(self, world: World, shards: int) -> None:
        bootstrap.create_org(world.control, "busy", retention_days=None, now=NOW, shards=shards)
        control, org = world.control, org_of(world, "busy")
        together = threading.Barrier(12)

        def change(number: int) -> int | None:
            together.wait(10)
            try:
                control.change_shards(org, (*org.shards, (self.LATER, number)))
            except ConflictError:
                return None
            return number

        with ThreadPoolExecutor(12) as pool:
            [won] = [n for n in pool.map(change, range(1, 13)) if n is not None]
        assert org_of(world, "busy").shards == (*org.shards, (self.LATER, won))


class TestKeys:
    def test_a_key_has_two_items_and_only_one_of_them_the_hash(self, world: World) -> None:
        secret = world.key(Grant.EVENTS_READ, expires_at=NOW)
        key_id = keys.key_id(secret)
        rows = [r for r in world.rows(world.control_table) if key_id in r["pk"]["S"] + r["sk"]["S"]]
        assert {(r["pk"]["S"], r["sk"]["S"], "hash" in r) for r in rows} == {
            (f"key#{key_id}", "key", True),
            (f"org#{ORG}", f"key#{key_id}", False),
        }
        key = world.control.key(str(key_id))
        assert key is not None
        assert key.opens(secret)
        assert (key.org, key.grants, key.expires_at) == (ORG, (Grant.EVENTS_READ,), NOW)

    def test_a_key_is_never_written_over(self, world: World) -> None:
        minted = keys.mint(ORG, "x", (), now=NOW, expires_at=None, random=bytes)
        world.control.create_key(minted.key)
        before = world.rows(world.control_table)
        with pytest.raises(aws.ConditionFailedError):
            world.control.create_key(dataclasses.replace(minted.key, org="umbrella"))
        assert world.rows(world.control_table) == before

    def test_a_key_goes_whole_or_not_at_all(self, world: World) -> None:
        key_id = str(keys.key_id(world.admin_key))
        before = world.rows(world.control_table)
        with pytest.raises(NotFoundError):
            world.control.delete_key("umbrella", key_id)
        assert world.rows(world.control_table) == before
        world.control.delete_key(ORG, key_id)
        assert world.control.key(key_id) is None
        assert world.control.keys(ORG) == []


class TestExports:
    def test_an_export_is_read_as_it_was_made(self, world: World) -> None:
        export = an_export()
        world.exports.create(export)
        assert world.exports.get(ORG, export.id) == export
        assert world.exports.get("umbrella", export.id) is None
        assert world.exports.newest(ORG) == [export]
        with pytest.raises(aws.ConditionFailedError):
            world.exports.create(an_export(state=State.READY))
        assert world.exports.get(ORG, export.id) == export

    def test_what_was_asked_for_is_read_as_it_was_made(self, world: World) -> None:
        made = [
            an_export(id="1", format=Format.CSV, bom=True),
            an_export(id="2", format=Format.NDJSON, profile=Profile.HF),
        ]
        for export in made:
            world.exports.create(export)
        assert [world.exports.get(ORG, export.id) for export in made] == made
        assert world.exports.newest(ORG) == made[::-1]

    def test_one_that_was_made_before_there_were_profiles_is_read(self, world: World) -> None:
        export = an_export()
        world.exports.create(export)
        world.dynamodb.update_item(
            TableName=world.control_table,
            Key=export_key(ORG, export.id),
            UpdateExpression="REMOVE profile, bom",
        )
        assert world.exports.get(ORG, export.id) == export

    @pytest.mark.parametrize(
        ("reached", "allowed"),
        [
            (State.QUEUED, {"cut", "fail", "cancel"}),
            (State.RUNNING, {"cut", "win", "complete", "fail", "cancel"}),
            (State.READY, {"expire"}),
            (State.FAILED, set()),
            (State.CANCELLED, set()),
            (State.EXPIRED, set()),
        ],
    )
    def test_each_change_of_state_from_each_state(
        self, world: World, reached: State, allowed: set[str]
    ) -> None:
        slices = SliceStore(world.dynamodb, world.control_table)
        changes = {
            "cut": lambda e: slices.cut(e, Cuts((), 1, 9), NOW),
            "win": lambda e: slices.win(e, Slice(e.span), wanted=e.span, now=NOW),
            "complete": lambda e: finish(world, e),
            "fail": lambda e: world.exports.fail(e, "why", NOW),
            "cancel": lambda e: world.exports.cancel(e, NOW),
            "expire": lambda e: world.exports.expire(e, NOW),
        }
        done = set()
        for name, change in changes.items():
            export = an_export(id=name, state=reached)
            world.exports.create(export)
            if change(export):
                done.add(name)
            else:
                assert world.exports.get(ORG, name) == export
        assert done == allowed

    def test_what_is_reported_is_read(self, world: World) -> None:
        export = an_export()
        slices = SliceStore(world.dynamodb, world.control_table)
        world.exports.create(export)
        assert not world.exports.is_running(export)
        assert slices.cut(export, Cuts((first_id(NOW // 2),), 1, 9), NOW + 4)
        found = stored(world, export)
        assert (found.state, found.slices, found.slices_done) == (State.RUNNING, 2, 0)
        assert (found.updated_at, found.fraction) == (NOW + 4, 0.0)
        first = Span(export.span.first, first_id(NOW // 2))
        assert slices.win(export, Slice(first, events=7), wanted=first, now=NOW + 5)
        found = stored(world, export)
        assert (found.state, found.events_so_far, found.updated_at) == (State.RUNNING, 7, NOW + 5)
        assert (found.slices, found.slices_done, found.fraction) == (2, 1, 0.5)
        assert world.exports.is_running(export)
        assert stored(world, export) == found
        assert finish(world, export)
        assert not world.exports.is_running(export)
        found = stored(world, export)
        assert (found.state, found.events, found.bytes) == (State.READY, 3, 9)
        assert (found.left_out, found.events_so_far, found.fraction) == (2, 3, 1.0)
        assert (found.completed_at, found.expires_at) == (NOW, NOW + 1)

    def test_a_change_of_an_export_that_is_not_there_makes_none(self, world: World) -> None:
        before = world.rows(world.control_table)
        assert not world.exports.cancel(an_export(), NOW)
        assert not finish(world, an_export())
        assert not world.exports.is_running(an_export())
        assert world.rows(world.control_table) == before

    def test_of_two_attempts_at_a_slice_the_first_wins_and_both_are_told(
        self, world: World
    ) -> None:
        export = an_export(state=State.RUNNING)
        slices = SliceStore(world.dynamodb, world.control_table)
        world.exports.create(export)
        first, second = Slice(export.span, "a", bytes=1), Slice(export.span, "b", bytes=3)
        assert slices.won(export, export.span.first) is None
        assert slices.win(export, first, wanted=export.span, now=NOW)
        assert not slices.win(export, second, wanted=export.span, now=NOW)
        assert slices.won(export, export.span.first) == first
        assert slices.won(export, first_id(NOW // 2)) is None
        assert slices.won(an_export(id="2"), export.span.first) is None


class TestPointers:
    """Which export those who ask for the same again and again are led to."""

    def test_is_read_as_it_was_made_and_is_nobody_elses(self, world: World) -> None:
        pointer = Pointer("x1", NOW)
        assert world.exports.pointer(ORG, "name") is None
        assert world.exports.point(ORG, "name", pointer, instead_of=None)
        assert world.exports.pointer(ORG, "name") == pointer
        assert world.exports.pointer(ORG, "other") is None
        assert world.exports.pointer("umbrella", "name") is None
        assert world.exports.newest(ORG) == []

    def test_holds_only_over_what_was_read(self, world: World) -> None:
        first, second, third = (Pointer(f"x{n}", NOW + n) for n in range(3))
        assert not world.exports.point(ORG, "name", second, instead_of=first)
        assert world.exports.pointer(ORG, "name") is None
        assert world.exports.point(ORG, "name", first, instead_of=None)
        assert not world.exports.point(ORG, "name", second, instead_of=None)
        assert world.exports.point(ORG, "name", second, instead_of=first)
        assert not world.exports.point(ORG, "name", third, instead_of=first)
        assert world.exports.pointer(ORG, "name") == second

    def test_of_those_who_point_at_the_same_time_one_wins(self, world: World) -> None:
        store, together = world.exports, threading.Barrier(8)
        before: Pointer | None = None
        for turn in range(2):

            def point(number: int, before: Pointer | None = before, turn: int = turn) -> Any:
                pointer = Pointer(f"x{turn}-{number}", NOW + turn)
                together.wait(10)
                return pointer if store.point(ORG, "n", pointer, instead_of=before) else None

            with ThreadPoolExecutor(8) as pool:
                [before] = [each for each in pool.map(point, range(8)) if each is not None]
            assert store.pointer(ORG, "n") == before

    def test_goes_once_its_export_is_gone(self, world: World) -> None:
        world.exports.point(ORG, "name", Pointer("x1", NOW), instead_of=None)
        [item] = [r for r in world.rows(world.control_table) if r["pk"]["S"] == f"asked#{ORG}"]
        assert int(item["ttl"]["N"]) == (NOW + KEPT_FOR) // clock.SECOND


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ClientError({"Error": {"Code": "ThrottlingException"}}, "x"), UnavailableError),
        (ClientError({"Error": {"Code": "InternalServerError"}}, "x"), UnavailableError),
        (
            ClientError(
                {"Error": {"Code": "Odd"}, "ResponseMetadata": {"HTTPStatusCode": 503}},  # type: ignore[typeddict-item] -- as little as may come
                "x",
            ),
            UnavailableError,
        ),
        (ConnectTimeoutError(endpoint_url="x"), UnavailableError),
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "x"), StoreError),
        (ClientError({"Error": {"Code": "ValidationException"}}, "x"), StoreError),
        (
            ClientError(
                {
                    "Error": {"Code": "TransactionCanceledException"},
                    "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}],
                },  # type: ignore[typeddict-item] -- as DynamoDB sends it
                "x",
            ),
            UnavailableError,
        ),
    ],
)
def test_aws_errors_in_our_own_words(
    world: World, error: Exception, expected: type[Exception]
) -> None:
    def fail(_name: str, _number: int, _call: Any) -> Any:
        raise error

    world.dynamodb = Watched(world.dynamodb, fail)
    for attempt in (
        lambda: world.control.org(ORG),
        lambda: list(world.control.orgs()),
        lambda: world.control.keys(ORG),
        lambda: world.control.delete_key(ORG, "k"),
        lambda: world.control.change_shards(Org(ORG, None, NOW), ((0, 1), (NOW, 8))),
        lambda: world.exports.create(an_export()),
        lambda: world.exports.get(ORG, "x"),
        lambda: world.exports.newest(ORG),
        lambda: world.exports.cancel(an_export(), NOW),
        lambda: world.exports.is_running(an_export()),
        lambda: world.exports.pointer(ORG, "x"),
        lambda: world.exports.point(ORG, "x", Pointer("y", NOW), instead_of=None),
    ):
        with pytest.raises(expected) as caught:
            attempt()
        assert caught.value.__cause__ is error


def test_everything_in_the_control_table_is_read_with_strong_consistency(world: World) -> None:
    weak: list[str] = []
    seen: list[str] = []
    sound = world.dynamodb

    class Client:
        def __getattr__(self, name: str) -> Any:
            def called(**arguments: Any) -> Any:
                seen.append(name)
                if not arguments["ConsistentRead"]:
                    weak.append(name)
                return getattr(sound, name)(**arguments)

            return called

    world.dynamodb = Client()
    world.control.org(ORG)
    world.control.keys(ORG)
    world.control.key(str(keys.key_id(world.admin_key)))
    list(world.control.orgs())
    world.exports.newest(ORG)
    world.exports.get(ORG, "x")
    world.exports.pointer(ORG, "x")
    slices = SliceStore(world.dynamodb, world.control_table)
    slices.cuts(an_export())
    slices.won(an_export(), BEGIN)
    slices.written(an_export())
    assert weak == []
    assert len(seen) >= 10
    assert clock.now() > NOW
