"""`auditlog org delete`: ending an org, and having everything of it removed."""

import json
from typing import Annotated

import typer

from auditlog import clock
from auditlog.cli import aws, output
from auditlog.cli.asking import Yes, confirm
from auditlog.cli.connection import connect
from auditlog.cli.control import absent, any_org, control, translated
from auditlog.cli.failures import CommandError
from auditlog.cli.options import AsJson, StackName, Where, examples, grouped
from auditlog.errors import ConflictError


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        "delete", epilog=examples("auditlog org delete acme", "auditlog org delete acme --yes")
    )(delete)


@grouped
def delete(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ORG", help="Which org goes, for ever.")],
    yes: Yes = False,
    stack_name: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Delete an org and everything of it: events, downloads, keys. Refused under a hold.

    It is not to be reached from now on; the rest is done in the background. Its name is never
    free again. Backups of the tables have it for up to 35 days more.
    """
    from auditlog.store.queue import Queue  # noqa: PLC0415 -- --help does without boto3

    connection = connect(context, Where(stack_name=stack_name))
    store, url = control(connection), connection.named("erasures_queue_url")
    org = any_org(store, name)
    if org.deletion is None:
        if org.hold is not None:
            raise _held(name, org.hold.reason)
        question = f"Delete the org {name} and everything of it, for ever?"
        confirm(connection.outside.ask, question, yes=yes, word=name)
    try:
        with translated():
            ended = store.mark_deleted(name, aws.identity(connection.stack), clock.now())
            if ended is None or ended.deletion is None:
                raise absent(name)
            # A crash here leaves an org that nobody can reach, and that is still there until
            # `retain` hands it in.
            if ended.deletion.completed_at is None:
                message = json.dumps({"org": name, "deletion": True})
                Queue(aws.sqs(connection.stack), url).send(message, group=name)
    except ConflictError:
        raise _held(name, "placed just now") from None
    done = ended.deletion.completed_at
    if as_json:
        output.json_line({"org": name, "state": "deleting" if done is None else "deleted"})
    elif done is None:
        output.say(f"{name} is ended: nobody reaches it any more, and what is left is removed.")
        output.note("`auditlog org list` says when that is done.")
    else:
        output.say(f"{name} was deleted already; it was gone by {output.moment(clock.text(done))}.")


def _held(name: str, reason: str) -> CommandError:
    return CommandError(
        f"The org {name} is under a hold ({reason}): nothing of it may be removed.",
        hint="An admin of it ends the hold with `auditlog settings change --release-hold`.",
    )
