"""What the console looks like: the pictures of the README.

They are made anew in `tests/e2e/screenshots` with `make screenshots`, and otherwise only to
see that they can be made.
"""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.client import Org
from tests.e2e.console.visit import Begin, Visit

KEPT = Path(__file__).parents[1] / "screenshots"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
QUERY = "type:repo -actor_type:service_account"
LARGEST = 400_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if "SCREENSHOTS" not in os.environ:
        return tmp_path
    KEPT.mkdir(exist_ok=True)
    return KEPT


def test_the_pictures_of_the_readme_can_be_made(begin: Begin, acme: Org, folder: Path) -> None:
    visit = begin()
    visit.enter(acme)
    keep(visit, folder, "list")
    visit.search("type:repo.update_settings")
    visit.entry(1).click()
    expect(visit.detail.get_by_role("table")).to_be_visible()
    keep(visit, folder, "detail")
    visit.keys("Escape")
    visit.search(QUERY)
    visit.page.emulate_media(color_scheme="dark")
    keep(visit, folder, "dark")
    visit.page.emulate_media(color_scheme="light")
    visit.press("Download…")
    dialog = visit.page.get_by_role("dialog", name="Download events")
    expect(dialog.get_by_role("status")).to_contain_text("events")
    keep(visit, folder, "export")

    phone = begin(device=PHONE)
    phone.enter(acme)
    keep(phone, folder, "phone")

    made = {path.name: path.stat().st_size for path in folder.glob("*.png")}
    assert set(made) == {f"{name}.png" for name in ("list", "detail", "dark", "phone", "export")}
    assert all(10_000 < size < LARGEST for size in made.values())


def keep(visit: Visit, folder: Path, name: str) -> None:
    """A picture of what is in the window, without what blinks and moves."""
    visit.page.mouse.move(0, 0)
    assert visit.count, "what is counted is there, too"
    visit.page.screenshot(
        path=folder / f"{name}.png", animations="disabled", caret="hide", scale="css"
    )
