"""The delivery channels of assets that name none: of a customer, and of one of their spaces."""

from collections.abc import Collection
from dataclasses import dataclass

from psycopg import sql

from projection.database import Connection, many, one, value, values
from projection.page import Page, Window, span
from projection.statements import statements

_sql = statements("default_delivery_channel")

MOST = 100
"""Defaults of one customer, and of one space."""


@dataclass(frozen=True)
class Default:
    """Assets of a media type, such as `image/tiff`, `image/*` or `*/*`, have a channel.

    `policy` is the name of one of the platform's policies, or of the customer's. `space_id` None:
    in all of the customer's spaces.
    """

    id: int
    space_id: int | None
    media_type: str
    channel: str
    policy: str


class TooMany(Exception):
    """There are as many as there may be."""


async def in_force(
    connection: Connection, customer_id: int, spaces: Collection[int]
) -> list[Default]:
    """The customer's and those of these spaces: a space's first, then by length of media type."""
    named = {"customer_id": customer_id, "spaces": list(spaces)}
    return await many(connection, Default, _sql["in_force"], named)


async def page(
    connection: Connection, customer_id: int, space_id: int | None, window: Window
) -> Page[Default]:
    """A page of the customer's, or of a space's, oldest first."""
    named = {"customer_id": customer_id, "space_id": space_id}
    total = await value(connection, _sql["total"], named)
    rows = span(window, total)
    statement = sql.SQL(_sql["page"]).format(**rows.order)
    limits = {"limit": rows.limit, "offset": rows.offset}
    found = await many(connection, Default, statement, {**named, **limits})
    return Page(rows.arrange(found), total)


async def get(
    connection: Connection, customer_id: int, space_id: int | None, number: int
) -> Default | None:
    """One of the customer's, or of a space's; or None."""
    named = {"customer_id": customer_id, "space_id": space_id, "id": number}
    return await one(connection, Default, _sql["get"], named)


async def create(connection: Connection, customer_id: int, new: Default) -> Default | None:
    """A new one; None when there is one for this media type and channel. Raises TooMany."""
    named = {"customer_id": customer_id, **vars(new)}
    await connection.execute(_sql["lock_customer"], named)
    if await value(connection, _sql["total"], named) >= MOST:
        raise TooMany
    return await one(connection, Default, _sql["create"], named)


async def change(connection: Connection, customer_id: int, changed: Default) -> Default | None:
    """Replaces one; None when another is for this media type and channel, or it is gone."""
    named = {"customer_id": customer_id, **vars(changed)}
    await connection.execute(_sql["lock_customer"], named)
    return await one(connection, Default, _sql["change"], named)


async def delete(
    connection: Connection, customer_id: int, space_id: int | None, number: int
) -> bool:
    """Deletes one; whether there was."""
    named = {"customer_id": customer_id, "space_id": space_id, "id": number}
    return bool(await values(connection, _sql["delete"], named))
