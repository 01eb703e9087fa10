"""`auditlog keys` and `auditlog org`: credentials, from the first on."""

import json
import re

import httpx

from tests.functional.cli.service import Cloud, Shell, Terminal, lines_of


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
        "expires_at": None,
    }
    shell.service.keys = [key]
    terminal(80)
    assert shell("keys", "list").stdout.splitlines() == [
        "0aB1cD2eF3gH  billing-service",
        "  events:write, events:read, exports:create, org:admin",
        "  created 2026-01-02T03:04:05Z",
    ]
    terminal(140)
    header, _, row = shell("keys", "list").stdout.splitlines()
    assert header.split() == ["ID", "Name", "Grants", "Created", "Expires"]
    assert row.startswith("0aB1cD2eF3gH")
    assert "exports:create, org:admin" in row
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
