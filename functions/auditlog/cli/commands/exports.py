"""`auditlog export`, and `auditlog exports` for those that exist."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from auditlog.cli import output
from auditlog.cli.commands import verifying
from auditlog.cli.commands.fetching import Force, Output, finish, refuse_existing
from auditlog.cli.connection import connect
from auditlog.cli.failures import UsageError
from auditlog.cli.options import As, AsJson, Filters, Where, examples, grouped
from auditlog.formats import Compression, Format, Profile

app = typer.Typer(
    help="Look at exports, fetch them again, check their files, remove them.",
    no_args_is_help=True,
)

ExportId = Annotated[str, typer.Argument(metavar="EXPORT", help="The export's id.")]


def register(root: typer.Typer) -> None:
    """Adds the command."""
    root.command(
        "export",
        epilog=examples(
            "auditlog export -o audit.json",
            "auditlog export --format csv --bom --since 2026-01-01T00:00:00Z -o audit.csv",
            "auditlog export --profile hf -o audit.json",
            "auditlog export --format ndjson --compression gzip --type repo --as alice",
        ),
    )(export)


@grouped
def export(
    context: typer.Context,
    filters: Filters,
    where: Where,
    format_: Annotated[
        Format,
        typer.Option("--format", help="One array, one event a line, or a table for spreadsheets."),
    ] = Format.JSON,
    compression: Annotated[Compression, typer.Option(help="How the file is packed.")] = (
        Compression.NONE
    ),
    profile: Annotated[
        Profile,
        typer.Option(
            help="native: all that is known of an event. hf: the Hugging Face Hub's own format, "
            "for json and ndjson; what it has no words for is left out, and counted."
        ),
    ] = Profile.NATIVE,
    bom: Annotated[
        bool,
        typer.Option(
            "--bom", help="Begin a csv file with a byte order mark: some spreadsheets need it."
        ),
    ] = False,
    hidden: Annotated[
        bool, typer.Option("--hidden/--no-hidden", help="With the types that search hides, or not.")
    ] = True,
    path: Output = None,
    force: Force = False,
    acting_as: As = None,
    as_json: AsJson = False,
) -> None:
    """Download the log: ask for an export, wait, fetch the file, check it.

    Checked are its size, every byte by the SHA-256 sums in the export's manifest, and the number
    of events. The file grows as FILE.part and gets its name once all is right; the manifest is
    kept as FILE.manifest.json, for `auditlog exports verify`. The request itself is recorded in
    the log.
    """
    _refuse_impossible(format_, profile, bom=bom)
    connection = connect(context, where)
    refuse_existing(path, force=force)
    request: dict[str, Any] = {
        **filters.parameters(),
        "format": format_.value,
        "compression": compression.value,
    }
    if profile is not Profile.NATIVE:
        request["profile"] = profile.value
    if bom:
        request["bom"] = True
    if not hidden:
        request["include_hidden"] = False
    api = connection.api(acting_as)
    made = api.create_export(connection.org, request)
    finish(connection, api, made, path, force=force, as_json=as_json)


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
    """Wait for an export that was asked for before, fetch its file, and check it.

    Checked is what `auditlog export` checks, and the manifest is kept as FILE.manifest.json.
    """
    connection = connect(context, where)
    refuse_existing(path, force=force)
    api = connection.api(acting_as)
    made = api.export(connection.org, export_id)
    finish(connection, api, made, path, force=force, as_json=as_json)


verifying.register(app)


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


def _refuse_impossible(form: Format, profile: Profile, *, bom: bool) -> None:
    if bom and form is not Format.CSV:
        raise UsageError(
            f"--bom is for csv, and the format is {form}", hint="Add --format csv, or drop --bom."
        )
    if profile is Profile.HF and form is Format.CSV:
        raise UsageError(
            "the profile hf has no csv", hint="Take --format json or ndjson, or --profile native."
        )
