"""The first step of an org: itself and its first admin key, made with AWS credentials."""

import secrets

from auditlog import keys
from auditlog.keys import MintedKey
from auditlog.layout import Layout
from auditlog.orgs import Org
from auditlog.store.control import ControlStore

_FIRST_KEY_NAME = "first admin key"


def create_org(
    control: ControlStore,
    name: str,
    *,
    retention_days: int | None,
    now: int,
    shards: int = 1,
) -> MintedKey:
    """Makes the org and a key with every grant; both or neither.

    `now` in microseconds. Raises `ValueError` where the name, the retention or the
    number of shards breaks a rule, `ConflictError` where the org exists. The secret
    of the key is in the answer and nowhere else.
    """
    org = Org(name, retention_days, now, Layout(name, ((0, shards),)).changes)
    minted = keys.mint(
        name,
        _FIRST_KEY_NAME,
        keys.ALL_GRANTS,
        now=now,
        expires_at=None,
        random=secrets.token_bytes,
    )
    control.create_org(org, minted.key)
    return minted
