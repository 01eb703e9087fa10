"""Keys of tests, and tokens signed with them."""

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class Signer:
    """A private key with its id and its algorithm."""

    id: str | None
    algorithm: str
    private: Private

    @property
    def public_jwk(self) -> dict[str, Any]:
        """What an issuer publishes of it."""
        return self._jwk(self.private.public_key())

    @property
    def private_jwk(self) -> dict[str, Any]:
        """What an issuer is given."""
        return self._jwk(self.private)

    def sign(self, claims: Any, **header: Any) -> str:
        """A token with these claims; a member of the header that is None is left out."""
        told = {"alg": self.algorithm, "typ": "at+jwt", "kid": self.id} | header
        told = {name: value for name, value in told.items() if value is not None}
        text = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
        signed = f"{encoded(json.dumps(told).encode())}.{encoded(text)}"
        algorithm = get_default_algorithms()[self.algorithm]
        return f"{signed}.{encoded(algorithm.sign(signed.encode(), self.private))}"

    def _jwk(self, key: Any) -> dict[str, Any]:
        numbers: Mapping[str, Any] = get_default_algorithms()[self.algorithm].to_jwk(
            key, as_dict=True
        )
        told = {"kid": self.id, "use": "sig", "alg": self.algorithm}
        # PyJWT says of each what it can do, which `use` has said.
        return {name: value for name, value in numbers.items() if name != "key_ops"} | {
            name: value for name, value in told.items() if value is not None
        }


@cache
def signer(key_id: str | None = "one", algorithm: str = "RS256", bits: int = 2_048) -> Signer:
    """A key of its own for each id; made once, since RSA takes its time."""
    private: Private
    if algorithm == "EdDSA":
        private = ed25519.Ed25519PrivateKey.generate()
    elif algorithm.startswith("ES"):
        curve = ec.SECP256R1() if algorithm == "ES256" else ec.SECP384R1()
        private = ec.generate_private_key(curve)
    else:
        private = rsa.generate_private_key(65537, bits)
    return Signer(key_id, algorithm, private)


def encoded(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def by_secret(claims: Mapping[str, Any], secret: bytes, key_id: str) -> str:
    """A token that is signed with a secret instead (HS256)."""
    head = {"alg": "HS256", "typ": "at+jwt", "kid": key_id}
    signed = f"{encoded(json.dumps(head).encode())}.{encoded(json.dumps(claims).encode())}"
    # Not by PyJWT's `encode`, which will not take a public key for a secret.
    signature = hmac.digest(secret, signed.encode(), "sha256")
    return f"{signed}.{encoded(signature)}"
