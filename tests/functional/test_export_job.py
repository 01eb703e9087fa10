"""The export job under every fault: ends with exactly the right file, or says why not."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

import export.worker
from auditlog import clock
from auditlog.errors import AuditlogError
from auditlog.layout import Layout
from auditlog.store import objects
from tests.functional.conftest import ORG, Watched, World, an_event, pages
from tests.functional.strict_s3 import StrictS3


class KilledError(BaseException):
    """The process is gone: nothing in it runs any more."""


def die(name: str) -> BaseException:
    return KilledError(name)


def busy(name: str) -> BaseException:
    return ClientError({"Error": {"Code": "SlowDown"}}, name)


def refused(name: str) -> BaseException:
    return ClientError({"Error": {"Code": "AccessDenied"}}, name)


class Holding:
    """SQS, which knows the receipt of a message that it never gave."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    @staticmethod
    def change_message_visibility(**_arguments: Any) -> Any:
        return {}


class Setting:
    """A world whose S3 is strict, with parts small enough that one run takes every step."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.s3 = world.s3 = StrictS3()
        world.sqs = Holding(world.sqs)
        self.sound = (world.dynamodb, world.s3, world.sqs)
        world.publish(*[an_event(metadata={"n": n, "text": f"{n:x}" * 30}) for n in range(40)])
        self.expected = [e for page in pages(world, order="asc", limit=1_000) for e in page]
        self.calls: list[str] = []

    def ask(self, **asked: Any) -> str:
        how = {"type": "repo.create", "format": "json", "compression": "none"}
        return self.world.ask_export(**how | asked)

    def watch(self, fault: Callable[..., Any]) -> None:
        self.calls = []
        self.world.dynamodb, self.world.s3, self.world.sqs = (
            Watched(client, fault, self.calls) for client in self.sound
        )

    def mend(self) -> None:
        self.world.dynamodb, self.world.s3, self.world.sqs = self.sound

    def is_right(self, export_id: str) -> None:
        found = self.world.exports.get(ORG, export_id)
        assert found is not None
        data = self.s3.files[found.object_key]
        assert json.loads(data) == self.expected
        assert (found.bytes, found.events) == (len(data), len(self.expected))


@pytest.fixture
def setting(world: World, monkeypatch: pytest.MonkeyPatch) -> Setting:
    monkeypatch.setattr(objects, "MIN_PART", 3_000)
    monkeypatch.setattr(objects, "_PART", 4_000)
    monkeypatch.setattr(objects, "MAX_COPY", 4_000)
    return Setting(world)


def steps(setting: Setting) -> Iterator[int]:
    """The number of each call of an undisturbed attempt."""
    export_id = setting.ask()
    setting.watch(lambda _name, _number, call: call())
    setting.world.work(export_id)
    setting.mend()
    setting.is_right(export_id)
    seen = set(setting.calls)
    assert {
        "get_item",
        "query",
        "put_item",
        "update_item",
        "change_message_visibility",
        "put_object",
        "create_multipart_upload",
        "upload_part",
        "upload_part_copy",
        "complete_multipart_upload",
        "get_object",
        "list_objects_v2",
        "delete_object",
    } == seen
    return iter(range(len(setting.calls)))


@pytest.mark.parametrize("after", [False, True], ids=["before it took effect", "after"])
@pytest.mark.parametrize("kind", [die, busy, refused])
def test_a_fault_at_any_step_costs_a_repeat_and_nothing_else(
    setting: Setting, kind: Callable[[str], BaseException], after: bool
) -> None:
    for step in steps(setting):
        export_id = setting.ask()
        dead = [False]

        def fault(
            name: str, number: int, call: Callable[[], Any], step: int = step, dead: Any = dead
        ) -> Any:
            if dead[0] or number == step:
                if after and number == step:
                    call()
                dead[0] = kind is die
                raise kind(name)
            return call()

        setting.watch(fault)
        try:
            setting.world.work(export_id)
        except (KilledError, AuditlogError):
            failed_at = setting.calls[step]
        else:
            failed_at = "nothing: it was mended"
        setting.mend()
        state = setting.world.shown(export_id)["state"]
        assert state in {"queued", "running", "ready"}, (step, failed_at)
        if state == "ready":
            setting.is_right(export_id)
        setting.world.work(export_id, tries=2)
        assert setting.world.shown(export_id)["state"] == "ready", (step, failed_at)
        setting.is_right(export_id)
        # A message that comes once more changes nothing.
        before = (dict(setting.s3.files), setting.world.rows(setting.world.control_table))
        setting.world.work(export_id, tries=3)
        setting.world.work(export_id, tries=9)
        assert before == (dict(setting.s3.files), setting.world.rows(setting.world.control_table))


@pytest.mark.parametrize("kind", [die, busy, refused])
def test_a_fault_that_stays_ends_in_failed_with_a_reason_or_in_the_right_file(
    setting: Setting, kind: Callable[[str], BaseException]
) -> None:
    """Every try fails at the same step; the last has the mended stores but no try left."""
    outcomes: set[str] = set()
    for step in steps(setting):
        export_id = setting.ask()

        def fault(name: str, number: int, call: Callable[[], Any], step: int = step) -> Any:
            if number >= step:
                raise kind(name)
            return call()

        for tries in (1, 2, 3):
            setting.watch(fault)
            with contextlib.suppress(KilledError, AuditlogError):
                setting.world.work(export_id, tries=tries)
            setting.mend()
        setting.world.work(export_id, tries=export.worker.MOST_TRIES + 1)
        shown = setting.world.shown(export_id)
        outcomes.add(shown["state"])
        if shown["state"] == "ready":
            setting.is_right(export_id)
        else:
            assert shown["state"] == "failed"
            assert shown["error"]
            assert shown["download_url"] is None
    assert outcomes == {"failed", "ready"}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_two_workers_at_once(setting: Setting, after: bool) -> None:
    """Another worker does the whole work while this one is at any step."""
    for step in steps(setting):
        export_id = setting.ask()

        def meanwhile(
            _name: str,
            number: int,
            call: Callable[[], Any],
            step: int = step,
            export_id: str = export_id,
        ) -> Any:
            if number != step:
                return call()
            done = call() if after else None
            watched = (setting.world.dynamodb, setting.world.s3, setting.world.sqs)
            setting.mend()
            setting.world.work(export_id, tries=2)
            setting.world.dynamodb, setting.world.s3, setting.world.sqs = watched
            return done if after else call()

        setting.watch(meanwhile)
        with contextlib.suppress(AuditlogError):
            setting.world.work(export_id)
        setting.mend()
        assert setting.world.shown(export_id)["state"] == "ready"
        setting.is_right(export_id)
        setting.world.work(export_id, tries=2)
        setting.is_right(export_id)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_cancelled_at_any_step_nothing_is_left(setting: Setting, after: bool) -> None:
    ends: set[str] = set()
    for step in steps(setting):
        setting.s3.files.clear()
        export_id = setting.ask()

        def cancel(
            _name: str,
            number: int,
            call: Callable[[], Any],
            step: int = step,
            export_id: str = export_id,
        ) -> Any:
            if number != step:
                return call()
            done = call() if after else None
            watched = (setting.world.dynamodb, setting.world.s3, setting.world.sqs)
            setting.mend()
            path = f"/v1/orgs/{ORG}/exports/{export_id}"
            assert setting.world.call("DELETE", path).status == 204
            setting.world.dynamodb, setting.world.s3, setting.world.sqs = watched
            return done if after else call()

        setting.watch(cancel)
        try:
            setting.world.work(export_id)
        except AuditlogError:
            setting.mend()
            setting.world.work(export_id, tries=2)
        setting.mend()
        shown = setting.world.shown(export_id)
        ends.add(shown["state"])
        assert shown["state"] in {"cancelled", "expired"}, (step, setting.calls)
        assert shown["download_url"] is None
        assert setting.s3.files == {}, (step, setting.calls[step])
        assert setting.s3.uploads == {}
    assert ends == {"cancelled", "expired"}


@pytest.mark.parametrize("most_copied", [objects.MAX_COPY, 13 * 1024 * 1024])
def test_the_parts_keep_the_rules_of_s3_with_the_real_sizes(
    world: World, monkeypatch: pytest.MonkeyPatch, most_copied: int
) -> None:
    """A slice of more than 40 MiB from a reader that makes it up; also copied in pieces."""
    monkeypatch.setattr(objects, "MAX_COPY", most_copied)
    world.s3 = strict = StrictS3()
    store = objects.ObjectStore(world.s3, "exports")
    line = bytes(range(256)) * 4_096
    size = store.write("slice", (line for _ in range(45)))
    assert size == 45 * len(line) > 40 * 1024 * 1024
    assert len(strict.parts) > 2
    whole = strict.files["slice"]
    assert whole == line * 45
    assert max(strict.parts) <= 32 * 1024 * 1024
    for head, tail in ((b"[", b"]\n"), (b"", b""), (b"x" * 5_242_879, b"y")):
        pieces = [head, objects.Stored("slice", size), tail]
        made = store.assemble("file", pieces, alive=lambda: None, ContentType="application/json")
        assert strict.files["file"] == head + whole + tail
        assert made == len(head) + size + len(tail)
        assert strict.about["file"] == {"ContentType": "application/json"}
    small = [objects.Stored("a", 3), b"-", objects.Stored("slice", size), objects.Stored("a", 3)]
    strict.files["a"] = b"abc"
    store.assemble("file", small, alive=lambda: None)
    assert strict.files["file"] == b"abc-" + whole + b"abc"
    assert strict.uploads == {}


def test_a_stream_that_breaks_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "_PART", 10)
    world.s3 = strict = StrictS3()

    def broken() -> Iterator[bytes]:
        yield from [b"0123456789"] * 5
        raise KilledError

    with pytest.raises(KilledError):
        objects.ObjectStore(world.s3, "exports").write("slice", broken())
    assert strict.files == strict.uploads == {}


def test_the_message_is_kept_and_progress_reported_while_it_runs(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = setting.world
    monkeypatch.setattr("export.job._PER_PAGE", 10)
    export_id = setting.ask()
    found = world.exports.get(ORG, export_id)
    assert found is not None
    at, held, seen = [0.0], [0], []

    def monotonic() -> float:
        at[0] += 3.0
        return at[0]

    def hold() -> None:
        held[0] += 1
        seen.append(world.shown(export_id)["progress"])

    export.worker.Job(
        found,
        export.worker._catalog,
        Layout(ORG),
        reader=world.reader,
        exports=world.exports,
        objects=objects.ObjectStore(world.s3, "exports"),
        hold=hold,
        attempt="one",
        monotonic=monotonic,
        now=clock.now,
    ).run()
    assert held[0] >= 4
    counts = [progress["events"] for progress in seen]
    assert counts == sorted(counts)
    assert any(0 < count < 40 for count in counts)
    assert all(0 <= progress["fraction"] <= 1 for progress in seen)
    assert world.shown(export_id)["progress"] == {"events": 40, "fraction": 1.0}
    setting.is_right(export_id)
