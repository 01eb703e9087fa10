"""A small export, and the calls that it takes: what the tests of a job disturb."""

import contextlib
import dataclasses
import itertools
import json
import random
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import export.worker
from auditlog import clock
from auditlog.errors import AuditlogError
from tests import budget
from tests.functional.conftest import ORG, Watched, World, an_event
from tests.functional.memory_sqs import MemorySqs
from tests.functional.strict_s3 import StrictS3

EVENTS = 60
FUNCTIONS = str(Path(export.worker.__file__).parents[1])


class KilledError(BaseException):
    """The process is gone: nothing in it runs any more."""


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


#: Where in the code a call is made: functions and lines, from the call outwards.
Place = tuple[str, ...]


def place() -> Place:
    return tuple(
        f"{frame.f_code.co_qualname} {line}"
        for frame, line in traceback.walk_stack(sys._getframe(1))
        if frame.f_code.co_filename.startswith(FUNCTIONS)
    )


@dataclasses.dataclass(frozen=True)
class Undisturbed:
    """An export that nothing disturbs: its file, and every call that it took."""

    made: tuple[bytes, dict[str, Any]]
    calls: list[str]
    places: list[Place]

    def steps(self, draw: random.Random) -> list[int]:
        """The number of one call of each kind."""
        return budget.one_of_each(self.places, draw)

    def gaps(self, draw: random.Random) -> list[int]:
        """The number of one call of each kind that has one before it, which counts for its kind."""
        between = budget.one_of_each([*itertools.pairwise(self.places)], draw)
        return [number + 1 for number in between]


def undisturbed(setting: Setting, shape: dict[str, Any]) -> Undisturbed:
    export_id = setting.ask(**shape)
    places: list[Place] = []

    def note(_name: str, _number: int, call: Callable[[], Any]) -> Any:
        places.append(place())
        return call()

    setting.watch(note)
    assert setting.work() == 0
    setting.mend()
    made = setting.file(export_id)
    assert made[1]["events"] >= EVENTS
    return Undisturbed(made, list(setting.calls), places)
