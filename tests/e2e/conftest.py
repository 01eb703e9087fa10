import hashlib
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e import processes
from tests.e2e.client import Org, create_org, eventually
from tests.e2e.downloads import ask, held_up, is_at, look, workers
from tests.e2e.erasing import Erased, begin

FILLED = 4_000


@pytest.fixture(scope="module")
def org(stack: dict[str, Any], request: pytest.FixtureRequest) -> Org:
    """An org of the module's own."""
    return create_org(stack, str(request.module.__name__).rpartition(".")[2])


@pytest.fixture(scope="module")
def other_org(stack: dict[str, Any], request: pytest.FixtureRequest) -> Org:
    """A second one."""
    return create_org(stack, str(request.module.__name__).rpartition(".")[2] + "-other")


@pytest.fixture
def event(request: pytest.FixtureRequest) -> Callable[..., dict[str, Any]]:
    """Makes events that are no duplicates of any other test's."""
    numbers = iter(range(10_000))

    def make(**fields: Any) -> dict[str, Any]:
        return {
            "type": "repo.create",
            "occurred_at": datetime.now(UTC).isoformat(),
            "actor": {"id": "u-1", "name": "alice"},
            "key": f"{request.node.name}-{next(numbers)}"[:128],
            **fields,
        }

    return make


@pytest.fixture(scope="session")
def filled(stack: dict[str, Any]) -> Org:
    """An org with so many events that an export of them takes a while."""
    org = create_org(stack, "filled")
    batches = [
        [
            {
                "type": "repo.create",
                "occurred_at": f"2026-01-01T00:{n // 60 % 60:02}:{n % 60:02}Z",
                "actor": {"id": f"u-{n % 17}"},
                # What does not compress: more read units than an export takes unbooked.
                "metadata": {
                    name: hashlib.sha512(f"{name} {n}".encode()).hexdigest()
                    for name in ("before", "after")
                },
                "key": str(n),
            }
            for n in range(start, start + 1_000)
        ]
        for start in range(0, FILLED, 1_000)
    ]
    for batch in batches:
        assert org.publish(*batch)["recorded"] == len(batch)
    return org


@pytest.fixture(scope="session")
def erased(stack: dict[str, Any]) -> Erased:
    """A person whose erasure was asked for; it takes two minutes and more."""
    return begin(stack)


@pytest.fixture(scope="session")
def killed(stack: dict[str, Any], filled: Org) -> dict[str, dict[str, Any]]:
    """Exports whose workers were killed, by the step that was begun, as they were just then.

    Their messages are held for a minute more; `test_recovery` looks what became of them.
    """
    asked: dict[str, dict[str, Any]] = {}
    # The slice is in the middle until the plan of the other is: both go at once, since
    # whoever comes after them waits for a new process.
    with held_up(filled, 300):
        for step, request in {"slice": {}, "plan": {"type": "repo"}}.items():
            export = asked[step] = ask(filled, **request)
            eventually(lambda: is_at(filled, export["id"], step), within=90, every=0.005)  # noqa: B023 -- at once
        started = workers(stack)
        processes.send(signal.SIGSTOP, started)
        found = {step: look(filled, export["id"]) for step, export in asked.items()}
        processes.send(signal.SIGKILL, started)
        eventually(lambda: not any(map(processes.alive, started)))
    return found
