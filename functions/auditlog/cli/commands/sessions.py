"""`auditlog sessions`: links to the console that are for one person, and for a short time."""

from typing import Annotated, Any

import typer

from auditlog import clock
from auditlog.cli import output
from auditlog.cli.connection import connect
from auditlog.cli.options import As, AsJson, Where, examples, grouped
from auditlog.keys import DEFAULT_SESSION_MINUTES, SESSION_MINUTES

app = typer.Typer(
    help="Open, list and end read-only sessions in the console. Needs the grant org:admin.",
    no_args_is_help=True,
)


@app.command(
    "open",
    epilog=examples(
        "auditlog sessions open usr_17 --name 'Ada Lovelace'",
        "auditlog sessions open usr_17 --minutes 480 --as ann",
    ),
)
@grouped
def open_(
    context: typer.Context,
    person_id: Annotated[
        str, typer.Argument(metavar="PERSON_ID", help="Whom it is for; the log names them by it.")
    ],
    where: Where,
    name: Annotated[str | None, typer.Option(help="What the person is called.")] = None,
    minutes: Annotated[
        int,
        typer.Option(
            min=SESSION_MINUTES[0], max=SESSION_MINUTES[-1], help="For how long it is good."
        ),
    ] = DEFAULT_SESSION_MINUTES,
    acting_as: As = None,
    as_json: AsJson = False,
) -> None:
    """Open a session, and print its token, which is sent as a key is, and its link to the console.

    Both are shown this once. Whoever has one reads the log until the session ends, and can do
    nothing else. What they do is recorded as done by the person.
    """
    connection = connect(context, where)
    person = {"id": person_id} if name is None else {"id": person_id, "name": name}
    api = connection.api(acting_as)
    made = api.open_session(connection.org, {"actor": person, "minutes": minutes})
    if as_json:
        output.json_line(made)
        return
    output.say(made["token"])
    output.note(
        f"Above is the token for {name or person_id}, good until "
        f"{output.moment(made['expires_at'])}: it is shown this once."
    )
    output.note(f"In the console: {connection.api_url}{made['link']}")
    output.note(f"`auditlog sessions end {made['id']}` ends it before.")


@app.command("list", epilog=examples("auditlog sessions list --json"))
@grouped
def list_(
    context: typer.Context, where: Where, acting_as: As = None, as_json: AsJson = False
) -> None:
    """List the sessions, without their tokens; those that are over are listed for a day."""
    connection = connect(context, where)
    found = connection.api(acting_as).sessions(connection.org)
    if as_json:
        for session in found:
            output.json_line(session)
        return
    now = clock.now()
    output.table(
        ["ID", "For", "Name", "Opened", "Ends", "State"],
        (
            [
                session["id"],
                session["actor"]["id"],
                session["actor"].get("name"),
                output.moment(session["created_at"]),
                output.moment(session["expires_at"]),
                _state(session, now),
            ]
            for session in found
        ),
        empty="No sessions.",
        spare=["Name"],
        brief=lambda row: [
            [row["ID"], row["State"]],
            [f"for {row['For']}", row["Name"]],
            [f"opened {row['Opened']}", f"ends {row['Ends']}"],
        ],
    )


def _state(session: dict[str, Any], now: int) -> str:
    return "open" if now < clock.parse(session["expires_at"]) else "over"


@app.command("end", epilog=examples("auditlog sessions end 0aB1cD2eF3gH"))
@grouped
def end(
    context: typer.Context,
    session_id: Annotated[
        str, typer.Argument(metavar="ID", help="The id that `sessions list` shows.")
    ],
    where: Where,
    acting_as: As = None,
    as_json: AsJson = False,
) -> None:
    """End a session. Within a minute its link opens nothing any more."""
    connection = connect(context, where)
    connection.api(acting_as).end_session(connection.org, session_id)
    if as_json:
        output.json_line({"id": session_id, "ended": True})
        return
    output.say(f"Ended {session_id}; within a minute its link opens nothing any more.")
