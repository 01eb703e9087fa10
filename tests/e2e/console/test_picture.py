"""The picture above the list, and the range that is chosen in it."""

import re
from datetime import UTC, datetime, timedelta

from playwright.sync_api import FloatRect, Locator, expect

from tests.e2e.client import Org
from tests.e2e.console.visit import Visit


def test_a_range_is_brushed_with_the_mouse(visit: Visit, globex: Org) -> None:
    picture = visit.page.get_by_role("region", name="Events over time")
    everything = visit.count
    drawn = box(picture.get_by_role("img"))
    y = drawn["y"] + drawn["height"] / 2

    visit.page.mouse.move(drawn["x"] + drawn["width"] * 0.6, y)
    visit.page.mouse.down()
    visit.page.mouse.move(drawn["x"] + drawn["width"] * 0.5, y, steps=3)
    visit.page.mouse.move(drawn["x"] + drawn["width"] * 0.3, y, steps=3)
    # What is said while it is chosen is what is found afterwards.
    before = picture.get_by_role("status").inner_text()
    visit.page.mouse.up()
    visit.settled()

    asked = visit.asked
    assert asked["since"] < asked["until"]
    assert visit.count == total(globex, asked) < everything
    assert before.startswith(f"{visit.count:,} events from ")
    shown = visit.all_ids()
    assert shown == [event["id"] for event in globex.events(**span(asked))]
    assert len(shown) == visit.count
    assert len(visit.chips) == 2
    visit.press("Whole time")
    visit.settled()
    assert visit.count == everything


def test_a_range_is_chosen_with_the_keyboard(visit: Visit, globex: Org) -> None:
    picture = visit.page.get_by_role("region", name="Events over time")
    first = picture.get_by_role("slider", name="Begin of the range")
    last = picture.get_by_role("slider", name="End of the range")

    first.focus()
    visit.keys(*["ArrowRight"] * 40)
    visit.keys("Tab", *["ArrowLeft"] * 12)
    begin, end = first.get_attribute("aria-valuetext"), last.get_attribute("aria-valuetext")
    visit.keys("Enter")
    visit.settled()

    asked = visit.asked
    assert visit.count == total(globex, asked) == len(globex.events(**span(asked))) > 0
    # A reader hears times, and they are those that are asked for.
    assert visit.chips == [f"from {begin}", f"before {end}"]
    # An end that would pass the other stops there.
    last.press("Home")
    expect(last).to_have_value(first.input_value())


def test_a_range_is_forgotten_with_the_search_that_it_was_chosen_in(
    visit: Visit, globex: Org
) -> None:
    picture = visit.page.get_by_role("region", name="Events over time")
    picture.get_by_role("slider", name="Begin of the range").focus()
    visit.keys(*["ArrowRight"] * 60)
    expect(picture.get_by_role("button", name="Show this range")).to_be_visible()

    visit.press("Last 24 hours")
    visit.settled()

    day = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    assert visit.count == len(globex.events(since=day))
    expect(picture.get_by_role("status")).to_have_text(re.compile(rf"^{visit.count} events? from "))
    expect(picture.get_by_role("button", name="Show this range")).to_have_count(0)


def total(org: Org, asked: dict[str, str]) -> int:
    with org.http() as http:
        answer = http.get(f"{org.path}/timeline", params={"interval": "week", **span(asked)})
    return answer.raise_for_status().json()["total"]


def span(asked: dict[str, str]) -> dict[str, str]:
    return {"since": asked["since"], "until": asked["until"]}


def box(shown: Locator) -> FloatRect:
    shown.scroll_into_view_if_needed()
    found = shown.bounding_box()
    assert found is not None
    return found
