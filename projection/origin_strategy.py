"""How a customer's originals are fetched: by regular expressions over their URLs."""

from dataclasses import dataclass

from psycopg import sql

from projection.database import Connection, many, one, value, values
from projection.page import Page, Window, span
from projection.statements import statements

_sql = statements("origin_strategy")

BASIC = "basic-http-authentication"
ACCESS_KEY = "s3-access-key"
STRATEGIES = ("default", BASIC, "s3-ambient", ACCESS_KEY)
"""Names of strategies. BASIC and ACCESS_KEY have credentials; the others read what anybody may, and
of buckets what the operator lets this platform read."""

MOST = 100
"""Strategies of one customer."""


@dataclass(frozen=True)
class OriginStrategy:
    """A strategy, tried in the order of `position`; its credentials are never read with it."""

    id: int
    position: int
    regex: str
    strategy: str
    has_credentials: bool


@dataclass(frozen=True)
class Sent:
    """What a strategy is made of; `credentials` are sealed."""

    position: int
    regex: str
    strategy: str
    credentials: bytes | None


class TooMany(Exception):
    """The customer has as many as there may be."""


async def page(connection: Connection, customer_id: int, window: Window) -> Page[OriginStrategy]:
    """A page of the customer's, in the order in which they are tried."""
    named = {"customer_id": customer_id}
    total = await value(connection, _sql["count"], named)
    rows = span(window, total)
    statement = sql.SQL(_sql["page"]).format(**rows.order)
    limits = {"limit": rows.limit, "offset": rows.offset}
    found = await many(connection, OriginStrategy, statement, {**named, **limits})
    return Page(rows.arrange(found), total)


async def get(connection: Connection, customer_id: int, number: int) -> OriginStrategy | None:
    """One of the customer's, or None."""
    named = {"customer_id": customer_id, "id": number}
    return await one(connection, OriginStrategy, _sql["get"], named)


async def create(connection: Connection, customer_id: int, sent: Sent) -> OriginStrategy:
    """A new one. Raises TooMany."""
    named = {"customer_id": customer_id, **vars(sent)}
    await connection.execute(_sql["lock_customer"], named)
    if await value(connection, _sql["count"], named) >= MOST:
        raise TooMany
    (made,) = await many(connection, OriginStrategy, _sql["create"], named)
    return made


async def put(
    connection: Connection, customer_id: int, number: int, sent: Sent
) -> OriginStrategy | None:
    """Replaces one; None when there is none such. Without credentials, it keeps those it has."""
    named = {"customer_id": customer_id, "id": number, **vars(sent)}
    return await one(connection, OriginStrategy, _sql["put"], named)


async def delete(connection: Connection, customer_id: int, number: int) -> bool:
    """Deletes one; whether there was."""
    named = {"customer_id": customer_id, "id": number}
    return bool(await values(connection, _sql["delete"], named))
