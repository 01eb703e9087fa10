"""People sign in with the deployment's own issuer: oidc-provider, another server on loopback."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from infra.emulator import HOST
from tests.e2e.client import Org
from tests.e2e.console.issuer import CLIENT
from tests.e2e.console.visit import Begin
from tests.engines.oidc import OidcProvider, oidc_provider
from tests.signers import signer


@pytest.fixture
def issuer(stack: dict[str, Any], globex: Org, tmp_path: Path) -> Iterator[OidcProvider]:
    claims = {"org": globex.name, "grants": ["auditor"], "name": "Grace Hopper"}
    with oidc_provider(
        tmp_path,
        stack["issuer_port"],
        keys=[signer().private_jwk],
        clients={CLIENT: claims},
        pages={CLIENT: stack["console_url"]},
    ) as running:
        yield running


def test_somebody_signs_in_and_sees_what_the_link_showed(
    begin: Begin, globex: Org, issuer: OidcProvider
) -> None:
    visit = begin()
    visit.watch.allowed.add(issuer.url)
    # No event has this id; what is shown is shown again after the way to the issuer.
    visit.watch.expected = {404}
    visit.open("?q=type%3Arepo&event=" + "0" * 39)

    visit.press("Sign in")
    visit.settled()

    # Neither the code nor the token is left where it could be shared or kept.
    assert visit.asked == {"org": globex.name, "q": "type:repo", "event": "0" * 39}
    kept = visit.page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "eyJ" not in kept
    assert "verifier" not in kept
    expect(visit.bar).to_contain_text("Grace Hopper until")
    visit.bar.get_by_role("link", name="Settings").click()
    expect(visit.page.get_by_role("main")).to_contain_text("read-only")


def test_an_answer_that_nobody_asked_for_lets_nobody_in(begin: Begin, issuer: OidcProvider) -> None:
    visit = begin()
    visit.watch.allowed.add(issuer.url)
    visit.open("?code=stolen&state=guessed")

    expect(visit.page.get_by_role("alert")).to_contain_text("not belong to a sign-in")
    assert visit.asked == {}
    # What the issuer says against it is shown, as text.
    visit.page.evaluate(
        "sessionStorage.setItem('auditlog-oidc', JSON.stringify({state: 's', verifier: 'v'}))"
    )
    visit.open("?error=access_denied&error_description=%3Cb%3EAsk%20Ada%3C%2Fb%3E&state=s")
    expect(visit.page.get_by_role("alert")).to_contain_text("<b>Ask Ada</b>")


def test_an_issuer_that_does_not_answer_is_said_to_be_missing(
    begin: Begin, stack: dict[str, Any]
) -> None:
    visit = begin()
    visit.watch.ignored = "ERR_CONNECTION_REFUSED"
    visit.watch.allowed.add(f"http://{HOST}:{stack['issuer_port']}")
    visit.open()
    visit.press("Sign in")
    expect(visit.page.get_by_role("alert")).to_contain_text("could not be reached")
