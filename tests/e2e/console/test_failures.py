"""What the page says while it waits, where there is nothing, and where something fails."""

import json
import re

from playwright.sync_api import Route, expect

from tests.e2e.client import Org
from tests.e2e.console.visit import Begin

EVENTS = re.compile(r"/events\?")


def test_an_empty_log_says_how_it_fills(begin: Begin, org: Org) -> None:
    visit = begin()
    visit.enter(org)

    expect(visit.log).to_contain_text("No events yet")
    expect(visit.log).to_contain_text("within a second of being published")
    visit.bar.get_by_role("link", name="Downloads").click()
    expect(visit.page.get_by_role("main")).to_contain_text("No downloads yet")


def test_what_is_waited_for_and_what_fails_is_said(begin: Begin, globex: Org) -> None:
    visit = begin()
    visit.watch.expected = {429, 503}
    waiting: list[Route] = []
    visit.page.route(EVENTS, lambda route, _request: waiting.append(route))
    visit.open()
    visit.give(globex.key)
    # Nothing has come yet: that is said, and keeps the place.
    expect(visit.log.get_by_role("status").filter(has_text="Loading events…")).to_have_count(1)
    expect(visit.log).to_have_attribute("aria-busy", "true")

    # What was cut off, or is busy, is asked again, three times in all; then it is said.
    asked = 1

    def busy(route: Route) -> None:
        nonlocal asked
        asked += 1
        detail = {"status": 503, "detail": "The table is busy.", "request_id": "req-1"}
        headers = {"Retry-After": "1", "Content-Type": "application/problem+json"}
        route.fulfill(status=503, headers=headers, body=json.dumps(detail))

    visit.watch.ignored = "net::ERR_CONNECTION_"
    visit.page.route(EVENTS, busy)
    waiting[0].abort("connectionreset")
    alert = visit.log.get_by_role("alert")
    expect(alert).to_contain_text("The table is busy.")
    expect(alert).to_contain_text("nothing is lost")
    expect(alert).to_contain_text("Request req-1")
    assert asked == 3

    # Nobody there at all is something else.
    visit.page.unroute(EVENTS)
    visit.page.route(EVENTS, lambda route: route.abort("connectionrefused"))
    alert.get_by_role("button", name="Try again").click()
    expect(alert).to_contain_text("The audit log could not be reached. Check your connection")

    # It goes on from there.
    visit.page.unroute(EVENTS)
    alert.get_by_role("button", name="Try again").click()
    visit.settled()
    expect(alert).to_have_count(0)
    assert len(visit.all_ids()) == visit.count


def test_a_failure_further_down_loses_nothing_of_what_is_there(begin: Begin, globex: Org) -> None:
    visit = begin()
    visit.watch.expected = {500}
    page = re.compile(r"/events\?.*cursor=")
    body = '{"status": 500, "detail": "The table does not answer."}'
    visit.page.route(page, lambda route: route.fulfill(status=500, body=body))
    visit.enter(globex)
    visit.page.mouse.wheel(0, 10_000)

    alert = visit.log.get_by_role("alert")
    expect(alert).to_contain_text("The table does not answer.")
    expect(visit.log.locator("header")).to_contain_text("60 shown of")
    visit.page.unroute(page)
    alert.get_by_role("button", name="Try again").click()
    expect(alert).to_have_count(0)
    visit.page.evaluate("scrollTo(0, 0)")
    assert visit.all_ids() == [event["id"] for event in globex.events()]


def test_a_mistake_in_the_address_is_said_where_the_list_would_be(
    begin: Begin, globex: Org
) -> None:
    visit = begin()
    visit.watch.expected = {400}
    for address, place in (("?until=2099-13-01", "until"), ("?last=99x", "since")):
        visit.enter(globex, address)
        expect(visit.log.get_by_role("alert")).to_contain_text(f"{place}:")
    # The page goes on from there.
    visit.press("Last 7 days")
    visit.settled()
    assert visit.count > 0
