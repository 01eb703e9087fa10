"""`auditlog export`, and `auditlog exports` for those that exist."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditlog.cli import output
from auditlog.cli.connection import Connection, connect
from auditlog.cli.exporting import Waiting, fetch, file_name, until_ready
from auditlog.cli.failures import UsageError
from auditlog.cli.options import As, AsJson, Filters, Where, examples, grouped

if TYPE_CHECKING:
    from auditlog.cli.client import Api

app = typer.Typer(help="Look at exports, fetch them again, remove them.", no_args_is_help=True)

Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="The file; without it ORG-EXPORT.FORMAT[.gz]."),
]
Force = Annotated[bool, typer.Option("--force", help="Replace the file where it exists.")]


class Format(StrEnum):
    """The shape of the file, under the API's names."""

    JSON = "json"
    NDJSON = "ndjson"


class Compression(StrEnum):
    """How the file is packed, under the API's names."""

    GZIP = "gzip"
    NONE = "none"


ExportId = Annotated[str, typer.Argument(metavar="EXPORT", help="The export's id.")]


def register(root: typer.Typer) -> None:
    """Adds the command."""
    root.command(
        "export",
        epilog=examples(
            "auditlog export -o audit.json",
            "auditlog export --format ndjson --compression gzip --type repo --as alice",
        ),
    )(export)


@grouped
def export(
    context: typer.Context,
    filters: Filters,
    where: Where,
    format_: Annotated[Format, typer.Option("--format", help="One array, or one event a line.")] = (
        Format.JSON
    ),
    compression: Annotated[Compression, typer.Option(help="How the file is packed.")] = (
        Compression.NONE
    ),
    hidden: Annotated[
        bool, typer.Option("--hidden/--no-hidden", help="With the types that search hides, or not.")
    ] = True,
    path: Output = None,
    force: Force = False,
    acting_as: As = None,
    as_json: AsJson = False,
) -> None:
    """Download the log: ask for an export, wait, fetch the file, check its count and size.

    The file grows as FILE.part and gets its name once it is whole. The request itself is
    recorded in the log.
    """
    connection = connect(context, where)
    _refuse_existing(path, force=force)
    request: dict[str, Any] = {
        **filters.parameters(),
        "format": format_.value,
        "compression": compression.value,
    }
    if not hidden:
        request["include_hidden"] = False
    api = connection.api(acting_as)
    made = api.create_export(connection.org, request)
    _finish(connection, api, made, path, force=force, as_json=as_json)


@app.command("download", epilog=examples("auditlog exports download EXPORT -o audit.json"))
@grouped
def download(
    context: typer.Context,
    export_id: ExportId,
    where: Where,
    path: Output = None,
    force: Force = False,
    acting_as: As = None,
    as_json: AsJson = False,
) -> None:
    """Wait for an export that was asked for before, and fetch it."""
    connection = connect(context, where)
    _refuse_existing(path, force=force)
    api = connection.api(acting_as)
    made = api.export(connection.org, export_id)
    _finish(connection, api, made, path, force=force, as_json=as_json)


@app.command("list", epilog=examples("auditlog exports list"))
@grouped
def list_(
    context: typer.Context, where: Where, acting_as: As = None, as_json: AsJson = False
) -> None:
    """List the exports, newest first."""
    connection = connect(context, where)
    found = connection.api(acting_as).exports(connection.org)
    if as_json:
        for entry in found:
            output.json_line(entry)
        return
    output.table(
        ["ID", "State", "Format", "Asked for by", "Created", "Events", "Bytes", "Expires"],
        (
            [
                entry["id"],
                entry["state"],
                f"{entry['format']} {entry['compression']}",
                entry["requested_by"].get("name") or entry["requested_by"]["id"],
                output.moment(entry["created_at"]),
                entry["events"],
                entry["bytes"],
                output.moment(entry["expires_at"]),
            ]
            for entry in found
        ),
        empty="No exports.",
        brief=_brief,
        spare=["Asked for by"],
    )


@app.command("delete", epilog=examples("auditlog exports delete EXPORT"))
@grouped
def delete(
    context: typer.Context,
    export_id: ExportId,
    where: Where,
    acting_as: As = None,
    as_json: AsJson = False,
) -> None:
    """Cancel an export, or remove its file."""
    connection = connect(context, where)
    connection.api(acting_as).delete_export(connection.org, export_id)
    if as_json:
        output.json_line({"id": export_id, "deleted": True})
        return
    output.say(f"Removed {export_id}.")


def _brief(row: Mapping[str, str]) -> Sequence[Sequence[str]]:
    return [
        [row["ID"], row["State"], row["Format"]],
        [
            f"asked for by {row['Asked for by']}",
            f"created {row['Created']}",
            row["Events"] and f"events {row['Events']}",
            row["Bytes"] and f"bytes {row['Bytes']}",
            row["Expires"] and f"expires {row['Expires']}",
        ],
    ]


def _finish(
    connection: Connection,
    api: "Api",
    made: dict[str, Any],
    path: Path | None,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Waits for the export and fetches it to `path`, or to a file of its own name."""
    org = connection.org
    target = path or Path(file_name(org, made))
    _refuse_existing(target, force=force)
    try:
        with output.progress() as bar:
            task = bar.add_task("exporting", total=1.0, note="")

            def watch(export: dict[str, Any]) -> None:
                done = export["progress"]
                bar.update(
                    task, completed=done["fraction"], note=output.counted(done["events"], "event")
                )

            waiting = Waiting(connection.outside.sleep, watch)
            ready = until_ready(api, org, made, waiting)
        with output.progress(of_bytes=True) as bar:
            task = bar.add_task("downloading", total=ready["bytes"], note="")
            fetch(api, org, ready, target, lambda got: bar.update(task, completed=got))
    except KeyboardInterrupt:
        output.note(f"The export goes on: auditlog exports download {made['id']} -o {target}")
        raise
    if as_json:
        shown = {name: value for name, value in ready.items() if name != "download_url"}
        output.json_line({**shown, "file": str(target)})
        return
    events, size = output.counted(ready["events"], "event"), output.counted(ready["bytes"], "byte")
    output.say(f"{target}: {events}, {size}, both checked")


def _refuse_existing(path: Path | None, *, force: bool) -> None:
    if path is not None and path.exists() and not force:
        raise UsageError(f"{path} exists", hint="Name another file with -o, or give --force.")
