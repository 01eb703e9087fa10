"""`auditlog org limits`: what the platform lets an org use."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditlog import clock
from auditlog.cli import output
from auditlog.cli.connection import Connection, connect
from auditlog.cli.control import control, found, translated
from auditlog.cli.failures import CommandError, UsageError
from auditlog.cli.options import AsJson, StackName, Where, examples, grouped
from auditlog.cli.telling import SETTINGS_CHANGE, tell
from auditlog.errors import ConflictError

if TYPE_CHECKING:
    from auditlog.orgs import Limits, Org

_TRIES = 5
_NONE = "none"
# Enough for every limit that there can be, and few enough to be read as a number.
_DIGITS = 20


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        "limits",
        epilog=examples(
            "auditlog org limits acme",
            "auditlog org limits acme --events-per-day 1000000 --keys 20",
            "auditlog org limits acme --events-per-day none",
        ),
    )(limits)


@grouped
def limits(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ORG", help="Whose limits they are.")],
    events_per_day: Annotated[
        str | None,
        typer.Option(metavar="N|none", help="Events in a day of UTC; the inbox is never limited."),
    ] = None,
    exports_at_once: Annotated[
        str | None, typer.Option(metavar="N|none", help="Exports under way.")
    ] = None,
    keys: Annotated[
        str | None, typer.Option(metavar="N|none", help="Keys, expired ones too.")
    ] = None,
    stack_name: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Show what the platform lets an org use, or change it. The org's log tells of a change.

    A limit takes hold within a minute, and never for what is there already.
    """
    given = {"events_per_day": events_per_day, "exports_at_once": exports_at_once, "keys": keys}
    asked = {limit: _limit(limit, text) for limit, text in given.items() if text is not None}
    connection = connect(context, Where(stack_name=stack_name))
    org = _changed(connection, name, asked)
    if as_json:
        output.json_line({"org": org.name, **named(org.limits)})
        return
    output.facts(
        (limit.replace("_", " ").capitalize(), "no limit" if value is None else f"{value:,}")
        for limit, value in named(org.limits).items()
    )


def named(limits: "Limits") -> dict[str, int | None]:
    """The limits under the names of the API."""
    return {
        "events_per_day": limits.events_per_day,
        "exports_at_once": limits.exports_at_once,
        "keys": limits.keys,
    }


def _limit(name: str, text: str) -> int | None:
    if text == _NONE:
        return None
    option = f"--{name.replace('_', '-')}"
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise UsageError(f"{option}: {text!r} is no number of 1 and more, and not {_NONE}")
    return int(text)


def _changed(connection: Connection, name: str, asked: dict[str, Any]) -> "Org":
    """The org with these limits, and nobody else's change undone."""
    store, now = control(connection), clock.now()
    for _ in range(_TRIES):
        org = found(store, name)
        try:
            limits = replace(org.limits, **asked)
        except ValueError as error:
            raise UsageError(str(error)) from None
        if limits == org.limits:
            if asked:
                output.note("Nothing is changed: so it was already.")
            return org
        changed = replace(org, limits=limits, version=org.version + 1)
        metadata = {"before": {"limits": named(org.limits)}, "after": {"limits": named(limits)}}
        target = {"type": "settings", "id": "limits"}
        key = f"settings {changed.version}"
        tell(connection, name, SETTINGS_CHANGE, key, now, target=target, metadata=metadata)
        try:
            with translated():
                return store.save_org(changed)
        except ConflictError:
            continue  # Somebody else has changed the org, or our own first attempt did: look.
    raise CommandError(f"The org {name} is being changed by others.", hint="Try again.")
