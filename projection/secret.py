"""Secrets of credentials: hashed with scrypt at rest, and compared in constant time."""

import hashlib
import hmac
import secrets

_COST, _BLOCK, _PARALLEL = 2**12, 8, 1


def generate() -> str:
    """A new secret of 256 random bits."""
    return secrets.token_urlsafe(32)


def hashed(secret: str) -> str:
    """What is stored of a secret."""
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}${_digest(secret, salt).hex()}"


def matches(secret_hash: str, secret: str) -> bool:
    """Whether the hash is of this secret. Costs some milliseconds of processor time."""
    salt, digest = secret_hash.split("$")
    return hmac.compare_digest(_digest(secret, bytes.fromhex(salt)), bytes.fromhex(digest))


def _digest(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=_COST, r=_BLOCK, p=_PARALLEL)
