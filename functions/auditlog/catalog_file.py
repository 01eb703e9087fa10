"""The files of the catalog: TOML, read and checked into types and scopes.

The form is described at the top of `catalog.toml`. Everything is read and checked, and the
first fault raises `CatalogError` with the file, the type and what was expected.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, cast

from auditlog.errors import CatalogError

OPERATIONS: Final = frozenset(
    {"create", "modify", "remove", "access", "authentication", "transfer", "restore"}
)
MAX_NAME_LENGTH: Final = 128

_SCOPE = re.compile(r"[a-z][a-z0-9_]*")
_NAME = re.compile(r"[a-z][a-z0-9_]*(?:\.[A-Za-z0-9_]+)+")
_SENTENCE = re.compile(
    r"(?:[^{}\[\]\n]++|\{actor\}|\{type\}"
    r"|\[(?:[^{}\[\]\n]++|\{actor\}|\{type\}|\{targets\})+\])+"
)

_NAME_RULE: Final = (
    f"at most {MAX_NAME_LENGTH} characters, a scope ([a-z][a-z0-9_]*) and then one or more "
    "parts ([A-Za-z0-9_]+) with dots between them"
)
_SENTENCE_RULE: Final = (
    "one line of text with {actor} and {type} anywhere, {targets} only within [square brackets], "
    "and no other braces or brackets"
)


@dataclass(frozen=True, slots=True)
class EventType:
    """A type of event. `scope` is the first part of `name`; `was` are its earlier names."""

    name: str
    scope: str
    group: str
    sentence: str
    operation: str
    hidden: bool = False
    was: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The name and every earlier name."""
        return frozenset((self.name, *self.was))


class Contents(NamedTuple):
    """What files of the catalog declare together.

    `types` and `scopes` are those of `catalog.Catalog`; `by_name` has every listed type by its
    name and by each of its earlier names.
    """

    types: tuple[EventType, ...]
    scopes: Mapping[str, EventType | None]
    by_name: Mapping[str, EventType]


def is_name(name: str) -> bool:
    """Whether a name has the form of a type's, whether or not there is such a type."""
    return len(name) <= MAX_NAME_LENGTH and _NAME.fullmatch(name) is not None


def text_of(path: Path) -> str:
    """The text of a file; raises `CatalogError` where it cannot be read or is not UTF-8."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise CatalogError(f"{path}: expected a readable UTF-8 file: {fault}") from fault


def read(files: Iterable[tuple[str, str]]) -> Contents:
    """The union of files, each what errors call it and its text.

    A later file may use the scopes of an earlier one, and declares nothing again.
    """
    scopes: dict[str, EventType | None] = {}
    types: dict[str, EventType] = {}
    place: dict[str, str] = {}
    for file, text in files:
        document = _document(file, text)
        for name, value in document.get("scopes", {}).items():
            where = f"{file}: scope {name!r}"
            if name in scopes:
                raise CatalogError(f"{where}: expected a new scope, but {place[name]} has it")
            scopes[name] = _scope(where, name, value)
            place[name] = file
        for group, members in document.get("types", {}).items():
            for name, value in _table(f"{file}: group {group!r}", members).items():
                where = f"{file}: type {name!r}"
                if name in types:
                    raise CatalogError(f"{where}: expected a new type, but {place[name]} has it")
                types[name] = _type(where, name, group, value)
                place[name] = where
                if types[name].scope not in scopes:
                    raise CatalogError(
                        f"{where}: expected a declared scope, one of {_listed(scopes)}"
                    )
    return Contents(tuple(types.values()), scopes, _with_earlier_names(types, place))


def _document(file: str, text: str) -> dict[str, dict[str, object]]:
    try:
        document: dict[str, object] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise CatalogError(f"{file}: expected TOML: {fault}") from fault
    _refuse_others(file, document, {"scopes", "types"})
    return {name: _table(f"{file}: {name}", value) for name, value in document.items()}


def _scope(where: str, name: str, value: object) -> EventType | None:
    fields = _table(where, value)
    if len(name) > MAX_NAME_LENGTH or not _SCOPE.fullmatch(name):
        raise CatalogError(f"{where}: expected a name of the form {_SCOPE.pattern}")
    if not _flag(where, fields, "open"):
        _refuse_others(where, fields, {"open"})
        return None
    _refuse_others(where, fields, {"open", "group", "operation", "sentence"})
    return EventType(
        name,
        name,
        _string(where, fields, "group"),
        _sentence(where, fields),
        _operation(where, fields),
    )


def _type(where: str, name: str, group: str, value: object) -> EventType:
    fields = _table(where, value)
    _refuse_others(where, fields, {"operation", "sentence", "hidden", "was"})
    was = fields.get("was", [])
    if not isinstance(was, list):
        raise CatalogError(f"{where}: expected 'was' to be a list of earlier names")
    for each in (name, *cast("list[object]", was)):
        if not isinstance(each, str) or not is_name(each):
            raise CatalogError(f"{where}: {each!r} is not a type's name; expected {_NAME_RULE}")
    return EventType(
        name,
        name.partition(".")[0],
        group,
        _sentence(where, fields),
        _operation(where, fields),
        _flag(where, fields, "hidden"),
        tuple(cast("list[str]", was)),
    )


def _with_earlier_names(
    types: Mapping[str, EventType], place: Mapping[str, str]
) -> Mapping[str, EventType]:
    by_name = dict(types)
    for each in types.values():
        for earlier in each.was:
            if earlier in by_name:
                raise CatalogError(
                    f"{place[each.name]}: expected earlier names that are nobody else's, "
                    f"but {earlier!r} belongs to {place[by_name[earlier].name]}"
                )
            by_name[earlier] = each
    return by_name


def _table(where: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise CatalogError(f"{where}: expected a table, not {value!r}")
    return cast("dict[str, object]", value)


def _refuse_others(where: str, fields: Iterable[str], allowed: set[str]) -> None:
    others = set(fields) - allowed
    if others:
        raise CatalogError(
            f"{where}: unknown field {min(others)!r}; expected only {_listed(allowed)}"
        )


def _string(where: str, fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value.strip():
        raise CatalogError(f"{where}: expected {name!r} to be a text, and not an empty one")
    return value


def _flag(where: str, fields: Mapping[str, object], name: str) -> bool:
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise CatalogError(f"{where}: expected {name!r} to be true or false, not {value!r}")
    return value


def _operation(where: str, fields: Mapping[str, object]) -> str:
    value = _string(where, fields, "operation")
    if value not in OPERATIONS:
        raise CatalogError(
            f"{where}: unknown operation {value!r}; expected one of {_listed(OPERATIONS)}"
        )
    return value


def _sentence(where: str, fields: Mapping[str, object]) -> str:
    value = _string(where, fields, "sentence")
    if not _SENTENCE.fullmatch(value):
        raise CatalogError(f"{where}: bad sentence {value!r}; expected {_SENTENCE_RULE}")
    return value


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
