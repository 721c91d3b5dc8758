"""Counters of queues: kept by triggers, only read here."""

from dataclasses import dataclass

from projection.database import Connection, many
from projection.statements import statements

_sql = statements("queue")

CUSTOMER_QUEUE = 0
"""The manifest key that stands for the customer's own queue."""


@dataclass(frozen=True)
class QueueCounters:
    """Counts of assets on the main queue, and of batches on the main and priority queues."""

    size: int
    images_waiting: int
    batches_waiting: int
    batches: int
    batches_active: int
    batches_recent: int


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
    (row,) = await many(connection, QueueCounters, _sql["counters"], parameters)
    return row


async def everywhere(connection: Connection) -> GlobalCounters:
    """The counters of the global queue."""
    (row,) = await many(connection, GlobalCounters, _sql["everywhere"], {})
    return row
