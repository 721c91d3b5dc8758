"""The activities that only talk to Postgres: what a workflow reads, and the faults it records."""

from contextlib import suppress
from dataclasses import dataclass
from posixpath import basename
from urllib.parse import urlsplit

from temporalio import activity
from temporalio.exceptions import ApplicationError

from projection import batch, entry, processing
from projection.database import Pool, transaction
from projection.processing import Processed
from settings import Settings
from workflows.contracts import (
    AV,
    SHOWN_FAILED,
    BatchPlan,
    BatchProgress,
    BatchRun,
    EntryFault,
    EntryPage,
    EntryRef,
    FailedAsset,
    JobFault,
    OpenEntries,
    QueueKind,
    RetryFailed,
    RetryPlan,
    SetPaused,
    shown_state,
)


def _gone(batch_id: int) -> ApplicationError:
    return ApplicationError(f"there is no batch {batch_id}", non_retryable=True)


def file_name(origin: str) -> str:
    """The last part of an origin's path, as an operator knows the file by."""
    try:
        return basename(urlsplit(origin).path)
    except ValueError:  # what is no URL is refused when it is fetched
        return ""


def host_name(origin: str) -> str:
    """The host of an origin, with its port if that is named, or an empty text."""
    try:
        return urlsplit(origin).netloc.rpartition("@")[2].lower()
    except ValueError:  # what is no URL is refused when it is fetched
        return ""


@dataclass(frozen=True)
class BookkeepingActivities:
    """Each is one transaction, and may run twice."""

    settings: Settings
    pool: Pool

    @activity.defn
    async def plan_batch(self, run: BatchRun) -> BatchPlan:
        """What does not change while a batch's workflow runs."""
        async with transaction(self.pool) as connection:
            plan = await batch.plan(connection, run.batch_id)
        if plan is None:
            raise _gone(run.batch_id)
        return BatchPlan(
            customer_id=plan.customer_id,
            queue=QueueKind(plan.kind),
            weight=plan.weight,
            window=self.settings.window,
            retry=RetryPlan(self.settings.activity_attempts, self.settings.retry_interval_s),
            retry_window_s=self.settings.retry_window_s,
            host_connections=2 * self.settings.origin_host_connections,  # some are fetched already
        )

    @activity.defn
    async def open_entries(self, page: OpenEntries) -> EntryPage:
        """A page of entries that have not ended."""
        async with transaction(self.pool) as connection:
            found = await entry.open_entries(connection, page.batch_id, page.after, page.limit)
        return EntryPage(
            [
                EntryRef(
                    row.ordinal,
                    row.asset,
                    file_name(row.origin or ""),
                    "" if row.is_unfetched else host_name(row.origin or ""),
                    AV if row.is_av else "",
                    row.wait_s,
                )
                for row in found
            ]
        )

    @activity.defn
    async def batch_progress(self, run: BatchRun) -> BatchProgress:
        """The batch's counts."""
        async with transaction(self.pool) as connection:
            counts = await batch.progress(connection, run.batch_id)
            failed = await batch.first_failed(connection, run.batch_id, SHOWN_FAILED)
        if counts is None:
            raise _gone(run.batch_id)
        return BatchProgress(
            state=shown_state(counts.state, counts.paused, counts.cancelled, counts.errors),
            count=counts.count,
            waiting=counts.waiting,
            processing=counts.processing,
            completed=counts.completed,
            errors=counts.errors,
            paused=counts.paused,
            failed=[FailedAsset(each.asset, each.error) for each in failed],
        )

    @activity.defn
    async def cancel_batch(self, run: BatchRun) -> None:
        """What has not started ends with the error `Cancelled`; a finished batch stays as it is."""
        async with transaction(self.pool) as connection:
            with suppress(batch.BatchFinished):
                await batch.cancel_waiting(connection, run.batch_id)

    @activity.defn
    async def set_paused(self, change: SetPaused) -> None:
        """The batch is held back, or goes on."""
        async with transaction(self.pool) as connection:
            await batch.pause(connection, change.batch_id, change.paused)

    @activity.defn
    async def retry_failed(self, retry: RetryFailed) -> int:
        """Failed entries wait again; what did not fail is left as it is. How many wait."""
        async with transaction(self.pool) as connection:
            return await batch.retry_failed(connection, retry.batch_id, retry.assets)

    @activity.defn
    async def record_fault(self, fault: EntryFault) -> None:
        """The entry ends with an error."""
        async with transaction(self.pool) as connection:
            outcome = Processed(error=fault.error)
            await processing.end_entry(connection, fault.batch_id, fault.ordinal, outcome)

    @activity.defn
    async def record_job_fault(self, fault: JobFault) -> None:
        """The job ends with an error."""
        async with transaction(self.pool) as connection:
            await processing.fail_job(connection, fault.job_id, fault.error)
