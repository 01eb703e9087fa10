"""Where the service is and with which key to talk to it.

First an option, then its variable, then the stack: the CloudFormation outputs of `--stack-name`
where it is given, else `.local/stack.json` of the nearest directory upwards that has one. The
key and the org of `stack.json` are used only with the API of `stack.json`: they are never sent
to an address that came from elsewhere.
"""

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from secrets import SystemRandom
from typing import TYPE_CHECKING, Any, cast

import typer

from auditlog import clock
from auditlog.cli import asking, aws
from auditlog.cli.failures import UsageError
from auditlog.cli.options import Where

if TYPE_CHECKING:
    import httpx

    from auditlog.cli.client import Api

_STACK_FILE = Path(".local", "stack.json")


@dataclass(frozen=True, slots=True)
class Outside:
    """What a command takes from the world; a test hands in another."""

    transport: "httpx.BaseTransport | None" = None
    sleep: Callable[[float], None] = clock.sleep
    jitter: Callable[[], float] = SystemRandom().random
    new_key: Callable[[], str] = lambda: str(uuid.uuid4())
    ask: asking.Ask = asking.at_terminal


class Connection:
    """What the options, the environment and the stack say; looked up when it is asked for."""

    def __init__(self, where: Where, outside: Outside) -> None:
        self._where = where
        self.outside = outside

    @cached_property
    def stack(self) -> Mapping[str, str]:
        """Where everything is, under the names of `stack.json`; empty where there is no stack."""
        if self._where.stack_name:
            found = aws.outputs(self._where.stack_name)
            return {_snake(name): value for name, value in found.items()}
        path = _nearest(Path.cwd())
        return _read(path) if path else {}

    @property
    def org(self) -> str:
        """The org, or `UsageError`."""
        if self._where.org:
            return self._where.org
        local = None if self._where.api_url else self.stack.get("org")
        return _needed(local, "org", "--org, or AUDITLOG_ORG")

    @property
    def key(self) -> str:
        """The key, or `UsageError`."""
        if self._where.key:
            return self._where.key
        local = None if self._where.api_url else self.stack.get("admin_key")
        return _needed(local, "key", "AUDITLOG_KEY, or --key")

    @property
    def api_url(self) -> str:
        """Where the API is, without a slash at the end, or `UsageError`."""
        given = self._where.api_url or self.stack.get("api_url")
        url = _needed(given, "address of the API", "--api-url, or AUDITLOG_API_URL").rstrip("/")
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"{url!r} is not an address of an API", hint="It begins with https://")
        return url

    def api(self, acting_as: str | None = None) -> "Api":
        """The API with the key, acting for the person of `--as` where one is named."""
        from auditlog.cli.client import Api  # noqa: PLC0415 -- --help does without httpx

        headers = {"Authorization": f"Bearer {_sendable(self.key, 'key')}"}
        if acting_as:
            name = _sendable(acting_as, "name in --as")
            headers |= {"X-Actor-Id": name, "X-Actor-Name": name}
        return Api(
            self.api_url,
            headers,
            transport=self.outside.transport,
            sleep=self.outside.sleep,
            jitter=self.outside.jitter,
        )

    def named(self, name: str) -> str:
        """A queue's URL or a table's name, as `stack.json` calls it, or `UsageError`."""
        return _needed(self.stack.get(name), name.replace("_", " "), "--stack-name")


def connect(context: typer.Context, where: Where) -> Connection:
    """The connection that a command's options ask for."""
    outside: object = context.obj
    return Connection(where, outside if isinstance(outside, Outside) else Outside())


def _nearest(start: Path) -> Path | None:
    candidates = (folder / _STACK_FILE for folder in (start, *start.parents))
    return next((path for path in candidates if path.is_file()), None)


def _read(path: Path) -> dict[str, str]:
    try:
        content: object = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot read {path}: {error}", hint="`make dev` writes it anew."
        ) from None
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no JSON object", hint="`make dev` writes it anew.")
    members = cast("dict[str, Any]", content)
    return {name: value for name, value in members.items() if isinstance(value, str)}


def _snake(name: str) -> str:
    return re.sub("(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _needed(value: str | None, what: str, how: str) -> str:
    if value:
        return value
    raise UsageError(
        f"no {what} is given",
        hint=f"Give it with {how}, or be where `make dev` has left a .local/stack.json.",
    )


def _sendable(value: str, what: str) -> str:
    """`value`, which goes into a header: those carry printable ASCII and nothing else."""
    if not value.isascii() or not value.isprintable():
        raise UsageError(f"the {what} must be printable ASCII", hint="It is sent as a header.")
    return value.strip()
