"""`auditlog erasures`: having the records of a person, or of a thing, removed."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditlog.cli import output
from auditlog.cli.asking import Yes, confirm
from auditlog.cli.connection import Connection, connect
from auditlog.cli.failures import CommandError, UsageError
from auditlog.cli.options import As, AsJson, Where, examples, grouped

if TYPE_CHECKING:
    from auditlog.cli.client import Api

app = typer.Typer(
    help="Erase the records of all events of an actor, or on a target. Needs the grant org:admin.",
    no_args_is_help=True,
)

# Writers that do not know of it yet have two minutes, so there is no hurry.
_FIRST_LOOK, _LAST_LOOK = 1.0, 10.0


@app.command(
    "request",
    epilog=examples(
        "auditlog erasures request --actor usr_17 --reason 'ticket 4711' --wait",
        "auditlog erasures request --target user/usr_17 --reason 'ticket 4711'",
    ),
)
@grouped
def request(
    context: typer.Context,
    reason: Annotated[
        str, typer.Option(help="Why; it stays in the log, so it must not name them.")
    ],
    where: Where,
    actor: Annotated[
        str | None, typer.Option(metavar="ID", help="Erase the events of this actor.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="[TYPE/]ID",
            help="Erase the events on this target: of its type, or of whatever type it is.",
        ),
    ] = None,
    any_type: Annotated[
        bool, typer.Option("--any-type", help="What --target says is an id, also with a slash.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until it is done; a few minutes at the least.")
    ] = False,
    yes: Yes = False,
    acting_as: As = None,
    as_json: AsJson = False,
) -> None:
    """Erase the records of all events of an actor, or on a target. Nothing brings them back.

    What is left of an event is its type, its time, its id and the hash of its record. Not reached
    are downloads that were made before, which are listed at the end, and backups of the tables,
    which live for up to 35 days.
    """
    subject, said = _subject(actor, target, any_type=any_type)
    connection = connect(context, where)
    api = connection.api(acting_as)
    question = f"Erase the records of all events {said} in {connection.org}, for ever?"
    confirm(connection.outside.ask, question, yes=yes)
    made = api.request_erasure(connection.org, {**subject, "reason": reason})
    if wait:
        made = _until_done(connection, api, made)
    _tell(made, as_json=as_json)
    if not wait and not as_json:
        output.note(f"It is being done: `auditlog erasures show {made['id']}` says how far it is.")


@app.command("list", epilog=examples("auditlog erasures list"))
@grouped
def list_(
    context: typer.Context, where: Where, acting_as: As = None, as_json: AsJson = False
) -> None:
    """List the newest 100 erasures, newest first; never whom they were of."""
    connection = connect(context, where)
    found = connection.api(acting_as).erasures(connection.org)
    if as_json:
        for entry in found:
            output.json_line(entry)
        return
    output.table(
        ["ID", "State", "Of", "Events", "Asked for by", "Created", "Completed", "Reason"],
        (
            [
                entry["id"],
                entry["state"],
                entry["of"],
                entry["events"],
                entry["requested_by"],
                output.moment(entry["created_at"]),
                output.moment(entry["completed_at"]),
                entry["reason"],
            ]
            for entry in found
        ),
        empty="No erasures.",
        wraps="Reason",
        brief=lambda row: [
            [row["ID"], row["State"], f"of {row['Of']}", f"events {row['Events']}"],
            [
                f"asked for by {row['Asked for by']}",
                f"created {row['Created']}",
                row["Completed"] and f"completed {row['Completed']}",
            ],
            [row["Reason"]],
        ],
    )


@app.command("show", epilog=examples("auditlog erasures show 00065d3c1f2a4b5c8f0e1d2c"))
@grouped
def show(
    context: typer.Context,
    erasure_id: Annotated[
        str, typer.Argument(metavar="ID", help="The id that `erasures list` shows.")
    ],
    where: Where,
    acting_as: As = None,
    as_json: AsJson = False,
) -> None:
    """Show how far an erasure is, and which downloads may still hold what was erased."""
    connection = connect(context, where)
    found = connection.api(acting_as).erasure(connection.org, erasure_id)
    if as_json:
        output.json_line(found)
    else:
        _show(found)


def _subject(
    actor: str | None, target: str | None, *, any_type: bool
) -> tuple[dict[str, Any], str]:
    """What the API is asked for, and how a person says it."""
    if (actor is None) == (target is None):
        raise UsageError("say whose events: --actor ID or --target [TYPE/]ID, one of the two")
    if any_type and target is None:
        raise UsageError("--any-type goes with --target")
    if target is None:
        return {"actor": actor}, f"of the actor {actor}"
    kind, slash, rest = target.partition("/")
    if any_type or not slash:
        return {"target": {"id": target}}, f"on the target {target} of any type"
    if not kind or not rest:
        raise UsageError(
            f"--target: {target!r} lacks the type or the id",
            hint="An id with a slash, of any type, needs --any-type.",
        )
    return {"target": {"id": rest, "type": kind}}, f"on the target {rest} of the type {kind}"


def _until_done(connection: Connection, api: "Api", erasure: dict[str, Any]) -> dict[str, Any]:
    """The erasure once it is completed or failed."""
    pause = _FIRST_LOOK
    output.note(f"The erasure {erasure['id']} takes a few minutes at the least.")
    try:
        with output.progress(endless=True) as bar:
            task = bar.add_task("erasing", total=None, note="")
            while erasure["state"] == "running":
                bar.update(task, note=output.counted(erasure["events"], "event"))
                connection.outside.sleep(pause)
                pause = min(_LAST_LOOK, pause * 1.5)
                erasure = api.erasure(connection.org, erasure["id"])
    except KeyboardInterrupt:
        output.note(f"The erasure goes on: auditlog erasures show {erasure['id']}")
        raise
    return erasure


def _tell(erasure: dict[str, Any], *, as_json: bool) -> None:
    """What became of it; raises `CommandError` where it failed."""
    if as_json:
        output.json_line(erasure)
    else:
        _show(erasure)
    if erasure["state"] == "failed":
        raise CommandError(
            f"the erasure {erasure['id']} failed: {erasure['error']}",
            hint="What it had erased by then stays erased. Ask for it once more.",
        )


def _show(erasure: dict[str, Any]) -> None:
    downloads = erasure["exports"]
    pairs = [
        ("ID", erasure["id"]),
        ("State", erasure["state"]),
        ("Of", erasure["of"]),
        ("Events", f"{erasure['events']:,}"),
        ("Asked for by", erasure["requested_by"]),
        ("Created", output.moment(erasure["created_at"])),
        ("Completed", output.moment(erasure["completed_at"])),
        ("Error", erasure["error"]),
        ("Reason", erasure["reason"]),
        ("Downloads that may hold them", downloads),
    ]
    output.facts((name, value) for name, value in pairs if value)
