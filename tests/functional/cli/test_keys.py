"""`auditlog keys` and `auditlog org`: credentials, from the first on."""

import json
import re

import httpx
import pytest

from tests.functional.cli.service import Cloud, Shell, Terminal, lines_of, problem


def test_keys_are_made_listed_and_revoked(shell: Shell) -> None:
    arguments = ["--grant", "events:read", "--grant", "events:write", "--as", "ann"]
    made = shell("keys", "create", "siem", *arguments)
    assert made.stdout == "alk_new\n"
    request = shell.service.requests[0]
    grants = ["events:read", "events:write"]
    assert json.loads(request.content) == {"name": "siem", "grants": grants}
    assert request.headers["X-Actor-Id"] == request.headers["X-Actor-Name"] == "ann"
    assert [key["id"] for key in lines_of(shell("keys", "list", "--json"))] == ["k1"]
    assert "events:read" in shell("keys", "list").stdout
    assert "X-Actor-Id" not in shell.service.requests[-1].headers
    assert lines_of(shell("keys", "revoke", "k/1", "--json")) == [{"id": "k/1", "revoked": True}]
    assert shell.service.requests[-1].url.raw_path == b"/v1/orgs/acme/keys/k%2F1"


def test_keys_are_readable_on_a_narrow_terminal(shell: Shell, terminal: Terminal) -> None:
    key = {
        "id": "0aB1cD2eF3gH",
        "name": "billing-service",
        "grants": ["events:write", "events:read", "exports:create", "org:admin"],
        "created_at": "2026-01-02T03:04:05.000001Z",
        "expires_at": "2026-07-02T03:04:05.000001Z",
        "last_used_at": "2026-01-03T17:00:00.000000Z",
        "replaced_by": "1aB1cD2eF3gH",
    }
    shell.service.keys = [key]
    terminal(80)
    assert shell("keys", "list").stdout.splitlines() == [
        "0aB1cD2eF3gH  billing-service",
        "  events:write, events:read, exports:create, org:admin",
        "  created 2026-01-02T03:04:05Z  expires 2026-07-02T03:04:05Z",
        "  last used 2026-01-03T17Z  replaced by 1aB1cD2eF3gH",
    ]
    terminal(150)
    header, _, row = shell("keys", "list").stdout.splitlines()
    assert header.split("  ")[-1].strip() == "Replaced by"
    assert "Created" not in header
    assert row.startswith("0aB1cD2eF3gH")
    assert "exports:create, org:admin" in row
    assert "2026-01-03T17Z" in row
    terminal(200)
    assert "Created" in shell("keys", "list").stdout
    key["last_used_at"] = None
    assert "never" in shell("keys", "list").stdout
    terminal(80)
    assert "  never used\n" in shell("keys", "list").stdout
    shell.service.keys = []
    empty = shell("keys", "list")
    assert (empty.stdout, empty.stderr) == ("", "No keys.\n")


def test_making_a_key_is_not_repeated_when_it_may_have_been_done(shell: Shell) -> None:
    def lost(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("late", request=request)

    shell.service.first = [lost]
    result = shell("keys", "create", "siem", "--grant", "events:read", code=1)
    assert "Look whether it was done" in result.stderr
    assert len(shell.service.requests) == 1


def test_an_org_is_made_once_with_an_admin_key(shell: Shell, cloud: Cloud) -> None:
    made = lines_of(shell("org", "create", "acme", "--retention-days", "90", "--json"))[0]
    assert re.fullmatch("alk_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}", made["secret"])
    key = {"pk": {"S": "org"}, "sk": {"S": "acme"}}
    stored = cloud.dynamodb.get_item(TableName="control", Key=key)["Item"]
    assert stored["retention_days"] == {"N": "90"}
    again = shell("org", "create", "acme", code=1)
    assert "exists already" in again.stderr
    assert "1 to 64" in shell("org", "create", "no spaces", code=2).stderr
    assert "retention" in shell("org", "create", "b", "--retention-days", "0", code=2).stderr


def test_a_key_is_rotated_with_an_overlap(shell: Shell) -> None:
    rotated = shell("keys", "rotate", "k/1", "--overlap", "7d", "--as", "ann")
    assert rotated.stdout == "alk_new\n"
    assert "the key k2 (as k/1): it is shown this once" in rotated.stderr
    assert "k/1, which it replaces, is good for 7d more" in rotated.stderr
    request = shell.service.requests[0]
    assert request.url.raw_path == b"/v1/orgs/acme/keys/k%2F1/rotation"
    assert request.headers["X-Actor-Id"] == "ann"
    assert "has expired" in shell("keys", "rotate", "k1", "--overlap", "0").stderr
    until = "2027-01-31T00:00:00.000000Z"
    made = lines_of(shell("keys", "rotate", "k1", "--expires-at", until, "--json"))[0]
    assert (made["secret"], made["expires_at"]) == ("alk_new", until)
    assert shell.service.governance.asked == [
        {"overlap_seconds": 7 * 86_400},
        {"overlap_seconds": 0},
        {"overlap_seconds": 86_400, "expires_at": until},
    ]


@pytest.mark.parametrize("overlap", ["", "1", "h", "-1h", "1w", "1.5h", "٣h", "1 h", "9999999999s"])
def test_an_overlap_that_is_none(shell: Shell, overlap: str) -> None:
    refused = shell("keys", "rotate", "k1", f"--overlap={overlap}", code=2)
    assert "--overlap" in refused.stderr
    assert "24h, 30m, 7d or 0" in refused.stderr
    assert shell.service.requests == []


def test_a_rotation_that_the_service_refuses(shell: Shell) -> None:
    refused = shell("keys", "rotate", "k1", "--overlap", "31d", code=1)
    assert "/overlap_seconds" in refused.stderr
    assert refused.stdout == ""

    def lost(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("late", request=request)

    shell.service.first = [lost]
    assert "Look whether it was done" in shell("keys", "rotate", "k1", code=1).stderr
    assert len(shell.service.requests) == 2


def test_a_limit_that_is_used_up_is_not_waited_for(shell: Shell) -> None:
    """A service that says an hour would else be waited for, again and again."""

    def full(_: httpx.Request) -> httpx.Response:
        answer = problem(429, "The org has 100 keys")
        answer.headers["Retry-After"] = "3600"
        return answer

    shell.service.first = [full]
    refused = shell("keys", "create", "siem", "--grant", "events:read", code=1)
    assert "The org has 100 keys (429)" in refused.stderr
    assert shell.slept == []
