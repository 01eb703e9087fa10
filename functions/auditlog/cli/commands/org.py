"""`auditlog org`: making an org, and spreading its log, with AWS credentials instead of a key."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditlog import clock
from auditlog.cli import aws, output
from auditlog.cli.connection import Connection, connect
from auditlog.cli.failures import CommandError, UsageError
from auditlog.cli.options import AsJson, StackName, Where, examples, grouped
from auditlog.errors import ConflictError, StoreError, UnavailableError

if TYPE_CHECKING:
    from auditlog.orgs import Org
    from auditlog.store.control import ControlStore

app = typer.Typer(
    help="Make orgs, and spread their logs. Needs AWS credentials for the control table.",
    no_args_is_help=True,
)

#: As `layout.MAX_SHARDS`, which --help does not wait for.
_MOST_SHARDS = 16


@app.command(
    "create",
    epilog=examples(
        "auditlog org create acme --retention-days 365", "auditlog org create busy --shards 8"
    ),
)
@grouped
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ORG", help="1 to 64 of A-Z a-z 0-9 . _ -")],
    retention_days: Annotated[
        int | None, typer.Option(help="Events older than this go; without it they stay for ever.")
    ] = None,
    shards: Annotated[
        int,
        typer.Option(
            min=1,
            max=_MOST_SHARDS,
            help="Partitions for its log. One takes 1,000 write units a second.",
        ),
    ] = 1,
    stack_name: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Make an org and its first admin key, which is shown this once.

    Writes the control table directly: nobody has a key yet who could be asked for one.
    """
    from auditlog import bootstrap  # noqa: PLC0415 -- --help does without boto3

    connection = connect(context, Where(stack_name=stack_name))
    try:
        with _translated():
            minted = bootstrap.create_org(
                _control(connection),
                name,
                retention_days=retention_days,
                now=clock.now(),
                shards=shards,
            )
    except ValueError as error:
        raise UsageError(str(error)) from None
    except ConflictError as error:
        raise CommandError(
            error.detail, hint="An admin of it makes more keys with `auditlog keys create`."
        ) from None
    if as_json:
        output.json_line({"org": name, "key_id": minted.id, "secret": minted.secret})
        return
    output.say(minted.secret)
    output.note(
        f"The org {name} exists. Above is its admin key {minted.id}: it is shown this once."
    )
    output.note("Use it with AUDITLOG_KEY, and make narrower ones with `auditlog keys create`.")


@app.command(
    "shards",
    epilog=examples(
        "auditlog org shards acme",
        "auditlog org shards acme 8",
        "auditlog org shards acme 8 --from 2027-01-31T22:00:00Z",
    ),
)
@grouped
def shards_(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ORG", help="Whose log it is.")],
    number: Annotated[
        int | None,
        typer.Argument(
            metavar="N",
            min=1,
            max=_MOST_SHARDS,
            help="So many from then on. Without it nothing is changed.",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="RFC 3339 or a date, at least 30 minutes ahead; without it as soon as can be.",
        ),
    ] = None,
    stack_name: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Show over how many partitions an org's log is spread, or change it from some time on.

    An event's partition depends on when it occurred, so what is stored stays where it is. A change
    that is more than 30 minutes ahead is replaced by the next one.
    """
    if number is None and since is not None:
        raise UsageError("--from says from when on; how many shards is missing")
    connection = connect(context, Where(stack_name=stack_name))
    control = _control(connection)
    org = _found(control, name)
    now = clock.now()
    if number is None:
        _show(_rows(org.name, org.shards, now), as_json=as_json)
        return
    at = _time(since, now)
    last, had = org.shards[-1]
    if had == number and (last == at or last <= (at if since is None else now)):
        changes, told = org.shards, ["Nothing is changed: so it was already."]
    else:
        changes = _change(control, org, number, at, now)
        dropped = [c for c in _rows(org.name, org.shards, now) if c["state"] == "ahead"]
        told = [f"It replaces {_described(row)}." for row in dropped]
    row = _rows(org.name, changes, now)[-1]
    if as_json:
        output.json_line(row)
    else:
        output.say(f"{org.name} has {_described(row)}.")
    for line in told:
        output.note(line)


def _show(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    if as_json:
        for row in rows:
            output.json_line(row)
        return
    output.table(
        ["From", "Shards", "State"],
        ([_since(row), row["shards"], row["state"]] for row in rows),
        empty="No shards.",
        brief=lambda row: [[row["From"], f"shards {row['Shards']}", row["State"]]],
    )


def _time(since: str | None, now: int) -> int:
    """From when on a change holds: at `since`, else as soon as can be, to the second."""
    from auditlog.layout import MIN_NOTICE  # noqa: PLC0415 -- --help does without pydantic

    earliest = now + MIN_NOTICE
    if since is None:
        return -(earliest // -clock.SECOND) * clock.SECOND
    try:
        at = clock.parse_bound(since)
    except ValueError as error:
        raise UsageError(f"--from: {error}") from None
    if at < earliest:
        raise UsageError(
            "--from: a change of shards holds at the earliest in 30 minutes",
            hint="Without --from it holds as soon as can be.",
        )
    return at


def _change(
    control: "ControlStore", org: "Org", number: int, at: int, now: int
) -> tuple[tuple[int, int], ...]:
    """Sets the number of shards from `at` on; all changes as they are then."""
    look = f"`auditlog org shards {org.name}` shows what holds."
    try:
        changes = org.layout.changed(number, at, now=now).changes
    except ValueError as error:
        raise CommandError(str(error), hint=look) from None
    try:
        with _translated():
            control.change_shards(org, changes)
    except ConflictError as error:
        # The change may be this one, tried again after its answer was lost.
        if _found(control, org.name).shards != changes:
            raise CommandError(error.detail, hint=f"Nothing was changed here. {look}") from None
    return changes


def _rows(name: str, changes: Sequence[tuple[int, int]], now: int) -> list[dict[str, Any]]:
    """The changes as `--json` shows them."""
    current = max(since for since, _ in changes if since <= now)
    return [
        {
            "org": name,
            "from": clock.text(since) if since else None,
            "shards": shards,
            "state": "past" if since < current else "now" if since == current else "ahead",
        }
        for since, shards in changes
    ]


def _described(row: Mapping[str, Any]) -> str:
    return f"{output.counted(row['shards'], 'shard')} from {_since(row)}"


def _since(row: Mapping[str, Any]) -> str:
    return output.moment(row["from"]) or "the beginning"


def _control(connection: Connection) -> "ControlStore":
    from auditlog.store.control import ControlStore  # noqa: PLC0415 -- --help does without boto3

    return ControlStore(aws.dynamodb(connection.stack), connection.named("control_table"))


def _found(control: "ControlStore", name: str) -> "Org":
    from auditlog import orgs  # noqa: PLC0415 -- --help does without pydantic

    with _translated():
        org = control.org(name) if orgs.is_name(name) else None
    if org is None:
        raise CommandError(
            f"There is no org {name}.", hint="`auditlog org create` makes one. Is it this stack?"
        )
    return org


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except (StoreError, UnavailableError) as error:
        raise CommandError(
            f"AWS: {error}", hint="Check the credentials, the region and the stack's name."
        ) from None
