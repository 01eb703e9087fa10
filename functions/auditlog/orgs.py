"""An org: whose log it is, and how long its events stay."""

import re
from dataclasses import dataclass

from auditlog.layout import UNSHARDED, Layout
from auditlog.retention import MAX_RETENTION_DAYS

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Org:
    """An org and its settings. `created_at` in microseconds; the name is fixed for ever.

    `shards` are the changes of its `Layout`.
    """

    name: str
    retention_days: int | None
    created_at: int
    shards: tuple[tuple[int, int], ...] = UNSHARDED

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise ValueError(
                "an org's name is 1 to 64 of A-Z a-z 0-9 . _ - and starts with a letter or digit"
            )
        if self.retention_days is not None and not 1 <= self.retention_days <= MAX_RETENTION_DAYS:
            raise ValueError(
                f"retention is 1 to {MAX_RETENTION_DAYS} days, or none to keep for ever"
            )

    @property
    def layout(self) -> Layout:
        """Over which partitions its log is spread."""
        return Layout(self.name, self.shards)


def is_name(text: str) -> bool:
    """Whether `text` can name an org."""
    return _NAME.fullmatch(text) is not None
