"""`auditlog org shards`, and `--shards` of `org create`: over what a log is spread."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from auditlog import clock
from auditlog.cli import aws
from auditlog.cli.options import MOST_SHARDS
from auditlog.layout import MAX_CHANGES, MAX_SHARDS, Layout
from auditlog.store.control import ControlStore
from auditlog.store.items import attributes
from tests.functional.cli.service import Cloud, Shell, Terminal, lines_of

NOON = clock.parse("2026-06-02T12:00:00Z")
HALF_PAST = "2026-06-02T12:30:00.000000Z"


class Clock:
    """The time that the command sees."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> int:
        return self.at


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Clock:
    ticking = Clock()
    monkeypatch.setattr(clock, "now", ticking)
    return ticking


@pytest.fixture
def acme(shell: Shell, cloud: Cloud, now: Clock) -> Shell:
    """A shell, where there is the org `acme`."""
    shell("org", "create", "acme")
    return shell


def stored(cloud: Cloud, name: str = "acme") -> tuple[tuple[int, int], ...]:
    found = ControlStore(cloud.dynamodb, "control").org(name)
    assert found is not None
    return found.shards


def put(cloud: Cloud, changes: list[list[int]]) -> None:
    cloud.dynamodb.update_item(
        TableName="control",
        Key=attributes({"pk": "org", "sk": "acme"}),
        UpdateExpression="SET shards = :new",
        ExpressionAttributeValues=attributes({":new": changes}),
    )


def test_an_org_is_made_with_shards(shell: Shell, cloud: Cloud) -> None:
    shell("org", "create", "busy", "--shards", "8")
    shell("org", "create", "calm")
    assert (stored(cloud, "busy"), stored(cloud, "calm")) == (((0, 8),), ((0, 1),))


@pytest.mark.parametrize("number", ["0", "-1", "17", "1.5", "many"])
def test_a_number_that_is_out_of_range(acme: Shell, cloud: Cloud, number: str) -> None:
    assert "--shards" in acme("org", "create", "b", "--shards", number, code=2).stderr
    assert "Error" in acme("org", "shards", "--", "acme", number, code=2).stderr
    assert stored(cloud) == ((0, 1),)
    assert ControlStore(cloud.dynamodb, "control").org("b") is None


def test_the_range_is_the_layout_s() -> None:
    assert MOST_SHARDS == MAX_SHARDS


def test_a_change_holds_as_soon_as_can_be(acme: Shell, cloud: Cloud, now: Clock) -> None:
    now.at = NOON - 999_999
    made = acme("org", "shards", "acme", "8")
    assert made.stdout == "acme has 8 shards from 2026-06-02T12:30:00Z.\n"
    assert made.stderr == ""
    assert stored(cloud) == ((0, 1), (NOON + 30 * clock.MINUTE, 8))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("2026-06-02T12:30:00Z", HALF_PAST),
        ("2026-06-02T15:00:00.5+02:00", "2026-06-02T13:00:00.500000Z"),
        ("2026-06-03", "2026-06-03T00:00:00.000000Z"),
    ],
)
def test_a_change_from_a_time_on(acme: Shell, cloud: Cloud, given: str, meant: str) -> None:
    made = acme("org", "shards", "acme", "3", "--from", given, "--json")
    assert lines_of(made) == [{"org": "acme", "from": meant, "shards": 3, "state": "ahead"}]
    assert stored(cloud) == ((0, 1), (clock.parse(meant), 3))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("2026-06-02T12:29:59.999999Z", "at the earliest in 30 minutes"),
        ("2026-06-02", "at the earliest in 30 minutes"),
        ("1969-01-01", "at the earliest in 30 minutes"),
        ("tomorrow", "expected a date, or RFC 3339"),
        ("2026-06-02T14:00:00", "expected a date, or RFC 3339"),
        ("2026-06-31", "no such time"),
    ],
)
def test_a_time_that_is_too_early_or_none(acme: Shell, cloud: Cloud, given: str, said: str) -> None:
    refused = acme("org", "shards", "acme", "8", "--from", given, code=2)
    assert "--from" in refused.stderr
    assert said in refused.stderr
    assert refused.stdout == ""
    assert stored(cloud) == ((0, 1),)


def test_from_needs_a_number(acme: Shell, cloud: Cloud) -> None:
    assert "how many" in acme("org", "shards", "acme", "--from", "2027-01-01", code=2).stderr
    assert stored(cloud) == ((0, 1),)


def test_the_changes_are_shown(acme: Shell, now: Clock, terminal: Terminal) -> None:
    assert lines_of(acme("org", "shards", "acme", "--json")) == [
        {"org": "acme", "from": None, "shards": 1, "state": "now"}
    ]
    acme("org", "shards", "acme", "8")
    now.at = NOON + 31 * clock.MINUTE
    acme("org", "shards", "acme", "3", "--from", "2026-06-03")
    assert lines_of(acme("org", "shards", "acme", "--json")) == [
        {"org": "acme", "from": None, "shards": 1, "state": "past"},
        {"org": "acme", "from": HALF_PAST, "shards": 8, "state": "now"},
        {"org": "acme", "from": "2026-06-03T00:00:00.000000Z", "shards": 3, "state": "ahead"},
    ]
    terminal(80)
    header, _, *rows = acme("org", "shards", "acme").stdout.splitlines()
    assert header.split() == ["From", "Shards", "State"]
    assert [row.split() for row in rows] == [
        ["the", "beginning", "1", "past"],
        ["2026-06-02T12:30:00Z", "8", "now"],
        ["2026-06-03T00:00:00Z", "3", "ahead"],
    ]
    terminal(25)
    assert acme("org", "shards", "acme").stdout.splitlines()[0] == "the beginning  shards 1"


def test_what_holds_already_is_not_changed(acme: Shell, cloud: Cloud, now: Clock) -> None:
    same = acme("org", "shards", "acme", "1")
    assert same.stdout == "acme has 1 shard from the beginning.\n"
    assert "Nothing is changed" in same.stderr
    assert stored(cloud) == ((0, 1),)
    acme("org", "shards", "acme", "8")
    # Run once more, as a script is, whether it holds by now or not.
    for later in (5 * clock.SECOND, 29 * clock.MINUTE, 60 * clock.MINUTE):
        now.at = NOON + later
        again = acme("org", "shards", "acme", "8", "--json")
        assert lines_of(again)[0]["from"] == HALF_PAST
        assert "Nothing is changed" in again.stderr
    assert stored(cloud) == ((0, 1), (NOON + 30 * clock.MINUTE, 8))


def test_a_change_that_is_ahead_is_replaced(acme: Shell, cloud: Cloud, now: Clock) -> None:
    acme("org", "shards", "acme", "8", "--from", "2026-06-03")
    sooner = acme("org", "shards", "acme", "8")
    assert sooner.stdout == "acme has 8 shards from 2026-06-02T12:30:00Z.\n"
    assert sooner.stderr == "It replaces 8 shards from 2026-06-03T00:00:00Z.\n"
    now.at = NOON + 1
    acme("org", "shards", "acme", "3")
    assert stored(cloud)[:2] == ((0, 1), (NOON + 30 * clock.MINUTE, 8))
    [(after, number)] = stored(cloud)[2:]
    assert number == 3
    assert NOON + 30 * clock.MINUTE < after < NOON + 31 * clock.MINUTE


def test_a_change_that_is_ahead_is_put_off(acme: Shell, cloud: Cloud) -> None:
    acme("org", "shards", "acme", "8", "--from", "2026-06-03")
    acme("org", "shards", "acme", "8", "--from", "2026-06-04")
    assert stored(cloud) == ((0, 1), (clock.parse("2026-06-04T00:00:00Z"), 8))


def test_an_org_that_has_changed_too_often(acme: Shell, cloud: Cloud) -> None:
    put(cloud, [[n, 1 + n % 2] for n in range(MAX_CHANGES)])
    assert "at most 99 times" in acme("org", "shards", "acme", "8", code=1).stderr
    assert len(stored(cloud)) == MAX_CHANGES


@pytest.mark.parametrize("name", ["none", "no spaces", "", "acme#0"])
@pytest.mark.parametrize("number", [[], ["8"]])
def test_an_org_that_is_not_there(acme: Shell, cloud: Cloud, name: str, number: list[str]) -> None:
    refused = acme("org", "shards", name, *number, code=1)
    assert f"There is no org {name}" in refused.stderr
    assert "auditlog org create" in refused.stderr
    assert refused.stdout == ""
    assert cloud.dynamodb.scan(TableName="control", Select="COUNT")["Count"] == 3


class Between:
    """A client of DynamoDB, where something happens right before or after an update."""

    def __init__(self, sound: Any, happens: Any, *, after: bool = False) -> None:
        self.sound = sound
        self.happens = happens
        self.after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sound, name)

    def update_item(self, **arguments: Any) -> Any:
        if not self.after:
            self.happens()
        done = self.sound.update_item(**arguments)
        if self.after:
            self.happens()
        return done


def test_a_change_that_somebody_else_made_meanwhile_stands(
    acme: Shell, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = [[0, 1], [NOON + clock.DAY, 5]]
    client = Between(cloud.dynamodb, lambda: put(cloud, theirs))
    monkeypatch.setattr(aws, "dynamodb", lambda _stack: client)
    refused = acme("org", "shards", "acme", "8", code=1)
    assert "changed meanwhile" in refused.stderr
    assert "auditlog org shards acme" in refused.stderr
    assert refused.stdout == ""
    assert stored(cloud) == ((0, 1), (NOON + clock.DAY, 5))


def test_a_change_whose_answer_was_lost_is_no_conflict(
    acme: Shell, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """boto3 sends it again, and the condition does not hold any more."""
    made = Layout("acme").changed(8, NOON + 30 * clock.MINUTE, now=NOON)
    client = Between(cloud.dynamodb, lambda: put(cloud, [list(c) for c in made.changes]))
    monkeypatch.setattr(aws, "dynamodb", lambda _stack: client)
    assert acme("org", "shards", "acme", "8").stdout.startswith("acme has 8 shards from 2026-06-02")
    assert stored(cloud) == made.changes


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
@pytest.mark.parametrize("call", ["get_item", "update_item", "transact_write_items"])
def test_what_aws_refuses_is_told(
    acme: Shell, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, call: str, code: str
) -> None:
    class Client:
        def __getattr__(self, name: str) -> Any:
            if name == call:
                return self.refuse
            return getattr(cloud.dynamodb, name)

        @staticmethod
        def refuse(**_: Any) -> Any:
            raise ClientError({"Error": {"Code": code}}, call)

    monkeypatch.setattr(aws, "dynamodb", lambda _stack: Client())
    arguments = ["create", "b"] if call == "transact_write_items" else ["shards", "acme", "8"]
    refused = acme("org", *arguments, code=1)
    assert "Error: AWS: " in refused.stderr
    assert "Check the credentials" in refused.stderr
    assert stored(cloud) == ((0, 1),)


def test_it_needs_a_stack(shell: Shell) -> None:
    assert "--stack-name" in shell("org", "shards", "acme", code=2).stderr
