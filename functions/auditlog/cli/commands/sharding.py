"""`auditlog org shards`: over how many partitions an org's log is spread."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditlog import clock
from auditlog.cli import output
from auditlog.cli.connection import Connection, connect
from auditlog.cli.control import control, found, translated
from auditlog.cli.failures import CommandError, UsageError
from auditlog.cli.options import MOST_SHARDS, AsJson, StackName, Where, examples, grouped
from auditlog.cli.telling import SETTINGS_CHANGE, tell
from auditlog.errors import ConflictError

if TYPE_CHECKING:
    from auditlog.orgs import Org
    from auditlog.store.control import ControlStore


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        "shards",
        epilog=examples(
            "auditlog org shards acme",
            "auditlog org shards acme 8",
            "auditlog org shards acme 8 --from 2027-01-31T22:00:00Z",
        ),
    )(shards)


@grouped
def shards(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ORG", help="Whose log it is.")],
    number: Annotated[
        int | None,
        typer.Argument(
            metavar="N",
            min=1,
            max=MOST_SHARDS,
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
    store = control(connection)
    org = found(store, name)
    now = clock.now()
    if number is None:
        _show(_rows(org.name, org.shards, now), as_json=as_json)
        return
    at = _time(since, now)
    last, had = org.shards[-1]
    if had == number and (last == at or last <= (at if since is None else now)):
        changes, told = org.shards, ["Nothing is changed: so it was already."]
    else:
        changes = _change(connection, store, org, number, at, now)
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
    connection: Connection,
    store: "ControlStore",
    org: "Org",
    number: int,
    at: int,
    now: int,
) -> tuple[tuple[int, int], ...]:
    """Sets the number of shards from `at` on; all changes as they are then."""
    look = f"`auditlog org shards {org.name}` shows what holds."
    try:
        changes = org.layout.changed(number, at, now=now).changes
    except ValueError as error:
        raise CommandError(str(error), hint=look) from None
    tell(
        connection,
        org.name,
        SETTINGS_CHANGE,
        f"settings {org.version + 1}",
        now,
        target={"type": "settings", "id": "shards"},
        metadata={"before": _as_told(org.shards), "after": _as_told(changes)},
    )
    try:
        with translated():
            store.change_shards(org, changes)
    except ConflictError as error:
        # The change may be this one, tried again after its answer was lost.
        if found(store, org.name).shards != changes:
            raise CommandError(error.detail, hint=f"Nothing was changed here. {look}") from None
    return changes


def _as_told(changes: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """The shards as the API's own changes are told of in the log."""
    return {"shards": [{"since": clock.text(since), "number": n} for since, n in changes]}


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
