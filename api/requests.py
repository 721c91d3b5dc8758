"""What an endpoint is given: settings, a transaction, and the customer who calls."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from api.hydra import Links, Problem, links
from projection import customer, secret
from projection.database import Connection, Pool, transaction
from settings import Settings

DATABASE_S = 8.0
"""A request waits this long for the database, all in all, before it is answered with 503."""


@asynccontextmanager
async def database(request: Request) -> AsyncIterator[Connection]:
    """One transaction, committed before the response is sent; bounded in time.

    Raises:
        DatabaseUnavailable: the database is down or does not answer.
    """
    pool: Pool = request.app.state.pool
    now = asyncio.get_running_loop().time()
    if not hasattr(request.state, "deadline"):
        request.state.deadline = now + DATABASE_S
    async with transaction(pool, max(request.state.deadline - now, 0.1)) as connection:
        yield connection


@dataclass
class VerifiedSecrets:
    """Remembers which secrets matched which hashes, so that scrypt runs once for each.

    Holds keyed fingerprints, never a secret. A revoked key's hash is not asked for again.
    """

    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _fingerprints: dict[str, bytes] = field(default_factory=dict)

    async def check(self, secret_hash: str, given: str) -> bool:
        """Whether the hash is of the secret given."""
        fingerprint = hmac.digest(self._key, given.encode(), hashlib.sha256)
        known = self._fingerprints.get(secret_hash)
        if known is not None and hmac.compare_digest(known, fingerprint):
            return True
        if not await asyncio.to_thread(secret.matches, secret_hash, given):
            return False
        if len(self._fingerprints) >= 10_000:
            self._fingerprints.clear()
        self._fingerprints[secret_hash] = fingerprint
        return True


_NOBODY = secret.hashed(secret.generate())


def _basic(request: Request) -> tuple[str, str] | None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        key, colon, given = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (key, given) if colon and "\0" not in key else None


async def known_customer(request: Request) -> int | None:
    """The id of the customer whose credentials were sent, if they are good."""
    credentials = _basic(request)
    if credentials is None:
        return None
    async with database(request) as connection:
        found = await customer.credential(connection, credentials[0])
    verified: VerifiedSecrets = request.app.state.verified
    # A key that is not known costs as much as one that is: its absence cannot be measured.
    good = await verified.check(found.secret_hash if found else _NOBODY, credentials[1])
    return found.customer_id if found and good else None


async def calling_customer(request: Request, customer_id: str) -> int:
    """The id of the customer who calls, which is the one in the URL.

    Raises:
        Problem: 401 without good credentials, 403 at another customer's URL.
    """
    known = await known_customer(request)
    if known is None:
        raise Problem(
            401,
            "Unauthorized",
            "Send the customer's key and secret as HTTP Basic credentials",
            {"WWW-Authenticate": 'Basic realm="iiifq", charset="UTF-8"'},
        )
    if customer_id != str(known):
        raise Problem(403, "Forbidden", "These credentials are not for this customer")
    return known


def settings_of(request: Request) -> Settings:
    """The settings of this process."""
    settings: Settings = request.app.state.settings
    return settings


Customer = Annotated[int, Depends(calling_customer)]
MadeLinks = Annotated[Links, Depends(links)]
TheSettings = Annotated[Settings, Depends(settings_of)]


def whole_number(text: str, what: str, most: int = 2**63 - 1) -> int:
    """A number of a URL's path.

    Raises:
        Problem: 404, since nothing has such a number.
    """
    if text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most:
        return int(text)
    raise Problem(404, "Not Found", f"There is no {what} {text[:40]}")
