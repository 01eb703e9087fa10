import pytest

from tests import engines
from tests.engines import Dynoxide


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
