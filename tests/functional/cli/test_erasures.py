"""`auditlog erasures`: asked for after a question, waited for, shown."""

from typing import Any

import httpx
import pytest

from tests.functional.cli.governance import AN_ERASURE, LATER
from tests.functional.cli.service import Shell, Terminal, lines_of

REASON = ["--reason", "ticket 4711"]
DONE = {"state": "completed", "events": 12, "completed_at": LATER, "exports": ["x1", "x2"]}
LONG_ID = "00065d3c1f2a4b5c8f0e1d2c"


@pytest.mark.parametrize(
    ("arguments", "subject", "said"),
    [
        (["--actor", "a/b"], {"actor": "a/b"}, "of the actor a/b"),
        (["--target", "r1"], {"target": {"id": "r1"}}, "on the target r1 of any type"),
        (
            ["--target", "repo/acme/site"],
            {"target": {"id": "acme/site", "type": "repo"}},
            "on the target acme/site of the type repo",
        ),
        (
            ["--target", "acme/site", "--any-type"],
            {"target": {"id": "acme/site"}},
            "on the target acme/site of any type",
        ),
    ],
)
def test_whose_events_are_erased(
    shell: Shell, arguments: list[str], subject: dict[str, Any], said: str
) -> None:
    shell.answer = "y"
    asked = shell("erasures", "request", *arguments, *REASON, "--as", "ann")
    assert shell.service.governance.asked == [{**subject, "reason": "ticket 4711"}]
    (question,) = shell.questions
    assert f"Erase the records of all events {said} in acme, for ever?" in question
    assert "running" in asked.stdout
    assert "auditlog erasures show e1" in asked.stderr
    assert shell.service.requests[-1].headers["X-Actor-Id"] == "ann"
    made = lines_of(shell("erasures", "request", *arguments, *REASON, "--yes", "--json"))
    assert made == [AN_ERASURE]
    assert len(shell.questions) == 1


@pytest.mark.parametrize("answer", [None, "", "no"])
def test_without_a_yes_nothing_is_asked_for(shell: Shell, answer: str | None) -> None:
    shell.answer = answer
    code = 2 if answer is None else 1
    refused = shell("erasures", "request", "--actor", "u", *REASON, code=code)
    assert ("--yes" if answer is None else "not confirmed") in refused.stderr
    assert shell.service.requests == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "one of the two"),
        (["--actor", "a", "--target", "b"], "one of the two"),
        (["--actor", "a", "--any-type"], "goes with --target"),
        (["--target", "/b"], "lacks the type or the id"),
        (["--target", "b/"], "lacks the type or the id"),
    ],
)
def test_what_names_nobody(shell: Shell, arguments: list[str], said: str) -> None:
    assert said in shell("erasures", "request", *arguments, *REASON, "--yes", code=2).stderr
    assert shell.service.requests == []


def test_a_reason_is_needed_and_what_the_service_refuses_is_told(shell: Shell) -> None:
    assert "--reason" in shell("erasures", "request", "--actor", "a", "--yes", code=2).stderr
    refused = shell("erasures", "request", "--actor", "a", "--reason", "", "--yes", code=1)
    assert "/reason" in refused.stderr


def test_it_is_waited_for(shell: Shell) -> None:
    shell.service.governance.looks = [{"events": 5}, {"events": 9}, DONE]
    request = ["erasures", "request", "--actor", "u", *REASON, "--yes", "--wait"]
    done = shell(*request)
    assert shell.slept == [1.0, 1.5, 2.25]
    assert "completed" in done.stdout
    assert "x1, x2" in done.stdout
    assert "a few minutes" in done.stderr
    shell.service.governance.looks = [{}] * 30 + [DONE]
    assert lines_of(shell(*request, "--json")) == [{**AN_ERASURE, **DONE}]
    assert max(shell.slept) == 10.0


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_one_that_fails_is_a_failure(shell: Shell, form: list[str]) -> None:
    shell.service.governance.looks = [{"state": "failed", "error": "a hold was placed"}]
    request = ["erasures", "request", "--actor", "u", *REASON, "--yes", "--wait"]
    failed = shell(*request, *form, code=1)
    assert "e1 failed: a hold was placed" in failed.stderr
    assert "failed" in failed.stdout


def test_an_interrupt_leaves_it_to_go_on(shell: Shell) -> None:
    def interrupt(_: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    shell.service.first = [shell.service.governance.erase, interrupt]
    request = ["erasures", "request", "--actor", "u", *REASON, "--yes", "--wait"]
    stopped = shell(*request, code=130)
    assert "The erasure goes on: auditlog erasures show e1" in stopped.stderr


def test_erasures_are_listed_and_shown(shell: Shell, terminal: Terminal) -> None:
    erasure = {**AN_ERASURE, **DONE, "id": LONG_ID, "reason": "ticket 4711, as the law says"}
    shell.service.governance.erasures = [erasure]
    assert lines_of(shell("erasures", "list", "--json")) == [erasure]
    assert lines_of(shell("erasures", "show", "e1", "--json")) == [erasure]
    assert "Error" not in shell("erasures", "show", "e1").stdout
    for width in (30, 80, 140, 200):
        terminal(width)
        for command in (["list"], ["show", "e1"]):
            shown = shell("erasures", *command).stdout
            assert max(map(len, shown.splitlines())) <= width
            assert LONG_ID in shown
            assert "2026-06-02T13:00:00Z" in shown
    shell.service.governance.erasures = []
    empty = shell("erasures", "list")
    assert (empty.stdout, empty.stderr) == ("", "No erasures.\n")
    assert "(404)" in shell("erasures", "show", "e2", code=1).stderr
