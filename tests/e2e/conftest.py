from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.client import Org, create_org


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
