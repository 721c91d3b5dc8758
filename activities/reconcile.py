"""The reconciler: starts what the outbox still holds, and what should be running and is not."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from temporalio import activity
from temporalio.client import Client

from projection import asset, batch, worker
from projection.database import Pool, transaction
from settings import Settings
from workflows.contracts import (
    RECONCILE,
    ProcessJob,
    QueueKind,
    RetryPlan,
    asset_task_queue,
    batch_workflow_id,
    job_workflow_id,
)
from workflows.dispatch import dispatch_batch, dispatch_deletion, dispatch_job, is_running

PAGE = 500


@dataclass(frozen=True)
class ReconcileActivities:
    """One pass; what is found in order is left alone."""

    settings: Settings
    pool: Pool
    client: Client

    @activity.defn(name=RECONCILE)
    async def reconcile(self) -> None:
        """Tells workflows of the work that waits for them; forgets what is out of date."""
        await self.run()

    async def run(self) -> None:
        """One pass, inside an activity or not."""
        async for due in self._due():
            _beat()
            await dispatch_batch(self.client, due.id, due.customer_id, QueueKind(due.kind))
            async with transaction(self.pool) as connection:
                await batch.dispatched(connection, due.id, due.requested)
        await self._jobs()
        await self._deletions()
        async with transaction(self.pool) as connection:
            await batch.clean_keys(connection)
            await worker.clean(connection)

    async def _due(self) -> AsyncIterator[batch.Dispatch]:
        """Batches whose workflow was not told, and unfinished ones whose workflow is gone."""
        told: set[int] = set()
        while True:
            async with transaction(self.pool) as connection:
                page = await batch.undispatched(connection, PAGE)
            for due in page:
                told.add(due.id)
                yield due
            if len(page) < PAGE:
                break
        after = 0
        while True:
            async with transaction(self.pool) as connection:
                page = await batch.unfinished(connection, after, PAGE)
            for due in page:
                _beat()
                after = due.id
                if due.id in told or await is_running(self.client, batch_workflow_id(due.id)):
                    continue
                yield due
            if len(page) < PAGE:
                return

    def _job(self, job: asset.PendingJob) -> ProcessJob:
        retry = RetryPlan(self.settings.activity_attempts, self.settings.retry_interval_s)
        return ProcessJob(job.job_id, retry, job.customer_id, asset_task_queue(job.is_av))

    async def _jobs(self) -> None:
        after = 0
        while True:
            async with transaction(self.pool) as connection:
                page = await asset.pending_jobs(connection, after, PAGE)
            for job in page:
                _beat()
                after = job.job_id
                if not await is_running(self.client, job_workflow_id(job.job_id)):
                    await dispatch_job(self.client, self._job(job))
            if len(page) < PAGE:
                return

    async def _deletions(self) -> None:
        after = 0
        while True:
            async with transaction(self.pool) as connection:
                page = await asset.pending_deletions(connection, after, PAGE)
            for deletion_id in page:
                _beat()
                after = deletion_id
                await dispatch_deletion(self.client, deletion_id)
            if len(page) < PAGE:
                return


def _beat() -> None:
    if activity.in_activity():
        activity.heartbeat()
