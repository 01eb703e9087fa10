"""`auditlog keys`: the keys of an org."""

from typing import Annotated, Any

import typer

from auditlog.cli import output
from auditlog.cli.connection import connect
from auditlog.cli.options import As, AsJson, Where, examples, grouped

app = typer.Typer(
    help="Make, list and revoke keys. Needs the grant org:admin.", no_args_is_help=True
)


@app.command(
    "create",
    epilog=examples("auditlog keys create billing-service --grant events:write"),
)
@grouped
def create(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What the key is for; shown in the list.")
    ],
    grant: Annotated[
        list[str],
        typer.Option(
            help="events:write, events:read, exports:create or org:admin; as often as needed."
        ),
    ],
    where: Where,
    expires_at: Annotated[
        str | None, typer.Option(help="RFC 3339; without it the key does not expire.")
    ] = None,
    acting_as: As = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. Its secret is shown this once."""
    connection = connect(context, where)
    request: dict[str, Any] = {"name": name, "grants": grant}
    if expires_at:
        request["expires_at"] = expires_at
    made = connection.api(acting_as).create_key(connection.org, request)
    if as_json:
        output.json_line(made)
        return
    output.say(made["secret"])
    output.note(f"Above is the key {made['id']} ({made['name']}): it is shown this once.")


@app.command("list", epilog=examples("auditlog keys list --json"))
@grouped
def list_(
    context: typer.Context, where: Where, acting_as: As = None, as_json: AsJson = False
) -> None:
    """List the keys, without their secrets."""
    connection = connect(context, where)
    found = connection.api(acting_as).keys(connection.org)
    if as_json:
        for key in found:
            output.json_line(key)
        return
    output.table(
        ["ID", "Name", "Grants", "Created", "Expires"],
        (
            [
                key["id"],
                key["name"],
                key["grants"],
                output.moment(key["created_at"]),
                output.moment(key.get("expires_at")),
            ]
            for key in found
        ),
        empty="No keys.",
        brief=lambda row: [
            [row["ID"], row["Name"]],
            [row["Grants"]],
            [f"created {row['Created']}", row["Expires"] and f"expires {row['Expires']}"],
        ],
    )


@app.command("revoke", epilog=examples("auditlog keys revoke 0aB1cD2eF3gH"))
@grouped
def revoke(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The id that `keys list` shows.")],
    where: Where,
    acting_as: As = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a key. Within a minute nothing takes it any more."""
    connection = connect(context, where)
    connection.api(acting_as).revoke_key(connection.org, key_id)
    if as_json:
        output.json_line({"id": key_id, "revoked": True})
        return
    output.say(f"Revoked {key_id}; within a minute nothing takes it any more.")
