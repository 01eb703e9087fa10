import json
import re
import shutil
from pathlib import Path

import pytest

from infra import page
from infra.bundling import FUNCTIONS, ROOT
from infra.page import PageError

CONSOLE = FUNCTIONS / "console"


def test_a_lock_that_is_not_of_the_package_is_refused(tmp_path: Path) -> None:
    for name in page.LOCK:
        (tmp_path / name).write_text((CONSOLE / name).read_text())
    package = json.loads((tmp_path / "package.json").read_text())
    package["dependencies"]["preact"] = "10.0.0"
    (tmp_path / "package.json").write_text(json.dumps(package))

    with pytest.raises(PageError, match="npm could not install"):
        page.add_page(tmp_path, tmp_path)


def test_a_page_that_cannot_be_bundled_is_said_to_be_wrong_and_where(tmp_path: Path) -> None:
    shutil.copytree(CONSOLE, tmp_path / "console")
    (tmp_path / "console" / "page" / "main.js").write_text('import "./nowhere.js";\n')
    (tmp_path / "made").mkdir()

    with pytest.raises(PageError, match=r"could not be bundled(?s:.*)nowhere\.js"):
        page.add_page(tmp_path / "console", tmp_path / "made")


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

    named = package["dependencies"] | package["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", each) for each in named.values())
