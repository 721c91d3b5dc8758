"""Tells Temporal of what was written, after the response: the outbox keeps what it is not told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import structlog
from temporalio.client import Client, WorkflowFailureError, WorkflowQueryFailedError
from temporalio.service import RPCError

from projection import asset, batch
from projection.database import Pool, transaction
from settings import Settings
from workflows.contracts import (
    ProcessJob,
    Progress,
    QueueKind,
    RetryPlan,
    asset_task_queue,
    batch_workflow_id,
)
from workflows.dispatch import (
    PATIENCE_S,
    dispatch_batch,
    dispatch_deletion,
    dispatch_job,
    tell_each,
)

log = structlog.get_logger()

PAGE = 500
NEWEST = 100
"""Of the newest batches, so many are told before a page of the oldest: somebody looks at them."""

SHORTEST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 5.0

QUERY_S = 0.5
"""A workflow that does not say in this time what it knows is done without."""


class Dispatcher:
    """One task that empties the outbox whenever it is nudged, and what asks Temporal at once."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self._settings = settings
        self._pool = pool
        self._client: Client | None = None
        self._news = asyncio.Event()
        self._last_deletion = 0

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

    def nudge(self) -> None:
        """Something was written that Temporal has to be told of, soon."""
        self._news.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Empties the outbox for as long as the `with` lasts; first, of what is left in it."""
        self.nudge()
        pump = asyncio.create_task(self._pump())
        try:
            yield
        finally:
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await pump

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

    async def _pump(self) -> None:
        pause = SHORTEST_PAUSE_S
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                async with asyncio.timeout(PATIENCE_S):
                    client = await self.client()
                are_batches_left = await self._tell_batches(client)
                are_deletions_left = await self._tell_deletions(client)
            except Exception as away:  # noqa: BLE001 - a pump that ends would not be missed
                log.warning("told later", why=repr(away), seconds=pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
                self.nudge()
            else:
                pause = SHORTEST_PAUSE_S
                if are_batches_left or are_deletions_left:
                    self.nudge()

    async def _tell_batches(self, client: Client) -> bool:
        """Tells the workflows of a page of batches; whether there may be more of them."""
        async with transaction(self._pool) as connection:
            newest = await batch.undispatched(connection, NEWEST, newest=True)
            oldest = await batch.undispatched(connection, PAGE) if len(newest) == NEWEST else []
        page = {due.id: due for due in (*newest, *oldest)}

        async def tell(due: batch.Dispatch) -> None:
            await dispatch_batch(client, due.id, due.customer_id, QueueKind(due.kind))

        outcome = await tell_each(page.values(), tell)
        async with transaction(self._pool) as connection:
            await batch.dispatched(connection, outcome.told)
        if outcome.fault:
            raise outcome.fault
        return len(oldest) == PAGE

    async def _tell_deletions(self, client: Client) -> bool:
        """Starts the workflows of a page of deletions; whether there may be more of them.

        Each is told once; what comes to nothing then is left to the reconciler, and so is one
        whose transaction ended after that of a later id.
        """
        async with transaction(self._pool) as connection:
            page = await asset.pending_deletions(connection, self._last_deletion, PAGE)
        outcome = await tell_each(page, lambda due: dispatch_deletion(client, due))
        left = set(page).difference(outcome.told)
        self._last_deletion = min(left) - 1 if left else max(page, default=self._last_deletion)
        if outcome.fault:
            raise outcome.fault
        return len(page) == PAGE
