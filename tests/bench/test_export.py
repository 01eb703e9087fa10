"""Exports: what they cost beside other ways, in how much memory, and whether others can read them.

AUDITLOG_BENCH_EVENTS=1000000           the large log
AUDITLOG_BENCH_MADE_UP_EVENTS=10000000  the one of which only memory is measured
"""

import gzip
import hashlib
import json
import os
import subprocess
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from auditlog.layout import Layout
from tests.bench import flat, large, naive, postgres
from tests.bench.flat import Source, Took, Wanted
from tests.bench.large import Entry
from tests.bench.measure import of_programs, table
from tests.bench.readers import READERS
from tests.engines import Dynoxide

COUNT = 100_000
MANY = int(os.environ.get("AUDITLOG_BENCH_EVENTS", "1000000"))
MADE_UP = int(os.environ.get("AUDITLOG_BENCH_MADE_UP_EVENTS", "10000000"))
SLICES = (1, 2, 4, 8, 16)
TIMES = 3

#: The goals of issue 4.
OF_GZIP, OF_NAIVE, MEMORY = 0.5, 30, 150

OURS = {
    "the worker, json, gzip": Wanted(None, times=TIMES),
    "the worker, ndjson, plain": Wanted(None, format="ndjson", compression="none", times=TIMES),
    "the worker, csv, gzip": Wanted(None, format="csv", times=2),
    "the worker, profile hf, gzip": Wanted(None, profile="hf", times=2),
}
FILES = {"json": "gzip", "ndjson": "none", "csv": "none"}


@dataclass(frozen=True)
class Log:
    """A log in the engine, and the ids of its events in order."""

    source: Source
    ids: Sequence[str]


@dataclass(frozen=True)
class Way:
    """What a way of exporting `events` took: seconds of processors, bytes, memory in MB."""

    events: int
    cpu: float
    bytes: int
    memory: float | None = None

    @property
    def each(self) -> float:
        """Microseconds of an event."""
        return self.cpu / self.events * 1e6


@pytest.fixture(scope="module")
def many(dynoxide: Dynoxide) -> Iterator[Log]:
    with a_log(dynoxide, "many", large.events(MANY)) as log:
        yield log


@contextmanager
def a_log(dynoxide: Dynoxide, name: str, entries: Iterable[Entry]) -> Generator[Log]:
    client, ids = dynoxide.client(), list[str]()
    names = [dynoxide.create_table(f"export-{name}-{each}") for each in ("log", "digests", "work")]

    def noted() -> Iterator[Entry]:
        for entry in entries:
            ids.append(entry.record.id)
            yield entry

    large.load(client, names[0], Layout(large.ORG).partition, noted())
    yield Log(Source(dynoxide.url, *names), ids)
    for each in names:
        client.delete_table(TableName=each)


def test_what_an_event_costs(dynoxide: Dynoxide, tmp_path: Path) -> None:
    """Ours, the naive one, `gzip -6` of the same bytes and PostgreSQL, of the same events."""
    entries = list(large.events(COUNT))
    ways: dict[str, Way] = {}
    with a_log(dynoxide, "ways", entries) as log:
        for name, wanted in OURS.items():
            took = run(log, wanted)
            ways[name] = Way(took.events, took.cpu, took.bytes, took.memory)
        kept = run(log, Wanted(None, format="ndjson", compression="none", folder=str(tmp_path)))
    ways["gzip -6, of that ndjson"] = gzipped(tmp_path / kept.key)
    ways["boto3 resource, json.dumps, gzip"] = naively(dynoxide, entries)
    try:
        ways["PostgreSQL 15, COPY into gzip"] = copied(entries)
    except postgres.MissingError as reason:
        print(f"\n*** PostgreSQL was NOT measured: {reason} ***")
    packed, plainly = ways["gzip -6, of that ndjson"], ways["boto3 resource, json.dumps, gzip"]
    table(
        f"Processor time of an event, of {COUNT:,} in dynoxide",
        [
            "way", "events", "µs an event", "events/s of a core", "times gzip -6",
            "naive is so many times", "bytes an event", "peak MB",
        ],
        [
            (
                name, way.events, way.each, 1e6 / way.each, way.each / packed.each,
                plainly.each / way.each, way.bytes / way.events, way.memory or "",
            )
            for name, way in ways.items()
        ],
    )  # fmt: skip
    ours = ways["the worker, json, gzip"]
    goal("times gzip -6", f"{ours.each / packed.each:.2f}", f"at most {OF_GZIP}")
    goal("times the naive speed", f"{plainly.each / ours.each:.1f}", f"at least {OF_NAIVE}")
    everything = {name: way.events for name, way in ways.items() if "hf" not in name}
    assert everything == dict.fromkeys(everything, COUNT)
    # The reference's words do not cover every type.
    assert 0 < ways["the worker, profile hf, gzip"].events < COUNT


def test_it_costs_the_same_in_any_number_of_slices(many: Log) -> None:
    part = many.ids[: MANY // 4]
    rows: list[tuple[int, float, float, int]] = []
    for slices in SLICES:
        bounds = [part[number * len(part) // slices] for number in range(1, slices)]
        end = many.ids[len(part)]
        took = run(many, Wanted(None, bounds=bounds, end=end, times=2))
        assert (took.events, took.slices) == (len(part), slices)
        rows.append((slices, took.cpu / took.events * 1e6, took.events / took.wall, took.bytes))
    table(
        f"Export of {len(part):,} events in slices, json, gzip",
        ["slices", "µs an event", "events/s with the engine", "bytes"],
        rows,
    )
    each = [cost for _, cost, *_ in rows]
    goal("most by least µs", f"{max(each) / min(each):.2f}", "flat from 1 to 16 slices")


def test_everybody_can_read_a_large_one(many: Log, tmp_path: Path) -> None:
    """Whole, in order, as its manifest says; and how much memory it took to make."""
    assert all(before < after for before, after in pairwise(many.ids))
    made: list[tuple[str, Took]] = []
    read: list[Sequence[object]] = []
    for kind, compression in FILES.items():
        folder = tmp_path / kind
        took = run(many, Wanted(None, format=kind, compression=compression, folder=str(folder)))
        assert took.events == MANY
        name = f"{kind}, {compression}"
        made.append((name, took))
        path = folder / took.key
        is_as_its_manifest_says(path, many)
        for reader, ids_of in READERS[kind].items():
            began = time.perf_counter()
            is_right = list(ids_of(path)) == many.ids
            read.append((name, reader, MANY, time.perf_counter() - began))
            assert is_right, reader
        path.unlink()
    show(f"Export of {MANY:,} events from dynoxide", made)
    table(
        f"Who reads a file of {MANY:,} events, each id once and in order",
        ["file", "reader", "events", "seconds"],
        read,
    )


def test_memory_does_not_depend_on_size() -> None:
    """Of rows that are made up when they are asked for, which takes most of this time."""
    made: list[tuple[str, Took]] = []
    packed = [(count, "gzip") for count in (1_000, COUNT, MADE_UP)]
    for count, packing in [*packed, (MANY, "none")]:
        took = flat.run(Wanted(None, count=count, compression=packing))
        assert took.events == count
        made.append((f"json, {packing}", took))
    show("Export of rows without a table", made)


def show(title: str, made: Sequence[tuple[str, Took]]) -> None:
    table(
        title,
        [
            "file", "events", "slices", "seconds", "µs an event", "MB written", "MB before",
            "MB at the most",
        ],
        [
            (
                name, took.events, took.slices, took.wall, took.cpu / took.events * 1e6,
                took.bytes / 1e6, took.memory_before, took.memory,
            )
            for name, took in made
        ],
    )  # fmt: skip
    goal("peak MB", f"{max(took.memory for _, took in made):.0f}", f"at most {MEMORY}")


def goal(what: str, measured: str, wanted: str) -> None:
    print(f"\n{what}: {measured} (goal: {wanted})")


def run(log: Log, wanted: Wanted) -> Took:
    return flat.run(replace(wanted, source=log.source))


def gzipped(path: Path) -> Way:
    took = min(
        of_programs(
            lambda: subprocess.run(
                ["gzip", "-6", "--stdout", str(path)], check=True, stdout=subprocess.DEVNULL
            )
        ).cpu
        for _ in range(TIMES)
    )
    packed = subprocess.run(["gzip", "-6", "--stdout", str(path)], check=True, capture_output=True)
    return Way(COUNT, took, len(packed.stdout))


def naively(dynoxide: Dynoxide, entries: Iterable[Entry]) -> Way:
    name = dynoxide.create_table("export-ways-naive")
    naive.fill(dynoxide.client(), name, entries)
    runs: list[dict[str, Any]] = [naive.run(dynoxide.url, name) for _ in range(2)]
    dynoxide.client().delete_table(TableName=name)
    least = min(runs, key=lambda each: each["cpu"])
    return Way(least["events"], least["cpu"], least["bytes"], least["memory"])


def copied(entries: Iterable[Entry]) -> Way:
    with postgres.postgres() as server:
        server.load(entries)
        took = min(server.copied().cpu for _ in range(TIMES))
        return Way(server.count(), took, server.packed())


def is_as_its_manifest_says(path: Path, log: Log) -> None:
    """Every byte is in a range of the manifest that has its sum, or in the rest."""
    about = json.loads(Path(f"{path}.manifest.json").read_text())
    rest, ids, at = hashlib.sha256(), iter(log.ids), 0
    with path.open("rb") as file:
        for part in about["slices"]:
            rest.update(file.read(part["offset"] - at))
            data = file.read(part["bytes"])
            at = part["offset"] + part["bytes"]
            assert hashlib.sha256(data).hexdigest() == part["sha256"]
            held = [next(ids) for _ in range(part["events"])]
            assert (held[0], held[-1]) == (part["first_id"], part["last_id"])
            if about["export"]["compression"] == "gzip":
                gzip.decompress(data)
        tail = file.read()
    rest.update(tail)
    assert rest.hexdigest() == about["rest_sha256"]
    assert (about["bytes"], about["events"]) == (at + len(tail), len(log.ids))
    assert next(ids, None) is None
