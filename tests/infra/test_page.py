import json
import re
from pathlib import Path

import pytest

from infra import page
from infra.bundling import FUNCTIONS, ROOT
from infra.page import Library, LibraryError, adapted

CONSOLE = FUNCTIONS / "console"
HOOKS = Library("hooks.js", "preact/hooks/dist/hooks.mjs", {"preact": "./preact.js"})
ALONE = Library("htm.js", "htm/dist/htm.module.js")


def test_a_package_is_imported_from_beside_the_module() -> None:
    assert adapted('import{options as n}from"preact";var t;', HOOKS) == (
        'import{options as n}from"./preact.js";var t;'
    )
    assert adapted("import { h } from 'preact';\n", HOOKS) == "import { h } from './preact.js';\n"


@pytest.mark.parametrize(
    ("module", "library", "reason"),
    [
        ("var t;", HOOKS, "'preact' 0 times"),
        ('import{a}from"preact";import{b}from"preact";', HOOKS, "'preact' 2 times"),
        ('import{a}from"preact";import{b}from"preact/debug";', HOOKS, "'preact/debug'"),
        ('import{a}from"preact";import"./else.js";', HOOKS, "'./else.js'"),
        ('import{a}from"preact";export{b}from"./else.js";', HOOKS, "'./else.js'"),
        ('import{a}from"preact";const b=()=>import("https://x/y.js");', HOOKS, "'https://x/y.js'"),
        ("const b=()=>import(`x`);", ALONE, "'x'"),
        ('import "x"', ALONE, "'x'"),
    ],
)
def test_what_could_not_be_loaded_is_not_taken(module: str, library: Library, reason: str) -> None:
    with pytest.raises(LibraryError, match=re.escape(reason)):
        adapted(module, library)


def test_a_map_that_is_not_there_is_not_pointed_to() -> None:
    module = "export{a};\n//# sourceMappingURL=x.module.js.map\n"

    assert adapted(module, ALONE) == "export{a};\n"
    assert adapted("export{a};\n//# sourceMappingURL=x.map", ALONE) == "export{a};\n"


def test_a_lock_that_is_not_of_the_package_is_refused(tmp_path: Path) -> None:
    for name in page.LOCK:
        (tmp_path / name).write_text((CONSOLE / name).read_text())
    package = json.loads((tmp_path / "package.json").read_text())
    package["dependencies"]["preact"] = "10.0.0"
    (tmp_path / "package.json").write_text(json.dumps(package))

    with pytest.raises(LibraryError, match="npm could not install"):
        page.add_libraries(tmp_path, tmp_path)


@pytest.mark.parametrize("folder", [CONSOLE, ROOT / "tests" / "engines"], ids=lambda f: f.name)
def test_a_lock_says_what_a_package_is_and_not_from_where(folder: Path) -> None:
    """Everybody has a registry of their own; what comes from it is checked."""
    lock = json.loads((folder / "package-lock.json").read_text())
    packages = {name: each for name, each in lock["packages"].items() if name}

    assert packages
    for name, each in packages.items():
        assert "resolved" not in each, name
        assert each["integrity"].startswith("sha512-"), name


def test_versions_are_exact() -> None:
    package = json.loads((CONSOLE / "package.json").read_text())

    assert all(re.fullmatch(r"\d+\.\d+\.\d+", each) for each in package["dependencies"].values())
