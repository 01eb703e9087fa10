"""The `auditlog` command: its tree of commands, and how errors leave it."""

from typing import Any

import typer
from typer.core import TyperGroup

from auditlog.cli import output
from auditlog.cli.commands import (
    erasures,
    exports,
    importing,
    keys,
    org,
    publish,
    rejects,
    search,
    sessions,
    settings,
)
from auditlog.cli.failures import CommandError

_INTERRUPTED = 130

_EPILOG = (
    "Exit codes: 0 it worked; 1 the service refused, could not be reached, or a check failed; "
    "2 the command line is wrong or incomplete; 130 interrupted."
)


class _Group(TyperGroup):
    """A group whose help names no type for a flag, which takes no value."""

    def get_params(self, ctx: Any) -> list[Any]:
        return _untyped(super().get_params(ctx))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            _untyped(command.get_params(ctx))
        return command


class _Commands(_Group):
    """A group that prints what went wrong and what to do next instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CommandError as error:
            output.failure(error)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            output.note("Interrupted.")
            raise typer.Exit(_INTERRUPTED) from None


def _untyped(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters


app = typer.Typer(
    name="auditlog",
    cls=_Commands,
    help="Publish, search and download an organization's audit log.",
    epilog=_EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.add_typer(org.app, name="org", cls=_Group)
app.add_typer(keys.app, name="keys", cls=_Group)
app.add_typer(sessions.app, name="sessions", cls=_Group)
app.add_typer(settings.app, name="settings", cls=_Group)
app.add_typer(erasures.app, name="erasures", cls=_Group)
app.add_typer(exports.app, name="exports", cls=_Group)
app.add_typer(rejects.app, name="rejects", cls=_Group)
publish.register(app)
importing.register(app)
search.register(app)
exports.register(app)
