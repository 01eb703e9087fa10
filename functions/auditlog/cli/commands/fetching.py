"""What `export` and `exports` share: the file's name, the fetching, and what is said of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditlog.cli import output
from auditlog.cli.connection import Connection
from auditlog.cli.exporting import Waiting, beside, fetch, file_name, until_ready
from auditlog.cli.failures import UsageError

if TYPE_CHECKING:
    from auditlog.cli.client import Api
    from auditlog.cli.manifest import Manifest

Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="The file; without it ORG-EXPORT.FORMAT[.gz]. Its manifest becomes "
        "FILE.manifest.json.",
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Replace the file and its manifest where they exist.")
]

# They carry a signature, with which anybody may download for as long as it lives.
_SECRET = frozenset({"download_url", "manifest_url"})


def finish(
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
    refuse_existing(target, force=force)
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
            checking = bar.add_task("checking", total=2 * ready["bytes"], note="", visible=False)
            manifest = fetch(
                api,
                org,
                ready,
                target,
                lambda got: bar.update(task, completed=got),
                lambda read: bar.update(checking, advance=read, visible=True),
            )
    except KeyboardInterrupt:
        output.note(f"The export goes on: auditlog exports download {made['id']} -o {target}")
        raise
    if manifest is None:
        output.note(
            "This export is older than manifests, so there is none to check its bytes against."
        )
    shown = {name: value for name, value in ready.items() if name not in _SECRET}
    tell(shown, target, manifest, beside(target), as_json=as_json)


def tell(
    export: dict[str, Any],
    path: Path,
    manifest: "Manifest | None",
    manifest_path: Path,
    *,
    as_json: bool,
) -> None:
    """What was checked of a file that has passed; with `--json` all that is known of it."""
    if as_json:
        known = manifest and {
            "file": str(manifest_path),
            "slices": len(manifest.slices),
            "bounds": {"since": manifest.bounds.since, "until": manifest.bounds.until},
            "left_out": {
                "events": manifest.left_out.events,
                "types": manifest.left_out.types,
                "fields": manifest.left_out.fields,
            },
        }
        output.json_line({**export, "file": str(path), "manifest": known})
        return
    events, size = (
        output.counted(export["events"], "event"),
        output.counted(export["bytes"], "byte"),
    )
    line = f"{path}: {events}, {size}, both checked"
    if manifest is not None:
        line += f", and every byte by SHA-256 ({output.counted(len(manifest.slices), 'slice')})"
    if erased := export.get("erased"):
        line += f"; {output.counted(erased, 'event')} erased, with the id that its hash makes"
    if left_out := export.get("left_out"):
        line += (
            f"; {output.counted(left_out, 'event')} left out, "
            f"which the profile {export['profile']} cannot say"
        )
    output.say(line)


def refuse_existing(path: Path | None, *, force: bool) -> None:
    """Raises `UsageError` where the file, or a manifest beside it, would be replaced unasked."""
    if path is None or force:
        return
    for each in (path, beside(path)):
        if each.exists():
            raise UsageError(f"{each} exists", hint="Name another file with -o, or give --force.")
