"""`auditlog keys`: the keys of an org."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from auditlog.cli import output
from auditlog.cli.connection import connect
from auditlog.cli.options import As, AsJson, Where, examples, grouped
from auditlog.cli.spans import seconds

app = typer.Typer(
    help="Make, list, rotate and revoke keys. Needs the grant org:admin.", no_args_is_help=True
)

# Of a time that is known to the hour.
_MINUTES = re.compile(":[0-9:.]+(?=Z$)")

KeyId = Annotated[str, typer.Argument(metavar="ID", help="The id that `keys list` shows.")]


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
    """List the keys, without their secrets: what they may do, and in which hour they last did."""
    connection = connect(context, where)
    found = connection.api(acting_as).keys(connection.org)
    if as_json:
        for key in found:
            output.json_line(key)
        return
    show(found)


def show(found: Sequence[Mapping[str, Any]]) -> None:
    """A table of keys, as the API answers them."""
    output.table(
        ["ID", "Name", "Grants", "Created", "Expires", "Last used", "Replaced by"],
        (
            [
                key["id"],
                key["name"],
                key["grants"],
                output.moment(key["created_at"]),
                output.moment(key["expires_at"]),
                _hour(key["last_used_at"]),
                key["replaced_by"],
            ]
            for key in found
        ),
        empty="No keys.",
        brief=_brief,
        spare=["Created"],
    )


def _brief(row: Mapping[str, str]) -> Sequence[Sequence[str]]:
    return [
        [row["ID"], row["Name"]],
        [row["Grants"]],
        [
            f"created {row['Created']}",
            row["Expires"] and f"expires {row['Expires']}",
            "never used" if row["Last used"] == "never" else f"last used {row['Last used']}",
            row["Replaced by"] and f"replaced by {row['Replaced by']}",
        ],
    ]


def _hour(moment: str | None) -> str:
    """The hour, and no more than that is known; without a use, that there was none."""
    return "never" if moment is None else _MINUTES.sub("", moment)


@app.command(
    "rotate",
    epilog=examples(
        "auditlog keys rotate 0aB1cD2eF3gH", "auditlog keys rotate 0aB1cD2eF3gH --overlap 7d"
    ),
)
@grouped
def rotate(
    context: typer.Context,
    key_id: KeyId,
    where: Where,
    overlap: Annotated[
        str,
        typer.Option(
            metavar="SPAN",
            help="For how long the old one is still good: 24h, 30m, 7d or 0; 30 days at most.",
        ),
    ] = "24h",
    expires_at: Annotated[
        str | None, typer.Option(help="RFC 3339; without it the new one does not expire.")
    ] = None,
    acting_as: As = None,
    as_json: AsJson = False,
) -> None:
    """Make a key with the same name and grants, and let this one expire after an overlap.

    The secret of the new one is shown this once. Put it in the old one's place within the overlap.
    """
    request: dict[str, Any] = {"overlap_seconds": seconds(overlap, "--overlap")}
    if expires_at:
        request["expires_at"] = expires_at
    connection = connect(context, where)
    made = connection.api(acting_as).rotate_key(connection.org, key_id, request)
    if as_json:
        output.json_line(made)
        return
    output.say(made["secret"])
    output.note(f"Above is the key {made['id']} ({made['name']}): it is shown this once.")
    ends = (
        f"is good for {overlap} more, unless it expires before"
        if request["overlap_seconds"]
        else "has expired; within a minute nothing takes it any more"
    )
    output.note(f"{key_id}, which it replaces, {ends}.")


@app.command("revoke", epilog=examples("auditlog keys revoke 0aB1cD2eF3gH"))
@grouped
def revoke(
    context: typer.Context,
    key_id: KeyId,
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
