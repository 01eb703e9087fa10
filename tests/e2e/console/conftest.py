"""A stack with something to see, a browser, and the visits of those who look."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser

from infra import local
from infra.emulator import free_port
from infra.samples import sample_events
from tests.e2e.client import Org, create_org
from tests.e2e.console.issuer import trusted
from tests.e2e.console.visit import Begin, Visit
from tests.engines.browser import chromium

SAMPLES = 3_000
FEW = 500


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A laptop stack with sample events, apart from that of the other tests.

    It trusts an issuer at `issuer_port`, where there is none but in the test of it.
    """
    home, issuer_port = tmp_path_factory.mktemp("console"), free_port()
    context = {"oidc": trusted(issuer_port)}
    with local.laptop_stack(
        free_port(), home / ".local", samples=SAMPLES, say=print, context=context
    ) as running:
        yield {**running, "home": str(home), "issuer_port": issuer_port}


@pytest.fixture(scope="session")
def acme(stack: dict[str, Any]) -> Org:
    """The org that has the stack's sample events; tests leave it as it is."""
    return Org(stack, stack["org"], stack["admin_key"])


@pytest.fixture(scope="session")
def globex(stack: dict[str, Any]) -> Org:
    """A smaller one, whose events are found faster; tests leave it as it is, too."""
    org = create_org(stack, "globex")
    now = datetime.now(UTC)
    latest = [
        {
            "type": "repo.update_settings",
            "occurred_at": (now - timedelta(hours=hours)).isoformat(),
            "actor": {"id": "usr_0001", "name": "Zoë Quinn"},
            "targets": [{"type": "repo", "id": "repo_1", "name": "globex/engine"}],
            "ip": "203.0.113.77",
            "location": {"city": "Lyon", "country": "FR"},
            "metadata": {
                "before": {"visibility": "private", "topic": "engines of 2025"},
                "after": {"visibility": "public", "topic": "engines of 2026"},
            },
            "key": f"latest-{hours}",
        }
        for hours in range(1, 4)
    ]
    # The samples of the last day would be few or none, as it happens.
    org.publish(*sample_events(now - timedelta(days=2), FEW, seed=1), *latest)
    return org


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
def visit(begin: Begin, globex: Org) -> Visit:
    """A visit of globex's admin, who has just come in."""
    visit = begin()
    visit.enter(globex)
    return visit
