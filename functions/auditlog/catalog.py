"""The catalog: which types of event exist, and what is said about each of them.

It is data: `catalog.toml`, and after it `deployment.toml` with a deployment's own types where
that stands beside it. The form is described at the top of `catalog.toml`. A type may be used
if the catalog lists it, lists it as an earlier name (`was`), or declares its scope open.

Loading reads and checks everything, and raises `CatalogError` at the first fault, with the
file, the type and what was expected. It takes about 4 ms; `Catalog.default` does it once for
each process. Nothing here changes after loading, and a lookup is one or two dictionary reads.
"""

import functools
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Final, Self, cast

from auditlog.errors import CatalogError

OPERATIONS: Final = frozenset(
    {"create", "modify", "remove", "access", "authentication", "transfer", "restore"}
)
MAX_NAME_LENGTH: Final = 128
_COMPARED_LENGTH: Final = 64

_SCOPE = re.compile(r"[a-z][a-z0-9_]*")
_NAME = re.compile(r"[a-z][a-z0-9_]*(?:\.[A-Za-z0-9_]+)+")
_FAMILY = re.compile(r"[a-z][a-z0-9_]*(?:\.[A-Za-z0-9_]+)*")
_SENTENCE = re.compile(
    r"(?:[^{}\[\]\n]++|\{actor\}|\{type\}"
    r"|\[(?:[^{}\[\]\n]++|\{actor\}|\{type\}|\{targets\})+\])+"
)
_OPTIONAL = re.compile(r"\[([^\]]*)\]")
_PLACE = re.compile(r"\{(actor|targets|type)\}")

# Said of a stored event whose type the catalog has lost since, e.g. because a deployment
# dropped it from its file: history stays readable.
_LOST_TYPE_SENTENCE: Final = "{actor} performed {type}[ on {targets}]"

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


@dataclass(frozen=True, slots=True)
class TypeMatch:
    """The stored type names that a `type` filter takes.

    `exact` are whole names; each of `prefixes` ends in a dot and stands for every name that
    begins with it, also for names that the catalog has lost since. `names_hidden` are the
    names of hidden types that the filter named exactly, and so asks to see; it is a subset of
    `exact`. A prefix may match hidden types, but never asks to see them.
    """

    exact: frozenset[str]
    prefixes: tuple[str, ...]
    names_hidden: frozenset[str] = frozenset()

    def matches(self, type_name: str) -> bool:
        """Whether the filter takes a stored type name (hidden or not)."""
        return type_name in self.exact or type_name.startswith(self.prefixes)


@dataclass(frozen=True)
class Catalog:
    """Event types and scopes.

    `types` are the listed types, in the order of the files. `scopes` are the declared scopes:
    None for a closed one; for an open one the type whose group, operation and sentence hold
    for every type of the scope that is not listed (its `name` is the scope's own).
    """

    types: tuple[EventType, ...]
    scopes: Mapping[str, EventType | None]
    _by_name: Mapping[str, EventType] = field(repr=False, compare=False)

    @classmethod
    @functools.cache
    def default(cls) -> "Catalog":
        """The catalog of this deployment, loaded once for each process."""
        return cls.in_folder(Path(__file__).parent)

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        """`catalog.toml` of the folder, then `deployment.toml` where there is one."""
        own = folder / "deployment.toml"
        return cls.load(folder / "catalog.toml", *([own] if own.exists() else []))

    @classmethod
    def load(cls, *paths: Path) -> Self:
        """The union of the files; a later one may use the scopes of an earlier one."""
        return cls._of((str(path), _text(path)) for path in paths)

    @classmethod
    def parse(cls, text: str, file: str = "catalog") -> Self:
        """The catalog in a TOML text; `file` is what errors call it."""
        return cls._of([(file, text)])

    @classmethod
    def _of(cls, files: Iterable[tuple[str, str]]) -> Self:
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
                        raise CatalogError(
                            f"{where}: expected a new type, but {place[name]} has it"
                        )
                    types[name] = _type(where, name, group, value)
                    place[name] = where
                    if types[name].scope not in scopes:
                        raise CatalogError(
                            f"{where}: expected a declared scope, one of {_listed(scopes)}"
                        )
        return cls(tuple(types.values()), scopes, _with_earlier_names(types, place))

    def get(self, name: str) -> EventType | None:
        """The type of that name, or of which it is an earlier name; None if there is none.

        In an open scope every well-formed name has a type, made on the spot.
        """
        listed = self._by_name.get(name)
        if listed is not None:
            return listed
        scope = self.scopes.get(name.partition(".")[0])
        if scope is None or not _is_name(name):
            return None
        return EventType(name, scope.scope, scope.group, scope.sentence, scope.operation)

    def known(self, name: str) -> bool:
        """Whether an event of that type may be published."""
        return self.get(name) is not None

    @functools.cached_property
    def hidden_names(self) -> frozenset[str]:
        """Every name, earlier ones too, of the types that the default view leaves out."""
        return frozenset[str]().union(*(each.names for each in self.types if each.hidden))

    def nearest(self, name: str, n: int = 3) -> tuple[str, ...]:
        """The `n` listed names most like `name`, the best first, however far they are.

        Names that begin with `name` come before all others. It takes at most a millisecond for
        any `name`: only its beginning is compared, and in full only with a shortlist of the
        names that share the most pairs of letters with it.
        """
        name = name[:_COMPARED_LENGTH].lower()
        pairs = _pairs(name)

        def roughly(candidate: str) -> tuple[bool, float]:
            theirs = self._pairs_of_names[candidate]
            share = len(pairs & theirs) / (len(pairs) + len(theirs))
            return candidate.lower().startswith(name), share

        def closely(candidate: str) -> tuple[bool, float]:
            lower = candidate.lower()
            ratio = SequenceMatcher(None, lower, name, autojunk=False).ratio()
            return lower.startswith(name), ratio

        shortlist = sorted(self._pairs_of_names, key=roughly, reverse=True)[: max(8, n)]
        return tuple(sorted(shortlist, key=closely, reverse=True)[:n])

    @functools.cached_property
    def _pairs_of_names(self) -> Mapping[str, frozenset[str]]:
        return {each.name: _pairs(each.name.lower()) for each in self.types}

    def names_matching(self, pattern: str) -> TypeMatch | None:
        """What a `type` filter takes; None if the catalog knows nothing of that name.

        A listed name is exact, and takes the same type's other names (`was`) with it. A scope,
        a dotted prefix or `x.*` is x's family: x itself where that is a type, all below it,
        and the other names of all these types. Below an open scope, a name that is not listed
        may be either, and is both: `aws.s3` is `aws.s3` and all below it.
        """
        family = pattern.removesuffix(".*")
        listed = self._by_name.get(pattern)
        if listed is not None:
            names = listed.names
            return TypeMatch(names, (), names if listed.hidden else frozenset())
        if len(family) > MAX_NAME_LENGTH or not _FAMILY.fullmatch(family):
            return None
        prefix = f"{family}."
        members = [
            name
            for each in self.types
            if any(name == family or name.startswith(prefix) for name in each.names)
            for name in each.names
        ]
        in_open_scope = self.scopes.get(family.partition(".")[0]) is not None
        if not (members or in_open_scope or family in self.scopes):
            return None
        exact = {name for name in members if not name.startswith(prefix)}
        if in_open_scope and _is_name(family):
            exact.add(family)
        return TypeMatch(frozenset(exact), (prefix,))

    def sentence_for(self, type_name: str, actor: str, targets: Sequence[str]) -> str:
        """The summary of an event: its type's sentence, filled in.

        `actor` is the actor's name or else its id, `targets` the names or ids of the targets.
        They are data: braces and brackets in them mean nothing. A type that the catalog does
        not know any more gets a plain general sentence.
        """
        known = self.get(type_name)
        sentence = known.sentence if known else _LOST_TYPE_SENTENCE
        values = {"actor": actor, "targets": _enumerated(targets), "type": type_name}
        sentence = _OPTIONAL.sub(r"\1" if targets else "", sentence)
        return _PLACE.sub(lambda place: values[place[1]], sentence)


def _enumerated(names: Sequence[str]) -> str:
    match names:
        case [first, second, third]:
            return f"{first}, {second} and {third}"
        case [first, second, _, *_]:
            return f"{first}, {second} and {len(names) - 2} more"
        case _:
            return " and ".join(names)


def _pairs(name: str) -> frozenset[str]:
    padded = f" {name} "
    return frozenset(padded[at : at + 2] for at in range(len(padded) - 1))


def _is_name(name: str) -> bool:
    return len(name) <= MAX_NAME_LENGTH and _NAME.fullmatch(name) is not None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise CatalogError(f"{path}: expected a readable UTF-8 file: {fault}") from fault


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
        if not isinstance(each, str) or not _is_name(each):
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
