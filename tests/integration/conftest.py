"""A Postgres for the session, and a database of its own for each test, made from a template."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from itertools import count
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from local.engine import postgres
from projection.database import Connection, Pool, open_pool
from projection.migrate import migrate

_numbers = count(1)

WAITING = "SELECT count(*) AS waiting FROM pg_locks WHERE NOT granted"

FIELDS = {
    "id": "a",
    "media_type": "image/jpeg",
    "origin": "https://example.org/a.jpg",
    "delivery_channels": [{"channel": "thumbs", "policy": "large"}],
    **dict.fromkeys((*(f"string{n}" for n in (1, 2, 3)), *(f"number{n}" for n in (1, 2, 3)))),
    **dict.fromkeys(("tags", "roles", "max_unauthorised")),
}
"""The columns of an asset that names a policy of its customer's own."""


def _database(url: str, name: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{name}"))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server whose database `iiifq` has the newest schema and nothing else."""
    with postgres(tmp_path_factory.mktemp("postgres") / "data") as url:
        migrate(url)
        yield url


@contextmanager
def _new_database(server: str, template: str) -> Iterator[str]:
    name = sql.Identifier(f"test_{next(_numbers)}")
    with psycopg.connect(_database(server, "postgres"), autocommit=True) as connection:
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(create.format(name, sql.Identifier(template)))
        yield _database(server, name.as_string().strip('"'))
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture
def database_url(template: str) -> Iterator[str]:
    """The URL of an empty database."""
    with _new_database(template, "iiifq") as url:
        yield url


@pytest.fixture
def bare_url(template: str) -> Iterator[str]:
    """The URL of a database without a schema."""
    with _new_database(template, "template0") as url:
        yield url


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """Connections to an empty database."""
    async with open_pool(database_url, size=20, name="test") as opened:
        yield opened


async def until_one_waits(connection: Connection) -> None:
    """Until a transaction waits for another's."""
    while True:
        row = await (await connection.execute(WAITING)).fetchone()
        if row and row["waiting"]:
            return
        await asyncio.sleep(0.01)
