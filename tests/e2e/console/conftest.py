"""A stack with something to see, a browser, and the visits of those who look."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from infra import local
from infra.emulator import free_port
from tests.e2e.client import Org
from tests.e2e.console.visit import Begin, Visit
from tests.engines.browser import chromium

SAMPLES = 3_000


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A laptop stack with sample events, apart from that of the other tests."""
    home = tmp_path_factory.mktemp("console")
    with local.laptop_stack(free_port(), home / ".local", samples=SAMPLES, say=print) as running:
        yield {**running, "home": str(home)}


@pytest.fixture(scope="session")
def acme(stack: dict[str, Any]) -> Org:
    """The org that has the sample events; tests leave them as they are."""
    return Org(stack, stack["org"], stack["admin_key"])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser; while it runs, so does an event loop, which other tests may not want."""
    with chromium() as running:
        yield running


@pytest.fixture
def begin(browser: Browser, stack: dict[str, Any]) -> Iterator[Begin]:
    """Begins visits, each in a browser that knows nothing of another.

    Afterwards it fails where one did what no visit may: see `Watch`.
    """
    visits: list[Visit] = []

    def make(**options: Any) -> Visit:
        visits.append(Visit(browser, stack, **options))
        return visits[-1]

    yield make
    found = [found for visit in visits for found in visit.end()]
    assert not found


@pytest.fixture
def visit(begin: Begin, acme: Org) -> Visit:
    """A visit of acme's admin, who has just come in."""
    visit = begin()
    visit.enter(acme)
    return visit
