"""The control table as the command uses it: with AWS credentials, where nobody has a key.

The API has no say in what is done so; `telling` has the log of the org tell of it.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from auditlog import clock
from auditlog.cli import aws
from auditlog.cli.connection import Connection
from auditlog.cli.failures import CommandError, UsageError
from auditlog.errors import StoreError, UnavailableError
from auditlog.keys import MAX_NAME_LENGTH

if TYPE_CHECKING:
    from auditlog.keys import Key
    from auditlog.orgs import Org
    from auditlog.store.control import ControlStore


def control(connection: Connection) -> "ControlStore":
    """The control table of the stack."""
    from auditlog.store.control import ControlStore  # noqa: PLC0415 -- --help does without boto3

    return ControlStore(aws.dynamodb(connection.stack), connection.named("control_table"))


def found(store: "ControlStore", name: str) -> "Org":
    """The org of that name. Raises `CommandError` where there is none, or none any more."""
    org = any_org(store, name)
    if org.deletion is not None:
        raise absent(name)
    return org


def any_org(store: "ControlStore", name: str) -> "Org":
    """As `found`, and also one that is being deleted, or was."""
    from auditlog import orgs  # noqa: PLC0415 -- --help does without pydantic

    with translated():
        org = store.any_org(name) if orgs.is_name(name) else None
    if org is None:
        raise absent(name)
    return org


@contextmanager
def translated() -> Generator[None]:
    """Turns what the store raises into a `CommandError`."""
    try:
        yield
    except (StoreError, UnavailableError) as error:
        raise CommandError(
            f"AWS: {error}", hint="Check the credentials, the region and the stack's name."
        ) from None


def absent(name: str) -> CommandError:
    """That there is no such org."""
    return CommandError(
        f"There is no org {name}.", hint="`auditlog org create` makes one. Is it this stack?"
    )


def key_name(text: str) -> str:
    """The name of a new key. Raises `UsageError` where it is empty or too long."""
    if not 1 <= len(text) <= MAX_NAME_LENGTH:
        raise UsageError(f"a key's name has 1 to {MAX_NAME_LENGTH} characters")
    return text


def expiry(text: str | None, now: int) -> int | None:
    """When a new key expires, or None. Raises `UsageError` where it would never be good."""
    if text is None:
        return None
    try:
        at = clock.parse_bound(text)
    except ValueError as error:
        raise UsageError(f"--expires-at: {error}") from None
    if at <= now:
        raise UsageError("--expires-at: a time that has passed already")
    return at


def shown(key: "Key") -> dict[str, Any]:
    """A key as the API shows it."""
    return {
        "id": key.id,
        "name": key.name,
        "grants": [grant.value for grant in key.grants],
        "created_at": clock.text(key.created_at),
        "expires_at": _time(key.expires_at),
        "last_used_at": _time(key.used_at),
        "replaced_by": key.replaced_by,
    }


def _time(moment: int | None) -> str | None:
    return None if moment is None else clock.text(moment)
