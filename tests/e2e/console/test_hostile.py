"""Events of somebody who means harm: shown as what they are, text."""

import json
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.client import Org
from tests.e2e.console.visit import PHONE, Begin, Visit

SCRIPT = '<script>ran = 1</script><img src=x onerror="ran = 1"><b>bold</b>${ran = 1}{{ran = 1}}'
OVERRIDE = "invoice\u202efdp.exe"
HIDDEN = "pay\u0000\u0007\u200bpal\u2066"
# One word, which nothing can break.
LONG = "W" * 1_000
LINK = "javascript:ran = 1"
KIBIBYTES_256 = 262_144


def hostile(number: int, name: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "repo.create",
        "occurred_at": f"2026-01-0{number + 1}T00:00:00Z",
        "actor": {"id": f"id {name}", "name": name, "avatar_url": "https://evil.example/a.png"},
        "description": name,
        "targets": [{"type": "repo", "id": name, "name": name}] * 3,
        "location": {"city": name[:128], "region": name[:128], "country": "FR"},
        "user_agent": name[:1_024],
        "credential": {"type": "access_token", "id": name[:128], "name": name[:128]},
        "metadata": {"before": {name[:200]: name}, "after": {name[:200]: name + "!", "link": LINK}},
        "key": str(number),
        **fields,
    }


NAMES = [SCRIPT, OVERRIDE, HIDDEN, LONG]
# With what stands around it, as much as an event may have.
LARGE = {"blob": "<i>" * ((KIBIBYTES_256 - 1_500) // 3)}


@pytest.fixture(scope="module")
def attacked(org: Org) -> Org:
    """An org whose publisher was taken over."""
    events = [hostile(number, name) for number, name in enumerate(NAMES)]
    large = hostile(len(NAMES), "large", metadata=LARGE)
    org.publish(*events, large)
    return org


@pytest.mark.parametrize("device", [{}, {"viewport": PHONE}], ids=["wide", "phone"])
def test_what_events_say_is_text_everywhere(
    begin: Begin, attacked: Org, device: dict[str, Any]
) -> None:
    visit = begin(device=device)
    visit.enter(attacked)
    wanted = {event["key"]: event for event in attacked.events()}

    expect(visit.entries).to_have_count(len(NAMES) + 1)
    listed = visit.log.inner_text()
    assert SCRIPT in listed
    assert "invoiceU+202Efdp.exe" in listed
    assert "payU+0000U+0007U+200BpalU+2066" in listed
    as_text(visit)
    for index, key in enumerate(sorted(wanted, reverse=True)):
        # Not by the mouse: on a phone one event covers the list.
        visit.entry(index).get_by_role("link").press("Enter")
        shown = visit.detail
        expect(shown).to_contain_text(wanted[key]["id"])
        expect(shown).to_contain_text("this browser has computed the id from the content")
        told = "".join(shown.all_inner_texts())
        if key != str(len(NAMES)):
            seen = visible(NAMES[int(key)])
            # Actor, description, target, place, credential, user agent, and both sides.
            assert told.count(seen) >= 6, told
        as_text(visit)
        visit.keys("Escape")
    # What is known of it feeds what is suggested, and what is frequent.
    visit.line.fill("actor:")
    expect(visit.offered).to_have_count(len(NAMES) + 1)
    offered = "".join(visit.offered.all_inner_texts())
    assert SCRIPT in offered
    assert "U+202E" in offered
    as_text(visit)
    visit.keys("Escape")


def test_what_events_say_is_text_in_a_filter(begin: Begin, attacked: Org) -> None:
    visit = begin()
    visit.enter(attacked)
    for name in (SCRIPT, HIDDEN):
        actor = f"id {name}"
        frequent = visit.page.get_by_role("navigation", name="Most frequent")
        frequent.locator(".facet").and_(visit.page.locator(f'[title*="{name[:3]}"]')).click()
        visit.settled()
        assert visit.count == 1
        assert visit.chips == [visible(f'actor:"{escaped(actor)}"')]
        expect(visit.entries).to_have_count(1)
        as_text(visit)
        visit.press("Download…")
        dialog = visit.page.get_by_role("dialog", name="Download events")
        expect(dialog).to_contain_text("1 event")
        expect(dialog).to_contain_text(visible(f'actor:"{escaped(actor)}"'))
        as_text(visit)
        dialog.get_by_role("button", name="Cancel").click()
        visit.press("Clear everything")
        visit.settled()


def test_more_than_anybody_reads_is_shown_when_it_is_asked_for(begin: Begin, attacked: Org) -> None:
    visit = begin()
    visit.enter(attacked)
    visit.entry(0).click()

    metadata = visit.detail.locator("pre")
    assert len(metadata.inner_text()) < 10_000
    visit.detail.get_by_role("button", name="Show all of it").click()
    assert json.loads(metadata.inner_text()) == LARGE
    as_text(visit)
    visit.press("Copy as JSON")
    expect(visit.detail.get_by_role("button", name="Copied")).to_be_visible()
    [large] = attacked.events(q="actor:large")
    assert json.loads(visit.clipboard()) == large


def as_text(visit: Visit) -> None:
    """Nothing of an event has become an element, and nothing stands out of the window."""
    made = visit.page.locator("b, i, img, iframe, object, script:not([src]), a[href^=javascript]")
    expect(made).to_have_count(0)
    assert visit.page.evaluate("Boolean(window.ran)") is False
    assert visit.overflowing() == []


def visible(text: str) -> str:
    """A text as it is shown: what cannot be seen by its number."""
    return "".join(
        f"U+{ord(each):04X}" if each in "\u202e\0\a\u200b\u2066" else each for each in text
    )


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
