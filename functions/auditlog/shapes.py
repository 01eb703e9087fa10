"""Shapes of JSON that we take, checked by pydantic, with faults in our own words."""

from collections.abc import Iterable
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from auditlog import canonical
from auditlog.errors import Fault, InvalidError

T = TypeVar("T")

_WORDS = {
    "missing": "required, and not there",
    "extra_forbidden": "not a field that is known here",
    "string_type": "expected a string",
    "dict_type": "expected an object",
    "typed_dict_type": "expected an object",
    "list_type": "expected an array",
    "string_too_short": "expected at least {min_length} character",
    "string_too_long": "expected at most {max_length} characters",
    "too_long": "expected at most {max_length} entries",
    "too_short": "expected at least {min_length} entry",
    "literal_error": "expected one of {expected}",
    "enum": "expected one of {expected}",
}


def check(adapter: TypeAdapter[T], raw: object) -> tuple[T | None, list[Fault]]:
    """The value in its normal form, or every fault with its place; never both.

    The faults never repeat what was sent.
    """
    try:
        return adapter.validate_python(raw), []
    except ValidationError as error:
        found = error.errors(include_url=False)
    if any(e["type"] == "string_unicode" for e in found):
        return None, list(canonical.surrogates(raw))
    return None, [Fault(_in_words(cast("Any", e)), pointer=_pointer(e["loc"])) for e in found]


def body(adapter: TypeAdapter[T], data: bytes) -> T:
    """The value of a request's body.

    Raises `MalformedError` where it is not JSON, `InvalidError` with every
    fault where it breaks the shape.
    """
    raw, faults = canonical.decode(data)
    value, broken = check(adapter, raw)
    if value is not None:
        broken = list(canonical.surrogates(raw))
        value = None if broken else value
    if faults or value is None:
        known = {fault.pointer for fault in faults}
        others = [fault for fault in broken if fault.pointer not in known]
        raise InvalidError("The body breaks a rule of this request.", [*faults, *others])
    return value


def _pointer(loc: Iterable[str | int]) -> str:
    pointer = ""
    for step in loc:
        pointer = canonical.join(pointer, step)
    return pointer


def _in_words(error: dict[str, Any]) -> str:
    words = _WORDS.get(error["type"])
    said = words.format(**error.get("ctx", {})) if words else str(error["msg"])
    is_null_member = error["input"] is None and error["loc"]
    return f"{said}, found null; leave out what is not there" if is_null_member else said
