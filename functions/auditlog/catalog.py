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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Final, Self

from auditlog import catalog_file
from auditlog.catalog_file import MAX_NAME_LENGTH, OPERATIONS, EventType, is_name

__all__ = ["MAX_NAME_LENGTH", "OPERATIONS", "Catalog", "EventType", "TypeMatch", "enumerated"]

_COMPARED_LENGTH: Final = 64
_FAMILY = re.compile(r"[a-z][a-z0-9_]*(?:\.[A-Za-z0-9_]+)*")
_OPTIONAL = re.compile(r"\[([^\]]*)\]")
_PLACE = re.compile(r"\{(actor|targets|type)\}")

# Said of a stored event whose type the catalog has lost since, e.g. because a deployment
# dropped it from its file: history stays readable.
_LOST_TYPE_SENTENCE: Final = "{actor} performed {type}[ on {targets}]"


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
        return cls(*catalog_file.read((str(path), catalog_file.text_of(path)) for path in paths))

    @classmethod
    def parse(cls, text: str, file: str = "catalog") -> Self:
        """The catalog in a TOML text; `file` is what errors call it."""
        return cls(*catalog_file.read([(file, text)]))

    def get(self, name: str) -> EventType | None:
        """The type of that name, or of which it is an earlier name; None if there is none.

        In an open scope every well-formed name has a type, made on the spot.
        """
        listed = self._by_name.get(name)
        if listed is not None:
            return listed
        scope = self.scopes.get(name.partition(".")[0])
        if scope is None or not is_name(name):
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
        if in_open_scope and is_name(family):
            exact.add(family)
        return TypeMatch(frozenset(exact), (prefix,))

    def sentence_for(self, type_name: str, actor: str, targets: Sequence[str]) -> str:
        """The summary of an event: its type's sentence, filled in.

        `actor` is the actor's name or else its id, `targets` the names or ids of the targets.
        They are data: braces and brackets in them mean nothing. A type that the catalog does
        not know any more gets a plain general sentence.
        """
        values = {"actor": actor, "targets": enumerated(targets), "type": type_name}
        parts = self.sentence_parts(type_name, has_targets=bool(targets))
        return "".join([values[part] if at % 2 else part for at, part in enumerate(parts)])

    def sentence_parts(self, type_name: str, *, has_targets: bool) -> list[str]:
        """A type's sentence in parts: every second one names what stands there.

        That is `actor`, `targets` or `type`.
        """
        known = self.get(type_name)
        sentence = known.sentence if known else _LOST_TYPE_SENTENCE
        return _PLACE.split(_OPTIONAL.sub(r"\1" if has_targets else "", sentence))


def enumerated(names: Sequence[str]) -> str:
    """Names as a sentence lists them; of more than three, two and how many more."""
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
