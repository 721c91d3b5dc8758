"""Tells Temporal of what was written, after the response: the outbox keeps what it is not told."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
from temporalio.client import Client, WorkflowFailureError, WorkflowQueryFailedError
from temporalio.service import RPCError

from projection import asset, batch
from projection.database import DatabaseUnavailable, Pool, transaction
from settings import Settings
from workflows.contracts import (
    ProcessJob,
    Progress,
    QueueKind,
    RetryPlan,
    asset_task_queue,
    batch_workflow_id,
)
from workflows.dispatch import dispatch_batch, dispatch_deletion, dispatch_job

log = structlog.get_logger()

PATIENCE_S = 10.0

QUERY_S = 0.5
"""A workflow that does not say in this time what it knows is done without."""


class Dispatcher:
    """Starts workflows in the background; what fails is left to the reconciler."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self._settings = settings
        self._pool = pool
        self._client: Client | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._some_at_once = asyncio.Semaphore(16)

    async def client(self) -> Client:
        """The client of Temporal, connected at its first use. Raises RuntimeError while away."""
        if self._client is None:
            self._client = await Client.connect(
                self._settings.temporal_address,
                namespace=self._settings.temporal_namespace,
            )
        return self._client

    async def answers(self) -> bool:
        """Whether Temporal answers."""
        try:
            async with asyncio.timeout(2):
                client = await self.client()
                return await client.service_client.check_health(timeout=timedelta(seconds=2))
        except (RuntimeError, RPCError, TimeoutError):
            return False

    def batch(self, due: batch.Batch) -> None:
        """Tells the workflow of a batch, soon."""

        async def tell() -> None:
            client = await self.client()
            await dispatch_batch(client, due.id, due.customer_id, QueueKind(due.kind))
            async with transaction(self._pool) as connection:
                await batch.dispatched(connection, due.id, due.requested)

        self._soon(tell, f"batch {due.id}")

    def deletion(self, deletion_id: int) -> None:
        """Has the derivatives of a deleted asset removed, soon."""

        async def tell() -> None:
            await dispatch_deletion(await self.client(), deletion_id)

        self._soon(tell, f"deletion {deletion_id}")

    async def progress(self, batch_id: int) -> tuple[Progress | None, str | None]:
        """What a batch's workflow knows, and its status; None for what it does not say in time."""
        try:
            async with asyncio.timeout(QUERY_S):
                handle = (await self.client()).get_workflow_handle(batch_workflow_id(batch_id))
                described = await handle.describe()
                status = None if described.status is None else described.status.name.lower()
                if status != "running":
                    return None, status
                known = await handle.query("progress", result_type=Progress)
        except (RuntimeError, RPCError, TimeoutError, WorkflowQueryFailedError):
            return None, None
        return known, status

    async def process(self, job: asset.Job, customer_id: int) -> None:
        """Processes an asset alone; returns when that has ended or takes too long."""
        retry = RetryPlan(self._settings.activity_attempts, self._settings.retry_interval_s)
        try:
            async with asyncio.timeout(self._settings.sync_wait_s):
                task_queue = asset_task_queue(job.is_av)
                start = ProcessJob(job.job_id, retry, customer_id, task_queue)
                handle = await dispatch_job(await self.client(), start)
                await handle.result()
        except (RuntimeError, RPCError, TimeoutError, WorkflowFailureError) as away:
            log.warning("not awaited any longer", what=f"job {job.job_id}", why=str(away))

    def _soon(self, tell: Callable[[], Awaitable[None]], what: str) -> None:
        async def told() -> None:
            try:
                async with self._some_at_once, asyncio.timeout(PATIENCE_S):
                    await tell()
            except (RuntimeError, RPCError, TimeoutError, DatabaseUnavailable) as away:
                log.warning("left to the reconciler", what=what, why=str(away))

        task = asyncio.create_task(told())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Waits a moment for what is under way."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1)
