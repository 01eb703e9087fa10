"""An export under every fault: ends with exactly the right file, or says why not."""

import contextlib
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

import export.worker
from auditlog import clock
from auditlog.errors import AuditlogError
from auditlog.store import objects
from export import cuts, feed, job, patience
from tests.functional.conftest import ORG, Watched, World, an_event
from tests.functional.memory_sqs import MemorySqs
from tests.functional.strict_s3 import StrictS3

EVENTS = 60
CRASH_POINTS = 200


class KilledError(BaseException):
    """The process is gone: nothing in it runs any more."""


def die(name: str) -> BaseException:
    return KilledError(name)


def busy(name: str) -> BaseException:
    return ClientError({"Error": {"Code": "SlowDown"}}, name)


def refused(name: str) -> BaseException:
    return ClientError({"Error": {"Code": "AccessDenied"}}, name)


KINDS = {"die": die, "busy": busy, "refused": refused}
#: Whole logs take one way through the code, filters another, and each format has its own.
SHAPES: dict[str, dict[str, Any]] = {
    "json": {"format": "json", "compression": "none"},
    "json, packed": {"format": "json", "compression": "gzip"},
    "ndjson of a filter": {"format": "ndjson", "compression": "gzip", "actor": "usr_1"},
    "csv": {"format": "csv", "compression": "none", "bom": True},
    "the reference's": {"format": "json", "compression": "none", "profile": "hf"},
}

STEPS = {
    "gzip": {
        "get_item", "query", "update_item", "transact_write_items", "change_message_visibility",
        "put_object", "list_objects_v2", "delete_objects", "send_message",
    },
}  # fmt: skip
STEPS["none"] = STEPS["gzip"] | {
    "create_multipart_upload", "upload_part", "complete_multipart_upload", "get_object",
}  # fmt: skip


class Setting:
    """A world with a strict S3 and a queue of our own, small enough to take every step in one run.

    There are some five slices, of which each is written in parts, and parts that are copied.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.s3 = world.s3 = StrictS3()
        self.sqs = world.sqs = MemorySqs()
        self.sound = (world.dynamodb, world.log_rows, world.s3, world.sqs)
        self.until = clock.text(clock.now() - 30 * clock.SECOND)
        others = [an_event(type="aws.s3.PutObject", description="not the reference's")] * 3
        world.publish(
            *[an_event(metadata={"n": n, "text": f"{n:x}" * 40}) for n in range(EVENTS)], *others
        )
        self.calls: list[str] = []

    def ask(self, **shape: Any) -> str:
        """Asks for what was there when the test began."""
        return self.world.ask_export(until=self.until, **shape)

    def watch(self, fault: Callable[..., Any]) -> None:
        self.calls = []
        for name, client in zip(("dynamodb", "log_rows", "s3", "sqs"), self.sound, strict=True):
            setattr(self.world, name, Watched(client, fault, self.calls))

    def mend(self) -> None:
        self.world.dynamodb, self.world.log_rows, self.world.s3, self.world.sqs = self.sound

    @contextlib.contextmanager
    def mended(self) -> Any:
        """In here everything is as it should be."""
        watched = (self.world.dynamodb, self.world.log_rows, self.world.s3, self.world.sqs)
        self.mend()
        yield
        self.world.dynamodb, self.world.log_rows, self.world.s3, self.world.sqs = watched

    def work(self, before: Callable[[], object] = lambda: None) -> int:
        """Delivers all there is until nothing is left; how often a worker raised."""
        raised = 0
        while True:
            before()
            try:
                if not self.world.deliver(self.sqs):
                    return raised
            except (KilledError, AuditlogError):
                raised += 1

    def file(self, export_id: str) -> tuple[bytes, dict[str, Any]]:
        """A finished file, and what its manifest says that is not about the export itself."""
        found = self.world.exports.get(ORG, export_id)
        assert found is not None
        data = self.s3.files[found.object_key]
        about = json.loads(self.s3.files[found.manifest_key])
        assert (
            (found.bytes, found.events)
            == (len(data), about["events"])
            == (about["bytes"], found.events)
        )
        assert set(self.s3.files) >= {found.object_key, found.manifest_key}
        assert not [key for key in self.s3.files if "/slices/" in key and found.id in key]
        return data, {name: about[name] for name in about if name not in {"export", "file"}}


@pytest.fixture
def setting(world: World, monkeypatch: pytest.MonkeyPatch) -> Setting:
    monkeypatch.setattr(objects, "MIN_PART", 3_000)
    monkeypatch.setattr(objects, "_PART", 4_000)
    monkeypatch.setattr(objects, "MAX_COPY", 4_000)
    monkeypatch.setattr(cuts, "SLICE_EVENTS", 12)
    monkeypatch.setattr(cuts, "_FINE", 6)
    monkeypatch.setattr(feed, "_BATCH_BYTES", 3_000)
    monkeypatch.setattr(patience, "_FIRST_WAIT", 0.0001)
    monkeypatch.setattr(patience, "_LONGEST_WAIT", 0.0001)
    return Setting(world)


def undisturbed(setting: Setting, shape: dict[str, Any]) -> tuple[tuple[bytes, Any], list[str]]:
    """The file of an export that nothing disturbs, and every call that it took."""
    export_id = setting.ask(**shape)
    setting.watch(lambda _name, _number, call: call())
    assert setting.work() == 0
    setting.mend()
    made = setting.file(export_id)
    assert made[1]["events"] >= EVENTS
    return made, list(setting.calls)


@pytest.mark.parametrize("shape", SHAPES)
def test_wherever_it_crashes_the_file_is_the_same(setting: Setting, shape: str) -> None:
    """`CRASH_POINTS` in all, drawn from every call of every step, before and after its effect."""
    expected, calls = undisturbed(setting, SHAPES[shape])
    assert set(calls) >= STEPS[SHAPES[shape]["compression"]]
    draw = random.Random(shape)
    for _ in range(CRASH_POINTS // len(SHAPES)):
        step, after, kind = (
            draw.randrange(len(calls)),
            draw.random() < 0.5,
            draw.choice(list(KINDS)),
        )
        export_id = setting.ask(**SHAPES[shape])
        state = {"dead": False, "done": False}

        def fault(
            name: str,
            number: int,
            call: Callable[[], Any],
            how: Any = (step, after, kind),
            state: Any = state,
        ) -> Any:
            step, after, kind = how
            if state["dead"] or (number == step and not state["done"]):
                if after and not state["done"]:
                    call()
                state["done"] = True
                state["dead"] = kind == "die"
                raise KINDS[kind](name)
            return call()

        def revived(state: Any = state) -> None:
            state["dead"] = False

        setting.watch(fault)
        setting.work(before=revived)
        setting.mend()
        shown = setting.world.shown(export_id)
        place = (shape, step, calls[step], after, kind, shown["error"])
        assert state["done"], place
        assert shown["state"] == "ready", place
        assert setting.file(export_id) == expected, place
        # An upload whose number nobody was told is left to the bucket's lifecycle.
        unknown = after and calls[step] == "create_multipart_upload"
        assert setting.s3.uploads == {} or kind == "die" or unknown, place
        setting.s3.files.clear()
        setting.s3.uploads.clear()


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_that_stays_ends_in_failed_with_a_reason_or_in_the_right_file(
    setting: Setting, kind: str
) -> None:
    """Every delivery of a message fails at the same call as the first that came so far."""
    shape = SHAPES["json"]
    expected, calls = undisturbed(setting, shape)
    outcomes: set[str] = set()
    for step in range(0, len(calls), 5):
        export_id = setting.ask(**shape)

        def fault(name: str, number: int, call: Callable[[], Any], step: int = step) -> Any:
            if number >= step:
                raise KINDS[kind](name)
            return call()

        setting.watch(fault)
        for _ in range(export.worker.MOST_TRIES * len(calls)):
            if not setting.sqs.waiting:
                break
            with contextlib.suppress(KilledError, AuditlogError):
                setting.world.deliver(setting.sqs)
        setting.mend()
        assert setting.work() == 0
        shown = setting.world.shown(export_id)
        outcomes.add(shown["state"])
        if shown["state"] == "ready":
            assert setting.file(export_id) == expected
        else:
            assert (shown["state"], shown["download_url"]) == ("failed", None)
            assert shown["error"]
            assert not [key for key in setting.s3.files if export_id in key], (step, calls[step])
        setting.s3.files.clear()
        setting.s3.uploads.clear()
    assert "failed" in outcomes


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_one_message_delivered_twice_at_the_same_time(setting: Setting, after: bool) -> None:
    """At any call a second worker gets the same message, and does all there is to do."""
    shape = SHAPES["json, packed"]
    expected, calls = undisturbed(setting, shape)
    for step in range(0, len(calls), 2):
        export_id = setting.ask(**shape)

        def meanwhile(_name: str, number: int, call: Callable[[], Any], step: int = step) -> Any:
            if number != step:
                return call()
            done = call() if after else None
            with setting.mended():
                setting.sqs.deliver_again()
                assert setting.work() == 0
            return done if after else call()

        setting.watch(meanwhile)
        setting.work()
        setting.mend()
        assert setting.world.shown(export_id)["state"] == "ready", (step, calls[step])
        assert setting.file(export_id) == expected, (step, calls[step])
        setting.s3.files.clear()


def test_every_message_sent_twice_is_worked_on_once(setting: Setting) -> None:
    shape = SHAPES["json"]
    expected, calls = undisturbed(setting, shape)
    setting.sqs.copies = 2
    export_id = setting.ask(**shape)
    setting.watch(lambda _name, _number, call: call())
    assert setting.work() == 0
    setting.mend()
    assert setting.file(export_id) == expected
    for name in ("upload_part", "put_object", "query", "complete_multipart_upload"):
        assert setting.calls.count(name) == calls.count(name), name


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_cancelled_at_any_step_nothing_is_left(setting: Setting, after: bool) -> None:
    shape = SHAPES["json"]
    _, calls = undisturbed(setting, shape)
    setting.s3.files.clear()
    ends: set[str] = set()
    for step in range(0, len(calls), 2):
        export_id = setting.ask(**shape)

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
            with setting.mended():
                path = f"/v1/orgs/{ORG}/exports/{export_id}"
                assert setting.world.call("DELETE", path).status == 204
            return done if after else call()

        setting.watch(cancel)
        setting.work()
        setting.mend()
        shown = setting.world.shown(export_id)
        ends.add(shown["state"])
        assert shown["state"] in {"cancelled", "expired"}, (step, calls[step])
        assert shown["download_url"] is None
        assert setting.s3.files == {}, (step, calls[step])
        assert setting.s3.uploads == {}, (step, calls[step])
    assert "cancelled" in ends


def test_progress_moves_with_the_slices(setting: Setting) -> None:
    export_id = setting.ask(**SHAPES["json"])
    seen: list[tuple[str, float, int]] = []
    while setting.world.deliver():
        shown = setting.world.shown(export_id)
        seen.append((shown["state"], shown["progress"]["fraction"], shown["progress"]["events"]))
    assert seen == sorted(seen, key=lambda each: each[1:])
    assert len({fraction for _, fraction, _ in seen}) >= 5
    assert seen[0] == ("running", 0.0, 0)
    assert seen[-1] == ("ready", 1.0, EVENTS + 1)


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


def test_the_message_is_kept_and_the_export_said_to_live_while_it_runs(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where each sign of life is due: with every batch of a slice and every part of the file."""
    _, calls = undisturbed(setting, SHAPES["json"])
    monkeypatch.setattr(job, "REPORT_EVERY", 0.0)
    setting.s3.files.clear()
    _, more = undisturbed(setting, SHAPES["json"])
    parts = calls.count("upload_part") + calls.count("upload_part_copy")
    assert calls.count("change_message_visibility") >= 6
    assert more.count("change_message_visibility") >= 6 + parts
    assert more.count("get_item") > calls.count("get_item") + parts
