"""`iiifq customer …`: customers and their credentials, straight in the database."""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import psycopg
import typer
from psycopg.rows import dict_row

from cli.target import Data, target_settings
from projection import customer, secret
from projection.database import Connection, is_unavailable

app = typer.Typer(no_args_is_help=True)
keys = typer.Typer(no_args_is_help=True)
app.add_typer(keys, name="key", help="Keys of a customer: add a new one, then revoke the old.")

Result = TypeVar("Result")
CustomerId = Annotated[int, typer.Argument(metavar="CUSTOMER")]


@dataclass(frozen=True)
class Created:
    """A customer with the key and secret that are shown this once."""

    id: int
    name: str
    key: str
    secret: str


class Taken(Exception):
    """The id or the key is in use."""


async def in_transaction(url: str, work: Callable[[Connection], Awaitable[Result]]) -> Result:
    """One transaction on a connection of its own."""
    async with await psycopg.AsyncConnection.connect(url, row_factory=dict_row) as connection:
        return await work(connection)


def in_database(data: Path | None, work: Callable[[Connection], Awaitable[Result]]) -> Result:
    """One transaction in the database of the stack that a command is for."""
    url = target_settings(data).database_url
    try:
        return asyncio.run(in_transaction(url, work))
    except psycopg.Error as error:
        if not is_unavailable(error):
            raise
        raise SystemExit(f"the database does not answer: {error}") from error


async def create_customer(
    connection: Connection,
    name: str,
    customer_id: int | None = None,
    key: str | None = None,
    given: str | None = None,
) -> Created:
    """A new customer with a credential. Raises Taken."""
    created = await customer.create(connection, name, customer_id)
    if created is None:
        raise Taken(f"customer {customer_id} exists already")
    key, given = key or secrets.token_hex(10), given or secret.generate()
    if not await customer.add_credential(connection, created.id, key, secret.hashed(given)):
        raise Taken(f"the key {key} is in use")
    return Created(created.id, name, key, given)


@app.command()
def create(
    name: str,
    id: Annotated[int | None, typer.Option(min=1, max=2**31 - 1)] = None,  # noqa: A002
    key: str | None = None,
    given: Annotated[str | None, typer.Option("--secret")] = None,
    json_: Annotated[bool, typer.Option("--json")] = False,
    data: Data = None,
) -> None:
    """Creates a customer; prints its id, name, key and secret, the secret this once."""
    if (key is None) != (given is None):
        raise SystemExit("give --key and --secret together, or neither")
    if key is not None and (":" in key or not key):
        raise SystemExit("a key must not be empty nor hold a colon")
    try:
        created = in_database(data, lambda c: create_customer(c, name, id, key, given))
    except Taken as error:
        raise SystemExit(str(error)) from error
    if json_:
        print(json.dumps(asdict(created)))
    else:
        print("\n".join(f"{label:7}{value}" for label, value in asdict(created).items()))


@app.command("list")
def show(data: Data = None) -> None:
    """Lists the customers."""
    for each in in_database(data, customer.all_customers):
        print(f"{each.id}\t{each.name}")


@app.command()
def weight(customer_id: CustomerId, share: float, data: Data = None) -> None:
    """Sets a customer's share of the task queues: 2 is twice that of a customer with 1."""
    if not 0.001 <= share <= 1000:
        raise SystemExit("a weight is between 0.001 and 1000")
    changed = in_database(data, lambda c: customer.set_weight(c, customer_id, share))
    if changed is None:
        raise SystemExit(f"there is no customer {customer_id}")
    print(f"customer {customer_id} has weight {changed.weight:g}, from its next batch on")


@app.command()
def quota(
    customer_id: CustomerId,
    assets: Annotated[int | None, typer.Option(min=0, help="unset: no bound")] = None,
    size_bytes: Annotated[
        int | None, typer.Option("--bytes", min=0, help="unset: no bound")
    ] = None,
    data: Data = None,
) -> None:
    """Bounds how many assets a customer may have, and the bytes of their derivatives."""
    changed = in_database(data, lambda c: customer.set_quota(c, customer_id, assets, size_bytes))
    if changed is None:
        raise SystemExit(f"there is no customer {customer_id}")
    shown = (
        f"{'any number of' if n is None else n} {what}"
        for n, what in ((changed.quota_assets, "assets"), (changed.quota_bytes, "bytes"))
    )
    print(f"customer {customer_id} may have {' and '.join(shown)}")


@keys.command("add")
def add_key(customer_id: CustomerId, data: Data = None) -> None:
    """Adds a key; prints it and its secret, the secret this once."""
    name, given = secrets.token_hex(10), secret.generate()

    async def add(connection: Connection) -> bool:
        if await customer.get(connection, customer_id) is None:
            return False
        return await customer.add_credential(connection, customer_id, name, secret.hashed(given))

    if not in_database(data, add):
        raise SystemExit(f"there is no customer {customer_id}")
    print(f"key    {name}\nsecret {given}")


@keys.command("list")
def list_keys(customer_id: CustomerId, data: Data = None) -> None:
    """Lists the keys of a customer, oldest first."""
    print("\n".join(in_database(data, lambda c: customer.credential_keys(c, customer_id))))


@keys.command("revoke")
def revoke_key(customer_id: CustomerId, key: str, data: Data = None) -> None:
    """Revokes a key at once."""
    if not in_database(data, lambda c: customer.revoke_credential(c, customer_id, key)):
        raise SystemExit(f"customer {customer_id} has no key {key}")
    print(f"revoked {key}")
