import tomllib

from infra.bundling import FUNCTIONS, ROOT

# Above the domain, each in a layer of its own.
UPPER = {
    "authentication", "bootstrap", "cli", "http", "problems", "settings", "store", "telemetry",
    "trail", "trust",
}  # fmt: skip


def test_every_module_of_the_domain_is_held_to_the_rules() -> None:
    contracts = {
        contract["id"]: contract
        for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"][
            "importlinter"
        ]["contracts"]
    }
    modules = {
        path.stem
        for path in (FUNCTIONS / "auditlog").iterdir()
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").exists()
    }

    layered = {
        name.strip().removeprefix("auditlog.")
        for layer in contracts["layers"]["layers"]
        for name in layer.split(":")
        if name.strip().startswith("auditlog.")
    }
    domain = {name.removeprefix("auditlog.") for name in contracts["domain"]["source_modules"]}
    assert layered == modules
    assert domain == modules - UPPER


def test_every_function_folder_is_held_to_the_rules() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    folders = {path.parent.name for path in FUNCTIONS.glob("*/__init__.py")}

    assert set(settings["root_packages"]) == folders | {"infra"}
    [independent] = [c["modules"] for c in settings["contracts"] if c["type"] == "independence"]
    assert set(independent) == folders - {"auditlog"}
