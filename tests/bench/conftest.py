from pathlib import Path

import pytest

from infra import bundling


@pytest.fixture(scope="session")
def asset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The asset, built for this machine's Python."""
    output = tmp_path_factory.mktemp("asset")
    bundling.bundle(output, bundling.host_target())
    return output
