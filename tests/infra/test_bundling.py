import hashlib
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from auditlog.issuer import ALGORITHMS
from console.files import Files
from infra import bundling, page
from infra.bundling import BundlingError
from tests.infra.conftest import Synthesized
from tests.signers import signer

# Of a .pyc: the magic number, then flags; 0b01 is a hash, 0b10 asks to check it.
UNCHECKED_HASH = 0b01
WORKERS = ("record", "export-worker", "retain", "seal")

# What Lambda itself sets, besides what a function's template does.
LAMBDA = {
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_SESSION_TOKEN": "test",
    "AWS_LAMBDA_FUNCTION_NAME": "it",
    "LANG": "en_US.UTF-8",
    "PATH": "/usr/bin:/bin",
}
FUNCTIONS = (
    "publish", "record", "query", "manage", "export", "export-worker", "retain", "seal", "console"
)  # fmt: skip

# Of a module: `import … from "x"`, `export … from "x"`, `import "x"`, `import("x")`.


def test_every_module_has_bytecode_that_is_taken_as_it_is(host_asset: Path) -> None:
    modules = list(host_asset.rglob("*.py"))

    assert len(modules) > 200
    for module in modules:
        compiled = Path(importlib.util.cache_from_source(str(module)))
        header = compiled.read_bytes()[:8]
        assert header[:4] == importlib.util.MAGIC_NUMBER, module
        assert int.from_bytes(header[4:], "little") == UNCHECKED_HASH, module


def test_the_asset_has_no_command_line_and_nothing_of_tests(host_asset: Path) -> None:
    names = {path.name.split("-")[0] for path in host_asset.iterdir()}

    assert not names & {"typer", "rich", "httpx", "click", "pytest", "moto", "aws_cdk", "bin"}
    assert not (host_asset / "auditlog" / "cli").exists()
    assert not (host_asset / "auditlog" / "cli.py").exists()
    assert not list(host_asset.rglob("tests"))


def test_the_asset_names_no_folder_of_this_machine(host_asset: Path) -> None:
    places = [f"{path}/".encode() for path in (bundling.ROOT, host_asset, Path.home())]

    for path in host_asset.rglob("*"):
        # A shared library was built elsewhere, by somebody else.
        if path.is_file() and path.suffix != ".so":
            content = path.read_bytes()
            assert not [place for place in places if place in content], path


def test_licences_go_where_the_code_goes(host_asset: Path) -> None:
    for distribution in host_asset.glob("*.dist-info"):
        assert [path for path in distribution.rglob("*") if "LICEN" in path.name.upper()]


def test_the_same_source_is_the_same_asset(host_asset: Path, tmp_path: Path) -> None:
    bundling.bundle(tmp_path, bundling.host_target())

    assert _contents(tmp_path) == _contents(host_asset)


def test_the_page_is_one_script_and_one_style_sheet_and_imports_nothing(host_asset: Path) -> None:
    folder = host_asset / "console" / "page"
    shipped = Files(folder)

    assert {path.name for path in folder.iterdir()} == {
        page.LICENCES, *page.ENTRIES, *page.AS_IT_IS
    }  # fmt: skip
    # As few requests as can be: each is a function that may have to start.
    assert set(re.findall(r'(?:src|href)="console/{version}/([^"]+)"', shipped.page)) == {
        name for name in shipped.names if name != page.LICENCES
    }
    script, styles = ((folder / name).read_text() for name in page.ENTRIES)
    assert not re.search(r"sourceMappingURL|\bimport\b *[(\"'{*]|\bexport\b *[{*]", script)
    assert not re.search(r"@import|url\(", styles)
    licences = (folder / page.LICENCES).read_text()
    assert "MIT License" in licences
    assert "Apache License" in licences
    assert not [path for path in host_asset.rglob("*") if path.name in {*page.LOCK, "node_modules"}]


def test_the_page_is_served_from_the_asset(host_asset: Path) -> None:
    """By what runs there, with what is there."""
    program = """
import gzip, json
from pathlib import Path
import console.handler
from console.files import Files
shipped = Files(Path(console.handler.__file__).parent / "page")
assert shipped.version == console.handler.files.version
for name in shipped.names:
    found = shipped.get(shipped.version, name)
    assert gzip.decompress(found.packed) == found.data
assert shipped.get(shipped.version, "main.js")
sizes = [len(shipped.get(shipped.version, name).packed) for name in shipped.names]
print(json.dumps([shipped.version, sum(sizes)]))
"""

    version, packed = json.loads(_run(host_asset, program, LAMBDA))
    assert version == Files(host_asset / "console" / "page").version
    assert packed < 100_000


def test_a_deployment_adds_its_own_event_types(tmp_path: Path) -> None:
    catalog = tmp_path / "mine.toml"
    catalog.write_text("# ours\n")
    asset = tmp_path / "asset"
    asset.mkdir()

    bundling.bundle(asset, bundling.host_target(), catalog)

    assert (asset / "auditlog" / "deployment.toml").read_text() == "# ours\n"


def test_a_catalog_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    asset = tmp_path / "asset"
    asset.mkdir()

    with pytest.raises(BundlingError, match=r"nowhere\.toml"):
        bundling.bundle(asset, bundling.host_target(), tmp_path / "nowhere.toml")


@pytest.mark.parametrize("service", sorted(bundling.SERVICES))
def test_a_client_of_each_service_can_be_made(host_asset: Path, service: str) -> None:
    program = f"import boto3; boto3.client({service!r}).meta.service_model.operation_names[0]"

    _run(host_asset, program, LAMBDA)


def test_the_models_of_other_services_are_left_out(host_asset: Path) -> None:
    models = host_asset / "botocore" / "data"

    assert {path.name for path in models.iterdir() if path.is_dir()} == bundling.SERVICES


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_starts_on_the_asset_and_its_own_environment(
    host_asset: Path, template: Synthesized, name: str
) -> None:
    function = template.functions()[name]
    module, _, entry = function["Handler"].rpartition(".")
    program = f"""
import importlib, json, sys
handler = getattr(importlib.import_module({module!r}), {entry!r})
assert callable(handler)
print(json.dumps(sorted(sys.modules)))
"""

    loaded = json.loads(_run(host_asset, program, LAMBDA | _variables(function)))

    assert "auditlog.settings" in loaded
    # That is for a token, when one comes.
    assert not {"jwt", "cryptography", "auditlog.trust"} & set(loaded)
    if name in WORKERS:
        assert "auditlog.http" not in loaded
        assert not [m for m in loaded if m.startswith("aws_lambda_powertools.event_handler")]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_asset_can_verify_tokens(host_asset: Path, algorithm: str) -> None:
    key = signer("of " + algorithm, algorithm)
    token = key.sign({"iss": "https://id.example.com", "aud": "a", "exp": 60})
    program = f"""
import json
from auditlog import jwks, tokens
from auditlog.issuer import Issuer
issuer = Issuer.parse({{
    "issuer": "https://id.example.com", "audience": "a", "algorithms": [{algorithm!r}]
}})
[key] = jwks.read(json.dumps({{"keys": [{key.public_jwk!r}]}}).encode())
assert tokens.verified(tokens.read({token!r}, issuer), key, issuer, 0)["exp"] == 60
"""

    _run(host_asset, program, LAMBDA)


def test_the_asset_for_lambda_is_for_lambda(tmp_path: Path) -> None:
    # A machine without Lambda's Python can do everything but build for it, so
    # this builds with what it finds there, and else looks at what it is told.
    if not bundling.pythons(bundling.RUNTIME_PYTHON):
        with pytest.raises(BundlingError, match=r"Install one .*python3\.13"):
            bundling.lambda_target()
        return

    bundling.bundle(tmp_path, bundling.lambda_target())

    libraries = list(tmp_path.rglob("*.so"))
    assert libraries
    for library in libraries:
        header = library.read_bytes()[:20]
        assert header[:4] == b"\x7fELF"
        # 183 is the ELF number of 64-bit ARM.
        assert int.from_bytes(header[18:20], "little") == 183, library
    compiled = list((tmp_path / "auditlog").rglob("*.pyc"))
    assert compiled
    assert all(path.name.endswith(".cpython-313.pyc") for path in compiled)


def test_a_python_that_is_named_and_is_another_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho 3.12\n")
    other.chmod(0o755)
    monkeypatch.setenv("LAMBDA_PYTHON", str(other))

    with pytest.raises(BundlingError, match=str(other)):
        bundling.lambda_target()


def test_a_python_that_is_named_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    named = tmp_path / "python"
    named.write_text("#!/bin/sh\necho 3.13\n")
    named.chmod(0o755)
    monkeypatch.setenv("LAMBDA_PYTHON", str(named))

    assert bundling.lambda_target() == bundling.Target(named, "3.13", "aarch64-manylinux2014")


def _variables(function: dict[str, Any]) -> dict[str, str]:
    variables = function["Environment"]["Variables"].items()
    return {
        name: value if isinstance(value, str) else f"deployed-{name.lower()}"
        for name, value in variables
    }


def _run(asset: Path, program: str, environment: dict[str, str]) -> str:
    """Run `program` with the asset and the standard library, and nothing else to import from."""
    start = f"import sys; sys.path.insert(0, {str(asset)!r})\n{program}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", start],
        env=environment,
        cwd=os.sep,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_this_machine_is_built_for_by_the_python_that_runs_the_tests() -> None:
    target = bundling.host_target()

    assert target.platform is None
    assert platform.python_version().startswith(target.version + ".")
