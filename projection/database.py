"""Connections to Postgres, and the one place where the driver's errors become ours."""

import asyncio
import os
import select
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow, class_row, dict_row, scalar_row
from psycopg_pool import AsyncConnectionPool

Connection = AsyncConnection[DictRow]
Pool = AsyncConnectionPool[Connection]
Statement = LiteralString | sql.Composed
Parameters = Mapping[str, object]
Row = TypeVar("Row")


AWAY = (
    "08",  # connection exceptions
    "25006",  # read-only: a server that another has taken over from
    "40001",  # serialisation failure
    "40P01",  # deadlock
    "53",  # insufficient resources: connections, memory, disk
    "55P03",  # a lock that could not be had in time
    "57014",  # a statement that took too long
    "57P0",  # the server is starting or stopping, or has ended the session
    "58",  # system errors: input and output
)
"""What a SQLSTATE begins with when the same transaction may succeed later."""


class DatabaseUnavailable(Exception):
    """The database is down or does not answer; the same transaction may succeed later."""


def is_unavailable(error: BaseException, connection: Connection | None = None) -> bool:
    """Whether an error of the driver means that the database is away, and not a bug.

    The server says so by its SQLSTATE. An error without one is the driver's own: then the database
    is away if there is no `connection`, for none could be had, or if it is broken.
    """
    at_fault = _first_in_pipeline(error)
    if not isinstance(at_fault, psycopg.Error):
        return False
    if at_fault.sqlstate is not None:
        return at_fault.sqlstate.startswith(AWAY)
    return (
        isinstance(at_fault, psycopg.OperationalError | psycopg.InterfaceError)
        and not isinstance(at_fault, psycopg.errors.PipelineAborted)
        and (connection is None or connection.closed)
    )


def _first_in_pipeline(error: BaseException) -> BaseException:
    """The error that aborted a pipeline: what follows in the pipeline only says that it has."""
    seen = {id(error)}
    while isinstance(error, psycopg.errors.PipelineAborted):
        earlier = error.__cause__ or error.__context__
        if earlier is None or id(earlier) in seen:
            break
        seen.add(id(earlier))
        error = earlier
    return error


@asynccontextmanager
async def open_pool(url: str, *, size: int, name: str) -> AsyncIterator[Pool]:
    """A pool of at most `size` connections. It opens at once, whether or not Postgres answers."""
    pool: Pool = AsyncConnectionPool(
        url,
        connection_class=AsyncConnection[DictRow],
        kwargs={"row_factory": dict_row, "application_name": name, "connect_timeout": 5},
        min_size=1,
        max_size=size,
        timeout=5,
        reconnect_timeout=0.5,
        check=_check_alive,
        open=False,
        name=name,
    )
    await pool.open(wait=False)
    try:
        yield pool
    finally:
        await pool.close(timeout=2)


async def _check_alive(connection: Connection) -> None:
    """Notices, without a round trip, that the server has closed an idle connection."""
    poll = select.poll()
    closed = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)
    poll.register(connection.fileno(), closed)
    if poll.poll(0):
        await connection.close()  # else the pool takes it for a good one
        raise psycopg.OperationalError("the server has closed the connection")


def _hang_up(connection: Connection) -> None:
    """Makes whatever waits for the server fail at once.

    A cancellation would wait for the server to confirm it, and a server that is frozen does not.
    """
    if not connection.closed:
        with socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)


@asynccontextmanager
async def transaction(pool: Pool, seconds: float = 30.0) -> AsyncIterator[Connection]:
    """One transaction on a connection of the pool: committed at the end, or rolled back.

    Raises:
        DatabaseUnavailable: no connection could be had, it broke, all that took longer than
            `seconds`, or the server failed in a way that a repetition may not (`AWAY`).
        psycopg.Error: anything else that the driver says, unchanged.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    connection: Connection | None = None
    try:
        async with pool.connection(timeout=seconds) as connection:
            overdue = loop.call_at(deadline, _hang_up, connection)
            try:
                yield connection
                await connection.commit()
            except psycopg.Error as error:
                if _is_read_only(error):
                    await connection.close()  # else the pool would keep to the server that was
                raise
            finally:
                overdue.cancel()
    except psycopg.Error as error:
        if not is_unavailable(error, connection):
            raise
        raise DatabaseUnavailable(str(error)) from error


def _is_read_only(error: BaseException) -> bool:
    return isinstance(_first_in_pipeline(error), psycopg.errors.ReadOnlySqlTransaction)


async def one(
    connection: Connection, row: type[Row], statement: Statement, parameters: Parameters
) -> Row | None:
    """The first row of a statement, as a `row`, or None."""
    async with connection.cursor(row_factory=class_row(row)) as cursor:
        await cursor.execute(statement, parameters)
        return await cursor.fetchone()


async def many(
    connection: Connection, row: type[Row], statement: Statement, parameters: Parameters
) -> list[Row]:
    """All rows of a statement, each as a `row`."""
    async with connection.cursor(row_factory=class_row(row)) as cursor:
        await cursor.execute(statement, parameters)
        return await cursor.fetchall()


async def values(connection: Connection, statement: Statement, parameters: Parameters) -> list[Any]:
    """The first column of a statement's rows."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(statement, parameters)
        return await cursor.fetchall()


async def value(connection: Connection, statement: Statement, parameters: Parameters) -> Any:
    """The first column of a statement's first row, or None."""
    found = await values(connection, statement, parameters)
    return found[0] if found else None
