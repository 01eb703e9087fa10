"""What axe-core finds against the accessibility guidelines (WCAG 2.2, levels A and AA)."""

from functools import cache
from pathlib import Path

from playwright.sync_api import Page

_AXE = Path(__file__).parents[2] / "engines" / "node_modules" / "axe-core" / "axe.min.js"
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# A rule of 2.2 that axe runs only if it is asked to: nothing to press is too small (2.5.8).
_RULES = {"target-size": {"enabled": True}}
_RUN = """async (options) => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"], ...options });
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) =>
    `${id}: ${html.slice(0, 300)} ${failureSummary}`));
}"""


@cache
def _source() -> str:
    return _AXE.read_text()


def violations(page: Page) -> list[str]:
    """All of them, of what is shown now."""
    return _run(page, {"runOnly": {"type": "tag", "values": _TAGS}, "rules": _RULES})


def low_contrasts(page: Page) -> list[str]:
    """Those of the colours alone."""
    return _run(page, {"runOnly": {"type": "rule", "values": ["color-contrast"]}})


def _run(page: Page, options: dict[str, object]) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(_source())
    return page.evaluate(_RUN, options)
