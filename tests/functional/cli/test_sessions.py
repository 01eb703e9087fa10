"""`auditlog sessions`: tokens for one person."""

import httpx
import pytest

from auditlog import clock
from tests.functional.cli.governance import LATER, THEN
from tests.functional.cli.service import API, Shell, Terminal, lines_of


def test_a_session_is_opened_and_its_token_printed(shell: Shell) -> None:
    arguments = ["--name", "Ada Lovelace", "--minutes", "15", "--as", "ann"]
    opened = shell("sessions", "open", "usr_17", *arguments)
    assert opened.stdout == "als_new\n"
    assert "token for Ada Lovelace, good until 2026-06-02T13:00:00Z" in opened.stderr
    assert f"In the console: {API}/console#session=als_new\n" in opened.stderr
    assert "auditlog sessions end 0aB1cD2eF3gH" in opened.stderr
    assert shell.service.requests[0].headers["X-Actor-Id"] == "ann"
    shell("sessions", "open", "usr_17", "--api-url", f"{API}/")
    assert shell.service.governance.asked == [
        {"actor": {"id": "usr_17", "name": "Ada Lovelace"}, "minutes": 15},
        {"actor": {"id": "usr_17"}, "minutes": 60},
    ]
    (made,) = lines_of(shell("sessions", "open", "usr_17", "--json"))
    assert (made["token"], made["link"]) == ("als_new", "/console#session=als_new")


@pytest.mark.parametrize("minutes", ["14", "721", "x"])
def test_a_time_that_no_session_has(shell: Shell, minutes: str) -> None:
    assert "--minutes" in shell("sessions", "open", "u", "--minutes", minutes, code=2).stderr
    assert shell.service.requests == []


def test_what_opens_none(shell: Shell) -> None:
    refused = shell("sessions", "open", "", code=1)
    assert "/actor/id" in refused.stderr
    assert refused.stdout == ""

    def lost(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("late", request=request)

    shell.service.first = [lost]
    assert "Look whether it was done" in shell("sessions", "open", "u", code=1).stderr
    assert len(shell.service.requests) == 2


def test_sessions_are_listed(
    shell: Shell, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: clock.parse(LATER) - 1)
    assert [each["id"] for each in lines_of(shell("sessions", "list", "--json"))] == [
        "0aB1cD2eF3gH"
    ]
    terminal(100)
    header, _, row = shell("sessions", "list").stdout.splitlines()
    assert header.split() == ["ID", "For", "Name", "Opened", "Ends", "State"]
    assert row.split()[-1] == "open"
    terminal(40)
    monkeypatch.setattr(clock, "now", lambda: clock.parse(LATER))
    assert shell("sessions", "list").stdout.splitlines() == [
        "0aB1cD2eF3gH  over",
        "  for usr_17  Ada",
        f"  opened {THEN[:19]}Z",
        f"  ends {LATER[:19]}Z",
    ]
    shell.service.governance.sessions = []
    empty = shell("sessions", "list")
    assert (empty.stdout, empty.stderr) == ("", "No sessions.\n")


def test_a_session_is_ended(shell: Shell) -> None:
    assert "Ended s/1;" in shell("sessions", "end", "s/1").stdout
    assert shell.service.requests[0].url.raw_path == b"/v1/orgs/acme/sessions/s%2F1"
    assert lines_of(shell("sessions", "end", "s1", "--json")) == [{"id": "s1", "ended": True}]
