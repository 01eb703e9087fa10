"""An issuer of tokens on loopback, which is nobody's invention of ours: oidc-provider, from npm."""

import json
import os
import secrets
import socket
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from infra import NODE_BIN
from infra.emulator import HOST
from infra.leash import Leash

AUDIENCE = "https://audit.example.com"
START_SECONDS = 20
_PROGRAM = Path(__file__).parent / "issuer.mjs"


@dataclass(frozen=True)
class OidcProvider:
    """A running issuer. Each client's tokens carry the claims that it was given."""

    url: str
    clients: Mapping[str, str]

    def token(self, client: str) -> str:
        """An access token, by the grant `client_credentials`."""
        answer = requests.post(
            f"{self.url}/token",
            auth=(client, self.clients[client]),
            data={"grant_type": "client_credentials", "resource": AUDIENCE},
            timeout=10,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["access_token"]


@contextmanager
def oidc_provider(
    home: Path,
    port: int,
    *,
    keys: Sequence[Mapping[str, Any]],
    clients: Mapping[str, Mapping[str, Any]],
    algorithm: str = "RS256",
    pages: Mapping[str, str] | None = None,
    person: str = "usr_17",
) -> Generator[OidcProvider]:
    """Run an issuer with these private keys (JWK); its log goes to `home`.

    `clients` are names with the claims of their tokens. Those in `pages` are a page's, which
    is at that address; it signs in whoever comes as `person`.
    """
    pages = pages or {}
    made = {name: secrets.token_hex(16) for name in clients}
    told = {
        "host": HOST,
        "port": port,
        "audience": AUDIENCE,
        "algorithm": algorithm,
        "keys": list(keys),
        "clients": [
            {
                "id": name,
                "claims": claims,
                **({"redirect_uris": [pages[name]]} if name in pages else {"secret": made[name]}),
            }
            for name, claims in clients.items()
        ],
        "person": person,
    }
    file = home / "issuer.json"
    file.write_text(json.dumps(told))
    log_path = home / "issuer.log"
    with log_path.open("wb") as log:
        leash = Leash(
            [str(NODE_BIN / "node"), str(_PROGRAM), str(file)],
            environment={"PATH": os.defpath, "HOME": str(home)},
            cwd=home,
            log=log,
        )
        try:
            _await(leash, port, log_path)
            yield OidcProvider(f"http://{HOST}:{port}", made)
        finally:
            leash.close()


def _await(leash: Leash, port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and not leash.ended:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.02)
    message = (
        "oidc-provider did not come up (`make test` installs it):\n"
        f"{log.read_text(errors='replace')}"
    )
    raise RuntimeError(message)
