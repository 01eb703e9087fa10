"""The console for everybody: read aloud, in the dark, on a phone, without a mouse."""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.client import Org
from tests.e2e.console import axe
from tests.e2e.console.visit import PHONE, Begin, Visit
from tests.e2e.downloads import ask

HUGE = {"width": 1920, "height": 1080}
LONGEST_WAY = 60


def test_every_state_is_accessible_in_light_and_dark(begin: Begin, globex: Org) -> None:
    ask(globex, q="country:JP")
    visit = begin()
    visit.watch.expected = {400}
    visit.open()
    visit.page.get_by_label("Key or session token").wait_for()
    found = {"entry": faults(visit)}
    visit.give(globex.key)
    visit.settled()
    for state, reach in states(visit):
        reach()
        found[state] = faults(visit)

    assert {state: faults for state, faults in found.items() if faults} == {}
    assert len(found) == 11


def states(visit: Visit) -> Iterator[tuple[str, Callable[[], object]]]:
    """What there is to see: each with how one comes there from the one before."""
    page, keys = visit.page, visit.keys

    def shows(locator: Locator) -> None:
        locator.first.wait_for()

    yield "list", lambda: shows(visit.entries)
    yield "event", lambda: (visit.entry(0).click(), shows(visit.detail.locator("dl")))
    yield "suggestions", lambda: (keys("Escape", "/"), keys(*"type:r"), shows(visit.offered))
    yield "mistake", lambda: visit.search("type:nothing.of.it")
    yield "nothing", lambda: visit.search("country:FR -country:FR")
    yield (
        "download",
        lambda: (
            visit.press("Download…"),
            shows(page.get_by_role("dialog").get_by_text("Nothing matches")),
        ),
    )
    yield "shortcuts", lambda: (keys("Escape", "?"), shows(page.get_by_role("dialog")))
    yield "downloads", lambda: (keys("Escape", "g", "d"), shows(page.get_by_role("listitem")))
    yield (
        "settings",
        lambda: (
            keys("g", "s"),
            [each.click() for each in page.locator("main summary").all()],
            shows(page.get_by_role("button", name="Place a hold")),
        ),
    )
    yield (
        "confirmation",
        lambda: (
            page.get_by_role("button", name="Record it").click(),
            shows(page.get_by_role("dialog")),
        ),
    )


def faults(visit: Visit) -> list[str]:
    visit.page.emulate_media(color_scheme="light")
    found = axe.violations(visit.page)
    # The dark differs in its colours and in nothing else.
    visit.page.emulate_media(color_scheme="dark")
    found += axe.low_contrasts(visit.page)
    visit.page.emulate_media(color_scheme="light")
    return found + visit.overflowing()


def test_a_phone_shows_all_of_it(begin: Begin, globex: Org) -> None:
    visit = begin(device={"viewport": PHONE, "has_touch": True, "is_mobile": True})
    visit.enter(globex)

    assert faults(visit) == []
    visit.entry(0).tap()
    expect(visit.detail).to_be_visible()
    assert faults(visit) == []
    visit.detail.get_by_role("button", name="Close the event").tap()
    expect(visit.detail).to_have_count(0)
    # Where a row has more lines, none is on another.
    tops = [each.bounding_box() for each in visit.entries.all()[:5]]
    assert all(
        above and below and above["y"] + above["height"] <= below["y"]
        for above, below in pairwise(tops)
    )
    for view in ("Downloads", "Settings"):
        visit.bar.get_by_role("link", name=view).tap()
        visit.page.get_by_role("main").get_by_role("heading", name=view).wait_for()
        assert visit.overflowing() == []


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_a_wide_screen_is_used_and_a_choice_is_kept(begin: Begin, globex: Org, theme: str) -> None:
    visit = begin(device={"viewport": HUGE, "color_scheme": "light"})
    visit.enter(globex)
    assert visit.overflowing() == []

    visit.bar.get_by_label("Colours").select_option(theme)
    visit.bar.get_by_label("Times").select_option("UTC")
    expect(visit.entry(0).locator("time")).to_have_attribute("title", re.compile("UTC$"))
    visit.page.reload()
    visit.give(globex.key)
    visit.settled()
    expect(visit.bar.get_by_label("Colours")).to_have_value(theme.lower())
    background = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    assert (sum(visit.page.evaluate(background)) < 300) is (theme == "Dark")
    expect(visit.entry(0).locator("time")).to_have_attribute("title", re.compile("UTC$"))


def test_a_whole_visit_needs_no_mouse(begin: Begin, globex: Org) -> None:
    visit = begin()
    visit.open()
    visit.page.get_by_label("Key or session token").wait_for()
    tab_to(visit, visit.page.get_by_label("Key or session token"))
    visit.page.keyboard.insert_text(globex.key)
    visit.keys("Enter")
    visit.settled()

    visit.keys("Tab")
    expect(visit.page.get_by_role("link", name="Skip to the content")).to_be_focused()
    visit.keys("/", *"country:FR", "Enter")
    visit.settled()
    french = visit.count
    tab_to(visit, visit.page.get_by_role("slider", name="Begin of the range"))
    visit.keys("ArrowRight", "Enter")
    visit.settled()
    assert "since" in visit.asked
    assert visit.count <= french
    # One entry of the list is on the way, and the arrows of the list are letters.
    tab_to(visit, visit.entry(0).get_by_role("link"))
    visit.keys("j", "j", "Enter")
    expect(visit.detail.get_by_role("heading", level=2)).to_be_focused()
    tab_to(visit, visit.detail.get_by_role("button", name="Copy as JSON"))
    visit.keys("Enter")
    expect(visit.detail.get_by_role("button", name="Copied")).to_be_visible()
    visit.keys("Escape")
    expect(visit.entry(2).get_by_role("link")).to_be_focused()
    tab_to(visit, visit.page.get_by_role("button", name="Download…"), back=True)
    visit.keys("Enter")
    dialog = visit.page.get_by_role("dialog", name="Download events")
    tab_to(visit, dialog.get_by_role("button", name="Cancel"))
    visit.keys("Enter")
    expect(visit.page.get_by_role("button", name="Download…")).to_be_focused()
    tab_to(visit, visit.bar.get_by_role("button", name="Leave"), back=True)
    visit.keys("Enter")
    expect(visit.page.get_by_role("main")).to_contain_text("You left.")


def tab_to(visit: Visit, wanted: Locator, *, back: bool = False) -> None:
    """Presses Tab until it is there; each step on the way has to be seen."""
    for _ in range(LONGEST_WAY):
        if wanted.evaluate("(each) => each === document.activeElement"):
            return
        visit.keys("Shift+Tab" if back else "Tab")
    raise AssertionError(f"not within {LONGEST_WAY} steps: {wanted}")
