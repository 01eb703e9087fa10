"""The `auditlog` command, from making an org to downloading its log."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.client import Org, eventually, inbox_is_empty, run_command

Make = Callable[..., dict[str, Any]]


def test_an_org_is_made_once(stack: dict[str, Any], org: Org) -> None:
    again = run_command(stack, "org", "create", org.name)
    unfit = run_command(stack, "org", "create", "no spaces please")

    assert again.returncode == 1
    assert "exists already" in again.stderr
    assert unfit.returncode == 2


def test_a_key_does_what_it_was_made_for_until_it_is_revoked(org: Org, event: Make) -> None:
    (made,) = org.json("keys", "create", "reader", "--grant", "events:read")
    (unused,) = org.json("keys", "create", "unused", "--grant", "events:read")
    reader = Org(org.stack, org.name, made["secret"])

    assert reader.json("search") == org.json("search")
    refused = reader.command("publish", "-", stdin=json.dumps(event()))
    assert refused.returncode == 1
    assert "events:write" in refused.stderr
    listed = org.json("keys", "list")
    assert [key["name"] for key in listed] == ["first admin key", "reader", "unused"]
    assert not any("secret" in key or "hash" in key for key in listed)
    assert org.json("keys", "revoke", unused["id"]) == [{"id": unused["id"], "revoked": True}]
    # Nothing has it cached, so it is good for nothing at once.
    revoked = Org(org.stack, org.name, unused["secret"]).command("search")
    assert revoked.returncode == 1
    assert [key["name"] for key in org.json("keys", "list")] == ["first admin key", "reader"]


def test_events_are_published_from_a_file_and_from_standard_input(
    org: Org, event: Make, tmp_path: Path
) -> None:
    events = [event() for _ in range(5)]
    lines = "".join(json.dumps(one) + "\n" for one in events)
    file = tmp_path / "events.ndjson.gz"
    file.write_bytes(gzip.compress(lines.encode()))

    (from_file,) = org.json("publish", str(file), "--batch", "2")
    (from_input,) = org.json("publish", stdin=lines + json.dumps(event(key="one more")))
    (to_inbox,) = org.json("publish", "--sqs", str(file))

    ids = [found.pop("id") for found in from_file.pop("events")]
    assert len(set(ids)) == 5
    assert from_file == {"read": 5, "sent": 5, "recorded": 5, "duplicates": 0, "refused": []}
    assert [found["id"] for found in from_input["events"]][:5] == ids
    assert (from_input["recorded"], from_input["duplicates"]) == (1, 5)
    assert to_inbox == {"read": 5, "sent": 5, "recorded": None, "duplicates": None, "refused": []}
    eventually(lambda: inbox_is_empty(org.stack))
    assert {one["key"] for one in events} < {found["key"] for found in org.events()}
    assert len(org.events(type="repo.create")) == 6


def test_what_is_refused_is_named_by_its_line(org: Org, event: Make) -> None:
    events = [event(), event(type="repo.creat"), event()]

    done = org.command("publish", "--json", stdin="\n".join(map(json.dumps, events)))

    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert (said["sent"], said["recorded"]) == (3, 2)
    (refused,) = said["refused"]
    assert refused["line"] == 2
    assert "/type" in refused["reasons"][0]


def test_a_search_shows_what_is_there(org: Org, event: Make) -> None:
    mine = [event(actor={"id": "u-9", "name": "nina"}, ip="198.51.100.9") for _ in range(7)]
    org.publish(*mine)

    found = org.json("search", "--actor", "nina", "--limit", "3", "--all", "--order", "asc")
    table = org.command("search", "--actor", "nina", "--limit", "2")

    assert [one["key"] for one in found] == [one["key"] for one in mine]
    assert org.json("event", found[0]["id"]) == [found[0]]
    assert table.returncode == 0
    assert table.stdout.count("198.51.100.0") == 2
    assert "--cursor" in table.stderr
    assert org.json("search", "--ip", "198.51.100.0/24", "--type", "repo.delete") == []
    mistyped = org.command("search", "--type", "repo.creat")
    assert mistyped.returncode == 1
    assert "repo.create" in mistyped.stderr


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_an_export_is_fetched_and_checked(
    org: Org, event: Make, tmp_path: Path, compression: str
) -> None:
    org.publish(event(actor={"id": "exporter"}))
    path = tmp_path / "log"
    options = ["--format", "ndjson", "--compression", compression, "--actor", "exporter"]

    (made,) = org.json("export", "-o", str(path), *options, "--as", "auditor@example.com")

    data = path.read_bytes()
    lines = (gzip.decompress(data) if compression == "gzip" else data).splitlines()
    assert (len(lines), len(data)) == (made["events"], made["bytes"])
    assert [json.loads(line) for line in lines] == org.events(actor="exporter", order="asc")
    assert made["requested_by"]["id"] == "auditor@example.com"
    assert org.json("exports", "list")[0]["id"] == made["id"]
    again = tmp_path / "again"
    org.json("exports", "download", made["id"], "-o", str(again))
    assert again.read_bytes() == data
    recorded = org.events(type="org.audit_log.export", actor="auditor@example.com")
    assert made["id"] in {one["key"] for one in recorded}


def test_the_types_are_listed(org: Org) -> None:
    listed = org.json("types")

    assert {"repo.create", "org.audit_log.export"} < {one["type"] for one in listed}
    assert all(one["type"].startswith("repo") for one in org.json("types", "repo"))


def test_where_nothing_says_where_it_is_the_command_says_so(
    stack: dict[str, Any], tmp_path: Path
) -> None:
    done = run_command({**stack, "home": str(tmp_path)}, "search")

    assert done.returncode == 2
    assert "make dev" in done.stderr
