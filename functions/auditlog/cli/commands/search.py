"""`auditlog search`, `event` and `types`: reading the log and its catalog."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditlog.cli import output
from auditlog.cli.connection import connect
from auditlog.cli.options import AsJson, Filters, SearchOrder, Where, examples, grouped

if TYPE_CHECKING:
    from auditlog.cli.client import Api

_LARGEST_PAGE = 1_000


@dataclasses.dataclass(frozen=True, slots=True)
class Extent:
    """How much of the log is shown, and from where on."""

    order: Annotated[SearchOrder, typer.Option(help="Newest first, or oldest first.")] = (
        SearchOrder.DESC
    )
    limit: Annotated[
        int, typer.Option(min=1, help="How many events; with --all, how many a request.")
    ] = 100
    cursor: Annotated[
        str | None, typer.Option(help="Go on where a search with the same options ended.")
    ] = None
    include_hidden: Annotated[
        bool, typer.Option("--include-hidden", help="Also types that are hidden by default.")
    ] = False
    everything: Annotated[
        bool, typer.Option("--all", help="Follow the cursors to the end of the log.")
    ] = False
    explain: Annotated[
        bool, typer.Option("--explain", help="Say on standard error what each page read.")
    ] = False


class _Search:
    """The events of a search, page after page; `cursor` is where it would go on."""

    def __init__(self, api: "Api", org: str, query: dict[str, Any], extent: Extent) -> None:
        self._api = api
        self._org = org
        self._query = query
        self._extent = extent
        self.cursor = extent.cursor

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Each event once. A page may be short or empty and yet not the last: asks on."""
        extent, left = self._extent, self._extent.limit
        while left > 0:
            query = {**self._query, "limit": min(left, _LARGEST_PAGE)}
            if self.cursor:
                query["cursor"] = self.cursor
            page = self._api.page(self._org, query)
            yield from page["events"]
            if "explain" in page:
                output.note(_explained(page["explain"]))
            self.cursor = page["next_cursor"]
            if self.cursor is None:
                return
            left -= 0 if extent.everything else len(page["events"])


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command(
        "search",
        epilog=examples(
            "auditlog search --type repo --since 2026-01-01T00:00:00Z",
            "auditlog search --query 'type:repo -actor:bot created:>=2026-01-01'",
            "auditlog search --actor alice --all --json > events.ndjson",
        ),
    )(search)
    app.command("event", epilog=examples("auditlog event 00olqbj5vg..."))(event)
    app.command("types", epilog=examples("auditlog types repo"))(types)


@grouped
def search(
    context: typer.Context,
    filters: Filters,
    extent: Extent,
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Search the log. Shows a table, or with --json each event on a line.

    Where there is more than --limit, the cursor for going on is printed on standard error.
    """
    connection = connect(context, where)
    query: dict[str, Any] = {**filters.parameters(), "order": extent.order.value}
    if extent.include_hidden:
        query["include_hidden"] = "true"
    if extent.explain:
        query["explain"] = "true"
    found = _Search(connection.api(), connection.org, query, extent)
    if as_json:
        for entry in found:
            output.json_line(entry)
    else:
        output.table(
            ["Time", "Type", "Actor", "Target", "IP", "What", "ID"],
            map(_row, found),
            empty="No events.",
            brief=_brief,
            spare=["What"],
        )
    if found.cursor:
        output.note(f"There is more: the same options with --cursor {found.cursor}, or --all.")


@grouped
def event(
    context: typer.Context,
    event_id: Annotated[str, typer.Argument(metavar="ID", help="The event's id.")],
    where: Where,
    as_json: AsJson = False,
) -> None:
    """Show one event, whole."""
    connection = connect(context, where)
    found = connection.api().event(connection.org, event_id)
    show = output.json_line if as_json else output.json_block
    show(found)


@grouped
def types(
    context: typer.Context,
    where: Where,
    prefix: Annotated[
        str, typer.Argument(metavar="SCOPE", help="Only names that begin with this.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List the types of events that can be published."""
    connection = connect(context, where)
    found = [t for t in connection.api().types() if str(t["type"]).startswith(prefix)]
    if as_json:
        for entry in found:
            output.json_line(entry)
        return
    output.table(
        ["Type", "Operation", "Hidden", "Group", "What it says"],
        ([t["type"], t["operation"], t["hidden"], t["group"], t["description"]] for t in found),
        empty="No types.",
        brief=lambda row: [
            [row["Type"], row["Operation"], row["Hidden"] and "hidden"],
            [row["What it says"]],
        ],
        spare=["Group"],
        wraps="What it says",
    )


def _explained(explained: Mapping[str, float]) -> str:
    """What a page read, in a line."""
    return (
        f"Read {explained['items']:,} events and {explained['digests_used']:,} digests, "
        f"{explained['bytes']:,} bytes, in {explained['round_trips']} round trips: "
        f"{explained['read_units']:g} read units. {explained['blocks_skipped']:,} blocks were "
        "ruled out."
    )


def _row(entry: dict[str, Any]) -> list[object]:
    erased = entry.get("erased_at")
    actor: dict[str, str] = entry.get("actor", {"id": ""})
    targets: list[dict[str, str]] = entry.get("targets", [])
    return [
        output.moment(entry["occurred_at"]),
        entry["type"],
        actor.get("name") or actor["id"],
        [target.get("name") or target["id"] for target in targets],
        entry.get("ip"),
        f"Erased {output.moment(erased)}."
        if erased
        else entry.get("description") or entry.get("summary"),
        entry["id"],
    ]


def _brief(row: Mapping[str, str]) -> Sequence[Sequence[str]]:
    """An event on two lines. Where the publisher describes it, the actor may go unnamed."""
    named = row["Actor"] in row["What"]
    what = row["What"] if named else ": ".join(filter(None, [row["Actor"], row["What"]]))
    return [[row["Time"], row["ID"]], [row["Type"], what, row["IP"]]]
