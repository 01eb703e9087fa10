"""What is in the files, in every format, over slices with and without events; the manifests."""

import csv
import gzip
import hashlib
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import jq
import pytest

from auditlog import canonical, clock
from auditlog.cli import manifest as manifests
from auditlog.errors import StoreError
from auditlog.event import MAX_EVENT_BYTES, first_id
from auditlog.exports import Export
from auditlog.formats import BOM, COLUMNS
from auditlog.store.slices import SliceStore
from export import cuts
from tests.functional.conftest import ORG, World, an_event, events_at, pages
from tests.unit.entries import validator

SHAPES = [
    {"format": form, "compression": packed, "profile": profile}
    for form in ("json", "ndjson", "csv")
    for packed in ("gzip", "none")
    for profile in ("native", "hf")
    if (form, profile) != ("csv", "hf")
]
each_shape = pytest.mark.parametrize(
    "shape", SHAPES, ids=["-".join(shape.values()) for shape in SHAPES]
)


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a hundred events make a dozen slices."""
    monkeypatch.setattr(cuts, "SLICE_EVENTS", 8)
    monkeypatch.setattr(cuts, "_FINE", 4)


def made(world: World, **asked: Any) -> tuple[dict[str, Any], bytes, dict[str, Any]]:
    """An export as it is shown, its file, and its manifest."""
    export_id = world.ask_export(**asked)
    world.work()
    shown = world.shown(export_id)
    assert shown["state"] == "ready", shown["error"]
    found = world.exports.get(ORG, export_id)
    assert found is not None
    about = world.s3.get_object(Bucket=world.bucket, Key=found.manifest_key)["Body"].read()
    return shown, world.file(export_id), json.loads(about)


def export_of(world: World, export_id: str) -> Export:
    found = world.exports.get(ORG, export_id)
    assert found is not None
    return found


def plain(data: bytes, shape: dict[str, Any]) -> bytes:
    return gzip.decompress(data) if shape["compression"] == "gzip" else data


def ids_of(text: bytes, shape: dict[str, Any]) -> list[str]:
    """The ids of the events in a file, by the standard library."""
    name = "_id" if shape["profile"] == "hf" else "id"
    if shape["format"] == "json":
        return [each[name] for each in json.loads(text)]
    if shape["format"] == "ndjson":
        return [json.loads(line)[name] for line in text.splitlines()]
    head, *rows = csv.reader(io.StringIO(text.decode("utf-8-sig"), newline=""))
    assert tuple(head) == COLUMNS
    return [row[0] for row in rows]


def check(data: bytes, about: dict[str, Any], tmp_path: Path) -> None:
    """A file against its manifest: by hand, and as the command does it."""
    rest = hashlib.sha256()
    at = 0
    for part in about["slices"]:
        rest.update(data[at : part["offset"]])
        at = part["offset"] + part["bytes"]
        assert hashlib.sha256(data[part["offset"] : at]).hexdigest() == part["sha256"]
        assert part["events"] > 0
    rest.update(data[at:])
    assert rest.hexdigest() == about["rest_sha256"]
    assert about["bytes"] == len(data)
    assert about["events"] == sum(part["events"] for part in about["slices"])
    (tmp_path / "file").write_bytes(data)
    read = manifests.read(json.dumps(about).encode(), "the manifest")
    with (tmp_path / "file").open("rb") as file:
        read.check(file, "the file")


@each_shape
@pytest.mark.parametrize("wanted", ["all", "some", "none"])
def test_slices_with_and_without_events_are_one_file(
    world: World, small_slices: None, tmp_path: Path, shape: dict[str, Any], wanted: str
) -> None:
    now = clock.now() - clock.HOUR
    actors = ["usr_1"] * 90
    # The first and the last slices have nothing of usr_2, and so have most between.
    for number in (30, 31, 60, 61, 62):
        actors[number] = "usr_2"
    world.publish(
        *[
            an_event(occurred_at=clock.text(now + n), actor={"id": each}, metadata={"n": n})
            for n, each in enumerate(actors)
        ]
    )
    actor = {"all": {}, "some": {"actor": "usr_2"}, "none": {"actor": "nobody"}}[wanted]
    shown, data, about = made(
        world, **shape, **actor, until=clock.text(now + clock.SECOND), include_hidden=True
    )
    events = [e for page in pages(world, order="asc", limit=1_000, type="repo") for e in page]
    if wanted != "all":
        events = [e for e in events if e["actor"]["id"] == actor["actor"]]
    expected = [event["id"] for event in events]
    assert len(expected) == {"all": 90, "some": 5, "none": 0}[wanted]
    if shape["profile"] == "hf":
        found = ids_of(plain(data, shape), shape)
        assert len(found) == len(expected) == len(set(found))
        assert found == sorted(found)
    else:
        assert ids_of(plain(data, shape), shape) == expected
    assert (shown["events"], shown["bytes"]) == (len(expected), len(data))
    assert (about["first_id"], about["last_id"]) == (
        (expected[0], expected[-1]) if expected else (None, None)
    )
    assert len(about["slices"]) >= {"all": 9, "some": 2, "none": 0}[wanted]
    check(data, about, tmp_path)
    if shape["compression"] == "gzip":
        subprocess.run(["gzip", "--test"], input=data, check=True)


@each_shape
def test_jq_and_duckdb_read_it(
    world: World, small_slices: None, tmp_path: Path, shape: dict[str, Any]
) -> None:
    words = ['quo"te', "new\nline", "semi;colon, comma", "=1+1", "é😀", "tab\t", "'", "{}"]
    world.publish(
        *[
            an_event(
                description=words[n % len(words)],
                targets=[{"type": "repo", "id": f"r{n}", "name": words[n % len(words)]}],
                metadata={"n": n, "word": words[n % len(words)]},
            )
            for n in range(40)
        ]
    )
    _, data, _ = made(world, **shape, type="repo")
    name = f"file.{shape['format']}" + (".gz" if shape["compression"] == "gzip" else "")
    path = tmp_path / name
    path.write_bytes(data)
    text = plain(data, shape).decode()
    description = "message" if shape["profile"] == "hf" else "description"
    if shape["format"] == "csv":
        rows = duckdb.execute(
            f"SELECT description, CAST(json_extract(metadata, '$.n') AS INT) AS n "  # noqa: S608 -- a path of ours
            f"FROM read_csv('{path}', header = true, all_varchar = true) ORDER BY n"
        ).fetchall()
        cells = ["'" + w if w[0] in "=+-@\t'" else w for w in words]
        assert rows == [(cells[n % len(words)], n) for n in range(40)]
        return
    member = "data" if shape["profile"] == "hf" else "metadata"
    rows = duckdb.execute(
        f"SELECT {description}, CAST({member}.n AS INT) AS n FROM read_json('{path}') ORDER BY n"  # noqa: S608 -- a path of ours
    ).fetchall()
    assert rows == [(words[n % len(words)], n) for n in range(40)]
    program = (
        f".[] | [.{description}, .{member}.n]"
        if shape["format"] == "json"
        else (f"[.{description}, .{member}.n]")
    )
    found = sorted(jq.compile(program).input_text(text).all(), key=lambda row: row[1])
    assert found == [list(row) for row in rows]


def test_csv_has_a_header_documented_columns_and_harmless_cells(world: World) -> None:
    world.publish(
        an_event(description="=HYPERLINK(0)", metadata={"a": [1, {"b": None}]}),
        an_event(actor={"id": "-1", "name": "@me"}, ip="192.0.2.9", location={"country": "FR"}),
    )
    _, data, _ = made(world, format="csv", type="repo", bom=True)
    assert data.startswith(BOM + b"id,occurred_at,recorded_at,type,")
    assert data.endswith(b"\r\n")
    one, two = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    assert one["description"] == "'=HYPERLINK(0)"
    assert one["summary"] == ""
    assert json.loads(one["metadata"]) == {"a": [1, {"b": None}]}
    assert (two["actor_id"], two["actor_name"]) == ("'-1", "'@me")
    assert (two["ip"], two["country"], two["city"]) == ("192.0.2.0", "FR", "")
    assert two["summary"] == "'@me created a repository"
    _, data, _ = made(world, format="csv", type="repo")
    assert data.startswith(b"id,")


def test_the_references_profile_is_valid_and_counts_what_it_leaves_out(world: World) -> None:
    world.publish(
        an_event(targets=[{"type": "repo", "id": "r"}]),
        an_event(type="aws.s3.GetObject"),
        an_event(type="aws.s3.PutObject"),
        an_event(
            actor={"id": "svc", "type": "service_account"},
            credential={"type": "session", "id": "s"},
        ),
    )
    shown, data, about = made(world, format="json", profile="hf", include_hidden=False)
    found = json.loads(data)
    validator().validate(found)
    assert len(found) == shown["events"] == 2
    assert shown["left_out"] == 2
    assert about["left_out"]["types"] == {"aws.s3.GetObject": 1, "aws.s3.PutObject": 1}
    assert about["left_out"]["fields"] == {
        "actor.id": 2, "actor.type": 1, "credential": 1, "key": 2, "targets": 1,
    }  # fmt: skip


@each_shape
def test_what_went_meanwhile_is_not_in_it_and_it_ends_well(
    world: World, small_slices: None, tmp_path: Path, shape: dict[str, Any]
) -> None:
    """Retention passes through the range between the plan and the slices, and between slices."""
    now = clock.now() - clock.HOUR
    world.publish(*events_at(*[now + number for number in range(60)]))
    export_id = world.ask_export(**shape, until=clock.text(now + clock.SECOND))
    assert world.deliver()
    assert world.deliver()
    rows = world.rows()
    for row in rows[:30]:
        world.dynamodb.delete_item(
            TableName=world.events_table, Key={"pk": row["pk"], "sk": row["sk"]}
        )
    world.work()
    shown = world.shown(export_id)
    assert shown["state"] == "ready"
    found = ids_of(plain(world.file(export_id), shape), shape)
    assert 30 <= len(found) == shown["events"] < 60
    if shape["profile"] == "native":
        assert set(found) >= {row["sk"]["S"] for row in rows[30:60]}


@each_shape
def test_a_slice_that_runs_out_of_time_is_parted_and_the_file_is_whole(
    world: World,
    small_slices: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    shape: dict[str, Any],
) -> None:
    monkeypatch.setattr("export.feed._BATCH_BYTES", 500)
    monkeypatch.setattr("export.feed._PER_PAGE", 3)
    now = clock.now() - clock.HOUR
    ids = world.publish(*events_at(*[now + number for number in range(40)]))
    export_id = world.ask_export(**shape, until=clock.text(now + clock.SECOND), type="repo")
    steps = 0
    while world.deliver(milliseconds=1):
        steps += 1
    assert steps > 12
    shown = world.shown(export_id)
    assert (shown["state"], shown["events"]) == ("ready", 40)
    found = ids_of(plain(world.file(export_id), shape), shape)
    assert found == sorted(found)
    assert len(set(found)) == 40
    if shape["profile"] == "native":
        assert found == ids


def test_a_slice_that_is_much_too_large_is_parted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuts, "SLICE_EVENTS", 1_000)
    monkeypatch.setattr(cuts, "_TOO_LARGE", 0.01)
    monkeypatch.setattr("export.feed._BATCH_BYTES", 500)
    world.publish(*[an_event() for _ in range(50)])
    until = clock.text(clock.now() - 30 * clock.SECOND)
    shown, data, about = made(world, format="ndjson", compression="none", until=until)
    assert shown["events"] == len(data.splitlines()) == 50
    assert max(part["events"] for part in about["slices"]) <= 12  # to the end of a batch
    assert len(about["slices"]) >= 4


@each_shape
@pytest.mark.parametrize("count", [0, 1])
def test_a_log_without_events_and_one_with_one(
    world: World, tmp_path: Path, shape: dict[str, Any], count: int
) -> None:
    until = clock.text(clock.now() - 30 * clock.SECOND)
    world.publish(*[an_event() for _ in range(count)])
    shown, data, about = made(world, **shape, until=until)
    assert (shown["events"], shown["left_out"], shown["bytes"]) == (count, 0, len(data))
    text = plain(data, shape)
    assert len(ids_of(text, shape)) == count
    if not count:
        empty = {"json": b"[]\n", "ndjson": b"", "csv": ",".join(COLUMNS).encode() + b"\r\n"}
        assert text == empty[shape["format"]]
        assert about["slices"] == []
    check(data, about, tmp_path)


@each_shape
def test_an_event_as_large_as_can_be_between_two_small_ones(
    world: World, tmp_path: Path, shape: dict[str, Any]
) -> None:
    """256 KiB, of characters that need escaping in every format."""
    moment = clock.now() - clock.MINUTE
    small = events_at(moment, moment + 2, description="small")
    [large] = events_at(moment + 1, metadata={"text": ""}, description="large")
    room = MAX_EVENT_BYTES - len(canonical.encode(large))
    large["metadata"]["text"] = '"\n' * (room // 4)
    assert MAX_EVENT_BYTES - 4 < len(canonical.encode(large)) <= MAX_EVENT_BYTES
    world.publish(small[0], large, small[1])
    shown, data, about = made(world, **shape, type="repo")
    assert shown["events"] == 3
    text = plain(data, shape)
    if shape["format"] == "csv":
        before = csv.field_size_limit(MAX_EVENT_BYTES)  # of Python's own reader
        rows = list(csv.DictReader(io.StringIO(text.decode(), newline="")))
        csv.field_size_limit(before)
        told = [json.loads(row["metadata"] or "null") for row in rows]
        words = [row["description"] for row in rows]
    else:
        lines = [text] if shape["format"] == "json" else text.splitlines()
        entries = [json.loads(line) for line in lines]
        entries = entries[0] if shape["format"] == "json" else entries
        member, word = (
            ("data", "message") if shape["profile"] == "hf" else ("metadata", "description")
        )
        told = [entry.get(member) for entry in entries]
        words = [entry[word] for entry in entries]
    assert told == [None, large["metadata"], None]
    assert words == ["small", "large", "small"]
    check(data, about, tmp_path)


@pytest.mark.parametrize("compression", ["gzip", "none"])
@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_slices_of_which_the_reference_knows_no_event_are_not_in_its_file(
    world: World, small_slices: None, tmp_path: Path, form: str, compression: str
) -> None:
    """Also the first and the last: nothing stands before the first event and behind the last."""
    shape = {"format": form, "compression": compression, "profile": "hf"}
    now = clock.now() - clock.HOUR
    kinds = ["aws.s3.GetObject"] * 60
    for number in (20, 21, 40):
        kinds[number] = "repo.create"
    world.publish(
        *[
            an_event(type=kind, occurred_at=clock.text(now + number))
            for number, kind in enumerate(kinds)
        ]
    )
    until = clock.text(now + clock.SECOND)
    shown, data, about = made(world, **shape, until=until)
    text = plain(data, shape)
    assert len(ids_of(text, shape)) == shown["events"] == 3
    assert text.count(b'"message":"Ada created a repository"') == 3
    if form == "json":
        validator().validate(json.loads(text))
    assert shown["left_out"] == about["left_out"]["events"] == 57
    assert about["left_out"]["types"] == {"aws.s3.GetObject": 57}
    assert 2 <= len(about["slices"]) <= 3
    check(data, about, tmp_path)
    shown, data, about = made(world, **shape, until=until, type="aws")
    assert (shown["events"], shown["left_out"]) == (0, 57)
    assert plain(data, shape) == {"json": b"[]\n", "ndjson": b""}[form]
    check(data, about, tmp_path)


@pytest.mark.parametrize("form", ["json", "ndjson", "csv"])
def test_packed_and_unpacked_a_file_is_the_same_and_so_it_is_however_it_is_cut(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: str
) -> None:
    """And in however many batches a slice is read: by one event, by some, all at once."""
    now = clock.now() - clock.HOUR
    ids = world.publish(*events_at(*[now + number for number in range(60)]))
    asked: dict[str, Any] = {"format": form, "until": clock.text(now + clock.SECOND)}
    texts: list[bytes] = []
    for slice_events, batch_bytes in ((1_000, 1), (1_000, 4_000), (20, 1_500), (6, 1_000_000)):
        monkeypatch.setattr("export.feed._BATCH_BYTES", batch_bytes)
        monkeypatch.setattr(cuts, "SLICE_EVENTS", slice_events)
        monkeypatch.setattr(cuts, "_FINE", slice_events / 2)
        for compression in ("gzip", "none"):
            _, data, about = made(world, **asked, compression=compression)
            texts.append(plain(data, {"compression": compression}))
            assert len(about["slices"]) >= 60 / slice_events / 2
            assert (about["first_id"], about["last_id"]) == (ids[0], ids[-1])
            check(data, about, tmp_path)
    assert len(set(texts)) == 1


@pytest.mark.parametrize("lost", ["first", "between", "last"])
def test_where_a_slice_is_lost_there_is_no_file(
    world: World, small_slices: None, lost: str
) -> None:
    """Nothing that we know of loses one; what would be wrong is not called ready."""
    now = clock.now() - clock.HOUR
    world.publish(*events_at(*[now + number for number in range(60)]))
    export_id = world.ask_export(until=clock.text(now + clock.SECOND))

    def slices() -> list[dict[str, Any]]:
        rows = world.rows(world.control_table)
        return [row for row in rows if row["pk"]["S"] == f"slices#{export_id}" and "end" in row]

    while world.shown(export_id)["progress"]["fraction"] < 1:
        assert world.deliver()
    written = slices()
    gone = {"first": written[0], "between": written[4], "last": written[-1]}[lost]
    world.dynamodb.delete_item(
        TableName=world.control_table, Key={"pk": gone["pk"], "sk": gone["sk"]}
    )
    for _ in range(2):
        with pytest.raises(StoreError):
            world.work()
    world.work()
    shown = world.shown(export_id)
    assert (shown["state"], shown["download_url"]) == ("failed", None)
    assert shown["error"]
    assert world.objects() == []


@pytest.mark.parametrize("slice_events", [1_000, 6])
def test_of_very_many_types_that_are_left_out_the_most_frequent_are_named(
    world: World, monkeypatch: pytest.MonkeyPatch, slice_events: int
) -> None:
    """An open scope has no end of types, and an item of the table has."""
    monkeypatch.setattr(cuts, "SLICE_EVENTS", slice_events)
    monkeypatch.setattr(cuts, "_FINE", slice_events / 2)
    for module in ("export.lines", "auditlog.manifests"):
        monkeypatch.setattr(f"{module}.MOST_TYPES", 3)
    now = clock.now() - clock.HOUR
    kinds = [f"aws.s3.{name}" for name in "AABABCDEFGHAB" * 4]
    world.publish(
        *[
            an_event(type=kind, occurred_at=clock.text(now + number))
            for number, kind in enumerate(kinds)
        ]
    )
    until = clock.text(now + clock.SECOND)
    shown, _, about = made(world, format="ndjson", profile="hf", until=until)
    assert shown["left_out"] == about["left_out"]["events"] == len(kinds)
    types = about["left_out"]["types"]
    assert sum(types.values()) == len(kinds)
    assert "other" in types
    assert len(types) <= 4
    named = {name: count for name, count in types.items() if name != "other"}
    assert all(count <= kinds.count(name) for name, count in named.items())
    assert {"aws.s3.A"} <= set(named)
    written = SliceStore(world.dynamodb, world.control_table).written(export_of(world, shown["id"]))
    assert all(len(part.left_out) <= 4 for part in written)
    # What has a name in a slice is counted under it to the end.
    for part in written:
        inside = [
            kind
            for number, kind in enumerate(kinds)
            if part.span.first <= first_id(now + number) < part.span.end
        ]
        assert sum(part.left_out.values()) == len(inside)
        for kind in inside[:1]:  # the first that comes has a name
            assert part.left_out[kind] == inside.count(kind)
