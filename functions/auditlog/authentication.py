"""Who sends a request: a key, a session, or a token of the issuer that the deployment trusts."""

import re
from collections.abc import Callable, Mapping

from auditlog import clock, keys
from auditlog.callers import Caller
from auditlog.errors import NotFoundError, UnauthenticatedError, UnavailableError
from auditlog.keys import Key
from auditlog.settings import SETTINGS
from auditlog.store import aws
from auditlog.store.control import ControlStore

#: A revoked key is still taken by a container that has it cached, for this long.
KEY_CACHED_FOR = 30.0
_MOST_CACHED = 1_000
_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +(\S+)")


class Authentication:
    """What a container knows of credentials: keys that it has looked up, and when."""

    def __init__(self, *, now: Callable[[], int], monotonic: Callable[[], float]) -> None:
        self._now = now
        self._monotonic = monotonic
        self._cached: dict[str, tuple[float, Key]] = {}
        self._said_used: dict[str, int] = {}

    def caller(self, headers: Mapping[str, str], org: str | None) -> Caller:
        """Who sent a request: a credential of `org` where the path names one, or the platform's.

        Raises `UnauthenticatedError`, `NotFoundError` where it is one of another org,
        or `UnavailableError`. One read unit for a key that is not cached.
        """
        given = _BEARER.fullmatch(headers.get("authorization", "").strip())
        if given is None:
            raise UnauthenticatedError("Send Authorization: Bearer, with a key of the org.")
        issuer = SETTINGS.oidc_issuer
        if issuer is not None and "." in given[1]:  # No key has one, and every token two.
            from auditlog.trust import trust  # noqa: PLC0415 -- a key does not wait for it to load

            caller = trust(issuer).caller(given[1], org=org, now=self._now())
        else:
            caller = self._of_key(given[1])
        if org is not None and caller.org is not None and org != caller.org:
            raise NotFoundError("No such org.")
        return caller

    def say_used(self, caller: Caller) -> None:
        """Notes the hour of a key's last use: one write a container, key and hour."""
        hour, key_id = self._now() // clock.HOUR * clock.HOUR, caller.credential["id"]
        if caller.credential["type"] != "api_key" or self._said_used.get(key_id) == hour:
            return
        try:
            self._control.say_used(caller.org or keys.PLATFORM, key_id, hour)
        except UnavailableError:
            return  # The next request says it.
        if len(self._said_used) >= _MOST_CACHED:
            self._said_used.clear()
        self._said_used[key_id] = hour

    @property
    def _control(self) -> ControlStore:
        return ControlStore(aws.dynamodb(), SETTINGS.control_table)

    def _of_key(self, credential: str) -> Caller:
        key_id = keys.key_id(credential)
        key = None if key_id is None else self._key(key_id)
        if key is None or not key.opens(credential):
            raise UnauthenticatedError("The credential is not a key that is known here.")
        if not key.is_live(self._now()):
            raise UnauthenticatedError("The key has expired.")
        return Caller.of_key(key)

    def _key(self, key_id: str) -> Key | None:
        now = self._monotonic()
        until, key = self._cached.get(key_id, (0.0, None))
        if key is not None and now < until:
            return key
        self._cached.pop(key_id, None)
        found = self._control.key(key_id)
        if found is not None:
            if len(self._cached) >= _MOST_CACHED:
                self._cached.clear()
            self._cached[key_id] = (now + KEY_CACHED_FOR, found)
        return found
