"""The environment, read once and frozen; the only module that touches it."""

import os
from collections.abc import Mapping

from auditlog.errors import ConfigurationError


class Settings:
    """What a function's environment says. Each function sets only what it needs.

    Reading a property whose variable is missing or empty raises
    `ConfigurationError` with the variable's name.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)

    @property
    def events_table(self) -> str:
        """The table of records."""
        return self._get("EVENTS_TABLE")

    @property
    def control_table(self) -> str:
        """The table of orgs, keys and exports."""
        return self._get("CONTROL_TABLE")

    @property
    def digests_table(self) -> str:
        """The table of digests and marks."""
        return self._get("DIGESTS_TABLE")

    @property
    def salt_secret_arn(self) -> str:
        """The secret of which every record's salt is made."""
        return self._get("SALT_SECRET_ARN")

    @property
    def exports_queue_url(self) -> str:
        """Where export work waits."""
        return self._get("EXPORTS_QUEUE_URL")

    @property
    def erasures_queue_url(self) -> str:
        """Where erasures and deletions of orgs wait."""
        return self._get("ERASURES_QUEUE_URL")

    @property
    def inbox_dlq_url(self) -> str:
        """Where messages of the inbox go that could not be recorded for too long."""
        return self._get("INBOX_DLQ_URL")

    @property
    def rejects_queue_url(self) -> str:
        """Where messages go that can never be recorded."""
        return self._get("REJECTS_QUEUE_URL")

    @property
    def exports_bucket(self) -> str:
        """Where exports are written."""
        return self._get("EXPORTS_BUCKET")

    @property
    def oidc_issuer(self) -> str | None:
        """The issuer whose tokens are good here, as `issuer.Issuer.parse` reads it; or none."""
        return self._environment.get("OIDC_ISSUER") or None

    @property
    def console_avatars(self) -> tuple[str, ...]:
        """The origins whose pictures of actors the console may show."""
        return tuple(self._environment.get("CONSOLE_AVATARS", "").split())

    def _get(self, name: str) -> str:
        value = self._environment.get(name)
        if not value:
            raise ConfigurationError(f"the environment variable {name} is not set")
        return value


SETTINGS = Settings(os.environ)
