"""`auditlog org platform-key`: the platform's own keys, which manage orgs and read no log."""

from typing import Annotated

import typer

from auditlog import clock
from auditlog.cli import output
from auditlog.cli.commands import keys
from auditlog.cli.connection import connect
from auditlog.cli.control import control, expiry, key_name, shown, translated
from auditlog.cli.failures import CommandError
from auditlog.cli.options import AsJson, StackName, Where, examples, grouped
from auditlog.errors import NotFoundError
from auditlog.keys import PLATFORM


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command(
        "platform-key",
        epilog=examples(
            "auditlog org platform-key billing",
            "auditlog org platform-key billing --expires-at 2027-01-31T00:00:00Z",
        ),
    )(create)
    app.command("platform-keys", epilog=examples("auditlog org platform-keys"))(list_)
    app.command(
        "revoke-platform-key", epilog=examples("auditlog org revoke-platform-key 0aB1cD2eF3gH")
    )(revoke)


@grouped
def create(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What the key is for; shown in the list.")
    ],
    expires_at: Annotated[
        str | None, typer.Option(help="RFC 3339; without it the key does not expire.")
    ] = None,
    stack_name: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Make a key with the one grant orgs:manage. Its secret is shown this once.

    It makes, lists, limits and deletes orgs over HTTPS, and reads the log of none.
    """
    from auditlog import bootstrap  # noqa: PLC0415 -- --help does without boto3

    now = clock.now()
    name, until = key_name(name), expiry(expires_at, now)
    connection = connect(context, Where(stack_name=stack_name))
    with translated():
        minted = bootstrap.create_platform_key(control(connection), name, now=now, expires_at=until)
    if as_json:
        output.json_line({**shown(minted.key), "secret": minted.secret})
        return
    output.say(minted.secret)
    output.note(f"Above is the platform's key {minted.id} ({name}): it is shown this once.")


@grouped
def list_(context: typer.Context, stack_name: StackName = None, as_json: AsJson = False) -> None:
    """List the platform's own keys, without their secrets."""
    connection = connect(context, Where(stack_name=stack_name))
    with translated():
        found = [shown(key) for key in control(connection).keys(PLATFORM)]
    if not as_json:
        keys.show(found)
        return
    for key in found:
        output.json_line(key)


@grouped
def revoke(
    context: typer.Context,
    key_id: Annotated[
        str, typer.Argument(metavar="ID", help="The id that `org platform-keys` shows.")
    ],
    stack_name: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Revoke one of the platform's keys. Within a minute nothing takes it any more."""
    connection = connect(context, Where(stack_name=stack_name))
    try:
        with translated():
            control(connection).delete_key(PLATFORM, key_id)
    except NotFoundError:
        raise CommandError(
            f"The platform has no key {key_id}.", hint="`auditlog org platform-keys` lists them."
        ) from None
    if as_json:
        output.json_line({"id": key_id, "revoked": True})
        return
    output.say(f"Revoked {key_id}; within a minute nothing takes it any more.")
