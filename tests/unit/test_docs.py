"""What must stay in step with the documentation: routes, parameters, grants, metrics, links."""

import re
from pathlib import Path

import pytest

import erase.handler
from auditlog.event import EVENT
from auditlog.keys import Grant
from auditlog.routes import ROUTES, SEARCH_PARAMETERS, Route
from export import worker

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [
    page
    for page in sorted(ROOT.glob("**/*.md"))
    if not {"node_modules", ".venv", ".local", "cdk.out"} & set(page.relative_to(ROOT).parts)
]
SOURCES = sorted((ROOT / "functions").glob("**/*.py"))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_readme_names_every_route_with_its_grant(route: Route) -> None:
    grant = "none" if route.public else f"`{route.grant.value}`" if route.grant else "any key"
    assert f"| `{route.method} {route.path}` | {grant} | {route.summary} |" in README


def test_readme_names_no_route_that_does_not_exist() -> None:
    named = set(re.findall(r"\| `([A-Z]+ /\S+)` \|", README))
    assert named == {f"{route.method} {route.path}" for route in ROUTES}


@pytest.mark.parametrize("parameter", SEARCH_PARAMETERS)
def test_readme_names_every_search_parameter(parameter: str) -> None:
    assert f"`{parameter}`" in README


@pytest.mark.parametrize("grant", Grant)
def test_readme_names_every_grant(grant: Grant) -> None:
    assert f"| `{grant.value}` |" in README


@pytest.mark.parametrize("field", EVENT.json_schema()["properties"])
def test_readme_names_every_field_of_an_event(field: str) -> None:
    assert re.search(rf"`{field}\??`", README)


def test_readme_names_every_metric_and_no_other() -> None:
    counted = {
        name for source in SOURCES for name in re.findall(r'\bcount\("(\w+)"', source.read_text())
    } | {*worker._COUNTED.values(), *erase.handler._COUNTED.values()}
    [line] = re.findall(r"\*\*Metrics\*\*.*?\n- ", README, re.DOTALL)
    assert set(re.findall(r"`([A-Z]\w+)`", line)) == counted


def test_readme_names_every_target_of_make() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    unnamed = {name for name in targets if f"make {name}" not in README}
    assert unnamed <= {"lint", "format", "bench"}, "`make help` lists those; name the others"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize(
    "folder",
    ["publish", "record", "query", "manage", "export", "retain", "erase", "seal", "console"],
)
def test_every_function_has_a_readme(folder: str) -> None:
    assert (ROOT / "functions" / folder / "README.md").is_file()
