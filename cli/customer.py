"""`iiifq customer …`: customers and their credentials, straight in the database."""

import asyncio
import json
import secrets
from dataclasses import asdict, dataclass
from typing import Annotated

import psycopg
import typer
from psycopg.rows import dict_row

from cli.target import Data, target_settings
from projection import customer, secret
from projection.database import Connection

app = typer.Typer(no_args_is_help=True)


@dataclass(frozen=True)
class Created:
    """A customer with the key and secret that are shown this once."""

    id: int
    name: str
    key: str
    secret: str


class Taken(Exception):
    """The id or the key is in use."""


async def create_customer(
    url: str, name: str, customer_id: int | None, key: str | None, given: str | None
) -> Created:
    """A new customer with a credential. Raises Taken."""
    connection: Connection
    async with await psycopg.AsyncConnection.connect(url, row_factory=dict_row) as connection:
        created = await customer.create(connection, name, customer_id)
        if created is None:
            raise Taken(f"customer {customer_id} exists already")
        key, given = key or secrets.token_urlsafe(12), given or secret.generate()
        if not await customer.add_credential(connection, created.id, key, secret.hashed(given)):
            raise Taken(f"the key {key} is in use")
    return Created(created.id, name, key, given)


@app.command()
def create(
    name: str,
    id: Annotated[int | None, typer.Option(min=1, max=2**31 - 1)] = None,  # noqa: A002
    key: str | None = None,
    secret: str | None = None,
    json_: Annotated[bool, typer.Option("--json")] = False,
    data: Data = None,
) -> None:
    """Creates a customer; prints its id, name, key and secret, the secret this once."""
    if (key is None) != (secret is None):
        raise SystemExit("give --key and --secret together, or neither")
    if key is not None and (":" in key or not key):
        raise SystemExit("a key must not be empty nor hold a colon")
    url = target_settings(data).database_url
    try:
        created = asyncio.run(create_customer(url, name, id, key, secret))
    except (Taken, psycopg.OperationalError) as error:
        raise SystemExit(str(error)) from error
    if json_:
        print(json.dumps(asdict(created)))
    else:
        print("\n".join(f"{label:7}{value}" for label, value in asdict(created).items()))


@app.command("list")
def show(data: Data = None) -> None:
    """Lists the customers."""

    async def read() -> list[customer.Customer]:
        url = target_settings(data).database_url
        async with await psycopg.AsyncConnection.connect(url, row_factory=dict_row) as connection:
            return await customer.all_customers(connection)

    for each in asyncio.run(read()):
        print(f"{each.id}\t{each.name}")
