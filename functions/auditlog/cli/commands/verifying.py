"""`auditlog exports verify`: a file that was downloaded before, against its manifest."""

from pathlib import Path
from typing import Annotated

import typer

from auditlog.cli import output
from auditlog.cli.checking import Expected, check
from auditlog.cli.commands.fetching import tell
from auditlog.cli.exporting import beside
from auditlog.cli.failures import CommandError, UsageError
from auditlog.cli.options import AsJson, examples, grouped


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        "verify",
        epilog=examples(
            "auditlog exports verify audit.json",
            "auditlog exports verify audit.csv.gz --manifest kept/audit.manifest.json",
        ),
    )(verify)


@grouped
def verify(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file that was downloaded before.")
    ],
    manifest_path: Annotated[
        Path | None,
        typer.Option(
            "--manifest",
            metavar="FILE",
            help="The manifest that came with it; without it FILE.manifest.json.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a file that was downloaded before, offline, against its manifest.

    Checked are its size, every byte by its SHA-256 sums, the number of events, and the id of
    each event that was erased against the hash that its record had. The manifest is not signed:
    keep it where nobody can change both.
    """
    from auditlog.cli import manifest  # noqa: PLC0415 -- --help does without msgspec

    target = manifest_path or beside(path)
    found = manifest.read(_content(target, manifest.MAX_BYTES), str(target))
    described = found.described()
    expected = Expected.of(described)
    try:
        with output.progress(of_bytes=True) as bar:
            task = bar.add_task("checking", total=2 * found.bytes, note="")
            counted = check(path, expected, found, lambda read: bar.advance(task, read))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from None
    except CommandError as error:
        again = f"auditlog exports download {found.export.id} -o {path} --force"
        raise CommandError(
            error.message,
            places=error.places,
            hint=f"{error.hint} If {target} belongs to it, fetch both again: {again}".strip(),
        ) from None
    tell({**described, "erased": counted.erased}, path, found, target, as_json=as_json)


def _content(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror or error}",
            hint="A download keeps its manifest beside the file; name another with --manifest.",
        ) from None
    if len(data) > most:
        raise UsageError(f"{path} is too long for a manifest", hint="Is it the file itself?")
    return data
