import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra import bundling

PUBLISHERS = ["arn:aws:iam::111122223333:role/billing", "arn:aws:iam::111122223333:user/ci"]


@dataclass(frozen=True)
class Synthesized:
    """A template, and what the checks said of it."""

    body: dict[str, Any]
    report: list[dict[str, str]]

    def all(self, resource_type: str) -> dict[str, dict[str, Any]]:
        """The resources of a type by their logical ids."""
        resources = self.body["Resources"].items()
        return {name: value for name, value in resources if value["Type"] == resource_type}

    def one(self, resource_type: str, prefix: str = "") -> dict[str, Any]:
        """The only resource of a type whose logical id is `prefix` and the CDK's hash."""
        found = [
            value
            for name, value in self.all(resource_type).items()
            if not prefix or name[:-8] == prefix
        ]
        assert len(found) == 1, f"{len(found)} of {resource_type} {prefix}"
        return found[0]

    def id(self, resource_type: str, prefix: str) -> str:
        """The logical id of what `one` answers."""
        resource = self.one(resource_type, prefix)
        return next(name for name, value in self.body["Resources"].items() if value is resource)

    def functions(self) -> dict[str, dict[str, Any]]:
        """The properties of every function, by its name."""
        return {
            str(value["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]): value[
                "Properties"
            ]
            for value in self.all("AWS::Lambda::Function").values()
        }


def synthesize(outdir: Path, **context: Any) -> subprocess.CompletedProcess[str]:
    """Run the CDK app with nothing bundled; nothing here looks into the asset."""
    environment = {
        **os.environ,
        "CDK_OUTDIR": str(outdir),
        "CDK_CONTEXT_JSON": json.dumps({"aws:cdk:bundling-stacks": [], **context}),
    }
    return subprocess.run(
        [sys.executable, "-m", "infra.app"],
        cwd=bundling.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Synthesized:
    """The synthesized stack; slow, so once a session."""
    outdir = tmp_path_factory.mktemp("cdk.out")
    done = synthesize(outdir, publishers=PUBLISHERS)
    assert done.returncode == 0, done.stdout + done.stderr
    with (outdir / "AwsSolutions--auditlog-NagReport.csv").open(newline="") as report:
        rows = list(csv.DictReader(report))
    return Synthesized(json.loads((outdir / "auditlog.template.json").read_bytes()), rows)


@pytest.fixture(scope="session")
def host_asset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The asset as the laptop stack gets it."""
    output = tmp_path_factory.mktemp("asset")
    bundling.bundle(output, bundling.host_target())
    return output
