"""Policies of delivery channels of a customer's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.types.json import Jsonb

from projection.database import Connection, many, one, value, values
from projection.statements import statements

_sql = statements("delivery_channel_policy")

MOST = 100
"""Policies of one customer."""


@dataclass(frozen=True)
class Sent:
    """What a policy is made of; `data`: sizes of thumbnails, or a preset of sound and film."""

    channel: str
    name: str
    display_name: str | None
    data: Sequence[str]


@dataclass(frozen=True)
class OwnPolicy(Sent):
    """A policy of a customer's."""

    created: datetime
    modified: datetime


class TooMany(Exception):
    """The customer has as many as there may be."""


class PolicyInUse(Exception):
    """A default or an asset names the policy."""


async def own(connection: Connection, customer_id: int) -> Mapping[str, set[str]]:
    """The names of the customer's policies by channel; none is deleted until the transaction
    ends."""
    named = {"customer_id": customer_id}
    await connection.execute(_sql["keep"], named)
    cursor = await connection.execute(_sql["own"], named)
    names: dict[str, set[str]] = {}
    for row in await cursor.fetchall():
        names.setdefault(row["channel"], set()).add(row["name"])
    return names


async def of_channel(connection: Connection, customer_id: int, channel: str) -> list[OwnPolicy]:
    """The customer's of a channel, by name."""
    named = {"customer_id": customer_id, "channel": channel}
    return await many(connection, OwnPolicy, _sql["page"], named)


async def get(
    connection: Connection, customer_id: int, channel: str, name: str
) -> OwnPolicy | None:
    """One of the customer's, or None."""
    named = {"customer_id": customer_id, "channel": channel, "name": name}
    return await one(connection, OwnPolicy, _sql["get"], named)


async def create(connection: Connection, customer_id: int, sent: Sent) -> OwnPolicy | None:
    """A new one; None when the name is taken. Raises TooMany."""
    named = _named(customer_id, sent)
    await connection.execute(_sql["lock_customer"], named)
    if await value(connection, _sql["count"], named) >= MOST:
        raise TooMany
    return await one(connection, OwnPolicy, _sql["create"], named)


async def change(connection: Connection, customer_id: int, sent: Sent) -> OwnPolicy | None:
    """Replaces one; None when there is none such."""
    return await one(connection, OwnPolicy, _sql["change"], _named(customer_id, sent))


def _named(customer_id: int, sent: Sent) -> dict[str, object]:
    return {"customer_id": customer_id, **vars(sent), "data": Jsonb(list(sent.data))}


async def delete(connection: Connection, customer_id: int, channel: str, name: str) -> bool:
    """Deletes one; whether there was. Raises PolicyInUse."""
    named = {"customer_id": customer_id, "channel": channel, "name": name}
    await connection.execute(_sql["lock_users_out"], named)
    if await value(connection, _sql["in_use"], named):
        raise PolicyInUse
    return bool(await values(connection, _sql["delete"], named))
