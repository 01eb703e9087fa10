"""`auditlog org platform-key`: the platform's own keys."""

import pytest

from auditlog import clock, keys
from auditlog.keys import PLATFORM, PLATFORM_GRANTS
from auditlog.store.control import ControlStore
from tests.functional.cli.service import Cloud, Shell, Terminal, lines_of


def test_a_platform_key_is_made_listed_and_revoked(
    shell: Shell, cloud: Cloud, terminal: Terminal
) -> None:
    made = shell("org", "platform-key", "billing")
    key_id = keys.key_id(made.stdout.strip())
    assert key_id is not None
    assert key_id in made.stderr
    store = ControlStore(cloud.dynamodb, "control")
    stored = store.key(key_id)
    assert stored is not None
    assert stored.opens(made.stdout.strip())
    assert (stored.org, stored.grants, stored.expires_at) == (PLATFORM, PLATFORM_GRANTS, None)
    until = "2999-01-31T00:00:00.000000Z"
    (other,) = lines_of(shell("org", "platform-key", "crm", "--expires-at", "2999-01-31", "--json"))
    assert (other["name"], other["expires_at"]) == ("crm", until)
    assert keys.key_id(other["secret"]) == other["id"]
    store.say_used(PLATFORM, key_id, clock.parse("2026-06-02T12:00:00Z"))
    listed = lines_of(shell("org", "platform-keys", "--json"))
    assert {key["name"]: key["last_used_at"] for key in listed} == {
        "billing": "2026-06-02T12:00:00.000000Z",
        "crm": None,
    }
    assert "secret" not in listed[0]
    for width in (40, 80, 160):
        terminal(width)
        shown = shell("org", "platform-keys").stdout
        assert max(map(len, shown.splitlines())) <= width
        assert "2026-06-02T12Z" in shown
        assert "never" in shown
    assert "Revoked" in shell("org", "revoke-platform-key", key_id).stdout
    revoked = lines_of(shell("org", "revoke-platform-key", other["id"], "--json"))
    assert revoked == [{"id": other["id"], "revoked": True}]
    assert store.key(key_id) is None
    empty = shell("org", "platform-keys")
    assert (empty.stdout, empty.stderr) == ("", "No keys.\n")
    assert cloud.messages("queue_url") == []


def test_a_key_of_an_org_is_none_of_the_platform(shell: Shell, cloud: Cloud) -> None:
    (made,) = lines_of(shell("org", "create", "acme", "--json"))
    for key_id in (made["key_id"], "nothing", ""):
        refused = shell("org", "revoke-platform-key", key_id, code=1)
        assert f"The platform has no key {key_id}" in refused.stderr
        assert "org platform-keys" in refused.stderr
    assert ControlStore(cloud.dynamodb, "control").key(made["key_id"]) is not None
    assert shell("org", "platform-keys").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x", "--expires-at", "1999-01-01"], "passed already"),
        (["x", "--expires-at", "soon"], "--expires-at: expected"),
        ([""], "1 to 128"),
        (["x" * 129], "1 to 128"),
    ],
)
def test_one_that_cannot_be(shell: Shell, cloud: Cloud, arguments: list[str], said: str) -> None:
    assert said in shell("org", "platform-key", *arguments, code=2).stderr
    assert ControlStore(cloud.dynamodb, "control").keys(PLATFORM) == []
