"""What is published while somebody reads."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from tests.e2e.client import Org
from tests.e2e.console.visit import Begin

# What stands where, from the top of the window.
_VIEW = """() => [...document.querySelectorAll("article.entry")]
  .map((entry) => [entry.dataset.id, Math.round(entry.getBoundingClientRect().top)])
  .filter(([, top]) => top > 0 && top < innerHeight).toString()"""


def test_what_is_new_is_announced_and_moves_nothing(
    begin: Begin, org: Org, event: Callable[..., dict[str, Any]]
) -> None:
    org.publish(*(event() for _ in range(100)))
    visit = begin()
    visit.page.clock.install()
    visit.enter(org)
    visit.page.mouse.wheel(0, 2_500)
    expect(visit.entry(40)).to_be_in_viewport()
    visit.entry(40).hover()
    shown = visit.page.evaluate(_VIEW)

    newest = org.publish(event(), event())["events"]
    # The page looks every quarter of a minute.
    visit.page.clock.fast_forward(16_000)
    announced = visit.log.get_by_role("button", name="2 new events: show")
    expect(announced).to_be_in_viewport()
    assert visit.page.evaluate(_VIEW) == shown

    announced.click()
    visit.settled()
    expect(announced).to_have_count(0)
    expect(visit.entry(0)).to_be_in_viewport()
    assert visit.all_ids()[:2] == sorted((each["id"] for each in newest), reverse=True)
    # By keyboard, too.
    org.publish(event())
    visit.page.clock.fast_forward(16_000)
    expect(visit.log.get_by_role("button", name="1 new event: show")).to_be_visible()
    visit.keys("n")
    visit.settled()
    assert len(visit.all_ids()) == 103
