"""The export profile `hf`: an event as an entry of the reference's own export.

The reference is the audit log of the Hugging Face Hub; the form is its JSON Schema, which
closes the list of types and that of members. What holds:

- Every entry is valid against that schema, whatever the event holds.
- `_id` is the first 12 bytes of our id: the time, and the beginning of the hash.
- `createdAt` is `occurred_at`, with three digits where those say it all, as the reference
  writes its times, and with six where they do not.
- `author._id` is the actor's id where that is 24 hexadecimal digits, as all of the reference's
  are. Any other id is replaced by the first 24 digits of its SHA-256: the same actor has the
  same one in every export. `author.user` is the name, or else the id.
- `location.formatted` is city, region and country, as far as they are there.
- `data` is `metadata`.
- What the form has no place for is named, so that whoever exports can be told.

What `auditlog import --from hf` published comes out as it was, but for `_id` and the tail of
an address. The parts of an entry that our own fields cannot hold are in the event's `metadata`,
as a member `hf` that is shaped like an entry: `{"hf": {"author": {"deleted": true}}}`. Data that
has a member `hf` itself, or is no object, is whole in there: `{"hf": {"data": [1, 2]}}`.
`cli/reference.py` writes it.

Anybody may publish a member `hf`, with anything in it. It is taken for an import's only where
it is shaped as one, and says nothing else than the event's own fields do; otherwise it is data
like all other.

Compatibility: import keeps in `hf` what is not derived here, and what it keeps is part of an
event's id. So `created_at`, `formatted` and the two questions about addresses never change.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from auditlog import clock, privacy

#: The closed list of the reference's types. An event of another type has no entry.
TYPES = frozenset((
    "billing.aws_add", "billing.aws_remove", "billing.cancel_subscription",
    "billing.create_customer", "billing.gcp_add", "billing.gcp_remove",
    "billing.marketplace_approve", "billing.remove_payment_method",
    "billing.renew_subscription", "billing.start_subscription",
    "billing.un_cancel_subscription", "billing.update_payment_method",
    "billing.update_subscription", "billing.update_subscription_plan",
    "collection.create", "collection.delete", "collection.update_resource_group",
    "jobs.cancel", "jobs.create", "jobs.update_expose", "jobs.update_labels",
    "oauth.token",
    "org.add_user", "org.change_role", "org.create", "org.delete", "org.invite.accept",
    "org.invite.email", "org.invite_user", "org.join.automatic", "org.join.from_domain",
    "org.leave", "org.remove_user", "org.rename", "org.restore", "org.rotate_token",
    "org.service_account.create", "org.service_account.delete",
    "org.service_account.token.create", "org.service_account.token.delete",
    "org.service_account.token.rotate", "org.service_account.token.update",
    "org.settings.inference_providers", "org.settings.inference_providers.keys.add",
    "org.settings.inference_providers.keys.remove", "org.settings.inference_providers.usage",
    "org.settings.network", "org.settings.network.auth_enforcement.disable",
    "org.settings.network.auth_enforcement.enable",
    "org.settings.network.ip_restriction.disable", "org.settings.network.ip_restriction.enable",
    "org.settings.profile", "org.settings.publisher_gating", "org.settings.regions",
    "org.settings.resource_groups", "org.settings.security.2fa.disable",
    "org.settings.security.2fa.enable", "org.settings.security.auto_join.disable",
    "org.settings.security.auto_join.enable", "org.settings.security.members_privacy.disable",
    "org.settings.security.members_privacy.enable", "org.settings.security.repo_visibility",
    "org.settings.sso", "org.settings.sso.disable", "org.settings.sso.enable", "org.sso_join",
    "org.sso_login", "org.token_approval.authorization_request",
    "org.token_approval.authorization_request.authorized",
    "org.token_approval.authorization_request.denied",
    "org.token_approval.authorization_request.revoked", "org.token_approval.disabled",
    "org.token_approval.enabled", "org.update_join_settings", "org.update_settings",
    "repo.add_secret", "repo.add_secrets", "repo.add_trusted_publisher", "repo.add_variable",
    "repo.add_variables", "repo.create", "repo.delete", "repo.delete_doi",
    "repo.delete_lfs_file", "repo.disable", "repo.duplication", "repo.move",
    "repo.removeDisable", "repo.remove_secret", "repo.remove_secrets",
    "repo.remove_trusted_publisher", "repo.remove_variable", "repo.remove_variables",
    "repo.update_resource_group", "repo.update_secret", "repo.update_settings",
    "repo.update_variable",
    "resource_group.add_users", "resource_group.change_role", "resource_group.create",
    "resource_group.delete", "resource_group.remove_users", "resource_group.settings",
    "scheduled_job.create", "scheduled_job.delete", "scheduled_job.resume", "scheduled_job.run",
    "scheduled_job.suspend", "scheduled_job.update_labels", "scheduled_job.update_schedule",
    "spaces.add_storage", "spaces.remove_storage", "spaces.remove_volumes",
    "spaces.set_volumes", "spaces.update_hardware", "spaces.update_sleep_time",
))  # fmt: skip
#: The member of `metadata` in which import keeps what our own fields cannot hold.
KEPT = "hf"

_ROLES = frozenset({"read", "write", "fineGrained"})
_ID = re.compile(r"[0-9a-f]{24}")
_CREATED_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z")
_ADDRESS_LIKE = re.compile(r"[0-9A-Fa-f:.]+")
_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def entry(
    event_id: str, record: Mapping[str, Any], message: str
) -> tuple[bytes, tuple[str, ...]] | None:
    """The entry of an event as JSON, and the record's fields that it does not say, sorted.

    None where the event's type is not one of `TYPES`, or the event was erased: an entry names
    its author. `message` is the description, or where
    there is none the summary.
    """
    if record["type"] not in TYPES or "actor" not in record:
        return None
    kept = _kept(record)
    made = _required(event_id, record, message, kept) | _optional(record, kept)
    return _dumps(made).encode(), tuple(sorted(_unsaid(record, kept)))


def is_id(text: str) -> bool:
    """Whether `text` has the form of the reference's ids."""
    return _ID.fullmatch(text) is not None


def is_time(text: str) -> bool:
    """Whether `text` has the form of the reference's times; there may be no such time."""
    return _CREATED_AT.fullmatch(text) is not None


def created_at(occurred_at: str) -> str:
    """A record's time as the reference writes it: milliseconds, where no more is known."""
    return f"{occurred_at[:-4]}Z" if occurred_at.endswith("000Z") else occurred_at


def formatted(location: Mapping[str, str]) -> str:
    """A record's location in one line."""
    parts = (location.get(name) for name in ("city", "region", "country"))
    return ", ".join(part for part in parts if part)


def is_address(text: str) -> bool:
    """Whether `text` is an address, which is truncated and never kept as it stands."""
    return _truncated(text) is not None


def holds_address(text: str) -> bool:
    """Whether a whole address stands in `text`, beside a port or in a list."""
    words = _ADDRESS_LIKE.findall(text)
    words += [part for word in words for part in word.split(":")]
    return any(_truncated(word.strip(".")) not in {None, word.strip(".")} for word in words)


def _truncated(text: str) -> str | None:
    try:
        return privacy.truncate(text)
    except ValueError:
        return None


def _required(
    event_id: str, record: Mapping[str, Any], message: str, kept: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        # An id is digits of base 32; the first 20 are 100 bits, and 12 bytes are 96.
        "_id": f"{int(event_id[:20], 32) >> 4:024x}",
        "createdAt": kept.get("createdAt") or created_at(record["occurred_at"]),
        "type": record["type"],
        "message": message,
        "author": _author(record["actor"]) | kept.get("author", {}),
    }


def _optional(record: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    parts = {
        "ip": record.get("ip", kept.get("ip")),
        "userAgent": record.get("user_agent", kept.get("userAgent")),
        "location": _location(record.get("location")) | kept.get("location", {}) or None,
        "token": _token(record.get("credential")) | kept.get("token", {}) or None,
        "oauth": _oauth(record.get("credential")) | kept.get("oauth", {}) or None,
    }
    said = {name: part for name, part in parts.items() if part is not None}
    if "data" in kept:
        said["data"] = kept["data"]
    elif not kept and "metadata" in record:
        said["data"] = record["metadata"]
    elif kept and len(record["metadata"]) > 1:
        said["data"] = {name: value for name, value in record["metadata"].items() if name != KEPT}
    return said


def _author(actor: Mapping[str, str]) -> dict[str, Any]:
    actor_id = actor["id"]
    return {
        "_id": actor_id if is_id(actor_id) else hashlib.sha256(actor_id.encode()).hexdigest()[:24],
        "user": actor.get("name", actor_id),
        "avatarUrl": actor.get("avatar_url", ""),
        "type": "system" if actor.get("type") == "system" else "user",
    }


def _location(location: Mapping[str, str] | None) -> dict[str, str]:
    if not location:
        return {}
    named = {name: location[name] for name in ("country", "city") if name in location}
    return {"formatted": formatted(location), **named}


def _token(credential: Mapping[str, str] | None) -> dict[str, Any]:
    if not credential or credential["type"] != "access_token":
        return {}
    token: dict[str, Any] = {"type": "access_token", "id": credential["id"], "deleted": False}
    if credential.get("role") in _ROLES:
        token["role"] = credential["role"]
    if "last4" in credential:
        token["last4"] = credential["last4"]
    return token


def _oauth(credential: Mapping[str, str] | None) -> dict[str, str]:
    if not credential or credential["type"] != "oauth_app":
        return {}
    named = {"name": credential["name"]} if "name" in credential else {}
    return {"clientId": credential["id"], **named}


def _unsaid(record: Mapping[str, Any], kept: Mapping[str, Any]) -> Iterator[str]:
    """The fields of a record that its entry does not say, or not whole."""
    actor = record["actor"]
    if not is_id(actor["id"]):
        yield "actor.id"
    if actor.get("type") == "service_account":
        yield "actor.type"
    yield from _unsaid_of_credential(record.get("credential"))
    # Import makes a key of the entry's own `_id`, in whose place every export has ours.
    if "key" in record and not (kept and is_id(record["key"])):
        yield "key"
    # Where the line about the place is the publisher's own, it need not name the region.
    if record.get("location", {}).get("region") and "formatted" in kept.get("location", {}):
        yield "location.region"
    if record.get("targets"):
        yield "targets"


def _unsaid_of_credential(credential: Mapping[str, str] | None) -> Iterator[str]:
    if credential is None:
        return
    if credential["type"] == "access_token":
        if "name" in credential:
            yield "credential.name"
        if "role" in credential and credential["role"] not in _ROLES:
            yield "credential.role"
    elif credential["type"] == "oauth_app":
        yield from (f"credential.{name}" for name in ("last4", "role") if name in credential)
    else:
        yield "credential"


def _kept(record: Mapping[str, Any]) -> dict[str, Any]:
    """What import kept of an entry; empty where there is none, or where it is not import's."""
    kept = record.get("metadata", {}).get(KEPT)
    if not isinstance(kept, dict):
        return {}
    parts = cast("dict[str, Any]", kept)
    fit = all(name in _FITS and _FITS[name](record, part) for name, part in parts.items())
    return parts if fit else {}


def _created_at_fits(record: Mapping[str, Any], part: object) -> bool:
    try:
        return (
            isinstance(part, str)
            and is_time(part)
            and clock.text(clock.parse(part)) == record["occurred_at"]
        )
    except ValueError:
        return False


def _author_fits(_record: Mapping[str, Any], part: object) -> bool:
    return _has(part, deleted=bool) is not None


def _data_fits(record: Mapping[str, Any], _part: object) -> bool:
    return len(record["metadata"]) == 1


def _ip_fits(record: Mapping[str, Any], part: object) -> bool:
    if "ip" in record or not isinstance(part, str):
        return False
    return not is_address(part) and not holds_address(part)


def _user_agent_fits(record: Mapping[str, Any], part: object) -> bool:
    return "user_agent" not in record and isinstance(part, str)


def _location_fits(record: Mapping[str, Any], part: object) -> bool:
    own = record.get("location", {})
    location = _has(part, formatted=str, country=str)
    return (
        location is not None
        and not (location.keys() & own.keys())
        and bool(own or "formatted" in location)
    )


def _token_fits(record: Mapping[str, Any], part: object) -> bool:
    own = record.get("credential", {})
    if own.get("type") == "access_token":
        more = _has(part, deleted=bool, last4=str)
        return more is not None and not ("last4" in more and "last4" in own)
    token = _has(part, type=str, id=str, role=str, last4=str, deleted=bool)
    return (
        token is not None
        and token.keys() >= {"id", "deleted"}
        and token.get("type") == "access_token"
        and ("role" not in token or token["role"] in _ROLES)
    )


def _oauth_fits(record: Mapping[str, Any], part: object) -> bool:
    oauth = _has(part, clientId=str, name=str)
    is_ours = record.get("credential", {}).get("type") == "oauth_app"
    return oauth is not None and "clientId" in oauth and not is_ours


# Of each part of an entry that import may keep: whether this one can stand in the entry, and
# hides nothing that the record itself says.
_FITS: Mapping[str, Callable[[Mapping[str, Any], object], bool]] = {
    "author": _author_fits,
    "createdAt": _created_at_fits,
    "data": _data_fits,
    "ip": _ip_fits,
    "location": _location_fits,
    "oauth": _oauth_fits,
    "token": _token_fits,
    "userAgent": _user_agent_fits,
}


def _has(part: object, **members: type) -> dict[str, Any] | None:
    """`part`, where it is an object that has some of these members, each so, and no others."""
    if not isinstance(part, dict) or not part:
        return None
    named = cast("dict[str, Any]", part)
    fit = all(isinstance(value, members.get(name, ())) for name, value in named.items())
    return named if fit else None
