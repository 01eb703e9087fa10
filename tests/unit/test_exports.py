"""An export as the API shows it, and what the clock changes about it."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import clock, exports
from auditlog.exports import Export, Links, Requester, State
from auditlog.formats import Compression, Format, Profile
from auditlog.qualifiers import ALWAYS
from auditlog.span import Span

NOW = clock.parse("2026-06-01T12:00:00Z")
EXPORT = Export(
    id="0" * 24,
    org="acme",
    state=State.QUEUED,
    format=Format.NDJSON,
    compression=Compression.GZIP,
    profile=Profile.NATIVE,
    bom=False,
    filter={"type": ["repo"]},
    span=Span.between(0, NOW),
    requested_by=Requester("usr_1", "Ada", "key_1"),
    created_at=NOW,
    updated_at=NOW,
)
LINKS = Links("https://x", "https://y")


def export(**changed: Any) -> Export:
    return dataclasses.replace(EXPORT, **changed)


class TestState:
    @pytest.mark.parametrize("state", State)
    def test_is_what_is_stored_while_the_clock_stands(self, state: State) -> None:
        made = export(state=state, expires_at=NOW + exports.KEPT_FOR)
        assert made.state_at(NOW) == state

    @pytest.mark.parametrize(("past", "state"), [(-1, State.READY), (0, State.EXPIRED)])
    def test_a_file_expires(self, past: int, state: State) -> None:
        made = export(state=State.READY, expires_at=NOW + exports.KEPT_FOR)
        assert made.state_at(NOW + exports.KEPT_FOR + past) == state

    @pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING])
    def test_work_of_which_nothing_is_heard_has_failed(self, state: State) -> None:
        made = export(state=state)
        assert made.state_at(NOW + exports.STALLED_AFTER[state]) == state
        assert made.state_at(NOW + exports.STALLED_AFTER[state] + 1) == State.FAILED

    @pytest.mark.parametrize("state", [State.READY, State.FAILED, State.CANCELLED, State.EXPIRED])
    def test_what_is_over_stays_as_it_is(self, state: State) -> None:
        assert not export(state=state).is_under_way
        assert export(state=state).state_at(NOW + 10**6 * clock.DAY) == state

    def test_a_sign_of_life_is_enough(self) -> None:
        made = export(state=State.RUNNING, updated_at=NOW + clock.HOUR)
        assert (
            made.state_at(NOW + clock.HOUR + exports.STALLED_AFTER[State.RUNNING]) == State.RUNNING
        )


class TestAnswer:
    def test_of_a_new_one(self) -> None:
        assert EXPORT.answer(NOW, None) == {
            "id": "0" * 24,
            "state": "queued",
            "format": "ndjson",
            "compression": "gzip",
            "profile": "native",
            "bom": False,
            "filter": {"type": ["repo"]},
            "requested_by": {"id": "usr_1", "name": "Ada", "credential": "key_1"},
            "created_at": "2026-06-01T12:00:00.000000Z",
            "completed_at": None,
            "expires_at": None,
            "progress": {"events": 0, "fraction": 0.0},
            "events": None,
            "left_out": None,
            "bytes": None,
            "download_url": None,
            "manifest_url": None,
            "error": None,
        }

    def test_of_one_that_is_ready(self) -> None:
        made = export(
            state=State.READY,
            completed_at=NOW + 1,
            expires_at=NOW + 2,
            events=3,
            left_out=2,
            bytes=4,
            events_so_far=3,
            slices=7,
            slices_done=7,
        )
        shown = made.answer(NOW + 1, LINKS)
        assert shown["state"] == "ready"
        assert (shown["download_url"], shown["manifest_url"]) == ("https://x", "https://y")
        assert shown["completed_at"] == clock.text(NOW + 1)
        assert shown["expires_at"] == clock.text(NOW + 2)
        assert (shown["events"], shown["left_out"], shown["bytes"]) == (3, 2, 4)
        assert shown["progress"] == {"events": 3, "fraction": 1.0}
        assert shown["error"] is None

    @pytest.mark.parametrize("state", [each for each in State if each is not State.READY])
    def test_a_link_is_there_only_while_it_is_ready(self, state: State) -> None:
        shown = export(state=state).answer(NOW, LINKS)
        assert (shown["download_url"], shown["manifest_url"]) == (None, None)

    def test_a_link_ends_with_the_file(self) -> None:
        made = export(state=State.READY, expires_at=NOW)
        shown = made.answer(NOW, LINKS)
        assert (shown["download_url"], shown["manifest_url"]) == (None, None)
        assert shown["state"] == "expired"

    @pytest.mark.parametrize(
        ("asked", "shown"),
        [
            ({"format": Format.CSV, "bom": True}, ("csv", "native", True)),
            ({"format": Format.JSON, "profile": Profile.HF}, ("json", "hf", False)),
        ],
    )
    def test_says_what_was_asked_for(
        self, asked: dict[str, Any], shown: tuple[str, str, bool]
    ) -> None:
        told = export(**asked).answer(NOW, None)
        assert (told["format"], told["profile"], told["bom"]) == shown

    @pytest.mark.parametrize(
        ("state", "slices", "done", "fraction"),
        [
            (State.QUEUED, None, 0, 0.0),
            (State.RUNNING, 3, 0, 0.0),
            (State.RUNNING, 3, 1, 0.3333),
            # All are written, and the file is not there yet.
            (State.RUNNING, 3, 3, 1.0),
            (State.FAILED, 4, 1, 0.25),
            (State.CANCELLED, None, 0, 0.0),
            (State.READY, 3, 3, 1.0),
            # Of a time before there were slices.
            (State.READY, None, 0, 1.0),
            (State.EXPIRED, None, 0, 1.0),
        ],
    )
    def test_how_much_is_done_is_told_by_the_slices(
        self, state: State, slices: int | None, done: int, fraction: float
    ) -> None:
        made = export(
            state=state,
            slices=slices,
            slices_done=done,
            events_so_far=9,
            expires_at=NOW + exports.KEPT_FOR,
        )
        assert made.answer(NOW, None)["progress"] == {"events": 9, "fraction": fraction}

    def test_says_why_it_failed(self) -> None:
        failed = export(state=State.FAILED, error="The log could not be read.")
        assert failed.answer(NOW, None)["error"] == "The log could not be read."
        stalled = EXPORT.answer(NOW + exports.STALLED_AFTER[EXPORT.state] + 1, None)
        assert stalled["state"] == "failed"
        assert "ask for the export again" in stalled["error"]


class TestNames:
    @pytest.mark.parametrize(
        ("format", "compression", "name"),
        [
            (Format.JSON, Compression.GZIP, "audit-log-acme-2026-06-01.json.gz"),
            (Format.JSON, Compression.NONE, "audit-log-acme-2026-06-01.json"),
            (Format.NDJSON, Compression.GZIP, "audit-log-acme-2026-06-01.ndjson.gz"),
            (Format.NDJSON, Compression.NONE, "audit-log-acme-2026-06-01.ndjson"),
            (Format.CSV, Compression.GZIP, "audit-log-acme-2026-06-01.csv.gz"),
            (Format.CSV, Compression.NONE, "audit-log-acme-2026-06-01.csv"),
        ],
    )
    def test_of_the_file(self, format: Format, compression: Compression, name: str) -> None:  # noqa: A002 -- the field's name
        made = export(format=format, compression=compression)
        assert made.file_name == name
        assert made.object_key == f"acme/{'0' * 24}/{name}"
        assert made.object_key.startswith(made.folder)
        assert made.manifest_name == f"{name}.manifest.json"
        assert made.manifest_key == f"{made.object_key}.manifest.json"

    @pytest.mark.parametrize(
        ("format", "compression", "kind"),
        [
            (Format.JSON, Compression.NONE, "application/json"),
            (Format.NDJSON, Compression.NONE, "application/x-ndjson"),
            (Format.CSV, Compression.NONE, "text/csv; charset=utf-8"),
            *((form, Compression.GZIP, "application/gzip") for form in Format),
        ],
    )
    def test_of_the_content(self, format: Format, compression: Compression, kind: str) -> None:  # noqa: A002 -- the field's name
        assert export(format=format, compression=compression).content_type == kind

    def test_of_one_org_are_never_those_of_another(self) -> None:
        assert not export(org="acme2").folder.startswith(export(org="acme").folder)

    @given(st.integers(0, 2**60), st.integers(0, 2**60))
    def test_ids_sort_by_time(self, one: int, other: int) -> None:
        first, second = (exports.new_id(moment, lambda n: b"\xff" * n) for moment in (one, other))
        assert len(first) == 24
        assert (first < second) == (one < other)

    def test_ids_of_one_moment_differ(self) -> None:
        assert exports.new_id(5, lambda n: b"a" * n) != exports.new_id(5, lambda n: b"b" * n)


@pytest.mark.parametrize(
    ("until", "bound"),
    [(None, 15), (14, 14), (15, 15), (16, 15), (-60, -60)],
)
def test_the_upper_bound_is_frozen(until: int | None, bound: int) -> None:
    given_until = ALWAYS.end if until is None else NOW + until * clock.MINUTE
    assert exports.upper_bound(NOW, given_until) == NOW + bound * clock.MINUTE
