"""`auditlog import`: records of another log, as events."""

import json
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import typer

from auditlog.cli.commands.sending import Batch, Sqs, door, report, send
from auditlog.cli.connection import connect
from auditlog.cli.options import AsJson, Where, examples, grouped
from auditlog.cli.publishing import Refusal
from auditlog.cli.reading import Item, opened

_AFTER_BREAK = "Importing the whole file again is safe: what is recorded counts as a duplicate."


class Origin(StrEnum):
    """Whose records they are."""

    CLOUDTRAIL = "cloudtrail"
    HF = "hf"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        "import",
        epilog=examples(
            "auditlog import --from cloudtrail trail.json.gz",
            "zcat *.json.gz | auditlog import --from cloudtrail - --sqs",
            "auditlog import --from hf audit-log.json",
        ),
    )(import_)


@grouped
def import_(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="A file, or - for stdin.")],
    origin: Annotated[Origin, typer.Option("--from", help="What wrote the file.")],
    where: Where,
    sqs: Sqs = False,
    batch: Batch = None,
    as_json: AsJson = False,
) -> None:
    """Import the records of another log. Importing them again records nothing twice.

    CloudTrail: its own files ({"Records": [...]}) or one record a line, plain or gzip. A record
    becomes an event of type aws.SERVICE.EVENT with the record's eventID as its key.

    hf: the Hugging Face Hub's download of an organization's audit log, one JSON array. An entry
    becomes an event of the same type with the entry's _id as its key.
    """
    connection = connect(context, where)
    way = door(connection, sqs=sqs)
    with opened(file) as source:
        send(source, way, _FROM[origin], batch, after_break=_AFTER_BREAK)
    report(way, as_json=as_json)


def _cloudtrail(item: Item) -> Item | Refusal:
    from auditlog.cli import cloudtrail  # noqa: PLC0415 -- --help does without pydantic

    return _mapped(item, cloudtrail.to_event)


def _hf(item: Item) -> Item | Refusal:
    from auditlog.cli import reference  # noqa: PLC0415 -- the same

    return _mapped(item, reference.to_event)


def _mapped(item: Item, to_event: Callable[[object], dict[str, Any]]) -> Item | Refusal:
    from auditlog.cli import carrying  # noqa: PLC0415 -- the same

    try:
        event = to_event(carrying.decode(item.text))
    except ValueError as error:
        return Refusal(item.line, [str(error)])
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    if not _is_encodable(text):
        # A lone surrogate travels only as its escape; the service says where it stands.
        text = json.dumps(event, separators=(",", ":"))
    return Item(item.line, text)


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_FROM = {Origin.CLOUDTRAIL: _cloudtrail, Origin.HF: _hf}
