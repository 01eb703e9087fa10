"""A manifest and a file: every byte of it is in exactly one hash."""

import io
import json
import tracemalloc
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import manifests
from auditlog.cli import manifest
from auditlog.cli.failures import CommandError
from auditlog.cli.manifest import Manifest
from auditlog.exports import Export, Requester, Slice, State
from auditlog.formats import LAYOUTS, Compression, Format, Profile
from auditlog.span import Span

TIME = Span.between(0, 10**15)


def document(file: bytes, cuts: list[int]) -> dict[str, Any]:
    """A manifest of `file`: a slice from each cut with an even number to the next cut."""
    ranges = list(zip(cuts[::2], cuts[1::2], strict=False))
    outside = bytearray(file)
    for start, end in reversed(ranges):
        del outside[start:end]
    return {
        "version": 1,
        "export": {
            "id": "x1",
            "org": "acme",
            "format": "ndjson",
            "compression": "none",
            "profile": "native",
            "bom": False,
            "filter": {"type": ["repo"]},
            "created_at": "2026-01-02T03:04:05.000000Z",
        },
        "bounds": {"since": None, "until": "2026-01-02T03:19:05.000000Z"},
        "file": "audit-log.ndjson",
        "bytes": len(file),
        "events": len(ranges),
        "left_out": {"events": 0, "types": {}, "fields": {}},
        "first_id": None,
        "last_id": None,
        "slices": [
            {
                "offset": start,
                "bytes": end - start,
                "sha256": sha256(file[start:end]).hexdigest(),
                "events": 1,
                "first_id": "a",
                "last_id": "a",
            }
            for start, end in ranges
        ],
        "rest_sha256": sha256(outside).hexdigest(),
    }


def read(document: dict[str, Any]) -> Manifest:
    return manifest.read(json.dumps(document).encode(), "m")


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, list[int]]:
    file = draw(st.binary(min_size=1, max_size=60))
    return file, sorted(draw(st.lists(st.integers(0, len(file)), max_size=10)))


@given(files())
def test_a_file_is_what_its_manifest_says(case: tuple[bytes, list[int]]) -> None:
    file, cuts = case
    # Wherever the file is open.
    read(document(file, cuts)).check(io.BytesIO(file), "f")
    opened = io.BytesIO(file)
    opened.seek(1)
    read(document(file, cuts)).check(opened, "f")


@given(files(), st.data())
def test_one_byte_that_is_another_is_always_found(
    case: tuple[bytes, list[int]], data: st.DataObject
) -> None:
    file, cuts = case
    at = data.draw(st.integers(0, len(file) - 1))
    mask = data.draw(st.integers(1, 255))
    damaged = file[:at] + bytes([file[at] ^ mask]) + file[at + 1 :]
    with pytest.raises(CommandError) as caught:
        read(document(file, cuts)).check(io.BytesIO(damaged), "f")
    (place,) = caught.value.places
    slices = zip(cuts[::2], cuts[1::2], strict=False)
    inside = [f", bytes {a}-{b - 1}" for a, b in slices if a <= at < b]
    assert place.endswith(inside[0]) if inside else "outside the slices" in place


@given(files(), st.data())
def test_a_file_of_another_length_is_always_found(
    case: tuple[bytes, list[int]], data: st.DataObject
) -> None:
    file, cuts = case
    size = data.draw(st.integers(0, len(file) + 3).filter(lambda size: size != len(file)))
    other = (file + bytes(3))[:size]
    with pytest.raises(CommandError, match=f"does not end after {len(file)} bytes"):
        read(document(file, cuts)).check(io.BytesIO(other), "f")


def test_only_the_first_places_are_named() -> None:
    file = bytes(100)
    found = read(document(file, [*range(100)]))
    with pytest.raises(CommandError) as caught:
        found.check(io.BytesIO(b"x" * 100), "f")
    assert len(caught.value.places) == 11
    assert caught.value.places[0] == "slice 1 of 50, bytes 0-0"
    assert caught.value.places[-1] == "and 41 more"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (["version"], "1"),
        (["version"], True),
        (["events"], -1),
        (["bytes"], None),
        (["bounds", "until"], None),
        (["export", "id"], 7),
        (["left_out", "types"], {"repo.create": -1}),
        (["slices"], {}),
        (["slices", 0, "sha256"], "G" * 64),
        (["slices", 0, "sha256"], "A" * 64),
        (["slices", 0, "sha256"], "a" * 63),
        (["slices", 0, "sha256"], "a" * 64 + "\n"),
        (["slices", 0, "offset"], 0.5),
        (["rest_sha256"], 7),
    ],
)
def test_a_value_of_another_kind_is_named_by_its_place(place: list[Any], value: object) -> None:
    whole: Any = document(b"0123456789", [1, 4, 5, 9])
    inner = whole
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    with pytest.raises(CommandError, match=f"m is no good manifest: .*{place[-1]}"):
        read(whole)


@pytest.mark.parametrize(
    "name", ["version", "export", "bounds", "bytes", "events", "left_out", "slices", "rest_sha256"]
)
def test_a_member_that_is_missing_is_named(name: str) -> None:
    whole = document(b"0123456789", [1, 4, 5, 9])
    del whole[name]
    with pytest.raises(CommandError, match=f"m is no good manifest: .*`{name}`"):
        read(whole)


def test_it_agrees_with_its_own_export_and_with_no_other() -> None:
    found = read(document(b"0123456789", [1, 4, 5, 9]))
    own = {"id": "x1", "format": "ndjson", "events": 2, "bytes": 10, "left_out": None}
    found.agree(own)
    for other in ({"id": "x2"}, {"format": "csv"}, {"events": 3}, {"left_out": 1}, {"bom": True}):
        with pytest.raises(CommandError, match="is another's"):
            found.agree(own | other)


@pytest.mark.parametrize("form", Format)
def test_what_the_service_writes_is_what_the_command_reads(form: Format) -> None:
    layout = LAYOUTS[form]
    file = layout.head + b"one" + layout.between + b"three" + layout.tail
    slices = [
        Slice(TIME, "k1", bytes=3, sha256=sha256(b"one").hexdigest(), events=1),
        Slice(TIME, left_out={"aws.s3.put": 3}),
        Slice(TIME, "k2", bytes=5, sha256=sha256(b"three").hexdigest(), events=2),
    ]
    export = Export(
        id="x1",
        org="acme",
        state=State.READY,
        format=form,
        compression=Compression.NONE,
        profile=Profile.NATIVE,
        bom=False,
        filter={"type": ["repo"]},
        span=TIME,
        requested_by=Requester("a", "Ann", "k1"),
        created_at=0,
        updated_at=0,
        events=3,
        left_out=3,
        bytes=len(file),
    )
    rest = [layout.head, layout.between, layout.tail]
    found = manifest.read(manifests.manifest(export, slices, rest), "m")
    found.agree(export.answer(0, None))
    found.check(io.BytesIO(file), "f")
    assert manifest.VERSION == manifests.VERSION
    assert found.left_out.types == {"aws.s3.put": 3}


def test_memory_does_not_depend_on_the_size() -> None:
    file = bytes(32 << 20)
    found, opened = read(document(file, [1, 20 << 20, 21 << 20, 30 << 20])), io.BytesIO(file)
    tracemalloc.start()
    try:
        found.check(opened, "f")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4 << 20
