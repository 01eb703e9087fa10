"""The `auditlog` command; see the README beside this file.

Its libraries are the extra `cli` and are not in the Lambda asset, so nothing is imported here:
the pure parts of the package can be used without them.
"""


def main() -> None:
    """Runs the command."""
    from auditlog.cli.app import app  # noqa: PLC0415 -- see above

    app()
