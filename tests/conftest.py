"""What tests share: an AWS that is not there, a DynamoDB, the whole stack."""

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from infra import local
from infra.emulator import free_port
from tests import budget, engines

budget.register()

# Folders and files whose tests share something that is slow to make: with
# several processes, all of them go to the same one.
_TOGETHER = {
    "tests/e2e/console/": "console",
    "tests/e2e/": "stack",
    "tests/infra/test_local.py": "stack",
    "tests/infra/": "template",
}


# A process holds every test and the whole CDK. To look through all of it for garbage
# after each 700 new objects took a third of the time of a run.
gc.set_threshold(50_000)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    gc.freeze()


# Whatever takes longest begins first, so that all processes end together.
_FIRST = ["stack", "template", "console"]


def _together(nodeid: str) -> str:
    """What a test is kept together with; by default only with itself."""
    found = (name for place, name in _TOGETHER.items() if nodeid.startswith(place))
    return next(found, nodeid)


class _Together(LoadScopeScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return _together(nodeid)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not hasattr(config, "workerinput"):
        return
    turns = {name: turn for turn, name in enumerate(_FIRST)}
    items.sort(key=lambda item: turns.get(_together(item.nodeid), len(turns)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    # `--dist loadgroup` is for this, but xdist 3.8 marks groups in an attribute
    # that pytest 9.2 has no more. The order is ours, not by the number of tests.
    config.option.loadscopereorder = False
    return _Together(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says what tests have measured of the console: nothing fails by it."""
    told = [
        line
        for report in terminalreporter.getreports("passed")
        for name, line in report.user_properties
        if name == "console"
    ]
    if told:
        terminalreporter.section("the console")
        for line in told:
            terminalreporter.line(str(line))


@pytest.fixture(autouse=True)
def no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reaches an account: what boto3 would find on this machine is hidden."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture(scope="session")
def dynoxide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[engines.Dynoxide]:
    """A DynamoDB that tells the truth, in memory; tests make tables of their own in it."""
    with engines.dynoxide(tmp_path_factory.mktemp("dynoxide")) as running:
        yield running


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The laptop stack on a free port, without samples: what its `stack.json` says.

    `home` is the folder that has `.local/stack.json`, where a command that is
    run in it finds the stack.
    """
    home = tmp_path_factory.mktemp("stack")
    with local.laptop_stack(free_port(), home / ".local", samples=0, say=print) as running:
        yield {**running, "home": str(home)}
