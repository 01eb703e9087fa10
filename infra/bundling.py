"""The asset: everything that a function runs on, in one folder.

What holds of the folder that `bundle` fills:

- it has `functions/` at its top, and beside it the run-time dependencies of
  `uv.lock`, without the libraries of the command line;
- the console's page has its libraries, those of its own lock, in its folder;
- every module has its bytecode, compiled by the Python minor version that
  will run it and marked `unchecked-hash`, so that the runtime neither reads
  nor stats the source to start;
- the same inputs give the same bytes, so the CDK deploys a function only when
  something in it has changed.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from auditlog.catalog import Catalog
from auditlog.errors import CatalogError
from infra import page

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = ROOT / "functions"

RUNTIME_PYTHON = "3.13"
RUNTIME_PLATFORM = "aarch64-manylinux2014"

# The services that `auditlog.store` makes clients of. botocore carries models
# of four hundred; the others would be nine tenths of the asset.
SERVICES = frozenset({"dynamodb", "s3", "secretsmanager", "sqs"})

# The command line is a tool of the platform engineer, not of a function; its
# libraries are not in the asset, so it could not be imported there anyway.
COMMAND_LINE = ("auditlog/cli.py", "auditlog/cli")

_BULK = (
    "**/*.pyi",
    "**/py.typed",
    "**/__pycache__",
    "**/tests",
    "*.dist-info/RECORD",
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
    "*.dist-info/WHEEL",
    "*.dist-info/direct_url.json",
    "*.dist-info/uv_cache.json",
    "*.dist-info/uv_build.json",
    # Scripts, whose first line would name the Python of this machine.
    "bin",
    ".lock",
    # Models of boto3's resources: the house uses clients only.
    "boto3/data",
    "boto3/examples",
    "botocore/data/*/*/examples-1.json",
)
"""What no function reads. Licences and METADATA stay."""


class BundlingError(Exception):
    """The asset cannot be built; the message says what to do about it."""


@dataclass(frozen=True)
class Target:
    """A Python to build for.

    `interpreter` compiles the bytecode, so it has to be of the minor version
    that runs it. `platform` is uv's name of a platform, or None for this
    machine's own.
    """

    interpreter: Path
    version: str
    platform: str | None


def lambda_target() -> Target:
    """Lambda's Python on arm64; raises BundlingError where there is no such Python."""
    return Target(_find_python(RUNTIME_PYTHON), RUNTIME_PYTHON, RUNTIME_PLATFORM)


def host_target() -> Target:
    """The Python that runs this, on this machine: what the laptop stack runs handlers with."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Target(Path(sys.executable), version, None)


def bundle(output: Path, target: Target, catalog: Path | None = None) -> None:
    """Fill the empty folder `output` with the asset for `target`.

    `catalog` is a deployment's own event types; a file that breaks a rule of the
    catalog stops here, not in the functions. Raises BundlingError.
    """
    _install(output, target)
    _copy_functions(output)
    served = output / "console" / "page"
    served.mkdir()
    try:
        page.add_page(FUNCTIONS / "console", served)
    except page.PageError as error:
        raise BundlingError(str(error)) from error
    if catalog is not None:
        if not catalog.is_file():
            message = f"the context names the catalog {catalog}, but there is no such file"
            raise BundlingError(message)
        shutil.copyfile(catalog, output / "auditlog" / "deployment.toml")
        try:
            Catalog.in_folder(output / "auditlog")
        except CatalogError as error:
            raise BundlingError(str(error)) from error
    _strip(output)
    _compile(output, target)


def _install(output: Path, target: Target) -> None:
    requirements = _uv(
        "export",
        "--frozen",
        "--no-dev",
        "--no-emit-project",
        "--no-header",
        "--no-annotate",
        "--quiet",
        "--project",
        str(ROOT),
    )
    command = ["pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--link-mode", "copy", "--target", str(output), "--requirements", "-"]
    if target.platform is None:
        command += ["--python", str(target.interpreter)]
    else:
        command += ["--python-platform", target.platform, "--python-version", target.version]
        command += ["--only-binary", ":all:"]
    _uv(*command, stdin=requirements)


def _copy_functions(output: Path) -> None:
    shutil.copytree(
        FUNCTIONS,
        output,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns(
            "__pycache__", "*.pyc", "README.md", ".*", "node_modules", "page", *page.LOCK
        ),
    )
    for name in COMMAND_LINE:
        _remove(output / name)


def _strip(output: Path) -> None:
    for pattern in _BULK:
        for path in sorted(output.glob(pattern)):
            _remove(path)
    models = output / "botocore" / "data"
    for path in sorted(models.iterdir()):
        if path.is_dir() and path.name not in SERVICES:
            _remove(path)


def _compile(output: Path, target: Target) -> None:
    command = [str(target.interpreter), "-m", "compileall", "-q", "-j", "1"]
    command += ["--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(output), "-p", "/var/task", str(output)]
    # A set of constants is written in the order of its hashes.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    _run(command, environment=environment)


def _find_python(version: str) -> Path:
    found = pythons(version)
    if found:
        return found[0]
    named = os.environ.get("LAMBDA_PYTHON")
    message = (
        f"Lambda runs Python {version}, and its bytecode has to be compiled by a Python "
        f"{version}, which was not found"
        + (f" at {named}" if named else "")
        + f". Install one (`uv python install {version}`, your package manager, or pyenv), "
        f"or name one with LAMBDA_PYTHON=/path/to/python{version}."
    )
    raise BundlingError(message)


def pythons(version: str) -> list[Path]:
    """Every Python of this minor version that was found, best first.

    Where LAMBDA_PYTHON names one, it is that one or none.
    """
    named = os.environ.get("LAMBDA_PYTHON")
    candidates = [Path(named)] if named else [*_uv_pythons(version), *_pyenv_pythons(version)]
    return [candidate for candidate in candidates if _version_of(candidate) == version]


def _uv_pythons(version: str) -> Iterable[Path]:
    command = [find_uv(), "python", "find", "--no-project", version]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode == 0:
        yield Path(found.stdout.strip())


def _pyenv_pythons(version: str) -> Iterable[Path]:
    # uv looks on the PATH, where pyenv puts only what it was told to use.
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(root.glob(f"versions/{version}.*/bin/python"), reverse=True)


def _version_of(interpreter: Path) -> str | None:
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [str(interpreter), "-c", program], capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def find_uv() -> str:
    """The uv to use: the one that runs us, the one that the Makefile made, or the PATH's."""
    candidates = [os.environ.get("UV"), str(ROOT / ".local" / "uv" / "bin" / "uv")]
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    found = shutil.which("uv")
    if found is None:
        message = "uv was not found: run this through the Makefile, or install uv"
        raise BundlingError(message)
    return found


def _uv(*arguments: str, stdin: str | None = None) -> str:
    return _run([find_uv(), *arguments], stdin=stdin)


def _run(
    command: Sequence[str],
    *,
    stdin: str | None = None,
    environment: dict[str, str] | None = None,
) -> str:
    done = subprocess.run(
        list(command), input=stdin, capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode != 0:
        message = f"`{' '.join(command)}` failed:\n{done.stdout}{done.stderr}"
        raise BundlingError(message)
    return done.stdout


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
