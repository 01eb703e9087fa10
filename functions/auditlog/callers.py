"""Who asks: what a credential stands for, and the person behind it.

Whatever a caller does that the log records of itself names `actor`, with
`credential` beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from auditlog.keys import PLATFORM, Grant, Key

#: What the log calls itself where nobody asked.
SYSTEM: Mapping[str, str] = {"id": "auditlog", "name": "auditlog", "type": "system"}


@dataclass(frozen=True, slots=True)
class Caller:
    """One good credential. `org` is None where it is the platform's, which reads no log.

    `credential` and `actor` are what an event has under these names. A key `may_name`
    whom it acts for; the actor `is_remote` where it did: then the request comes from the
    caller's address and not from the actor's.
    """

    org: str | None
    grants: tuple[Grant, ...]
    credential: Mapping[str, str]
    actor: Mapping[str, str]
    may_name: bool = False
    is_remote: bool = False
    expires_at: int | None = None

    @classmethod
    def of_key(cls, key: Key) -> "Caller":
        """The caller that a key, or a session, stands for."""
        org = None if key.org == PLATFORM else key.org
        if key.person is not None:
            credential = {"type": "session", "id": key.id, "name": key.name}
            named = person(key.person.id, key.person.name)
            return cls(org, key.grants, credential, named, expires_at=key.expires_at)
        actor = {"id": key.id, "name": key.name, "type": "service_account"}
        credential = {"type": "api_key", "id": key.id, "name": key.name}
        return cls(org, key.grants, credential, actor, may_name=True, expires_at=key.expires_at)

    def acting_for(self, person_id: str, name: str | None) -> "Caller":
        """The same on behalf of a person."""
        return replace(self, actor=person(person_id, name), is_remote=True)


def person(person_id: str, name: str | None) -> dict[str, str]:
    """A person as an event's actor."""
    return {"id": person_id, **({} if name is None else {"name": name}), "type": "user"}
