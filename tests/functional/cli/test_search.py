"""`auditlog search`, `event` and `types`: what is asked of the service, and what is shown of it."""

import json
import re
from urllib.parse import parse_qs

from tests.functional.cli.service import TYPES, Shell, event, lines_of, ndjson


def test_search_sends_every_parameter(shell: Shell) -> None:
    arguments = "--type repo --type org --actor a --target t --ip 10.0.0.0/8 --country DE"
    arguments += " --since 2026-01-01T00:00:00Z --until 2027-01-01T00:00:00Z --order asc"
    arguments += " --limit 7 --include-hidden"
    shell("search", *arguments.split())
    assert parse_qs(shell.service.requests[0].url.query.decode()) == {
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
