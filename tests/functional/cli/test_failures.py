"""What the command says of the service's refusals, and in its help."""

import re
import subprocess
import sys

import httpx
import pytest

from auditlog.cli.client import ATTEMPTS
from tests.functional.cli.service import Shell, problem


def test_a_problem_is_printed_with_its_place_and_what_to_do(shell: Shell) -> None:
    place = [{"parameter": "since", "detail": "expected RFC 3339"}]
    shell.service.first = [lambda _: problem(400, "Malformed request", place)]
    result = shell("search", "--since", "x", code=1)
    assert "Malformed request (400)" in result.stderr
    assert "  since: expected RFC 3339" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("answer", [httpx.Response(200, text="<html>"), httpx.Response(502)])
def test_an_answer_that_is_none_of_ours_is_no_traceback(
    shell: Shell, answer: httpx.Response
) -> None:
    shell.service.first = [lambda _: answer] * ATTEMPTS
    assert "Error: " in shell("search", code=1).stderr


def test_every_command_has_help_with_an_example(shell: Shell) -> None:
    commands = ["publish", "import", "search", "event", "types", "export"]
    commands += [f"org {name}" for name in ("create", "list", "shards", "limits", "delete")]
    commands += [f"org {name}" for name in ("admin-key", "platform-key", "platform-keys")]
    commands += ["org revoke-platform-key", "settings show", "settings change"]
    commands += [f"keys {name}" for name in ("create", "list", "rotate", "revoke")]
    commands += [f"sessions {name}" for name in ("open", "list", "end")]
    commands += [f"erasures {name}" for name in ("request", "list", "show")]
    commands += [f"exports {name}" for name in ("list", "download", "verify", "delete")]
    commands += [f"rejects {name}" for name in ("list", "redrive")]
    for command in commands:
        shown = shell(*command.split(), "--help").stdout
        assert "Example" in shown, command
        offline = command == "exports verify"
        assert ("AUDITLOG_STACK" in shown) is not offline, command
        with_key = command.split()[0] not in {"org", "rejects"} and not offline
        for name in ("AUDITLOG_ORG", "AUDITLOG_KEY", "AUDITLOG_API_URL"):
            assert (name in shown) is with_key, command
        assert "<bool>" not in shown, command
        assert "…" not in shown, command
        examples = re.split("Examples?:", shown)[1].strip().splitlines()
        assert all("auditlog " in line for line in examples), command
        assert f"auditlog {command}" in examples[0], command
        assert all(len(line.strip()) <= 78 for line in examples), command
    assert "Exit codes" in shell("--help").stdout


def test_help_loads_nothing_that_only_work_needs() -> None:
    heavy = {"boto3", "botocore", "httpx", "pydantic"}
    program = "import sys, auditlog.cli.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    assert not heavy & set(done.stdout.decode().split())
