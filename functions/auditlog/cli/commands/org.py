"""`auditlog org`: making an org, with AWS credentials instead of a key."""

from typing import Annotated

import typer

from auditlog import clock
from auditlog.cli import aws, output
from auditlog.cli.connection import connect
from auditlog.cli.failures import CommandError, UsageError
from auditlog.cli.options import AsJson, StackName, Where, examples, grouped
from auditlog.errors import ConflictError, StoreError, UnavailableError

app = typer.Typer(
    help="Make orgs. Needs AWS credentials for the control table.", no_args_is_help=True
)


@app.command("create", epilog=examples("auditlog org create acme --retention-days 365"))
@grouped
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ORG", help="1 to 64 of A-Z a-z 0-9 . _ -")],
    retention_days: Annotated[
        int | None, typer.Option(help="Events older than this go; without it they stay for ever.")
    ] = None,
    stack_name: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Make an org and its first admin key, which is shown this once.

    Writes the control table directly: nobody has a key yet who could be asked for one.
    """
    from auditlog import bootstrap  # noqa: PLC0415 -- --help does without boto3
    from auditlog.store.control import ControlStore  # noqa: PLC0415 -- the same

    connection = connect(context, Where(stack_name=stack_name))
    control = ControlStore(aws.dynamodb(connection.stack), connection.named("control_table"))
    try:
        minted = bootstrap.create_org(control, name, retention_days=retention_days, now=clock.now())
    except ValueError as error:
        raise UsageError(str(error)) from None
    except ConflictError as error:
        raise CommandError(
            error.detail, hint="An admin of it makes more keys with `auditlog keys create`."
        ) from None
    except (StoreError, UnavailableError) as error:
        raise CommandError(
            f"AWS: {error}", hint="Check the credentials, the region and the stack's name."
        ) from None
    if as_json:
        output.json_line({"org": name, "key_id": minted.id, "secret": minted.secret})
        return
    output.say(minted.secret)
    output.note(
        f"The org {name} exists. Above is its admin key {minted.id}: it is shown this once."
    )
    output.note("Use it with AUDITLOG_KEY, and make narrower ones with `auditlog keys create`.")
