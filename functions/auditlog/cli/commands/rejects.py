"""`auditlog rejects`: what could not be recorded, and sending it once more."""

import dataclasses
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from auditlog.cli import aws, output
from auditlog.cli.connection import connect
from auditlog.cli.options import AsJson, Where, grouped
from auditlog.cli.rejects import Queue, RejectQueue, Returned, redrive

app = typer.Typer(
    help="Look at what could not be recorded, and send it once more. Needs AWS credentials.",
    no_args_is_help=True,
)


class Which(StrEnum):
    """Of which queue."""

    REJECTS = "rejects"
    DLQ = "dlq"
    BOTH = "both"


_QUEUES: dict[Which, Sequence[Queue]] = {
    Which.REJECTS: [Queue.REJECTS],
    Which.DLQ: [Queue.DLQ],
    Which.BOTH: [Queue.REJECTS, Queue.DLQ],
}

FromQueue = Annotated[
    Which,
    typer.Option(
        "--queue",
        help="rejects: what can never be recorded as it is. dlq: what failed again and again.",
    ),
]


@app.command("list", epilog="Example: auditlog rejects list --queue dlq")
@grouped
def list_(
    context: typer.Context,
    where: Where,
    which: FromQueue = Which.BOTH,
    limit: Annotated[int, typer.Option(min=1, help="At most this many of each queue.")] = 100,
    with_body: Annotated[
        bool,
        typer.Option("--body", help="With the message itself, which may hold full addresses."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List what could not be recorded, with the reason. Nothing is removed."""
    connection = connect(context, where)
    client = aws.sqs(connection.stack)
    rows: list[dict[str, Any]] = []
    for queue in _QUEUES[which]:
        waiting = RejectQueue(client, queue, connection.named(queue.value))
        total = waiting.count()
        with waiting.looking(limit) as rejects:
            found = [
                {**reject.summary(), **({"body": reject.body} if with_body else {})}
                for reject in rejects
            ]
        rows += found
        if total > len(found):
            output.note(
                f"{queue.name.lower()}: {len(found)} of about {total} are shown; see --limit"
            )
    if as_json:
        for row in rows:
            output.json_line(row)
        return
    columns = ["queue", "org", "reason", "sent_at", "events", "bytes"]
    columns += ["body"] if with_body else []
    output.table(columns, ([_shown(row, name) for name in columns] for row in rows))


def _shown(row: dict[str, Any], column: str) -> object:
    """A cell; the reason comes with the places that it names."""
    if column != "reason":
        return row[column]
    places = [f"{fault.get('pointer', '')}: {fault.get('detail', '')}" for fault in row["errors"]]
    return " ".join([row["reason"], *places])


@app.command("redrive", epilog="Example: auditlog rejects redrive --queue dlq")
@grouped
def redrive_(
    context: typer.Context,
    where: Where,
    which: FromQueue = Which.BOTH,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most this many of each queue; all by default.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send them back to the inbox, with the time at which they were first sent.

    A message is removed here only once the inbox has it. Do it after what was wrong is mended:
    the org made, the event type added, the fault behind the DLQ gone.
    """
    connection = connect(context, where)
    client = aws.sqs(connection.stack)
    inbox_url = connection.named("queue_url")
    again = 0
    for queue in _QUEUES[which]:
        waiting = RejectQueue(client, queue, connection.named(queue.value))
        returned: Returned = redrive(client, waiting, inbox_url, limit)
        again += returned.again
        if as_json:
            output.json_line({"queue": queue.name.lower(), **dataclasses.asdict(returned)})
        else:
            output.say(
                f"{queue.name.lower()}: sent back {returned.messages:,} messages with "
                f"{returned.events:,} events"
            )
    if again:
        output.note(f"Rejected once more: {again}. See `auditlog rejects list`.")
        raise typer.Exit(1)
