"""Workers' signs of life."""

from projection.database import Connection, values
from projection.statements import statements

_sql = statements("worker")


async def sign(
    connection: Connection, worker_id: str, queues: list[str], trouble: str | None
) -> None:
    """This worker lives and polls these task queues; `trouble` is what its work waits for."""
    named = {"id": worker_id, "queues": queues, "trouble": trouble}
    await connection.execute(_sql["sign"], named)


async def troubles(connection: Connection, seconds: float) -> list[str]:
    """What workers that gave a sign in the last `seconds` wait for, each once."""
    return await values(connection, _sql["troubles"], {"seconds": seconds})


async def leave(connection: Connection, worker_id: str) -> None:
    """This worker stops."""
    await connection.execute(_sql["leave"], {"id": worker_id})


async def is_alive(connection: Connection, host: str, seconds: float) -> bool:
    """Whether a worker on this host gave a sign in the last `seconds`."""
    return bool(await values(connection, _sql["on_host"], {"host": host, "seconds": seconds}))


async def polled_queues(connection: Connection, seconds: float) -> set[str]:
    """Task queues polled by a worker that gave a sign in the last `seconds`."""
    return set(await values(connection, _sql["alive"], {"seconds": seconds}))


async def clean(connection: Connection) -> None:
    """Forgets workers that have been gone for an hour."""
    await connection.execute(_sql["clean"])
