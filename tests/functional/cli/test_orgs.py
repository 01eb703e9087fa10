"""`auditlog org`: orgs listed, limited and deleted, and one more admin key for one."""

import json
from dataclasses import replace
from typing import Any

import pytest

from auditlog import clock, intake, keys, trail
from auditlog.cli import aws, telling
from auditlog.orgs import Deletion, Limits, Org
from auditlog.policy import Hold
from auditlog.store.control import ControlStore
from tests.functional.cli.service import RULES, Cloud, Shell, Terminal, lines_of

NOON = clock.parse("2026-06-02T12:00:00Z")
THEN = "2026-06-02T12:00:00.000000Z"


@pytest.fixture
def acme(shell: Shell, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell, where there is the org `acme`."""
    monkeypatch.setattr(clock, "now", lambda: NOON)
    shell("org", "create", "acme")
    return shell


def store(cloud: Cloud) -> ControlStore:
    return ControlStore(cloud.dynamodb, "control")


def acme_of(cloud: Cloud) -> Org:
    found = store(cloud).any_org("acme")
    assert found is not None
    return found


def change(cloud: Cloud, **changes: Any) -> None:
    store(cloud).save_org(replace(acme_of(cloud), **changes))


def told(cloud: Cloud) -> list[dict[str, Any]]:
    """The events that the inbox was sent, for `acme` and within its group; all can be recorded."""
    messages = cloud.messages("queue_url")
    assert {m["Attributes"]["MessageGroupId"] for m in messages} <= {"acme"}
    sent = [json.loads(message["Body"]) for message in messages]
    assert {body["org"] for body in sent} <= {"acme"}
    events = [event for body in sent for event in body["events"]]
    if events:
        read = intake.read(json.dumps({"events": events}).encode())
        intake.judge(read, RULES, b"secret").raise_refusals()
    return events


def test_the_log_is_told_in_the_words_of_the_api() -> None:
    assert telling.SETTINGS_CHANGE == trail.SETTINGS_CHANGE
    assert telling.KEY_CREATE == trail.KEY_CREATE


def test_orgs_are_listed(acme: Shell, cloud: Cloud, terminal: Terminal) -> None:
    acme("org", "create", "globex", "--retention-days", "90")
    acme("org", "create", "gone")
    change(cloud, hold=Hold("case 1", NOON))
    gone = store(cloud).org("gone")
    assert gone is not None
    store(cloud).save_org(replace(gone, deletion=Deletion(NOON, "arn:x", NOON, 1_234)))
    listed = {org["name"]: org for org in lines_of(acme("org", "list", "--json"))}
    limits = {"events_per_day": None, "exports_at_once": 10, "keys": 100}
    assert listed["acme"] == {
        "name": "acme",
        "state": "active",
        "created_at": THEN,
        "retention_days": None,
        "hold": {"reason": "case 1", "placed_at": THEN},
        "limits": limits,
        "deletion": None,
    }
    assert listed["globex"]["retention_days"] == 90
    assert listed["gone"]["state"] == "deleted"
    deletion = {"requested_at": THEN, "requested_by": "arn:x", "completed_at": THEN}
    assert listed["gone"]["deletion"] == {**deletion, "events": 1_234}
    for width in (36, 80, 160):
        terminal(width)
        shown = acme("org", "list").stdout
        assert max(map(len, shown.splitlines())) <= width
        for said in ("acme", "for ever", "90 days", "case 1", "deleted", "2026-06-02T12:00:00Z"):
            assert said in shown


def test_where_there_is_none(shell: Shell, cloud: Cloud) -> None:
    empty = shell("org", "list")
    assert (empty.stdout, empty.stderr) == ("", "No orgs.\n")


def test_limits_are_shown_and_changed(acme: Shell, cloud: Cloud) -> None:
    shown = [line.rsplit("  ", 1) for line in acme("org", "limits", "acme").stdout.splitlines()]
    assert [value for _, value in shown] == ["no limit", "10", "100"]
    assert told(cloud) == []
    arguments = ["--events-per-day", "1000000", "--keys", "none"]
    assert lines_of(acme("org", "limits", "acme", *arguments, "--json")) == [
        {"org": "acme", "events_per_day": 1_000_000, "exports_at_once": 10, "keys": None}
    ]
    org = acme_of(cloud)
    assert org.limits == Limits(1_000_000, 10, None)
    assert org.version == 2
    (event,) = told(cloud)
    assert event["type"] == "org.audit_log.settings.update"
    assert event["actor"]["id"].startswith("arn:aws:")
    assert event["actor"]["type"] == "service_account"
    assert event["targets"] == [{"type": "settings", "id": "limits"}]
    assert event["metadata"]["before"]["limits"]["keys"] == 100
    assert event["metadata"]["after"]["limits"]["keys"] is None
    assert (event["key"], event["occurred_at"]) == ("settings 2", THEN)
    again = acme("org", "limits", "acme", *arguments)
    assert "Nothing is changed" in again.stderr
    assert "1,000,000" in again.stdout
    assert told(cloud) == []
    assert acme_of(cloud) == org


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5", "", "None", "٣", str(10**13), "9" * 30])
def test_a_limit_that_is_none(acme: Shell, cloud: Cloud, value: str) -> None:
    refused = acme("org", "limits", "acme", f"--keys={value}", code=2)
    assert "limit" in refused.stderr or "--keys" in refused.stderr
    assert acme_of(cloud).version == 1
    assert told(cloud) == []


class Between:
    """A client of DynamoDB, where something else happens before a write, as often as is said."""

    def __init__(self, cloud: Cloud, times: int) -> None:
        self.cloud = cloud
        self.times = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cloud.dynamodb, name)

    def put_item(self, **arguments: Any) -> Any:
        if self.times:
            self.times -= 1
            change(self.cloud, record_reads=True)
        return self.cloud.dynamodb.put_item(**arguments)


def test_limits_undo_nobody_s_change(
    acme: Shell, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws, "dynamodb", lambda _: Between(cloud, 3))
    acme("org", "limits", "acme", "--keys", "5")
    assert acme_of(cloud).record_reads
    assert acme_of(cloud).limits.keys == 5
    monkeypatch.setattr(aws, "dynamodb", lambda _: Between(cloud, 99))
    refused = acme("org", "limits", "acme", "--keys", "6", code=1)
    assert "changed by others" in refused.stderr
    assert acme_of(cloud).limits.keys == 5


def test_what_the_log_cannot_tell_of_is_not_done(acme: Shell, cloud: Cloud) -> None:
    cloud.sqs.delete_queue(QueueUrl=cloud.stack["queue_url"])
    before = acme_of(cloud)
    assert "SendMessageBatch" in acme("org", "limits", "acme", "--keys", "5", code=1).stderr
    assert "SendMessageBatch" in acme("org", "shards", "acme", "5", code=1).stderr
    refused = acme("org", "admin-key", "acme", code=1)
    assert "SendMessageBatch" in refused.stderr
    assert refused.stdout == ""
    assert acme_of(cloud) == before
    assert len(store(cloud).keys("acme")) == 1


def test_a_change_of_shards_is_told_of(acme: Shell, cloud: Cloud) -> None:
    acme("org", "shards", "acme", "8")
    (event,) = told(cloud)
    first = {"since": "1970-01-01T00:00:00.000000Z", "number": 1}
    later = {"since": "2026-06-02T12:30:00.000000Z", "number": 8}
    assert event["metadata"] == {"before": {"shards": [first]}, "after": {"shards": [first, later]}}
    assert event["key"] == f"settings {acme_of(cloud).version}"


def test_an_org_without_a_key_gets_one(acme: Shell, cloud: Cloud) -> None:
    change(cloud, limits=Limits(keys=1))
    arguments = ["--name", "for Ann", "--expires-at", "2026-06-03"]
    (made,) = lines_of(acme("org", "admin-key", "acme", *arguments, "--json"))
    stored = store(cloud).key(made["id"])
    assert stored is not None
    assert stored.opens(made["secret"])
    assert (stored.org, stored.name, stored.grants) == ("acme", "for Ann", keys.ALL_GRANTS)
    assert stored.expires_at == NOON + clock.DAY / 2
    (event,) = told(cloud)
    assert event["type"] == "org.audit_log.key.create"
    assert event["targets"] == [{"type": "key", "id": made["id"], "name": "for Ann"}]
    assert made["secret"] not in json.dumps(event)
    plain = acme("org", "admin-key", "acme")
    assert f"admin key {keys.key_id(plain.stdout.strip())} of acme" in plain.stderr
    assert len(store(cloud).keys("acme")) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--expires-at", "2026-06-02T12:00:00Z"], "passed already"),
        (["--expires-at", "soon"], "--expires-at: expected"),
        (["--name", ""], "1 to 128"),
        (["--name", "x" * 129], "1 to 128"),
    ],
)
def test_an_admin_key_that_cannot_be(
    acme: Shell, cloud: Cloud, arguments: list[str], said: str
) -> None:
    assert said in acme("org", "admin-key", "acme", *arguments, code=2).stderr
    assert len(store(cloud).keys("acme")) == 1
    assert told(cloud) == []


@pytest.mark.parametrize("command", [["limits"], ["delete", "--yes"], ["admin-key"]])
def test_an_org_that_is_not_there(acme: Shell, cloud: Cloud, command: list[str]) -> None:
    name, *options = command
    for org in ("none", "no spaces", "", "*", "acme#0"):
        refused = acme("org", name, org, *options, code=1)
        assert f"There is no org {org}" in refused.stderr
        assert refused.stdout == ""
    assert told(cloud) == []
    assert cloud.messages("erasures_queue_url") == []


@pytest.mark.parametrize("command", ["limits", "admin-key", "shards"])
def test_an_org_that_is_being_deleted_is_not_there(acme: Shell, cloud: Cloud, command: str) -> None:
    change(cloud, deletion=Deletion(NOON, "arn:x"))
    assert "There is no org acme" in acme("org", command, "acme", code=1).stderr
    assert "exists already, or did" in acme("org", "create", "acme", code=1).stderr


@pytest.mark.parametrize("how", [["--yes"], []])
def test_an_org_is_deleted(acme: Shell, cloud: Cloud, how: list[str]) -> None:
    acme.answer = " acme "
    ended = acme("org", "delete", "acme", *how)
    assert "acme is ended" in ended.stdout
    assert [q.endswith("Type acme to go on:") for q in acme.questions] == [True] * (not how)
    deletion = acme_of(cloud).deletion
    assert deletion is not None
    assert deletion.asked_at == NOON
    assert deletion.asked_by.startswith("arn:aws:")
    (message,) = cloud.messages("erasures_queue_url")
    assert json.loads(message["Body"]) == {"org": "acme", "deletion": True}
    assert message["Attributes"]["MessageGroupId"] == "acme"
    # Once more hands it in again, as after a crash between the two, and asks nothing.
    again = lines_of(acme("org", "delete", "acme", "--json"))
    assert again == [{"org": "acme", "state": "deleting"}]
    assert len(cloud.messages("erasures_queue_url")) == 1
    assert len(acme.questions) == (not how)
    change(cloud, deletion=replace(deletion, completed_at=NOON))
    assert "gone by 2026-06-02T12:00:00Z" in acme("org", "delete", "acme").stdout
    assert lines_of(acme("org", "delete", "acme", "--json"))[0]["state"] == "deleted"
    assert cloud.messages("erasures_queue_url") == []


@pytest.mark.parametrize("answer", [None, "", "y", "yes", "Acme", "acme2"])
def test_without_its_name_it_stays(acme: Shell, cloud: Cloud, answer: str | None) -> None:
    acme.answer = answer
    refused = acme("org", "delete", "acme", code=2 if answer is None else 1)
    assert ("--yes" if answer is None else "not confirmed") in refused.stderr
    assert acme_of(cloud).deletion is None
    assert cloud.messages("erasures_queue_url") == []


def test_a_hold_keeps_it(acme: Shell, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    placed = Between(cloud, 1)
    hold = Hold("case 1", NOON)
    monkeypatch.setattr(f"{__name__}.change", lambda where, **_: _hold(where, hold))
    monkeypatch.setattr(aws, "dynamodb", lambda _: placed)
    # Placed while it is being ended, and then before.
    for said in ("placed just now", "case 1"):
        refused = acme("org", "delete", "acme", "--yes", code=1)
        assert f"under a hold ({said})" in refused.stderr
        assert "--release-hold" in refused.stderr
    assert acme_of(cloud).deletion is None
    assert cloud.messages("erasures_queue_url") == []


def _hold(cloud: Cloud, hold: Hold) -> None:
    store(cloud).save_org(replace(acme_of(cloud), hold=hold))
