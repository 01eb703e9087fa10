"""`auditlog rejects`: what could not be recorded, and sending it once more."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, cast

import typer

from auditlog.cli import aws, output
from auditlog.cli.connection import connect
from auditlog.cli.options import AsJson, StackName, Where, examples, grouped
from auditlog.cli.rejects import Queue, Reject, RejectQueue, Returned, redrive

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

_COLUMNS = ["Sent", "Queue", "Org", "Message ID", "Events", "Bytes", "Reason"]
_LOOKED_AT = "somebody else is looking at the others"

FromQueue = Annotated[
    Which,
    typer.Option(
        "--queue",
        help="rejects: what can never be recorded as it is. dlq: what failed again and again.",
    ),
]


@app.command("list", epilog=examples("auditlog rejects list --queue dlq"))
@grouped
def list_(
    context: typer.Context,
    which: FromQueue = Which.BOTH,
    limit: Annotated[int, typer.Option(min=1, help="At most this many of each queue.")] = 100,
    with_body: Annotated[
        bool,
        typer.Option("--body", help="With the message itself, which may hold full addresses."),
    ] = False,
    stack_name: StackName = None,
    as_json: AsJson = False,
) -> None:
    """List what could not be recorded, with the reason. Nothing is removed."""
    connection = connect(context, Where(stack_name=stack_name))
    client = aws.sqs(connection.stack)
    rows: list[dict[str, Any]] = []
    hidden = 0
    for queue in _QUEUES[which]:
        waiting = RejectQueue(client, queue, connection.named(queue.value))
        total = waiting.count()
        with waiting.looking(limit) as rejects:
            found = [
                {**reject.summary(), **({"body": reject.body} if with_body else {})}
                for reject in rejects
            ]
        rows += found
        hidden += max(0, total - len(found))
        if total > len(found):
            why = "see --limit" if len(found) == limit else _LOOKED_AT
            output.note(f"{queue.name.lower()}: {len(found)} of about {total} are shown; {why}")
    if as_json:
        for row in rows:
            output.json_line(row)
        return
    if not rows and hidden:
        return
    columns = [*_COLUMNS, *(["Body"] if with_body else [])]
    output.table(
        columns,
        ([_shown(row, name) for name in columns] for row in rows),
        empty="Nothing is rejected.",
        brief=_brief,
        wraps="Reason",
    )


def _shown(row: dict[str, Any], column: str) -> object:
    """A cell; the reason comes with the places that it names."""
    match column:
        case "Message ID":
            return row["message_id"]
        case "Sent":
            return output.moment(row["sent_at"])
        case "Reason":
            return " ".join([row["reason"], *map(_place, row["errors"])])
        case _:
            return row[column.lower()]


def _place(fault: object) -> str:
    """An entry of `errors`, which whoever sent the message may have written as they liked."""
    if not isinstance(fault, dict):
        return str(fault)
    entry = cast("dict[str, Any]", fault)
    return f"{entry.get('pointer', '')}: {entry.get('detail', '')}"


def _brief(row: Mapping[str, str]) -> Sequence[Sequence[str]]:
    events, size = row["Events"], row["Bytes"]
    return [
        [row["Sent"], row["Message ID"]],
        [row["Queue"], row["Org"], events and f"events {events}", f"bytes {size}"],
        [row["Reason"]],
        [row.get("Body", "")],
    ]


@app.command("redrive", epilog=examples("auditlog rejects redrive --queue dlq"))
@grouped
def redrive_(
    context: typer.Context,
    which: FromQueue = Which.BOTH,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most this many of each queue; all by default.")
    ] = None,
    stack_name: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Send them back to the inbox, with the time at which they were first sent.

    A message is removed here only once the inbox has it. Do it after what was wrong is mended:
    the org made, the event type added, the fault behind the DLQ gone.
    """
    connection = connect(context, Where(stack_name=stack_name))
    client = aws.sqs(connection.stack)
    inbox_url = connection.named("queue_url")
    again: list[Reject] = []
    for queue in _QUEUES[which]:
        waiting = RejectQueue(client, queue, connection.named(queue.value))
        returned = redrive(client, waiting, inbox_url, limit)
        again += returned.again
        if as_json:
            output.json_line({"queue": queue.name.lower(), **returned.summary()})
        else:
            _describe(waiting, queue.name.lower(), returned)
    if again:
        output.note(f"{output.counted(len(again), 'message')} came back:")
        for reject in again:
            reason = " ".join([reject.reason, *map(_place, reject.errors)])
            output.note(f"  {reject.message_id}: {reason}")
        raise typer.Exit(1)


def _describe(waiting: RejectQueue, name: str, returned: Returned) -> None:
    if returned.messages:
        events = f" with {output.counted(returned.events, 'event')}" if returned.events else ""
        output.say(f"{name}: sent back {output.counted(returned.messages, 'message')}{events}")
    elif waiting.count():
        output.note(f"{name}: nothing to send back now; {_LOOKED_AT}")
    else:
        output.note(f"{name}: nothing waits")
