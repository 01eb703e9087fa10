"""Bodies of requests that are not events: their shapes, and what is said of the others."""

import json
from typing import Any

import pytest
from pydantic import TypeAdapter

from auditlog import bodies, shapes
from auditlog.errors import InvalidError, MalformedError

KEY = {"name": "siem", "grants": ["events:read"]}
EXPORT = {"format": "json"}


def refused(adapter: TypeAdapter[Any], sent: bytes) -> dict[str | None, str]:
    with pytest.raises(InvalidError) as error:
        shapes.body(adapter, sent)
    found = [(fault.pointer, fault.detail) for fault in error.value.faults]
    assert len(dict(found)) == len(found), "a place is named twice"
    return dict(found)


def text(value: object) -> bytes:
    return json.dumps(value).encode()


class TestNewKey:
    @pytest.mark.parametrize(
        "sent",
        [
            KEY,
            KEY | {"name": "x" * 128, "expires_at": "2027-01-01T00:00:00+01:00"},
            KEY | {"grants": ["events:write", "events:read", "exports:create", "org:admin"]},
        ],
    )
    def test_taken(self, sent: dict[str, Any]) -> None:
        assert shapes.body(bodies.NEW_KEY, text(sent))["grants"] == sent["grants"]

    def test_times_are_normalised(self) -> None:
        made = shapes.body(bodies.NEW_KEY, text(KEY | {"expires_at": "2027-01-01T00:00:00+01:00"}))
        assert made.get("expires_at") == "2026-12-31T23:00:00.000000Z"

    @pytest.mark.parametrize(
        ("sent", "pointer"),
        [
            ({"grants": ["events:read"]}, "/name"),
            ({"name": "x"}, "/grants"),
            (KEY | {"name": ""}, "/name"),
            (KEY | {"name": "x" * 129}, "/name"),
            (KEY | {"name": None}, "/name"),
            (KEY | {"grants": []}, "/grants"),
            (KEY | {"grants": "events:read"}, "/grants"),
            (KEY | {"grants": ["events:read", "root"]}, "/grants/1"),
            (KEY | {"grants": ["events:read"] * 5}, "/grants"),
            (KEY | {"expires_at": "tomorrow"}, "/expires_at"),
            (KEY | {"expires_at": None}, "/expires_at"),
            (KEY | {"secret": "x"}, "/secret"),
            ([], ""),
            (None, ""),
        ],
    )
    def test_refused(self, sent: Any, pointer: str) -> None:
        assert list(refused(bodies.NEW_KEY, text(sent))) == [pointer]


class TestNewExport:
    @pytest.mark.parametrize(
        "sent",
        [
            EXPORT,
            {"format": "ndjson", "compression": "none", "profile": "native"},
            {"format": "csv", "bom": True},
            {"format": "json", "profile": "hf"},
            EXPORT | {"type": "repo", "actor": ["a", "b"], "since": "2026-01-01"},
            EXPORT | {"include_hidden": False, "ip": ["::/0"], "country": "PT", "until": "x"},
        ],
    )
    def test_taken(self, sent: dict[str, Any]) -> None:
        assert shapes.body(bodies.NEW_EXPORT, text(sent))["format"] == sent["format"]

    def test_one_value_is_a_list_of_one(self) -> None:
        assert shapes.body(bodies.NEW_EXPORT, text(EXPORT | {"type": "repo"})).get("type") == [
            "repo"
        ]

    @pytest.mark.parametrize(
        ("sent", "pointer"),
        [
            ({}, "/format"),
            ({"format": "xml"}, "/format"),
            (EXPORT | {"compression": "zip"}, "/compression"),
            (EXPORT | {"profile": "x"}, "/profile"),
            (EXPORT | {"type": None}, "/type"),
            (EXPORT | {"type": ["a", 5]}, "/type/1"),
            (EXPORT | {"actor": ["a"] * 101}, "/actor"),
            (EXPORT | {"since": ["2026-01-01"]}, "/since"),
            (EXPORT | {"include_hidden": "false"}, "/include_hidden"),
            (EXPORT | {"include_hidden": 0}, "/include_hidden"),
            (EXPORT | {"limit": 5}, "/limit"),
            (EXPORT | {"cursor": "x"}, "/cursor"),
        ],
    )
    def test_refused(self, sent: Any, pointer: str) -> None:
        assert list(refused(bodies.NEW_EXPORT, text(sent))) == [pointer]


class TestJson:
    @pytest.mark.parametrize("sent", [b"", b"{", b"\xff", b"{}x"])
    def test_that_is_none(self, sent: bytes) -> None:
        with pytest.raises(MalformedError):
            shapes.body(bodies.NEW_KEY, sent)

    @pytest.mark.parametrize(
        ("sent", "places"),
        [
            (b'{"name":"a","name":"b","grants":["events:read"]}', {"/name"}),
            (b'{"name":NaN,"grants":["events:read"]}', {"/name"}),
            (b'{"name":"\\ud800","grants":["events:read"]}', {"/name"}),
            (b'{"name":"a","grants":["events:read"],"x":1e999,"x":1}', {"/x"}),
            (b'{"name":"a","name":"b"}', {"/name", "/grants"}),
        ],
    )
    def test_that_would_lose_something(self, sent: bytes, places: set[str]) -> None:
        assert set(refused(bodies.NEW_KEY, sent)) == places

    def test_no_fault_repeats_what_was_sent(self) -> None:
        sent = {"name": ["canary7"], "grants": ["canary7"], "expires_at": "canary7"}
        for detail in refused(bodies.NEW_KEY, text(sent)).values():
            assert "canary7" not in detail
