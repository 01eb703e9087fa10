"""`auditlog settings`: shown, changed, and asked before what does not come back."""

from typing import Any

import httpx
import pytest

from auditlog.cli.client import ATTEMPTS
from tests.functional.cli.governance import LATER, SETTINGS, THEN
from tests.functional.cli.service import Shell, Terminal, lines_of

RETENTION = {
    "state": "working",
    "last_run_at": LATER,
    "purge": {"from": THEN, "until": LATER, "events": 1_234, "deleted": 3},
    "removed": 56_789,
    "behind": True,
}


def test_settings_are_shown(shell: Shell) -> None:
    shown = shell("settings", "show").stdout
    facts = dict(line.split("  ", 1) for line in shown.splitlines())
    assert {name: value.strip() for name, value in facts.items()} == {
        "Retention": "365 days",
        "Hold": "none",
        "Purged before": "nothing is purged",
        "Shards": "1",
        "Record reads": "no",
        "Limit of events per day": "no limit",
        "Limit of exports at once": "10",
        "Limit of keys": "100",
        "Version": "3",
    }
    assert lines_of(shell("settings", "show", "--json")) == [{**SETTINGS, "etag": '"3"'}]


def test_how_far_retention_is_is_shown_where_the_service_says_it(shell: Shell) -> None:
    shell.service.governance.settings |= {
        "retention": RETENTION,
        "hold": {"reason": "case 1", "placed_at": THEN, "effective_at": LATER},
        "purged_before": THEN,
        "retention_days": None,
    }
    shown = shell("settings", "show").stdout
    for said in (
        "for ever",
        "case 1 (placed 2026-06-02T12:00:00Z, effective from 2026-06-02T13:00:00Z on)",
        "working, last 2026-06-02T13:00:00Z",
        "1,234 events of 2026-06-02T12:00:00Z to 2026-06-02T13:00:00Z",
        "56,789 events",
        "should have been gone",
    ):
        assert said in shown
    fresh = {"state": "current", "last_run_at": None, "purge": None, "removed": 0, "behind": False}
    shell.service.governance.settings["retention"] = fresh
    shown = shell("settings", "show").stdout
    assert "current, none so far" in shown
    assert "Behind" not in shown
    assert "Being removed" not in shown


def test_they_fit_a_narrow_terminal(shell: Shell, terminal: Terminal) -> None:
    hold = {"reason": "case " + "4711 " * 20, "placed_at": THEN, "effective_at": None}
    shell.service.governance.settings["hold"] = hold
    for width in (30, 60):
        terminal(width)
        lines = shell("settings", "show").stdout.splitlines()
        assert max(map(len, lines)) <= width
        assert any("2026-06-02T12:00:00Z" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["--retention-days", "400"], {"retention_days": 400}),
        (["--keep-for-ever"], {"retention_days": None}),
        (["--hold", "case 1"], {"hold": {"reason": "case 1"}}),
        (["--release-hold"], {"hold": None}),
        (["--shards", "8"], {"shards": {"number": 8}}),
        (
            ["--shards", "8", "--from", "2027-01-31"],
            {"shards": {"number": 8, "since": "2027-01-31T00:00:00.000000Z"}},
        ),
        (["--record-reads"], {"record_reads": True}),
        (
            ["--no-record-reads", "--retention-days", "3650"],
            {"record_reads": False, "retention_days": 3_650},
        ),
    ],
)
def test_what_is_named_is_changed_and_nothing_else(
    shell: Shell, arguments: list[str], asked: dict[str, Any]
) -> None:
    (after,) = lines_of(shell("settings", "change", *arguments, "--json", "--as", "ann"))
    assert shell.service.governance.asked == [asked]
    assert after == {**shell.service.governance.settings, "etag": '"4"'}
    assert shell.questions == []
    assert shell.service.requests[-1].headers["X-Actor-Id"] == "ann"
    assert "Version" in shell("settings", "change", *arguments, "--yes").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing is named"),
        (["--retention-days", "7", "--keep-for-ever"], "only one of the two"),
        (["--hold", "x", "--release-hold"], "only one of the two"),
        (["--record-reads", "--no-record-reads"], "only one of the two"),
        (["--from", "2027-01-31"], "how many --shards"),
        (["--shards", "8", "--from", "soon"], "--from: expected a date"),
        (["--shards", "17"], "--shards"),
        (["--retention-days", "0"], "--retention-days"),
        (["--retention-days", "3651"], "--retention-days"),
    ],
)
def test_what_cannot_be_asked_for(shell: Shell, arguments: list[str], said: str) -> None:
    assert said in shell("settings", "change", *arguments, code=2).stderr
    assert shell.service.requests == []


LOSSES = pytest.mark.parametrize(
    ("before", "arguments", "said"),
    [
        ({}, ["--retention-days", "364"], "Events older than 364 days will be gone for ever."),
        ({"retention_days": None}, ["--retention-days", "3650"], "older than 3,650 days"),
        (
            {"hold": {"reason": "case 1", "placed_at": THEN, "effective_at": THEN}},
            ["--release-hold"],
            "The hold ends (case 1): what is too old will go for ever.",
        ),
    ],
)


@LOSSES
@pytest.mark.parametrize("answer", [None, "", "n", "no", "yess", "acme"])
def test_what_does_not_come_back_is_asked_for(
    shell: Shell, before: dict[str, Any], arguments: list[str], said: str, answer: str | None
) -> None:
    shell.service.governance.settings |= before
    shell.answer = answer
    refused = shell("settings", "change", *arguments, code=2 if answer is None else 1)
    assert ("--yes" if answer is None else "not confirmed") in refused.stderr
    (question,) = shell.questions
    assert said in question
    assert "Change the settings of acme?" in question
    assert shell.service.governance.asked == []
    assert refused.stdout == ""


@LOSSES
@pytest.mark.parametrize("answer", ["y", "YES", " yes "])
def test_with_a_yes_it_is_done(
    shell: Shell, before: dict[str, Any], arguments: list[str], said: str, answer: str
) -> None:
    shell.service.governance.settings |= before
    shell.answer = answer
    assert "4" in shell("settings", "change", *arguments).stdout
    assert shell.service.requests[-1].headers["If-Match"] == '"3"'
    shell.service.governance.settings |= before
    shell("settings", "change", *arguments, "--yes")
    assert len(shell.questions) == 1
    assert "If-Match" not in shell.service.requests[-1].headers


def test_a_yes_is_to_the_settings_that_were_shown(shell: Shell) -> None:
    shell.answer = "y"
    governance = shell.service.governance

    def meanwhile(request: httpx.Request) -> httpx.Response:
        answer = governance.show(request)
        governance.version += 1
        return answer

    shell.service.first = [meanwhile]
    refused = shell("settings", "change", "--retention-days", "7", code=1)
    assert "(412)" in refused.stderr
    assert "Look again" in refused.stderr
    assert governance.asked == []


@pytest.mark.parametrize(
    ("given", "sent"), [("3", '"3"'), ('"3"', '"3"'), ("*", "*"), ('"2", "3"', '"2", "3"')]
)
def test_a_version_that_has_to_match(shell: Shell, given: str, sent: str) -> None:
    if "," not in given:
        shell("settings", "change", "--record-reads", "--if-match", given)
    else:
        shell("settings", "change", "--record-reads", "--if-match", given, code=1)
    assert shell.service.requests[-1].headers["If-Match"] == sent
    refused = shell("settings", "change", "--record-reads", "--if-match", "99", code=1)
    assert "(412)" in refused.stderr


def test_a_change_is_repeated_only_where_that_changes_nothing(shell: Shell) -> None:
    def lost(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("late", request=request)

    shell.service.first = [lost]
    shell("settings", "change", "--record-reads")
    assert len(shell.service.requests) == 2
    shell.service.first = [lost] * ATTEMPTS
    refused = shell("settings", "change", "--record-reads", "--if-match", "4", code=1)
    assert "Look whether it was done" in refused.stderr
    assert len(shell.service.requests) == 3
