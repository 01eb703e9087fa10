"""Options that several commands share, in groups, and how a command takes a group.

A group is a dataclass whose fields are options. `grouped` spreads each parameter of a command
that is such a dataclass into one option for each field, and hands the command the dataclass.
"""

import dataclasses
import inspect
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, get_type_hints

import typer

_CONNECTION = "Connection"
_FILTER = "Filter"

#: As `layout.MAX_SHARDS`, which --help does not wait for.
MOST_SHARDS = 16


#: All that the commands need which use AWS credentials and no key.
StackName = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        envvar="AUDITLOG_STACK",
        help="A deployed stack, whose CloudFormation outputs say where everything is.",
        rich_help_panel=_CONNECTION,
    ),
]


@dataclasses.dataclass(frozen=True, slots=True)
class Where:
    """Where the service is, and who asks. `connection` says what stands in for what is absent."""

    api_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="AUDITLOG_API_URL",
            help="Where the API is.",
            rich_help_panel=_CONNECTION,
        ),
    ] = None
    key: Annotated[
        str | None,
        typer.Option(
            envvar="AUDITLOG_KEY",
            show_envvar=True,
            metavar="alk_...",
            help="The key. Others on this machine can read a command line; prefer the variable.",
            rich_help_panel=_CONNECTION,
        ),
    ] = None
    org: Annotated[
        str | None,
        typer.Option(
            metavar="ORG",
            envvar="AUDITLOG_ORG",
            help="Whose log it is.",
            rich_help_panel=_CONNECTION,
        ),
    ] = None
    stack_name: StackName = None


class SearchOrder(StrEnum):
    """Which end of the log comes first."""

    DESC = "desc"
    ASC = "asc"


@dataclasses.dataclass(frozen=True, slots=True)
class Filters:
    """Which events. The same option twice means either; different ones mean both."""

    q: Annotated[
        str | None,
        typer.Option(
            "--query",
            "-q",
            help="A query, as 'type:repo -actor:bot created:>=2026-01-01 engine'.",
            rich_help_panel=_FILTER,
        ),
    ] = None
    type_: Annotated[
        list[str] | None,
        typer.Option("--type", help="A type, a scope or a dotted prefix.", rich_help_panel=_FILTER),
    ] = None
    actor: Annotated[
        list[str] | None,
        typer.Option(help="An actor's id or name, exactly.", rich_help_panel=_FILTER),
    ] = None
    target: Annotated[
        list[str] | None,
        typer.Option(help="A target's ID, or TYPE/ID, exactly.", rich_help_panel=_FILTER),
    ] = None
    ip: Annotated[
        list[str] | None,
        typer.Option(help="An address or a CIDR block.", rich_help_panel=_FILTER),
    ] = None
    country: Annotated[
        list[str] | None,
        typer.Option(help="Two letters of ISO 3166-1.", rich_help_panel=_FILTER),
    ] = None
    since: Annotated[
        str | None,
        typer.Option(help="RFC 3339; this moment included.", rich_help_panel=_FILTER),
    ] = None
    until: Annotated[
        str | None,
        typer.Option(help="RFC 3339; this moment not included.", rich_help_panel=_FILTER),
    ] = None

    def parameters(self) -> dict[str, str | list[str]]:
        """Those that were given, under the names of the API; a list where there are several."""
        given: dict[str, str | list[str]] = {}
        for field in dataclasses.fields(self):
            value: list[str] | str | None = getattr(self, field.name)
            if value:
                alone = value[0] if isinstance(value, list) and len(value) == 1 else value
                given[field.name.rstrip("_")] = alone
        return given


AsJson = Annotated[
    bool, typer.Option("--json", help="One JSON object a line, and nothing else, on stdout.")
]
As = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="NAME",
        help="For whom you act: the log then names this actor, with the key as credential.",
    ),
]


def examples(*lines: str) -> str:
    """The end of a help page: each example on a line of its own, to be copied.

    One that is longer than 78 characters would be broken by a terminal of 80.
    """
    title = "Examples:" if len(lines) > 1 else "Example:"
    return "\\\n".join([title, *(f"`{line}`" for line in lines)])


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """`command`, with every parameter that is a group spread into the group's options."""
    spread: dict[str, tuple[type[Any], list[str]]] = {}
    parameters: list[inspect.Parameter] = []
    keyword = inspect.Parameter.KEYWORD_ONLY
    for parameter in inspect.signature(command).parameters.values():
        group = parameter.annotation
        if not dataclasses.is_dataclass(group) or not isinstance(group, type):
            parameters.append(parameter.replace(kind=keyword))
            continue
        fields = dataclasses.fields(group)
        hints = get_type_hints(group, include_extras=True)
        spread[parameter.name] = (group, [field.name for field in fields])
        parameters += [
            inspect.Parameter(f.name, keyword, default=f.default, annotation=hints[f.name])
            for f in fields
        ]

    def run(**given: Any) -> None:
        groups = {
            name: group(**{field: given.pop(field) for field in fields})
            for name, (group, fields) in spread.items()
        }
        command(**given, **groups)

    run.__doc__ = command.__doc__
    run.__name__ = command.__name__
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    vars(run)["__signature__"] = inspect.Signature(parameters)
    return run
