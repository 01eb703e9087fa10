"""The console as somebody in front of it sees it."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Browser, Locator, expect

from tests.e2e.client import Org
from tests.e2e.console.watch import Watch

# Until what is looked for is there; nothing waits so long that goes well.
PATIENCE = 20_000
# The emulator begins with what serves the page when somebody asks for it.
FIRST_PATIENCE = 60_000
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 375, "height": 740}

expect.set_options(timeout=PATIENCE)

# What stands out of the window, where that makes the page scroll sideways.
_OVERFLOWING = """() => {
  const page = document.documentElement;
  if (page.scrollWidth <= page.clientWidth) return [];
  return [...document.querySelectorAll("*")]
    .filter((each) => each.getBoundingClientRect().right > page.clientWidth + 1)
    .map((each) => `${each.tagName} ${each.className}`);
}"""

# All that is in the list, top to bottom, from where the page stands: `[id, id, …]`.
_WALK = """async () => {
  const seen = [];
  const next = (done) => requestAnimationFrame(() => requestAnimationFrame(done));
  for (;;) {
    for (const entry of document.querySelectorAll("article.entry")) {
      seen[entry.dataset.index] = entry.dataset.id;
    }
    const isDown = scrollY + innerHeight >= document.documentElement.scrollHeight - 1;
    if (isDown && document.querySelector(".log .foot:not(:has(button)):last-child, .log .empty")) {
      const isLoading = document.querySelector('.log[aria-busy="true"]');
      if (!isLoading) return seen;
    }
    scrollBy(0, innerHeight * 0.9);
    await new Promise(next);
  }
}"""


class Visit:
    """A browser of its own, and the page in it."""

    def __init__(
        self, browser: Browser, stack: Mapping[str, Any], *, device: Mapping[str, Any] | None = None
    ) -> None:
        self.stack = stack
        options = {"viewport": WIDE, "timezone_id": "America/New_York", **(device or {})}
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(PATIENCE)
        self.context.set_default_navigation_timeout(FIRST_PATIENCE)
        self.watch = Watch(self.context, stack["endpoint_url"])
        self.page = self.context.new_page()
        self.watch.page(self.page)

    def end(self) -> list[str]:
        """Closes everything; what went wrong that no visit may do."""
        self.context.close()
        return self.watch.found

    # The way in.

    def open(self, address: str = "") -> None:
        """Goes to the page; `address` is what stands behind its path."""
        self.page.goto(f"{self.stack['console_url']}{address}")

    def enter(self, org: Org, address: str = "") -> None:
        """Comes in with a key, and waits for what there is to see."""
        self.open(address)
        self.give(org.key)
        self.bar.wait_for()
        if "view=" not in address:
            self.settled()

    def give(self, key: str) -> None:
        """Types a key, and sends it."""
        self.page.get_by_label("Key or session token").fill(key)
        self.page.keyboard.press("Enter")

    @property
    def bar(self) -> Locator:
        """What stands above everything, for those who are in."""
        return self.page.locator("header.bar")

    @property
    def asked(self) -> dict[str, str]:
        """What the address asks for."""
        query = parse_qs(urlsplit(self.page.url).query)
        return {name: value for name, [value] in query.items()}

    # The list.

    @property
    def log(self) -> Locator:
        """The list, with what stands around it."""
        return self.page.get_by_role("region", name="Events", exact=True)

    @property
    def entries(self) -> Locator:
        """The entries that are in the document, in no order."""
        return self.page.locator("article.entry")

    def entry(self, index: int) -> Locator:
        """The entry of this number, from the newest; it is there where it can be seen."""
        return self.page.locator(f'article.entry[data-index="{index}"]')

    def settled(self) -> None:
        """Waits until the list and the picture show what is asked for."""
        self.page.locator('.log[aria-busy="false"]').wait_for()
        self.page.locator("article.entry, .log .empty, .fault").first.wait_for()
        expect(self.page.locator('.picture[aria-busy="true"]')).to_have_count(0)

    def all_ids(self) -> list[str]:
        """The ids of everything in the list, to its end."""
        return self.page.evaluate(_WALK)

    def overflowing(self) -> list[str]:
        """What makes the page scroll sideways."""
        return self.page.evaluate(_OVERFLOWING)

    @property
    def count(self) -> int:
        """How many events there are, as the list says."""
        counted = self.log.locator("header .quiet")
        expect(counted).to_have_text(re.compile("shown of"))
        found = re.fullmatch(r"[\d,]+ shown of ([\d,]+) events?", counted.inner_text())
        assert found is not None, counted.inner_text()
        return int(found[1].replace(",", ""))

    # The search.

    @property
    def line(self) -> Locator:
        """Where a query is written."""
        return self.page.get_by_role("combobox", name="Search the audit log")

    @property
    def offered(self) -> Locator:
        """What is suggested."""
        return self.page.get_by_role("option").filter(visible=True)

    @property
    def chips(self) -> list[str]:
        """What is looked for, as it stands under the search."""
        return self.page.locator(".chip > .said").all_inner_texts()

    def search(self, query: str) -> None:
        """Writes a query in the place of the one before, and waits for what it finds."""
        self.line.fill(query)
        self.line.press("Enter")
        self.settled()

    def press(self, name: str) -> None:
        """Presses the button of this name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    # The event that is open.

    @property
    def detail(self) -> Locator:
        """The event that is open."""
        return self.page.get_by_role("complementary", name="Event", exact=True)

    def clipboard(self) -> str:
        """What was copied last."""
        # Whatever is not granted is refused from then on.
        granted = ["clipboard-read", "clipboard-write"]
        self.context.grant_permissions(granted, origin=self.stack["endpoint_url"])
        # The page itself may not read it; a document of the same origin may.
        reader = self.context.new_page()
        reader.route("**/favicon.ico", lambda route: route.fulfill(status=204))
        reader.goto(f"{self.stack['api_url']}/v1/health")
        text = reader.evaluate("navigator.clipboard.readText()")
        reader.close()
        self.page.bring_to_front()
        return text

    def keys(self, *keys: str) -> None:
        """Presses keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)


Begin = Callable[..., Visit]
