"""The page as it is sent: what it is told of the deployment, and what its browser allows it.

It is told in one attribute, as JSON; nothing of it is secret. The policy lets it run
what comes with it and nothing else: no script within the page, none of another origin,
no text that becomes markup; it talks to this API, and to the issuer of tokens where
people sign in with it.
"""

import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from auditlog.issuer import Issuer, origin
from console.files import File, Files

TYPE = "text/html; charset=utf-8"

#: What a browser would let a page ask for, and this one never does.
_OFF = (
    "accelerometer", "autoplay", "browsing-topics", "camera", "clipboard-read",
    "display-capture", "encrypted-media", "fullscreen", "geolocation", "gyroscope", "hid",
    "idle-detection", "local-fonts", "magnetometer", "microphone", "midi", "payment",
    "picture-in-picture", "publickey-credentials-get", "screen-wake-lock", "serial", "usb",
    "xr-spatial-tracking",
)  # fmt: skip

#: Beside the policy.
HEADERS: Mapping[str, str] = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{name}=()" for name in _OFF),
    # Its address may have held a session, and tells the org and what was looked for.
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000",
    "X-Content-Type-Options": "nosniff",
}


class Front:
    """The page of one deployment. `avatars` are origins whose pictures it may show."""

    def __init__(self, files: Files, issuer: Issuer | None, avatars: Sequence[str]) -> None:
        told = {"oidc": _client(issuer), "avatars": list(avatars)}
        filled = {
            "{version}": files.version,
            "{config}": html.escape(json.dumps(told, separators=(",", ":"))),
        }
        # In one pass: what is filled in is not looked at again.
        places = re.compile("|".join(map(re.escape, filled)))
        text = places.sub(lambda found: filled[found[0]], files.page)
        self.page = File(TYPE, text.encode())
        # Weak: the bytes that are sent may be packed.
        self.tag = f'W/"{hashlib.sha256(self.page.data).hexdigest()[:32]}"'
        self.headers = {"Content-Security-Policy": _policy(issuer, avatars), **HEADERS}


def _policy(issuer: Issuer | None, avatars: Sequence[str]) -> str:
    asked: list[str] = []
    if issuer is not None and issuer.console is not None:
        # One is navigated to, where people sign in; these two are asked by the page.
        addresses = [issuer.url, issuer.console.token_endpoint or issuer.url]
        asked = list(dict.fromkeys(map(origin, addresses)))
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            " ".join(("img-src 'self' data:", *avatars)),
            " ".join(("connect-src 'self'", *asked)),
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _client(issuer: Issuer | None) -> dict[str, Any] | None:
    """How people sign in with the issuer; None where they do not."""
    if issuer is None or issuer.console is None:
        return None
    client = issuer.console
    return {
        "issuer": issuer.url,
        "client_id": client.id,
        "scope": client.scope,
        "token_endpoint": client.token_endpoint,
        "authorization_endpoint": client.authorization_endpoint,
        "parameters": dict(client.parameters),
    }
