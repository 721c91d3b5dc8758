"""Customers and their credentials."""

from dataclasses import dataclass
from datetime import datetime

from projection.database import Connection, many, one, value, values
from projection.statements import statements

_sql = statements("customer")


@dataclass(frozen=True)
class Customer:
    """Somebody with queues of their own; `weight` is their share of a task queue.

    `quota_assets` and `quota_bytes` bound what they may have; None: no bound.
    """

    id: int
    name: str
    weight: float
    created: datetime
    quota_assets: int | None
    quota_bytes: int | None


@dataclass(frozen=True)
class Credential:
    """Whose a key is, and the hash of the secret that goes with it."""

    customer_id: int
    secret_hash: str


async def create(connection: Connection, name: str, customer_id: int | None) -> Customer | None:
    """A new customer; None when the id is taken."""
    created = await one(connection, Customer, _sql["create"], {"id": customer_id, "name": name})
    if created is not None and customer_id is not None:
        await connection.execute(_sql["pass_id"])
    return created


async def get(connection: Connection, customer_id: int) -> Customer | None:
    """The customer, or None."""
    return await one(connection, Customer, _sql["get"], {"id": customer_id})


async def all_customers(connection: Connection) -> list[Customer]:
    """Every customer, by id."""
    return await many(connection, Customer, _sql["list"], {})


async def set_weight(connection: Connection, customer_id: int, weight: float) -> Customer | None:
    """Changes the customer's share of a task queue; None when there is no such customer."""
    parameters = {"id": customer_id, "weight": weight}
    return await one(connection, Customer, _sql["set_weight"], parameters)


async def set_quota(
    connection: Connection, customer_id: int, assets: int | None, size_bytes: int | None
) -> Customer | None:
    """Changes what the customer may have in all; None when there is no such customer."""
    parameters = {"id": customer_id, "assets": assets, "bytes": size_bytes}
    return await one(connection, Customer, _sql["set_quota"], parameters)


async def lock_quota(connection: Connection, customer_id: int) -> None:
    """Lets those who add assets of a customer with a quota do so one at a time."""
    await connection.execute(_sql["lock_quota"], {"id": customer_id})


async def add_credential(
    connection: Connection, customer_id: int, key: str, secret_hash: str
) -> bool:
    """Adds a key; false when the key is taken."""
    parameters = {"customer_id": customer_id, "key": key, "secret_hash": secret_hash}
    return await value(connection, _sql["add_credential"], parameters) is not None


async def credential(connection: Connection, key: str) -> Credential | None:
    """The credential of a key, or None."""
    return await one(connection, Credential, _sql["credential"], {"key": key})


async def credential_keys(connection: Connection, customer_id: int) -> list[str]:
    """The customer's keys, oldest first."""
    return await values(connection, _sql["credentials"], {"customer_id": customer_id})


async def revoke_credential(connection: Connection, customer_id: int, key: str) -> bool:
    """Removes a key of the customer; false when there is none such."""
    parameters = {"customer_id": customer_id, "key": key}
    return await value(connection, _sql["revoke_credential"], parameters) is not None
