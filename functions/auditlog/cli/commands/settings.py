"""`auditlog settings`: what an org's log keeps, and changing that."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from auditlog import clock
from auditlog.cli import output
from auditlog.cli.asking import Yes, confirm
from auditlog.cli.connection import connect
from auditlog.cli.failures import UsageError
from auditlog.cli.options import MOST_SHARDS, As, AsJson, Where, examples, grouped
from auditlog.retention import MAX_RETENTION_DAYS

app = typer.Typer(
    help="Retention, hold, shards, and whether reads are recorded. Needs the grant org:admin.",
    no_args_is_help=True,
)


@app.command("show", epilog=examples("auditlog settings show", "auditlog settings show --json"))
@grouped
def show(
    context: typer.Context, where: Where, acting_as: As = None, as_json: AsJson = False
) -> None:
    """Show what the log keeps, how far the removal of what is older is, and the limits.

    The limits are the platform's to change: `auditlog org limits`.
    """
    connection = connect(context, where)
    _show(connection.api(acting_as).settings(connection.org), as_json=as_json)


@app.command(
    "change",
    epilog=examples(
        "auditlog settings change --retention-days 365",
        "auditlog settings change --hold 'case 4711' --as ann",
        "auditlog settings change --shards 8 --from 2027-01-31T22:00:00Z",
        "auditlog settings change --release-hold --if-match 7 --yes",
    ),
)
@grouped
def change(
    context: typer.Context,
    where: Where,
    retention_days: Annotated[
        int | None, typer.Option(min=1, max=MAX_RETENTION_DAYS, help="Events older than this go.")
    ] = None,
    keep_for_ever: Annotated[
        bool, typer.Option("--keep-for-ever", help="Events stay for ever.")
    ] = False,
    hold: Annotated[
        str | None,
        typer.Option(metavar="REASON", help="Nothing goes, from when the settings say so on."),
    ] = None,
    release_hold: Annotated[
        bool, typer.Option("--release-hold", help="End the hold: what is too old goes.")
    ] = False,
    shards: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_SHARDS, help="Partitions for the log, from some time on."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="For --shards: RFC 3339 or a date; without it as soon as can be.",
        ),
    ] = None,
    record_reads: Annotated[
        bool, typer.Option("--record-reads", help="Searches are recorded in the log.")
    ] = False,
    no_record_reads: Annotated[
        bool, typer.Option("--no-record-reads", help="Searches are not recorded.")
    ] = False,
    if_match: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="Only if the settings still have this version."),
    ] = None,
    yes: Yes = False,
    acting_as: As = None,
    as_json: AsJson = False,
) -> None:
    """Change what is named and nothing else; all of it, or nothing.

    A shorter retention, and the end of a hold, remove events for ever: that is asked first.
    """
    asked: dict[str, Any] = {}
    if retention_days is not None or keep_for_ever:
        _refuse_both(retention_days is not None, keep_for_ever, "--retention-days, --keep-for-ever")
        asked["retention_days"] = retention_days
    if hold is not None or release_hold:
        _refuse_both(hold is not None, release_hold, "--hold, --release-hold")
        asked["hold"] = None if hold is None else {"reason": hold}
    if shards is not None:
        asked["shards"] = {"number": shards} | ({} if since is None else {"since": _time(since)})
    elif since is not None:
        raise UsageError("--from says from when on; how many --shards is missing")
    if record_reads or no_record_reads:
        _refuse_both(record_reads, no_record_reads, "--record-reads, --no-record-reads")
        asked["record_reads"] = record_reads
    if not asked:
        raise UsageError("nothing is named that is to be changed", hint="--help lists what can be.")
    connection = connect(context, where)
    api, etag = connection.api(acting_as), _etag(if_match)
    if not yes and {"retention_days", "hold"} & set(asked):
        current = api.settings(connection.org)
        losses = list(_losses(current, asked))
        if losses:
            question = f"{' '.join(losses)} Change the settings of {connection.org}?"
            confirm(connection.outside.ask, question, yes=False)
        # What was looked at is the step from these settings, and from no others.
        etag = etag or current["etag"]
    _show(api.change_settings(connection.org, asked, etag), as_json=as_json)


def _refuse_both(one: bool, other: bool, names: str) -> None:
    if one and other:
        raise UsageError(f"{names}: only one of the two")


def _time(since: str) -> str:
    try:
        return clock.text(clock.parse_bound(since))
    except ValueError as error:
        raise UsageError(f"--from: {error}") from None


def _etag(given: str | None) -> str | None:
    """As HTTP has it: in quotes, unless it is so already, or any (`*`)."""
    bare = given is not None and given.replace(".", "").isalnum()
    return f'"{given}"' if bare else given


def _losses(current: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[str]:
    """What the change removes that stays so far, each as a sentence."""
    before, after = current["retention_days"], asked.get("retention_days")
    if after is not None and (before is None or after < before):
        yield f"Events older than {output.counted(after, 'day')} will be gone for ever."
    if current["hold"] and "hold" in asked and asked["hold"] is None:
        yield f"The hold ends ({current['hold']['reason']}): what is too old will go for ever."


def _show(settings: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.json_line(settings)
    else:
        output.facts(_pairs(settings))


def _pairs(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "Retention", _days(settings["retention_days"])
    yield "Hold", _hold(settings["hold"])
    yield "Purged before", output.moment(settings["purged_before"]) or "nothing is purged"
    if retention := settings.get("retention"):
        yield from _progress(retention)
    yield "Shards", _shards(settings["shards"])
    yield "Record reads", "yes" if settings["record_reads"] else "no"
    for name, limit in settings["limits"].items():
        said = "no limit" if limit is None else f"{limit:,}"
        yield f"Limit of {name.replace('_', ' ')}", said
    yield "Version", str(settings["etag"]).strip('"')


def _days(number: int | None) -> str:
    return "for ever" if number is None else output.counted(number, "day")


def _hold(hold: Mapping[str, Any] | None) -> str:
    if hold is None:
        return "none"
    effective = output.moment(hold["effective_at"])
    since = f"effective from {effective} on" if effective else "not effective yet"
    return f"{hold['reason']} (placed {output.moment(hold['placed_at'])}, {since})"


def _progress(retention: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """How far the removal of what is too old is."""
    last = output.moment(retention["last_run_at"])
    yield "Retention run", f"{retention['state']}, {f'last {last}' if last else 'none so far'}"
    if purge := retention["purge"]:
        stretch = f"{output.moment(purge['from'])} to {output.moment(purge['until'])}"
        yield "Being removed", f"{output.counted(purge['events'], 'event')} of {stretch}"
    yield "Removed so far", output.counted(retention["removed"], "event")
    if retention["behind"]:
        yield "Behind", "events are there that should have been gone 3 days ago"


def _shards(changes: Sequence[Mapping[str, Any]]) -> str:
    """The number from the beginning, and each change with its time."""
    first, *later = changes
    named = (f"{each['number']} from {output.moment(each['since'])}" for each in later)
    return ", ".join([str(first["number"]), *named])
