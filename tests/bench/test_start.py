"""Cold starts: what a function imports, how long that takes, and how large the asset is."""

import statistics
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.bench.measure import table

TIMES = 7

# Exactly what the template tells each function; tests/infra asserts that it does.
_LOG = {"EVENTS_TABLE": "t", "DIGESTS_TABLE": "t"}
_CONTROL = {"CONTROL_TABLE": "t"}
_SALT = {"SALT_SECRET_ARN": "s"}
_EXPORTS = {"EXPORTS_QUEUE_URL": "q", "EXPORTS_BUCKET": "b"}
FUNCTIONS = {
    "publish": ("publish.handler", _LOG | _CONTROL | _SALT),
    "record": ("record.handler", _LOG | _CONTROL | _SALT | {"REJECTS_QUEUE_URL": "q"}),
    "query": ("query.handler", _LOG | _CONTROL),
    "manage": ("manage.handler", _CONTROL),
    "export": ("export.handler", _LOG | _CONTROL | _SALT | _EXPORTS),
    "export-worker": ("export.worker", _LOG | _CONTROL | _EXPORTS),
    "retain": ("retain.handler", _LOG | _CONTROL),
    "seal": ("seal.handler", _LOG),
}

PROGRAM = """
import sys, time
sys.path.insert(0, sys.argv[1])
began = time.perf_counter()
__import__(sys.argv[2])
took = time.perf_counter() - began
# Not ru_maxrss, which a process inherits from the one that started it.
status = dict(line.split(":") for line in open("/proc/self/status"))
print(took * 1e3, int(status["VmHWM"].split()[0]) * 1024 / 1e6)
"""


def test_import_of_each_handler(asset: Path, tmp_path: Path) -> None:
    """In a process of its own each time, from the asset alone, under the template's environment."""
    bare = tmp_path / "bare"
    subprocess.run(["cp", "-r", str(asset), str(bare)], check=True)
    for compiled in list(bare.rglob("*.pyc")):
        compiled.unlink()
    rows: list[tuple[str, float, float, float]] = []
    for name, (module, variables) in FUNCTIONS.items():
        environment = {
            "POWERTOOLS_SERVICE_NAME": name,
            "LOG_LEVEL": "INFO",
            "AWS_REGION": "us-east-1",
            **variables,
        }
        with_bytecode = [_import(asset, module, environment) for _ in range(TIMES)]
        without = [_import(bare, module, environment) for _ in range(3)]
        rows.append(
            (
                name,
                statistics.median(took for took, _ in with_bytecode),
                statistics.median(took for took, _ in without),
                statistics.median(memory for _, memory in with_bytecode),
            )
        )
    table(
        f"Import of each handler: median of {TIMES}, and of 3 without bytecode",
        ["function", "ms", "ms without .pyc", "peak MB"],
        rows,
    )


def test_size_of_the_asset(asset: Path, tmp_path: Path) -> None:
    archive = tmp_path / "asset.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(asset.rglob("*")):
            if path.is_file():
                target.write(path, path.relative_to(asset))
    files = [path for path in asset.rglob("*") if path.is_file()]
    parts = {
        "all": files,
        "bytecode": [path for path in files if path.suffix == ".pyc"],
        "botocore and boto3": [
            path for path in files if path.relative_to(asset).parts[0] in {"boto3", "botocore"}
        ],
        "ours": [
            path
            for path in files
            if path.relative_to(asset).parts[0]
            in {"auditlog", *(module.partition(".")[0] for module, _ in FUNCTIONS.values())}
        ],
    }
    rows = [
        (name, len(found), sum(path.stat().st_size for path in found) / 1e6)
        for name, found in parts.items()
    ]
    rows.append(("as a zip", 1, archive.stat().st_size / 1e6))
    table("The asset", ["what", "files", "MB"], rows)


def _import(asset: Path, module: str, environment: dict[str, str]) -> tuple[float, float]:
    # -B: a run without bytecode must not leave any for the next one.
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", PROGRAM, str(asset), module],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    took, memory = done.stdout.split()
    return float(took), float(memory)
