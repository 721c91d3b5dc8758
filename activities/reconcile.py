"""The reconciler: starts what the outbox still holds, and what should be running and is not."""

import asyncio
from dataclasses import dataclass
from typing import Any

from temporalio import activity
from temporalio.client import Client

from projection import asset, audit, batch, worker
from projection.asset import PendingJob
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
from workflows.dispatch import (
    Told,
    dispatch_batch,
    dispatch_deletion,
    dispatch_job,
    has_closed,
    is_running,
    running_batches,
    tell_each,
)

PAGE = 500

HELD_S = 30.0
"""A claim that is younger is left alone."""

CLOSED_S = 20.0
"""So long after its workflow has closed, no worker is still at it: each has been told of that at a
heartbeat."""


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
        """One pass, inside an activity or not; none of its parts waits for another's end."""
        faults = await asyncio.gather(
            self._batches(),
            self._jobs(),
            self._deletions(),
            self._claims(),
            self._out_of_date(),
            return_exceptions=True,
        )
        for fault in faults:
            if fault is not None:
                raise fault

    async def _batches(self) -> None:
        """Batches whose workflow was not told, and unfinished ones whose workflow is gone."""
        while True:
            async with transaction(self.pool) as connection:
                page = await batch.undispatched(connection, PAGE)
            outcome = await tell_each(page, self._tell)
            async with transaction(self.pool) as connection:
                await batch.dispatched(connection, outcome.told)
            _refuse_fault(outcome)
            if len(page) < PAGE:
                break
        after = 0
        while True:
            async with transaction(self.pool) as connection:
                page = await batch.unfinished(connection, after, PAGE)
            if page:
                after = page[-1].id
                _beat()
                running = await running_batches(self.client, page[0].id, after)
                missing = [due for due in page if batch_workflow_id(due.id) not in running]
                _refuse_fault(await tell_each(missing, self._tell_if_gone))
            if len(page) < PAGE:
                return

    def _job(self, job: PendingJob) -> ProcessJob:
        retry = RetryPlan(self.settings.activity_attempts, self.settings.retry_interval_s)
        return ProcessJob(job.job_id, retry, job.customer_id, asset_task_queue(job.is_av))

    async def _tell(self, due: batch.Dispatch) -> None:
        _beat()
        await dispatch_batch(self.client, due.id, due.customer_id, QueueKind(due.kind))

    async def _tell_if_gone(self, due: batch.Dispatch) -> None:
        if not await is_running(self.client, batch_workflow_id(due.id)):
            await self._tell(due)

    async def _jobs(self) -> None:
        async def start_if_gone(job: PendingJob) -> None:
            _beat()
            if not await is_running(self.client, job_workflow_id(job.job_id)):
                await dispatch_job(self.client, self._job(job))

        after = 0
        while True:
            async with transaction(self.pool) as connection:
                page = await asset.pending_jobs(connection, after, PAGE)
            _refuse_fault(await tell_each(page, start_if_gone))
            if len(page) < PAGE:
                return
            after = page[-1].job_id

    async def _deletions(self) -> None:
        async def start(deletion_id: int) -> None:
            _beat()
            await dispatch_deletion(self.client, deletion_id)

        after = 0
        while True:
            async with transaction(self.pool) as connection:
                page = await asset.pending_deletions(connection, after, PAGE)
            _refuse_fault(await tell_each(page, start))
            if len(page) < PAGE:
                return
            after = page[-1]

    async def _claims(self) -> None:
        """Lets go of assets whose processing was given up, and that nothing else would let go of.

        A workflow that is terminated cannot; and an entry or a job that has not ended is started
        again, which does.
        """
        async with transaction(self.pool) as connection:
            claims = await audit.stale_claims(connection, HELD_S)
        for claim in claims:
            _beat()
            if await has_closed(self.client, _workflow_of(claim.holder), CLOSED_S):
                async with transaction(self.pool) as connection:
                    await audit.drop_claim(connection, claim)

    async def _out_of_date(self) -> None:
        async with transaction(self.pool) as connection:
            await batch.clean_keys(connection)
            await worker.clean(connection)


def _workflow_of(holder: str) -> str:
    """The id of the workflow for which an asset is claimed; a job's has another name."""
    kind, _, number = holder.partition("-")
    return job_workflow_id(int(number)) if kind == "job" else holder


def _refuse_fault(outcome: Told[Any]) -> None:
    if outcome.fault:
        raise outcome.fault


def _beat() -> None:
    if activity.in_activity():
        activity.heartbeat()
