from pathlib import Path

import pytest

from tests import engines
from tests.engines import Dynoxide, browser


def test_the_engine_answers_and_knows_our_keys(dynoxide: Dynoxide) -> None:
    table = dynoxide.create_table("engines")
    item = {"pk": {"S": "a"}, "sk": {"S": "b"}}

    dynoxide.client().put_item(TableName=table, Item=item)

    assert dynoxide.client().get_item(TableName=table, Key=item)["Item"] == item


def test_an_engine_that_is_not_there_is_said_to_be_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DYNOXIDE", raising=False)
    monkeypatch.setattr(engines.platform, "machine", lambda: "riscv64")

    with pytest.raises(FileNotFoundError, match=r"no dynoxide for .*riscv64.* DYNOXIDE="):
        engines.dynoxide_binary()


def test_a_browser_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"install Chromium .*CHROMIUM=/path"):
        browser.find({"PATH": str(tmp_path)})
    # What was named is not replaced by another in silence.
    (tmp_path / "chromium").write_text("#!/bin/sh\n")
    (tmp_path / "chromium").chmod(0o700)
    assert browser.find({"PATH": str(tmp_path)}) == str(tmp_path / "chromium")
    with pytest.raises(FileNotFoundError, match=r"no browser .*elsewhere"):
        browser.find({"PATH": str(tmp_path), "CHROMIUM": str(tmp_path / "elsewhere")})
