"""What takes minutes is begun before everything else: `test_erasures` looks what became of it."""

from tests.e2e.erasing import Erased


def test_an_erasure_is_begun(erased: Erased) -> None:
    assert erased.asked["state"] in {"running", "completed"}
    assert erased.asked["of"] == "actor"
