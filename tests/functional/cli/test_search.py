"""`auditlog search`, `event` and `types`: what is asked of the service, and what is shown of it."""

import json
import re
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.functional.cli.service import TYPES, Shell, Terminal, event, lines_of, ndjson


def test_search_sends_every_parameter(shell: Shell) -> None:
    arguments = "--type repo --type org --actor a --target t --ip 10.0.0.0/8 --country DE"
    arguments += " --since 2026-01-01T00:00:00Z --until 2027-01-01T00:00:00Z --order asc"
    arguments += " --limit 7 --include-hidden"
    shell("search", *arguments.split(), "-q", "type:repo -actor:bot")
    assert parse_qs(shell.service.requests[0].url.query.decode()) == {
        "q": ["type:repo -actor:bot"],
        "type": ["repo", "org"],
        "actor": ["a"],
        "target": ["t"],
        "ip": ["10.0.0.0/8"],
        "country": ["DE"],
        "since": ["2026-01-01T00:00:00Z"],
        "until": ["2027-01-01T00:00:00Z"],
        "order": ["asc"],
        "limit": ["7"],
        "include_hidden": ["true"],
    }


def test_search_follows_short_and_empty_pages(shell: Shell) -> None:
    shell("publish", stdin=ndjson(*map(event, range(11))))
    oldest_first = sorted(shell.service.stored)
    everything = lines_of(shell("search", "--all", "--json", "--order", "asc"))
    assert [e["id"] for e in everything] == oldest_first
    part = shell("search", "--limit", "5", "--json")
    assert [e["id"] for e in lines_of(part)] == oldest_first[::-1][:5]
    cursor = re.search(r"--cursor (\S+),", part.stderr)
    assert cursor is not None
    rest = lines_of(shell("search", "--limit", "100", "--json", "--cursor", cursor[1]))
    assert [e["id"] for e in rest] == oldest_first[::-1][5:]


def test_what_each_page_read_is_said_beside_the_events(shell: Shell) -> None:
    shell("publish", stdin=ndjson(*map(event, range(5))))
    result = shell("search", "--explain", "--json")
    assert len(lines_of(result)) == 5
    said = re.findall(r"Read 1,234 events and 1,234 digests.* 4\.5 read units", result.stderr)
    assert len(said) == 2


def test_a_table_shows_events_and_no_control_characters(shell: Shell) -> None:
    sneaky = event(1, description="a\x1b[31mred\u202eb [bold]c[/bold]")
    shell("publish", "--no-key", stdin=ndjson(sneaky))
    result = shell("search")
    assert "user-1" in result.stdout
    assert "\\u001b[31mred\\u202eb [bold]c[/bold]" in result.stdout
    assert "\x1b" not in result.stdout
    found = shell("search", "--json").stdout
    assert "\u202e" not in found
    assert json.loads(found)["description"] == sneaky["description"]


ID = "00olqbj5vg4u6dimko7jmhslj6qqj571iinj3h0"
STORED: dict[str, Any] = {
    "id": ID,
    "occurred_at": "2026-01-02T03:04:05.678901Z",
    "type": "protected_branch.authorized_users_teams",
    "actor": {"id": "u-1", "name": "Ann Example"},
    "targets": [{"type": "repo", "id": "web", "name": "acme/web"}],
    "ip": "2001:db8:1111:2222:3333:4444:5555:6666",
    "summary": "Ann Example changed who may push to a protected branch of acme/web",
}


def test_a_narrow_terminal_shows_an_event_on_short_lines(shell: Shell, terminal: Terminal) -> None:
    plain = {**STORED, "type": "repo.create", "ip": "10.0.0.1"}
    plain["summary"] = "Ann Example created acme/web"
    described = {**plain, "id": ID[::-1], "description": "A new home"}
    del described["summary"]
    shell.service.stored = {"2": plain, "1": described}
    terminal(80)
    assert shell("search").stdout.splitlines() == [
        f"2026-01-02T03:04:05Z  {ID}",
        "  repo.create  Ann Example created acme/web  10.0.0.1",
        f"2026-01-02T03:04:05Z  {ID[::-1]}",
        "  repo.create  Ann Example: A new home  10.0.0.1",
    ]


@pytest.mark.parametrize("width", [60, 80, 100, 140, 180, 260])
def test_no_terminal_breaks_an_id_or_a_time(shell: Shell, terminal: Terminal, width: int) -> None:
    shell.service.stored = {ID: STORED, "short": {**STORED, "ip": None, "targets": []}}
    terminal(width)
    shown = shell("search").stdout
    lines = shown.splitlines()
    assert max(map(len, lines)) <= width
    for whole in (ID, STORED["type"], STORED["ip"], "2026-01-02T03:04:05Z"):
        assert any(whole in line for line in lines)
    assert "678901" not in shown
    assert shown.startswith("Time ") is (width >= 180)


def test_a_table_without_the_sentence_fits_a_wide_terminal(
    shell: Shell, terminal: Terminal
) -> None:
    shell.service.stored = {ID: {**STORED, "type": "repo.create", "ip": "203.0.113.77"}}
    terminal(140)
    header, _, row = shell("search").stdout.splitlines()
    assert header.split() == ["Time", "Type", "Actor", "Target", "IP", "ID"]
    assert re.split("  +", row.strip()) == [
        "2026-01-02T03:04:05Z",
        "repo.create",
        "Ann Example",
        "acme/web",
        "203.0.113.77",
        ID,
    ]


def test_a_pipe_has_every_column_on_one_line(shell: Shell) -> None:
    shell.service.stored = {ID: STORED}
    header, _, row = shell("search").stdout.splitlines()
    assert header.split() == ["Time", "Type", "Actor", "Target", "IP", "What", "ID"]
    assert ID in row
    assert STORED["summary"] in row


def test_nothing_found_is_said(shell: Shell) -> None:
    result = shell("search")
    assert (result.stdout, result.stderr) == ("", "No events.\n")
    assert shell("search", "--json").output == ""
    nothing = shell("types", "none")
    assert (nothing.stdout, nothing.stderr) == ("", "No types.\n")


def test_types_wrap_their_sentences_only(shell: Shell, terminal: Terminal) -> None:
    terminal(80)
    shown = shell("types").stdout
    assert max(map(len, shown.splitlines())) <= 80
    assert "org.audit_log.export" in shown


def test_event_shows_the_whole_event(shell: Shell) -> None:
    shell("publish", stdin=ndjson(event(1)))
    (event_id,) = shell.service.stored
    assert json.loads(shell("event", event_id).stdout) == shell.service.stored[event_id]
    assert lines_of(shell("event", event_id, "--json")) == [shell.service.stored[event_id]]
    assert "Not found (404)" in shell("event", "unknown", code=1).stderr


def test_types_lists_the_catalog(shell: Shell) -> None:
    assert lines_of(shell("types", "--json")) == TYPES
    shown = shell("types", "org").stdout
    assert "org.audit_log.export" in shown
    assert "repo.create" not in shown
