"""What the benchmarks of exports stand on: a log without a table, buckets, native items."""

import gzip
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Key

from auditlog import canonical
from auditlog.event import first_id, is_id
from auditlog.span import Span, just_above
from auditlog.store import objects, rows
from auditlog.store.objects import ObjectStore, Stored
from auditlog.store.rows import Row, RowStore
from tests.bench import buckets, endless, flat, large, naive
from tests.bench.flat import Wanted
from tests.engines import Dynoxide

COUNT = 4_321


@pytest.fixture
def log() -> RowStore:
    pages: Any = endless.Pages(COUNT, endless.templates())
    rows.attach(pages)
    return RowStore(pages, "")


def walk(log: RowStore, span: Span, count: int = rows.MOST_ROWS) -> list[Row]:
    found: list[Row] = []
    while True:
        page, is_whole = log.page(large.ORG, span, count)
        found += page
        if is_whole:
            return found
        assert 0 < len(page) <= count
        span = Span(just_above(page[-1].sk.S), span.end)


def test_made_up_rows_come_once_and_in_order(log: RowStore) -> None:
    found = walk(log, endless.span(COUNT))
    ids = [row.sk.S for row in found]
    assert len(ids) == COUNT
    assert ids == sorted(set(ids))
    assert all(map(is_id, ids))
    like = [entry.record for entry in large.events(large.MIN_EVENTS, stop=3_000)]
    records = [(canonical.unpack(row.r.B), row.s is None) for row in found]
    expected = [(record.data, record.described) for record in like]
    assert records == (expected + expected)[:COUNT]


def test_made_up_rows_of_any_span_and_page(log: RowStore) -> None:
    ids = [row.sk.S for row in walk(log, endless.span(COUNT))]
    middle = first_id(large.SINCE + 2_000 * endless.STEP)
    for span, expected in (
        (Span(ids[0], middle), ids[:2_000]),
        (Span(middle, ids[2_100]), ids[2_000:2_100]),
        (Span(just_above(ids[2_100]), just_above(ids[2_150])), ids[2_101:2_151]),
        (Span(ids[-1], endless.span(COUNT).end), ids[-1:]),
        (Span(just_above(ids[-1]), "w"), []),
    ):
        for count in (7, 1_000, 4_000):
            assert [row.sk.S for row in walk(log, span, count)] == expected


def test_an_export_of_made_up_rows_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endless, "SLICE_EVENTS", 1_000)
    bounds = endless.bounds(COUNT)
    assert len(bounds) == 3
    wanted = Wanted(None, count=COUNT, like=endless.templates(), bounds=bounds)
    took = flat._main(replace(wanted, folder=str(tmp_path)))
    path = tmp_path / took.key
    events = json.loads(gzip.decompress(path.read_bytes()))
    assert (took.events, took.bytes, took.slices) == (COUNT, path.stat().st_size, 4)
    assert len(events) == COUNT
    assert all(one["id"] < other["id"] for one, other in pairwise(events))
    # The slices are gone; the file and its manifest are there.
    assert sorted(place.name for place in path.parent.iterdir() if place.is_file()) == [
        path.name,
        f"{path.name}.manifest.json",
    ]
    forgotten = flat._main(wanted)
    assert (forgotten.events, forgotten.slices) == (COUNT, 4)


def test_a_folder_keeps_what_a_bucket_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "MIN_PART", 10)
    monkeypatch.setattr(objects, "_PART", 20)
    folder: Any = buckets.Folder(tmp_path)
    store = ObjectStore(folder, "bucket")
    large_one, small_one = bytes(range(97, 122)) * 5, b"small"
    store.write("a/large", [large_one[:30], large_one[30:]])
    store.write("a/small", [small_one])
    assert (tmp_path / "a/large").read_bytes() == large_one
    size = store.assemble(
        "b/file",
        [b"[", Stored("a/large", len(large_one), 2), b",", Stored("a/small", 5), b"]"],
        alive=lambda: None,
    )
    whole = b"[" + large_one[2:] + b"," + small_one + b"]"
    assert (tmp_path / "b/file").read_bytes() == whole
    assert size == folder.size("b/file") == len(whole)
    store.delete_folder("a/")
    assert [place.name for place in tmp_path.rglob("*") if place.is_file()] == ["file"]


def test_the_naive_writer_keeps_whole_events(dynoxide: Dynoxide) -> None:
    table = dynoxide.create_table("bench-naive")
    entries = list(large.events(large.MIN_EVENTS, stop=200))
    naive.fill(dynoxide.client(), table, entries)
    resource: Any = boto3.resource("dynamodb", endpoint_url=dynoxide.url)
    found = resource.Table(table).query(KeyConditionExpression=Key("pk").eq(large.ORG))["Items"]
    expected = [
        {"pk": large.ORG, "sk": each.record.id, **json.loads(each.record.data, parse_float=str)}
        for each in entries
    ]
    assert found == expected
