"""`auditlog publish`: events from a file or standard input."""

import json
from collections.abc import Callable
from typing import Annotated, cast

import typer

from auditlog.cli.commands.sending import Batch, Prepare, Sqs, door, report, send
from auditlog.cli.connection import connect
from auditlog.cli.options import AsJson, Where, examples, grouped
from auditlog.cli.publishing import Refusal
from auditlog.cli.reading import Item, opened

_AFTER_BREAK = (
    "Events without a `key` of their own were given one; do not send the whole file again, or "
    "they are recorded twice. Go on with --from-line {line}."
)
_AFTER_BREAK_OWN = "Sending the whole file again is safe: what is recorded counts as a duplicate."


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        "publish",
        epilog=examples(
            "auditlog publish events.ndjson",
            "tail -n 100 events.ndjson | auditlog publish",
            "auditlog publish --sqs events.ndjson.gz",
        ),
    )(publish)


@grouped
def publish(
    context: typer.Context,
    where: Where,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="A file, or - for stdin.")] = "-",
    sqs: Sqs = False,
    batch: Batch = None,
    no_key: Annotated[
        bool,
        typer.Option("--no-key", help="Do not add a random `key` to events that have none."),
    ] = False,
    from_line: Annotated[
        int, typer.Option(min=1, help="Leave out what begins before this line.")
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Publish events: one JSON object, an array, an {"events": [...]} body, or NDJSON.

    Plain or gzip. An event without `key` is given a random one, once, before it is first sent:
    every attempt of this run then sends the same event, which is recorded once, and two events
    that look alike stay two. Running the command again makes new keys, and so new events; give
    events a `key` of your own, or use --no-key, for files that may be sent again.
    """
    connection = connect(context, where)
    way = door(connection, sqs=sqs, keep_answers=as_json)
    new_key = None if no_key else connection.outside.new_key
    after = _AFTER_BREAK_OWN if no_key else _AFTER_BREAK
    with opened(file) as source:
        send(source, way, _keyed(new_key), batch, from_line=from_line, after_break=after)
    report(way, as_json=as_json, answers=not sqs)


def _keyed(new_key: Callable[[], str] | None) -> Prepare:
    def prepare(item: Item) -> Item | Refusal:
        return item if new_key is None else with_key(item, new_key)

    return prepare


def with_key(item: Item, new_key: Callable[[], str]) -> Item:
    """The event with a `key` in front of its other members, where it has none. Else as it is."""
    event: object = json.loads(item.text)
    if not isinstance(event, dict) or "key" in event:
        return item
    rest = item.text.lstrip()[1:]
    comma = "," if cast("dict[str, object]", event) else ""
    return Item(item.line, f'{{"key":{json.dumps(new_key())}{comma}{rest}')
