"""`auditlog org`: orgs, and the platform's own keys, with AWS credentials instead of a key."""

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditlog import clock, keys
from auditlog.cli import output
from auditlog.cli.commands import deleting, limiting, platform_keys, sharding
from auditlog.cli.connection import connect
from auditlog.cli.control import control, expiry, found, key_name, shown, translated
from auditlog.cli.failures import CommandError, UsageError
from auditlog.cli.options import MOST_SHARDS, AsJson, StackName, Where, examples, grouped
from auditlog.cli.telling import KEY_CREATE, tell
from auditlog.errors import ConflictError

if TYPE_CHECKING:
    from auditlog.orgs import Org

app = typer.Typer(
    help="Make, list, limit and delete orgs. Needs AWS credentials for the control table.",
    no_args_is_help=True,
)


@app.command(
    "create",
    epilog=examples(
        "auditlog org create acme --retention-days 365", "auditlog org create busy --shards 8"
    ),
)
@grouped
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ORG", help="1 to 64 of A-Z a-z 0-9 . _ -")],
    retention_days: Annotated[
        int | None, typer.Option(help="Events older than this go; without it they stay for ever.")
    ] = None,
    shards: Annotated[
        int,
        typer.Option(
            min=1,
            max=MOST_SHARDS,
            help="Partitions for its log. One takes 1,000 write units a second.",
        ),
    ] = 1,
    stack_name: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Make an org and its first admin key, which is shown this once.

    Writes the control table directly: nobody has a key yet who could be asked for one.
    """
    from auditlog import bootstrap  # noqa: PLC0415 -- --help does without boto3

    connection = connect(context, Where(stack_name=stack_name))
    try:
        with translated():
            minted = bootstrap.create_org(
                control(connection),
                name,
                retention_days=retention_days,
                now=clock.now(),
                shards=shards,
            )
    except ValueError as error:
        raise UsageError(str(error)) from None
    except ConflictError as error:
        raise CommandError(
            error.detail,
            hint="An admin of it makes more keys with `auditlog keys create`, and if none has a "
            "key any more, `auditlog org admin-key` makes one.",
        ) from None
    if as_json:
        output.json_line({"org": name, "key_id": minted.id, "secret": minted.secret})
        return
    output.say(minted.secret)
    output.note(
        f"The org {name} exists. Above is its admin key {minted.id}: it is shown this once."
    )
    output.note("Use it with AUDITLOG_KEY, and make narrower ones with `auditlog keys create`.")


@app.command("list", epilog=examples("auditlog org list", "auditlog org list --json"))
@grouped
def list_(context: typer.Context, stack_name: StackName = None, as_json: AsJson = False) -> None:
    """List the orgs by name, those too that were deleted."""
    connection = connect(context, Where(stack_name=stack_name))
    with translated():
        orgs = [_described(org) for org in control(connection).orgs()]
    if as_json:
        for org in orgs:
            output.json_line(org)
        return
    output.table(
        ["Org", "State", "Created", "Retention", "Hold", "Events removed"],
        (
            [
                org["name"],
                org["state"],
                output.moment(org["created_at"]),
                "" if org["state"] == "deleted" else _retention(org["retention_days"]),
                org["hold"] and org["hold"]["reason"],
                org["deletion"] and f"{org['deletion']['events']:,}",
            ]
            for org in orgs
        ),
        empty="No orgs.",
        wraps="Hold",
        spare=["Events removed"],
        brief=_brief,
    )


def _described(org: "Org") -> dict[str, Any]:
    """An org as `--json` shows it: what the API says of it, and what it keeps."""
    hold, deletion = org.hold, org.deletion
    ended = deletion is not None and deletion.completed_at is not None
    return {
        "name": org.name,
        "state": "active" if deletion is None else "deleted" if ended else "deleting",
        "created_at": clock.text(org.created_at),
        "retention_days": org.retention_days,
        "hold": hold and {"reason": hold.reason, "placed_at": clock.text(hold.placed_at)},
        "limits": limiting.named(org.limits),
        "deletion": deletion
        and {
            "requested_at": clock.text(deletion.asked_at),
            "requested_by": deletion.asked_by,
            "completed_at": deletion.completed_at and clock.text(deletion.completed_at),
            "events": deletion.events,
        },
    }


def _retention(days: int | None) -> str:
    return "for ever" if days is None else output.counted(days, "day")


def _brief(row: Mapping[str, str]) -> list[list[str]]:
    return [
        [row["Org"], row["State"]],
        [
            f"created {row['Created']}",
            f"kept {row['Retention']}",
            row["Events removed"] and f"events removed {row['Events removed']}",
        ],
        [row["Hold"] and f"hold: {row['Hold']}"],
    ]


sharding.register(app)
limiting.register(app)
deleting.register(app)


@app.command(
    "admin-key",
    epilog=examples(
        "auditlog org admin-key acme", "auditlog org admin-key acme --name 'for Ann, ticket 4711'"
    ),
)
@grouped
def admin_key(
    context: typer.Context,
    org_name: Annotated[str, typer.Argument(metavar="ORG", help="Whose key it is.")],
    name: Annotated[
        str, typer.Option(help="What the key is for; shown in the list.")
    ] = "admin key of the platform",
    expires_at: Annotated[
        str | None, typer.Option(help="RFC 3339; without it the key does not expire.")
    ] = None,
    stack_name: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Make one more admin key for an org that has lost its own. It is shown this once.

    It is made past the org's limit of keys. The org's log tells of it, and whose credentials they
    were.
    """
    now = clock.now()
    name, until = key_name(name), expiry(expires_at, now)
    connection = connect(context, Where(stack_name=stack_name))
    store = control(connection)
    org = found(store, org_name)
    minted = keys.mint(
        org.name, name, keys.ALL_GRANTS, now=now, expires_at=until, random=secrets.token_bytes
    )
    key = shown(minted.key)
    told = {"grants": key["grants"], "expires_at": key["expires_at"]}
    target = {"type": "key", "id": minted.id, "name": name}
    tell(connection, org.name, KEY_CREATE, minted.id, now, target=target, metadata=told)
    with translated():
        store.create_key(minted.key)
    if as_json:
        output.json_line({"org": org.name, **key, "secret": minted.secret})
        return
    output.say(minted.secret)
    output.note(f"Above is the admin key {minted.id} of {org.name}: it is shown this once.")


platform_keys.register(app)
