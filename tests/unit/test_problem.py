"""RFC 9457 documents: what a caller is told, and that it always fits into an answer."""

import json
from typing import Any

import pytest

from auditlog import errors, http
from auditlog.errors import Fault, InvalidError, ProblemError, UnavailableError

EVERY = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, ProblemError) and value is not ProblemError
]
#: What some of them are made with, besides the words.
MORE: dict[type[ProblemError], dict[str, Any]] = {
    errors.MethodNotAllowedError: {"allowed": ["GET"]},
    errors.LimitReachedError: {"standing": errors.Standing("keys", 3, 0, reset=60)},
}
MOST_LAMBDA_ANSWERS = 6 * 1024 * 1024


def document(error: ProblemError) -> dict[str, Any]:
    response = http.problem(error, "req-1")
    assert response.status_code == error.status
    assert response.content_type == "application/problem+json"
    body = response.body
    assert isinstance(body, str)
    # The body is a string within the JSON that a function answers with.
    assert len(json.dumps(body)) < MOST_LAMBDA_ANSWERS
    return json.loads(body)


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_problem_has_one_envelope(kind: type[ProblemError]) -> None:
    made = document(kind("What was wrong.", **MORE.get(kind, {})))
    assert set(made) == {"type", "title", "status", "detail", "request_id"}
    assert made["detail"] == "What was wrong."
    assert made["request_id"] == "req-1"
    assert made["title"] == kind.title
    assert made["type"].startswith("urn:auditlog:problem:")


def test_statuses_are_those_of_the_tree() -> None:
    assert sorted(kind.status for kind in EVERY) == [
        400, 401, 403, 404, 405, 409, 410, 412, 413, 422, 429, 503,
    ]  # fmt: skip
    assert errors.__doc__ is not None
    assert all(kind.__name__ in errors.__doc__ for kind in EVERY)


def test_types_tell_them_apart() -> None:
    types = {document(kind("x", **MORE.get(kind, {})))["type"] for kind in EVERY}
    assert len(types) == len(EVERY)


@pytest.mark.parametrize(
    ("fault", "shown"),
    [
        (Fault("x", pointer="/a"), {"pointer": "/a", "detail": "x"}),
        (Fault("x", pointer=""), {"pointer": "", "detail": "x"}),
        (Fault("x", parameter="q"), {"parameter": "q", "detail": "x"}),
        (Fault("x"), {"detail": "x"}),
    ],
)
def test_a_fault(fault: Fault, shown: dict[str, str]) -> None:
    assert document(InvalidError("y", [fault]))["errors"] == [shown]


def test_when_to_come_back() -> None:
    assert http.problem(UnavailableError("x", retry_after=7), "r").headers["Retry-After"] == "7"


def test_ten_thousand_faults_are_all_listed() -> None:
    faults = [Fault("required, and not there", pointer=f"/events/{n}/actor") for n in range(10_000)]
    made = document(InvalidError("It is wrong.", faults))
    assert len(made["errors"]) == 10_000
    assert made["detail"] == "It is wrong."


@pytest.mark.parametrize("character", ["x", '"', "\x00", "é", "😀"])
def test_more_than_an_answer_holds_are_counted(character: str) -> None:
    faults = [Fault("z", pointer=f"/{character * 400}/{n}") for n in range(20_000)]
    made = document(InvalidError("It is wrong.", faults))
    listed = len(made["errors"])
    assert 0 < listed < 20_000
    assert made["errors"][-1]["pointer"].endswith(f"/{listed - 1}")
    assert made["detail"] == f"It is wrong. {20_000 - listed} more faults are not listed."
