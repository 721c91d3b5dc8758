"""Counters of queues: kept by triggers, only read here."""

from dataclasses import dataclass

from projection.database import Connection, many, one, value
from projection.statements import statements

_sql = statements("queue")

CUSTOMER_QUEUE = 0
"""The manifest key that stands for the customer's own queue."""


@dataclass(frozen=True)
class QueueCounters:
    """Counts of a queue's assets and waiting batches (main) and batches (main and priority)."""

    size: int = 0
    images_waiting: int = 0
    batches_waiting: int = 0
    batches: int = 0
    batches_active: int = 0
    batches_recent: int = 0


@dataclass(frozen=True)
class GlobalCounters:
    """Assets on the queues of all customers."""

    incoming: int
    priority: int


async def counters(
    connection: Connection, customer_id: int, manifest_key: int = CUSTOMER_QUEUE
) -> QueueCounters:
    """The counters of a customer's queue, or of a manifest's."""
    parameters = {"customer_id": customer_id, "manifest_key": manifest_key}
    row = await one(connection, QueueCounters, _sql["counters"], parameters)
    return row or QueueCounters()


async def everywhere(connection: Connection) -> GlobalCounters:
    """The counters of the global queue."""
    (row,) = await many(connection, GlobalCounters, _sql["everywhere"], {})
    return row


async def pause(connection: Connection, customer_id: int, kind: str, paused: bool) -> None:
    """Holds back what the customer sent to a queue, and will; or lets it go on."""
    statement = _sql["hold" if paused else "release"]
    await connection.execute(statement, {"customer_id": customer_id, "kind": kind})


async def others_wait(connection: Connection, customer_id: int, kind: str) -> bool:
    """Whether another customer's assets wait on main, or are on priority."""
    named = {"customer_id": customer_id, "kind": kind}
    return bool(await value(connection, _sql["others_wait"], named))
