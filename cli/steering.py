"""`iiifq pause` and `resume`: hold a batch or a customer's whole queue back, and let it go on."""

import asyncio
from typing import Annotated

import psycopg
import typer

from cli.customer import in_transaction
from cli.target import Data, target_settings
from projection import batch, queue
from projection.database import Connection, is_unavailable
from settings import Settings

Batch = Annotated[int | None, typer.Argument(help="the batch's number")]
CustomerId = Annotated[int | None, typer.Option("--customer", help="whose queue")]
Queue = Annotated[str, typer.Option("--queue", help="main or priority")]


def pause(
    batch_id: Batch = None, customer: CustomerId = None, kind: Queue = "main", data: Data = None
) -> None:
    """Holds back a batch, or what a customer sent and will send to a queue."""
    steer(batch_id, customer, kind, True, target_settings(data))


def resume(
    batch_id: Batch = None, customer: CustomerId = None, kind: Queue = "main", data: Data = None
) -> None:
    """Lets a batch or a customer's queue go on."""
    steer(batch_id, customer, kind, False, target_settings(data))


def steer(
    batch_id: int | None, customer: int | None, kind: str, paused: bool, settings: Settings
) -> None:
    """Holds back a batch, or a customer's queue; or lets it go on."""
    if (batch_id is None) == (customer is None):
        raise SystemExit("name a batch, or a queue by --customer")
    if kind not in ("main", "priority"):
        raise SystemExit("--queue is main or priority")

    async def change(connection: Connection) -> list[batch.Dispatch]:
        if customer is not None:
            await queue.pause(connection, customer, kind, paused)
            concerned = await batch.unfinished_of(connection, customer, kind)
        else:
            assert batch_id is not None  # noqa: S101 - one of the two is given
            await batch.pause(connection, batch_id, paused)
            concerned = [batch_id]
        return await batch.request(connection, concerned)

    try:
        changed = asyncio.run(in_transaction(settings.database_url, change))
    except psycopg.errors.ForeignKeyViolation as error:
        raise SystemExit(f"there is no customer {customer}") from error
    except psycopg.Error as error:
        if not is_unavailable(error):
            raise
        raise SystemExit(f"the database does not answer: {error}") from error
    if batch_id is not None and not changed:
        raise SystemExit(f"there is no batch {batch_id}")
    asyncio.run(_wake(settings, changed))
    print(f"{'paused' if paused else 'resumed'}; {len(changed)} batches are concerned")


async def _wake(settings: Settings, batches: list[batch.Dispatch]) -> None:
    """Tells the workflows; what is not told now, the reconciler tells them in a while."""
    from temporalio.client import Client

    from workflows.contracts import QueueKind
    from workflows.dispatch import PATIENCE_S, TEMPORAL_AWAY, dispatch_batch, tell_each

    try:
        async with asyncio.timeout(PATIENCE_S):
            client = await Client.connect(
                settings.temporal_address, namespace=settings.temporal_namespace
            )
    except TEMPORAL_AWAY:
        return
    outcome = await tell_each(
        batches, lambda due: dispatch_batch(client, due.id, due.customer_id, QueueKind(due.kind))
    )
    await in_transaction(
        settings.database_url, lambda connection: batch.dispatched(connection, outcome.told)
    )
