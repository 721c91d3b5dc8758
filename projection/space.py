"""Spaces: numbered folders of a customer's assets."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from projection.database import Connection, many, one, value, values
from projection.page import Page, Window, span
from projection.statements import statements

_sql = statements("space")


@dataclass(frozen=True)
class Space:
    """A space; `assets` is how many are in it, `bytes` what their derivatives take."""

    id: int
    name: str
    created: datetime
    assets: int
    bytes: int
    is_new: bool = False


@dataclass(frozen=True)
class Stored:
    """Assets and bytes of derivatives that a customer has, and may have; None: no bound."""

    assets: int
    bytes: int
    quota_assets: int | None
    quota_bytes: int | None


class SpaceNotEmpty(Exception):
    """A space with assets is not deleted."""


async def get(connection: Connection, customer_id: int, space_id: int) -> Space | None:
    """The space, or None."""
    return await one(connection, Space, _sql["get"], {"customer_id": customer_id, "id": space_id})


async def stored(connection: Connection, customer_id: int) -> Stored:
    """What the customer has in all spaces."""
    (found,) = await many(connection, Stored, _sql["stored"], {"customer_id": customer_id})
    return found


async def put(connection: Connection, customer_id: int, space_id: int, name: str) -> Space:
    """Creates the space (`is_new`) or renames it."""
    parameters = {"customer_id": customer_id, "id": space_id, "name": name}
    (space,) = await many(connection, Space, _sql["put"], parameters)
    return space


async def rename(
    connection: Connection, customer_id: int, space_id: int, name: str
) -> Space | None:
    """Renames the space; None when there is none such."""
    parameters = {"customer_id": customer_id, "id": space_id, "name": name}
    return await one(connection, Space, _sql["rename"], parameters)


async def mint(connection: Connection, customer_id: int, name: str) -> Space:
    """A new space with the customer's lowest free number."""
    parameters = {"customer_id": customer_id, "name": name}
    await connection.execute(_sql["lock_customer"], parameters)
    while True:
        made = await one(connection, Space, _sql["mint"], parameters)
        if made is not None:
            return made


async def delete(connection: Connection, customer_id: int, space_id: int) -> bool:
    """Deletes an empty space; false when there is none such.

    Raises:
        SpaceNotEmpty: it has assets.
    """
    parameters = {"customer_id": customer_id, "id": space_id}
    if await value(connection, _sql["delete"], parameters) is not None:
        return True
    if await get(connection, customer_id, space_id) is not None:
        raise SpaceNotEmpty
    return False


async def missing(connection: Connection, customer_id: int, ids: set[int]) -> list[int]:
    """Which of these spaces do not exist; the others stay until the transaction ends."""
    parameters = {"customer_id": customer_id, "ids": list(ids)}
    return sorted(ids - set(await values(connection, _sql["present"], parameters)))


async def page(connection: Connection, customer_id: int, window: Window) -> Page[Space]:
    """One page of the customer's spaces, by number."""
    total = await value(connection, _sql["total"], {"customer_id": customer_id})
    rows = span(window, total)
    found = await many(
        connection,
        Space,
        sql.SQL(_sql["page"]).format(**rows.order),
        {"customer_id": customer_id, "limit": rows.limit, "offset": rows.offset},
    )
    return Page(rows.arrange(found), total)
