"""What a real Postgres says when it is away, and when a statement is wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from projection.database import DatabaseUnavailable, Pool, Statement, open_pool, transaction

WRITE: Statement = "INSERT INTO customer (name) VALUES ('one')"


def told(url: str, *statements: Statement) -> None:
    """Says it to the server in a session of its own, which may write."""
    options = "-c default_transaction_read_only=off"
    with psycopg.connect(url, autocommit=True, options=options) as connection:
        for statement in statements:
            connection.execute(statement)


def end_all_sessions(url: str) -> None:
    told(
        url,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


def read_only(url: str, on: bool) -> None:
    """As of a server that another has taken over from: for sessions that begin from now on."""
    name = sql.Identifier(urlsplit(url).path[1:])
    change = (
        "SET default_transaction_read_only = on" if on else "RESET default_transaction_read_only"
    )
    told(url, sql.SQL("ALTER DATABASE {} ").format(name) + sql.SQL(change))


async def write(pool: Pool) -> None:
    async with transaction(pool, 10) as connection:
        await connection.execute(WRITE)


async def write_in_pipeline(pool: Pool) -> None:
    async with transaction(pool, 10) as connection, connection.pipeline():
        await connection.execute(WRITE)
        await connection.execute("SELECT 1")
        cursor = await connection.execute("SELECT 1")
        await cursor.fetchone()


@pytest.mark.parametrize("writes", [write, write_in_pipeline])
async def test_a_server_that_has_become_read_only(
    database_url: str, writes: Callable[[Pool], Awaitable[None]]
) -> None:
    async with open_pool(database_url, size=1, name="test") as pool:
        await write(pool)
        read_only(database_url, on=True)
        end_all_sessions(database_url)
        for _ in range(3):
            with pytest.raises(DatabaseUnavailable, match="read-only"):
                await writes(pool)
        async with transaction(pool) as connection:
            await connection.execute("SELECT 1")
        read_only(database_url, on=False)
        with suppress(DatabaseUnavailable):
            await write(pool)  # the session that is left began while the server was read-only
        await write(pool)


async def test_sessions_that_the_server_ends(database_url: str, pool: Pool) -> None:
    async def ended() -> None:
        async with transaction(pool) as connection:
            await connection.execute("SELECT 1")
            end_all_sessions(database_url)
            await connection.execute(WRITE)

    with pytest.raises(DatabaseUnavailable, match="terminating connection"):
        await ended()
    await write(pool)


@pytest.mark.parametrize(
    ("limit", "words"),
    [("statement_timeout", "statement timeout"), ("lock_timeout", "lock timeout")],
)
async def test_a_statement_that_takes_too_long(pool: Pool, limit: str, words: str) -> None:
    lock: Statement = "LOCK TABLE customer"

    async def waits() -> None:
        async with transaction(pool) as connection:
            await connection.execute("SELECT set_config(%s, '50ms', true)", (limit,))
            await connection.execute(lock)

    async with transaction(pool) as holder:
        await holder.execute(lock)
        with pytest.raises(DatabaseUnavailable, match=words):
            await waits()


async def test_a_wrong_statement_is_a_bug(pool: Pool) -> None:
    async def wrong() -> None:
        async with transaction(pool) as connection:
            await connection.execute("SELECT * FROM nowhere")

    async def wrong_in_pipeline() -> None:
        async with transaction(pool) as connection, connection.pipeline():
            await connection.execute("SELECT * FROM nowhere")
            await connection.execute("SELECT 1")

    for ask in (wrong, wrong_in_pipeline):
        with pytest.raises(psycopg.errors.UndefinedTable):
            await ask()


async def test_a_pipeline_that_goes_on_after_an_error_is_a_bug(pool: Pool) -> None:
    async def goes_on() -> None:
        async with transaction(pool) as connection, connection.pipeline():
            cursor = await connection.execute("SELECT * FROM nowhere")
            with suppress(psycopg.errors.UndefinedTable):
                await cursor.fetchone()
            cursor = await connection.execute("SELECT 1")
            await cursor.fetchone()

    with pytest.raises(psycopg.errors.PipelineAborted):
        await goes_on()


async def test_what_is_asked_of_a_closed_cursor_is_a_bug(pool: Pool) -> None:
    async def asks() -> None:
        async with transaction(pool) as connection:
            cursor = await connection.execute("SELECT 1")
            await cursor.close()
            await cursor.fetchone()

    with pytest.raises(psycopg.InterfaceError):
        await asks()


async def test_what_takes_longer_than_the_transaction_may(pool: Pool) -> None:
    async def asks() -> None:
        async with transaction(pool, 0.3) as connection:
            await connection.execute("SELECT pg_sleep(20)")

    async def asks_in_pipeline() -> None:
        async with transaction(pool, 0.3) as connection, connection.pipeline():
            await connection.execute("SELECT pg_sleep(20)")
            cursor = await connection.execute("SELECT 1")
            await cursor.fetchone()

    async def thinks() -> None:
        async with transaction(pool, 0.3) as connection:
            await connection.execute("SELECT 1")
            await asyncio.sleep(0.5)
            await connection.execute("SELECT 1")

    async def thinks_before_the_end() -> None:
        async with transaction(pool, 0.3) as connection:
            await connection.execute("SELECT 1")
            await asyncio.sleep(0.5)

    for late in (asks, asks_in_pipeline, thinks, thinks_before_the_end):
        with pytest.raises(DatabaseUnavailable):
            await late()
    await write(pool)


async def test_a_database_that_does_not_answer() -> None:
    async with open_pool("postgresql://127.0.0.1:1/none", size=1, name="test") as pool:
        with pytest.raises(DatabaseUnavailable):
            async with transaction(pool, 0.3):
                pass
