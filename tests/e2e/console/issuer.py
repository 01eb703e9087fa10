"""The issuer that the console's stack trusts, and the page's client of it."""

from typing import Any

from infra.emulator import HOST
from tests.engines.oidc import AUDIENCE

CLIENT = "console"


def trusted(port: int) -> dict[str, Any]:
    """What the CDK context says of it, as `oidc`."""
    return {
        "issuer": f"http://{HOST}:{port}",
        "audience": AUDIENCE,
        "grants": {"auditor": ["events:read", "exports:create"]},
        "console": {"client_id": CLIENT, "parameters": {"resource": AUDIENCE}},
    }
