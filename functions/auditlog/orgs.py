"""An org: whose log it is, and its settings."""

import re
from dataclasses import dataclass, field, replace

from auditlog.layout import UNSHARDED, Layout
from auditlog.policy import Former, Hold, Policy

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NAME_PATTERN = f"^{_NAME.pattern}$"

#: What an org has of each where the platform says nothing.
DEFAULT_KEYS = 100
DEFAULT_EXPORTS = 10
MAX_LIMIT = 10**12


@dataclass(frozen=True, slots=True)
class Limits:
    """What the platform lets an org use; None is as much as it likes.

    `events_per_day` are those of a UTC day, `exports_at_once` those under way,
    `keys` those that were not revoked, expired ones too.
    """

    events_per_day: int | None = None
    exports_at_once: int | None = DEFAULT_EXPORTS
    keys: int | None = DEFAULT_KEYS

    def __post_init__(self) -> None:
        for value in (self.events_per_day, self.exports_at_once, self.keys):
            if value is not None and not 1 <= value <= MAX_LIMIT:
                raise ValueError(f"a limit is 1 to {MAX_LIMIT}, or none")


@dataclass(frozen=True, slots=True)
class Deletion:
    """An org that is being removed, or was. `completed_at` None: some of it is still there."""

    asked_at: int
    asked_by: str
    completed_at: int | None = None
    events: int = 0


@dataclass(frozen=True, slots=True)
class Org:
    """An org and its settings. Times in microseconds; the name is fixed for ever.

    `shards` are the changes of its `Layout`. `version` is that of the settings, as
    their ETag has it; `revision` counts every write. `erased_at` is when an erasure
    was last asked for: where it is there, writers look at whom events were erased of.
    """

    name: str
    retention_days: int | None
    created_at: int
    shards: tuple[tuple[int, int], ...] = UNSHARDED
    hold: Hold | None = None
    purged_before: int = 0
    former: tuple[Former, ...] = ()
    changed_at: int = 0
    carried_from: int = 0
    record_reads: bool = False
    limits: Limits = field(default_factory=Limits)
    version: int = 1
    revision: int = 0
    erased_at: int | None = None
    deletion: Deletion | None = None

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise ValueError(
                "an org's name is 1 to 64 of A-Z a-z 0-9 . _ - and starts with a letter or digit"
            )
        _ = self.policy

    @property
    def layout(self) -> Layout:
        """Over which partitions its log is spread."""
        return Layout(self.name, self.shards)

    @property
    def policy(self) -> Policy:
        """What its log keeps, shows and takes."""
        return Policy(
            self.retention_days,
            self.hold,
            self.purged_before,
            self.former,
            self.changed_at,
            self.carried_from,
        )

    def under(self, policy: Policy) -> "Org":
        """The same org under another policy."""
        return replace(
            self,
            retention_days=policy.retention_days,
            hold=policy.hold,
            purged_before=policy.purged_before,
            former=policy.former,
            changed_at=policy.changed_at,
            carried_from=policy.carried_from,
        )


def is_name(text: str) -> bool:
    """Whether `text` can name an org."""
    return _NAME.fullmatch(text) is not None
