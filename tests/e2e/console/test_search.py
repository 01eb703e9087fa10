"""Searching in the console: by keyboard, by what is frequent, by what others sent."""

import re
from datetime import UTC, datetime, timedelta

from playwright.sync_api import expect

from tests.e2e.client import Org
from tests.e2e.console.visit import Visit


def test_a_query_is_completed_by_keyboard(visit: Visit, globex: Org) -> None:
    visit.keys("/")
    expect(visit.line).to_be_focused()
    # Qualifiers first, then what this log has of each.
    visit.page.keyboard.type("ty")
    expect(visit.offered).to_have_text(["type: what was done: a type, a scope or a prefix"])
    visit.keys("ArrowDown", "Enter")
    expect(visit.line).to_have_value("type:")
    visit.page.keyboard.type("repo.update_s")
    expect(visit.offered).to_contain_text(["type:repo.update"] * 2)
    visit.keys("ArrowDown", "Tab")
    expect(visit.line).to_have_value("type:repo.update_settings ")
    # A name finds the id, which a query means whatever somebody is called next year.
    visit.page.keyboard.type("-actor:zoë")
    expect(visit.offered).to_have_text(["-actor:usr_0001 Zoë Quinn"])
    visit.keys("ArrowDown", "Enter")
    expect(visit.line).to_have_value("type:repo.update_settings -actor:usr_0001 ")
    visit.keys("Enter")
    visit.settled()

    query = "type:repo.update_settings -actor:usr_0001"
    assert visit.asked == {"org": "globex", "q": query}
    assert visit.chips == query.split()
    expected = [event["id"] for event in globex.events(q=query)]
    assert visit.count == len(expected) > 0
    assert visit.all_ids() == expected


def test_a_mistake_is_marked_at_its_place(visit: Visit) -> None:
    visit.watch.expected = {400}
    visit.search("😀 type:rpo.create actor:ada")

    alert = visit.page.get_by_role("alert")
    expect(alert).to_contain_text("expected a type, scope or prefix")
    expect(alert.locator("mark")).to_have_text("rpo.create")
    expect(visit.line).to_have_attribute("aria-invalid", "true")
    expect(visit.line).to_have_accessible_description(alert.inner_text().replace("\n", " "))
    expect(visit.entries).to_have_count(0)
    # The way back is to mend it.
    visit.search("type:repo.create")
    expect(alert).to_have_count(0)
    expect(visit.line).not_to_have_attribute("aria-invalid", "true")
    visit.search('type:repo "never closed')
    expect(alert.locator("mark")).to_have_text('"never closed')


def test_filters_are_put_together_and_taken_away(visit: Visit, globex: Org) -> None:
    frequent = visit.page.get_by_role("navigation", name="Most frequent")
    everything = visit.count

    visit.press("Billing")
    visit.settled()
    assert visit.count == len(globex.events(type="billing"))
    visit.press("Billing")
    visit.settled()
    frequent.get_by_role("button", name="Only FR:").click()
    visit.settled()
    french = visit.count
    frequent.get_by_role("button", name="Only org.sso_login:").click()
    visit.settled()
    # Whoever is the most frequent.
    frequent.get_by_role("group").filter(has_text="Actors").locator(".except").first.click()
    visit.settled()
    assert visit.chips[:2] == ["country:FR", "type:org.sso_login"]
    assert visit.chips[2].startswith("-actor:")
    expected = globex.events(q=" ".join(visit.chips))
    assert visit.count == len(expected) < french < everything
    # What is counted of each is what there is of it.
    most = frequent.get_by_role("group").filter(has_text="Actors").locator(".facet").first
    who = most.get_attribute("title")
    count = sum(event["actor"]["id"] == who for event in expected)
    expect(most).to_have_text(re.compile(rf"\D{count}$"))

    visit.press("Remove type:org.sso_login")
    visit.settled()
    assert [chip.partition(":")[0] for chip in visit.chips] == ["country", "-actor"]
    # Each step was one, and goes back as one.
    visit.page.go_back()
    visit.settled()
    assert visit.count == len(expected)
    visit.press("Clear everything")
    visit.settled()
    assert visit.chips == []
    assert visit.count == everything


def test_only_this_never_finds_more_than_before(visit: Visit, globex: Org) -> None:
    visit.search("type:repo -country:FR")
    before = visit.count
    frequent = visit.page.get_by_role("navigation", name="Most frequent")

    frequent.get_by_role("button", name=re.compile(r"^Only repo\.")).first.click()
    visit.settled()

    other, only = visit.chips
    assert other == "-country:FR"
    assert only.startswith("type:repo.")
    assert visit.count == len(globex.events(q=f"{other} {only}")) < before


def test_the_last_day_is_the_last_day_whenever_it_is_looked_at(visit: Visit, globex: Org) -> None:
    visit.press("Last 24 hours")
    visit.settled()

    assert visit.asked == {"org": "globex", "last": "24h"}
    assert visit.chips == ["last 24 hours"]
    day = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    expected = [event["id"] for event in globex.events(since=day)]
    assert visit.all_ids() == expected
    assert visit.count == len(expected) >= 3


def test_a_search_finds_all_there_is_page_by_page(visit: Visit, globex: Org) -> None:
    query = "-type:org.sso_login -country:JP"
    visit.search(query)

    expected = [event["id"] for event in globex.events(q=query)]
    assert len(expected) > 200, "more than the first page"
    assert visit.all_ids() == expected
    expect(visit.log).to_contain_text("Nothing else matches.")
    # A query that finds nothing says what may help.
    visit.search("country:FR country:PL -country:FR -country:PL")
    expect(visit.log).to_contain_text("Remove one of the filters above")
