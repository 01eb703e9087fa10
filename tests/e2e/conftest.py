import signal
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e import processes
from tests.e2e.client import Org, create_org, eventually
from tests.e2e.downloads import ask, look, workers

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
def killed(stack: dict[str, Any], filled: Org) -> dict[str, Any]:
    """An export whose worker was killed after it had begun, as it was just then.

    Its message is held for a minute more; `test_recovery` looks what became of it.
    """
    asked = ask(filled, type="repo", compression="none")
    eventually(lambda: look(filled, asked["id"])["state"] == "running", every=0.01)
    started = workers(stack)
    processes.send(signal.SIGSTOP, started)
    stopped = look(filled, asked["id"])
    processes.send(signal.SIGKILL, started)
    eventually(lambda: not any(map(processes.alive, started)))
    return stopped
