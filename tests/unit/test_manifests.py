"""A manifest against a file that is made by hand: whoever has both can check every byte."""

import dataclasses
import hashlib
import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import clock
from auditlog.event import first_id
from auditlog.exports import MOST_TYPES, OTHER_TYPES, Export, Requester, Slice, State
from auditlog.formats import Compression, Format, Profile
from auditlog.manifests import manifest
from auditlog.span import Span

NOW = clock.parse("2026-06-01T12:00:00Z")
EXPORT = Export(
    id="0" * 24,
    org="acme",
    state=State.RUNNING,
    format=Format.JSON,
    compression=Compression.GZIP,
    profile=Profile.HF,
    bom=False,
    filter={"type": ["repo"], "q": ["café"]},
    span=Span.between(0, NOW),
    requested_by=Requester("usr_1", "Ada", "key_1"),
    created_at=NOW,
    updated_at=NOW,
)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def a_slice(number: int, inside: bytes, events: int, **more: Any) -> Slice:
    """A slice with this in it; one without events has no object."""
    span = Span(first_id(number), first_id(number + 1))
    if not events:
        return Slice(span, **more)
    ids = {"first_id": f"first-{number}", "last_id": f"last-{number}"}
    written = {"bytes": len(inside), "sha256": sha256(inside), "events": events}
    return Slice(span, f"k{number}", 2, **written, **ids, **more)


def read(export: Export, slices: list[Slice], rest: list[bytes]) -> dict[str, Any]:
    text = manifest(export, slices, rest)
    assert text.endswith(b"}\n")
    return json.loads(text)


def test_of_a_file_with_three_slices_of_which_one_is_empty() -> None:
    slices = [
        a_slice(1, b'{"a":1},\n{"a":2}', 2, left_out={"aws.s3.Get": 2}, unsaid={"targets": 1}),
        a_slice(2, b"", 0, left_out={"aws.s3.Get": 1, "org.audit_log.export": 4}),
        a_slice(3, b'{"a":3}', 1, unsaid={"targets": 1, "credential": 1}),
    ]
    rest = [b"[", b",\n", b"]\n"]
    file = b'[{"a":1},\n{"a":2},\n{"a":3}]\n'
    assert read(EXPORT, slices, rest) == {
        "version": 1,
        "export": {
            "id": "0" * 24,
            "org": "acme",
            "format": "json",
            "compression": "gzip",
            "profile": "hf",
            "bom": False,
            "filter": {"type": ["repo"], "q": ["café"]},
            "created_at": "2026-06-01T12:00:00.000000Z",
        },
        "bounds": {"since": None, "until": "2026-06-01T12:00:00.000000Z"},
        "file": "audit-log-acme-2026-06-01.json.gz",
        "bytes": len(file),
        "events": 3,
        "left_out": {
            "events": 7,
            "types": {"aws.s3.Get": 3, "org.audit_log.export": 4},
            "fields": {"credential": 1, "targets": 2},
        },
        "first_id": "first-1",
        "last_id": "last-3",
        "slices": [
            {
                "offset": 1,
                "bytes": 16,
                "sha256": sha256(file[1:17]),
                "events": 2,
                "first_id": "first-1",
                "last_id": "last-1",
            },
            {
                "offset": 19,
                "bytes": 7,
                "sha256": sha256(file[19:26]),
                "events": 1,
                "first_id": "first-3",
                "last_id": "last-3",
            },
        ],
        "rest_sha256": sha256(b"[,\n]\n"),
    }


@pytest.mark.parametrize("left_out", [{}, {"aws.s3.Get": 3}])
@pytest.mark.parametrize("rest", [b"", b"[]\n"])
def test_of_a_file_without_events(left_out: dict[str, int], rest: bytes) -> None:
    found = read(EXPORT, [a_slice(1, b"", 0, left_out=left_out), a_slice(2, b"", 0)], [rest])
    assert (found["bytes"], found["events"], found["slices"]) == (len(rest), 0, [])
    assert (found["first_id"], found["last_id"]) == (None, None)
    assert found["rest_sha256"] == sha256(rest)
    assert found["left_out"] == {
        "events": sum(left_out.values()),
        "types": left_out,
        "fields": {},
    }


def test_says_since_when_it_is_where_that_is_not_the_beginning_of_time() -> None:
    span = Span.between(NOW - clock.DAY, NOW + 15 * clock.MINUTE)
    found = read(dataclasses.replace(EXPORT, span=span), [], [b""])
    assert found["bounds"] == {
        "since": "2026-05-31T12:00:00.000000Z",
        "until": "2026-06-01T12:15:00.000000Z",
    }


@pytest.mark.parametrize("rest", [[b"[", b"]"], [b"[", b",", b",", b"]"]])
def test_pieces_that_do_not_fit_the_slices_make_no_manifest(rest: list[bytes]) -> None:
    with pytest.raises(ValueError, match="zip"):
        manifest(EXPORT, [a_slice(1, b"x", 1), a_slice(2, b"", 0), a_slice(3, b"y", 1)], rest)


parts = st.lists(
    st.tuples(
        st.binary(max_size=20),
        st.integers(0, 3),
        st.dictionaries(st.sampled_from("abc"), st.integers(1, 9)),
        st.dictionaries(st.sampled_from("xyz"), st.integers(1, 9)),
    ),
    max_size=8,
)


@given(parts, st.binary(max_size=3), st.binary(max_size=3), st.binary(max_size=3))
def test_every_byte_is_in_exactly_one_sum_and_every_event_in_one_count(
    made: list[Any], head: bytes, between: bytes, tail: bytes
) -> None:
    slices = [
        a_slice(number, inside, events, left_out=left_out, unsaid=unsaid)
        for number, (inside, events, left_out, unsaid) in enumerate(made)
    ]
    insides = [inside for inside, events, _, _ in made if events]
    file = head + between.join(insides) + tail
    rest = [head, *[between] * (len(insides) - 1), tail] if insides else [head + tail]
    found = read(EXPORT, slices, rest)
    left = bytearray(file)
    for part, inside in zip(reversed(found["slices"]), reversed(insides), strict=True):
        place = slice(part["offset"], part["offset"] + part["bytes"])
        assert file[place] == inside
        assert part["sha256"] == sha256(file[place])
        del left[place]
    assert sha256(bytes(left)) == found["rest_sha256"]
    assert found["bytes"] == len(file)
    assert found["events"] == sum(events for _, events, _, _ in made)
    assert found["events"] == sum(part["events"] for part in found["slices"])
    types, fields = Counter[str](), Counter[str]()
    for _, _, left_out, unsaid in made:
        types.update(left_out)
        fields.update(unsaid)
    assert found["left_out"] == {"events": types.total(), "types": types, "fields": fields}
    ids = [part[name] for part in found["slices"] for name in ("first_id", "last_id")]
    assert [found["first_id"], found["last_id"]] == ([ids[0], ids[-1]] if ids else [None, None])


def test_the_same_slices_give_the_same_bytes() -> None:
    """The finisher writes it again after a crash."""
    one = [a_slice(1, b"x", 1, left_out={"a": 1, "b": 2})]
    other = [a_slice(1, b"x", 1, left_out={"b": 2, "a": 1})]
    assert manifest(EXPORT, one, [b"[", b"]"]) == manifest(EXPORT, other, [b"[", b"]"])


def test_of_very_many_types_the_rarest_are_counted_as_one() -> None:
    many = {f"t.{number:03}": 2 for number in range(MOST_TYPES)}
    slices = [
        a_slice(1, b"x", 1, left_out=many),
        a_slice(2, b"", 0, left_out={"t.000": 5, "rare.a": 1, "rare.b": 1}),
    ]
    found = read(EXPORT, slices, [b"[", b"]"])["left_out"]
    assert found["events"] == 2 * MOST_TYPES + 7
    assert found["types"] == many | {"t.000": 7, OTHER_TYPES: 2}
    # As many as are named need no other.
    found = read(EXPORT, slices[:1], [b"[", b"]"])["left_out"]
    assert found["types"] == many
