"""An export under every fault: ends with exactly the right file, or says why not.

What happens, happens at one call of each kind; two calls are of one kind that are made at
the same place of the code. In a long run it happens at every call.
"""

import contextlib
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

import export.worker
from auditlog.errors import AuditlogError
from auditlog.store import objects
from export import cuts, feed, job, patience
from tests import budget
from tests.functional.conftest import ORG, World
from tests.functional.disturbed import EVENTS, KilledError, Setting, undisturbed
from tests.functional.strict_s3 import StrictS3


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


@pytest.mark.parametrize("shape", SHAPES)
def test_wherever_it_crashes_the_file_is_the_same(setting: Setting, shape: str) -> None:
    """In each step, before a call's effect or after it. The shapes take turns at the calls."""
    whole = undisturbed(setting, SHAPES[shape])
    expected, calls = whole.made, whole.calls
    assert set(calls) >= STEPS[SHAPES[shape]["compression"]]
    draw = random.Random(shape)
    for step in budget.share(whole.steps(draw), list(SHAPES).index(shape), 2):
        after, kind = draw.random() < 0.5, draw.choice(list(KINDS))
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
    whole = undisturbed(setting, shape)
    expected, calls = whole.made, whole.calls
    outcomes: set[str] = set()
    turn, steps = list(KINDS).index(kind), whole.steps(random.Random(1))
    for step in budget.share(steps, turn, len(KINDS)):
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


def test_one_message_delivered_twice_at_the_same_time(setting: Setting) -> None:
    """Between two calls a second worker gets the same message, and does all there is to do."""
    shape = SHAPES["json, packed"]
    whole = undisturbed(setting, shape)
    expected, calls = whole.made, whole.calls
    for step in whole.gaps(random.Random(1)):
        export_id = setting.ask(**shape)

        def meanwhile(_name: str, number: int, call: Callable[[], Any], step: int = step) -> Any:
            if number == step:
                with setting.mended():
                    setting.sqs.deliver_again()
                    assert setting.work() == 0
            return call()

        setting.watch(meanwhile)
        setting.work()
        setting.mend()
        assert setting.world.shown(export_id)["state"] == "ready", (step, calls[step])
        assert setting.file(export_id) == expected, (step, calls[step])
        setting.s3.files.clear()


def test_every_message_sent_twice_is_worked_on_once(setting: Setting) -> None:
    shape = SHAPES["json"]
    whole = undisturbed(setting, shape)
    expected, calls = whole.made, whole.calls
    setting.sqs.copies = 2
    export_id = setting.ask(**shape)
    setting.watch(lambda _name, _number, call: call())
    assert setting.work() == 0
    setting.mend()
    assert setting.file(export_id) == expected
    for name in ("upload_part", "put_object", "query", "complete_multipart_upload"):
        assert setting.calls.count(name) == calls.count(name), name


def test_cancelled_at_any_step_nothing_is_left(setting: Setting) -> None:
    """Between two calls."""
    shape = SHAPES["json"]
    whole = undisturbed(setting, shape)
    calls = whole.calls
    setting.s3.files.clear()
    ends: set[str] = set()
    for step in whole.gaps(random.Random(1)):
        export_id = setting.ask(**shape)

        def cancel(
            _name: str,
            number: int,
            call: Callable[[], Any],
            step: int = step,
            export_id: str = export_id,
        ) -> Any:
            if number == step:
                with setting.mended():
                    path = f"/v1/orgs/{ORG}/exports/{export_id}"
                    assert setting.world.call("DELETE", path).status == 204
            return call()

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
    calls = undisturbed(setting, SHAPES["json"]).calls
    monkeypatch.setattr(job, "REPORT_EVERY", 0.0)
    setting.s3.files.clear()
    more = undisturbed(setting, SHAPES["json"]).calls
    parts = calls.count("upload_part") + calls.count("upload_part_copy")
    assert calls.count("change_message_visibility") >= 6
    assert more.count("change_message_visibility") >= 6 + parts
    assert more.count("get_item") > calls.count("get_item") + parts
