"""The first step of an org: itself and its first admin key; and the platform's own keys."""

import secrets

from auditlog import keys
from auditlog.keys import MintedKey
from auditlog.layout import Layout
from auditlog.orgs import Limits, Org
from auditlog.store.control import ControlStore

_FIRST_KEY_NAME = "first admin key"


def new_org(
    name: str,
    *,
    retention_days: int | None,
    now: int,
    shards: int = 1,
    limits: Limits | None = None,
) -> tuple[Org, MintedKey]:
    """An org and a key with every grant, not stored yet.

    `now` in microseconds. Raises `ValueError` where the name, the retention, a limit or
    the number of shards breaks a rule.
    """
    changes = Layout(name, ((0, shards),)).changes
    org = Org(name, retention_days, now, changes, limits=limits or Limits())
    minted = keys.mint(
        name,
        _FIRST_KEY_NAME,
        keys.ALL_GRANTS,
        now=now,
        expires_at=None,
        random=secrets.token_bytes,
    )
    return org, minted


def create_org(
    control: ControlStore,
    name: str,
    *,
    retention_days: int | None,
    now: int,
    shards: int = 1,
) -> MintedKey:
    """Makes the org and a key with every grant; both or neither.

    As `new_org`; raises `ConflictError` where the org exists. The secret of the key is
    in the answer and nowhere else.
    """
    org, minted = new_org(name, retention_days=retention_days, now=now, shards=shards)
    control.create_org(org, minted.key)
    return minted


def create_platform_key(
    control: ControlStore, name: str, *, now: int, expires_at: int | None
) -> MintedKey:
    """Makes a key of the platform itself, which manages orgs and reads no log."""
    minted = keys.mint(
        keys.PLATFORM,
        name,
        keys.PLATFORM_GRANTS,
        now=now,
        expires_at=expires_at,
        random=secrets.token_bytes,
    )
    control.create_key(minted.key)
    return minted
