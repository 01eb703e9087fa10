"""No line of a log, and no metric, says anything of what an event or a request says."""

import io
import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from auditlog import telemetry
from auditlog.errors import AuditlogError
from tests.functional.conftest import (
    ORG,
    Watched,
    World,
    an_event,
    message,
)

#: Every text that a publisher or a caller sends, so that it can be looked for.
CANARY = "canary"
IP = "203.0.113.77"
EVENT: dict[str, Any] = {
    "actor": {"id": f"{CANARY}-1", "name": f"{CANARY} Name", "avatar_url": f"https://{CANARY}/a"},
    "description": f"{CANARY} did it",
    "targets": [{"type": f"{CANARY}-type", "id": f"{CANARY}-2", "name": f"{CANARY} target"}],
    "ip": IP,
    "location": {"country": "FR", "region": f"{CANARY} region", "city": f"{CANARY} city"},
    "user_agent": f"{CANARY}/1.0",
    "credential": {"type": "session", "id": f"{CANARY}-3", "name": f"{CANARY} name"},
    "metadata": {f"{CANARY}-key": f"{CANARY}-value"},
}
HEADERS = {
    "user-agent": f"{CANARY}/2.0",
    "x-actor-id": f"{CANARY}-4",
    "x-actor-name": f"{CANARY} Person",
    "x-forwarded-for": IP,
    "cookie": f"{CANARY}=1",
}


@pytest.fixture
def output(logged: io.StringIO, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """All that was written so far: the logs, and what was printed (the metrics)."""
    return lambda: logged.getvalue() + "".join(capsys.readouterr())


def fail_with(code: str) -> Any:
    def fail(name: str, _number: int, call: Any) -> Any:
        if name in {"get_item", "generate_presigned_url"}:
            return call()
        raise ClientError({"Error": {"Code": code, "Message": "refused"}}, name)

    return fail


def use_everything(world: World) -> None:
    """Every route, well and badly asked for, and every worker."""
    good, bad = an_event(**EVENT, key=f"{CANARY}-5"), an_event(**EVENT, type=f"{CANARY}.type")
    path = f"/v1/orgs/{ORG}"
    for body in (good, bad, f"{{{CANARY}", {CANARY: CANARY}, [CANARY] * 3):
        world.call("POST", f"{path}/events", body=body, headers=HEADERS)
    for query in (
        f"actor={CANARY}-1&target={CANARY}-2&ip={IP}",
        f"{CANARY}=1",
        f"type={CANARY}",
        f"cursor={CANARY}",
    ):
        world.call("GET", f"{path}/events", query=query, headers=HEADERS)
    world.call("GET", f"{path}/{CANARY}", headers=HEADERS)
    world.call("GET", f"{path}/events/{CANARY}", headers=HEADERS)
    world.call("DELETE", f"{path}/keys/{CANARY}", headers=HEADERS)
    world.call("GET", f"{path}/events", key=f"alk_{CANARY}", headers=HEADERS)
    key = {"name": f"{CANARY} key", "grants": ["events:read"]}
    world.call("POST", f"{path}/keys", body=key, headers=HEADERS)
    world.call("POST", f"{path}/keys", body=key | {"grants": [CANARY]}, headers=HEADERS)
    world.call("GET", f"{path}/keys", headers=HEADERS)
    asked = {"format": "json", "actor": f"{CANARY}-1", "ip": IP}
    made = world.call("POST", f"{path}/exports", body=asked, headers=HEADERS)
    world.call("GET", f"{path}/exports", headers=HEADERS)
    if made.status == 202:
        try:
            world.work()
        except AuditlogError:
            world.deliver(tries=3)
        for how in ("GET", "DELETE"):
            world.call(how, f"{path}/exports/{made.json['id']}", headers=HEADERS)
    try:
        world.record(
            message({"org": ORG, **good}),
            message({"org": ORG, "events": [good, bad]}),
            message({"org": CANARY, **good}),
            message(f"{{{CANARY}", attributes={"sent_at": CANARY}),
        )
    except AuditlogError:
        return


@pytest.mark.parametrize("failing", [None, "AccessDeniedException", "ThrottlingException"])
@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_no_line_says_what_was_sent(
    world: World,
    output: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    failing: str | None,
    level: str,
) -> None:
    monkeypatch.setattr("publish.handler.PATIENCE", 0.1)
    monkeypatch.setattr("record.handler.PATIENCE", 0.1)
    monkeypatch.setattr("auditlog.trail._PATIENCE", 0.1)
    monkeypatch.setattr(telemetry.logger._logger, "level", logging.getLevelName(level))
    if failing is not None:
        for name in ("dynamodb", "s3", "sqs"):
            setattr(world, name, Watched(getattr(world, name), fail_with(failing)))
    secret = world.admin_key
    use_everything(world)
    written = output()
    assert written.count('"message":"request"') >= 15
    lower = written.lower()
    for word in (CANARY, IP, IP.rpartition(".")[0], secret, secret[17:40], "bearer", "first admin"):
        assert word.lower() not in lower, word
    assert not re.search(r"alk_[0-9A-Za-z]{12}_", written)


def test_every_invocation_writes_one_line_of_json(world: World, logged: io.StringIO) -> None:
    world.publish(an_event())
    world.record(message({"org": ORG, **an_event()}))
    world.ask_export()
    assert world.work() == 3
    lines = [json.loads(text) for text in logged.getvalue().splitlines()]
    assert [line["message"] for line in lines] == ["request", "batch", "request", *["export"] * 3]
    assert lines[0]["status"] == 201
    assert lines[0]["request_id"]
    assert (lines[1]["recorded"], lines[1]["rejected"], lines[1]["failed"]) == (1, 0, 0)
    assert [line["state"] for line in lines[3:]] == ["planned", "written", "ready"]
    assert all(line["level"] == "INFO" for line in lines)


def test_what_fails_within_is_in_the_log_with_its_cause(world: World, logged: io.StringIO) -> None:
    world.dynamodb = Watched(world.dynamodb, fail_with("AccessDeniedException"))
    world.call("POST", f"/v1/orgs/{ORG}/events", body=an_event()).is_problem(500)
    lines = [json.loads(text) for text in logged.getvalue().splitlines()]
    [line] = [line for line in lines if line["level"] == "ERROR"]
    assert "AccessDeniedException" in line["exception"]
    assert line["exception_name"] == "StoreError"
