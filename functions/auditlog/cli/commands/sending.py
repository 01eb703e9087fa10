"""What `publish` and `import` share: the way in, the progress bar, the summary."""

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any

import typer

from auditlog.cli import aws, output
from auditlog.cli.batching import MAX_EVENTS, batches
from auditlog.cli.connection import Connection
from auditlog.cli.failures import CommandError
from auditlog.cli.inbox import Inbox
from auditlog.cli.publishing import Door, HttpDoor, Refusal, SqsDoor, Tally
from auditlog.cli.reading import Item, Source, Unreadable

#: How many refused events are listed for a person; `--json` lists all.
MOST_SHOWN = 20

# A message is one unit of work for the recording function, and ten come at once.
_PER_REQUEST, _PER_MESSAGE = 500, 100

#: Makes of an item what is sent, or says why it cannot be.
Prepare = Callable[[Item], Item | Refusal]

Sqs = Annotated[
    bool, typer.Option("--sqs", help="Send to the inbox with AWS credentials, not to the API.")
]
Batch = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=MAX_EVENTS,
        help=f"At most this many events at once; {_PER_REQUEST}, or {_PER_MESSAGE} with --sqs.",
    ),
]


def door(connection: Connection, *, sqs: bool, keep_answers: bool = False) -> Door:
    """The API, or the inbox."""
    if not sqs:
        return HttpDoor(connection.api(), connection.org, keep_answers=keep_answers)
    outside = connection.outside
    client = aws.sqs(connection.stack)
    url = connection.named("queue_url")
    inbox = Inbox(client, url, connection.org, sleep=outside.sleep, jitter=outside.jitter)
    return SqsDoor(inbox)


def send(
    source: Source,
    way: Door,
    prepare: Prepare,
    batch: int | None,
    *,
    from_line: int = 1,
    after_break: str,
) -> None:
    """Sends everything, and says how far it came where it breaks off.

    What begins before `from_line` is neither sent nor counted. `after_break` is what to do about
    what was not sent; `{line}` in it is the line to go on with.
    """
    most = batch or (_PER_MESSAGE if way.tally.recorded is None else _PER_REQUEST)
    with output.progress(of_bytes=source.size is not None) as bar:
        task = bar.add_task("sending", total=source.size, note="")
        try:
            found = (item for item in source.items() if item.line >= from_line)
            for part in batches(_prepared(found, way, prepare), most, way.room):
                way.send(part)
                sent = output.counted(way.tally.sent, "event")
                bar.update(task, completed=source.position, note=sent)
            way.finish()
        except CommandError as error:
            tally = way.tally
            error.places = (*error.places, f"{_were_sent(tally)} before that")
            if tally.sent:
                error.hint = f"{error.hint} {after_break.format(line=tally.last_line + 1)}".strip()
            raise
        except KeyboardInterrupt:
            output.note(f"{_were_sent(way.tally)}, up to line {way.tally.last_line}.")
            raise


def report(way: Door, *, as_json: bool, answers: bool = False) -> None:
    """Prints the summary; exits with 1 where an event was refused."""
    tally = way.tally
    tally.refused.sort(key=lambda refusal: refusal.line)
    if as_json:
        listed: dict[str, Any] = {"events": tally.answers} if answers else {}
        output.json_line({**tally.summary(), **listed})
    else:
        _describe(way)
    if tally.refused:
        raise typer.Exit(1)


def _describe(way: Door) -> None:
    tally = way.tally
    refused = f", refused {len(tally.refused):,}"
    if tally.recorded is None:
        output.say(f"read {tally.read:,}: sent {tally.sent:,}{refused}")
        output.note(
            "That is all that can be known here: the inbox takes messages unread. What cannot "
            "be recorded appears in `auditlog rejects list`."
        )
    else:
        counts = f"recorded {tally.recorded:,}, duplicates {tally.duplicates:,}"
        output.say(f"read {tally.read:,}: {counts}{refused}")
    for refusal in tally.refused[:MOST_SHOWN]:
        for reason in refusal.reasons:
            output.note(f"line {refusal.line}: {reason}")
    if len(tally.refused) > MOST_SHOWN:
        output.note(f"and {len(tally.refused) - MOST_SHOWN:,} more; --json lists all of them")


def _were_sent(tally: Tally) -> str:
    return f"{output.counted(tally.sent, 'event')} {'was' if tally.sent == 1 else 'were'} sent"


def _prepared(found: Iterable[Item | Unreadable], way: Door, prepare: Prepare) -> Iterator[Item]:
    for item in found:
        ready = prepare(item) if isinstance(item, Item) else Refusal(item.line, [item.reason])
        way.tally.read += 1
        if isinstance(ready, Item):
            yield ready
        else:
            way.tally.refused.append(ready)
