"""Calls of the activities that only talk to Postgres, from workflows."""

from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow

from workflows.contracts import (
    BATCHES,
    BatchPlan,
    BatchProgress,
    BatchRun,
    EntryFault,
    EntryPage,
    JobFault,
    OpenEntries,
    RetryFailed,
    SetPaused,
)
from workflows.retries import BOOKKEEPING

Output = TypeVar("Output")


async def _call(name: str, argument: Any, output: type[Output]) -> Output:
    result: Output = await workflow.execute_activity(
        name,
        argument,
        result_type=output,
        task_queue=BATCHES,
        start_to_close_timeout=timedelta(minutes=1),
        retry_policy=BOOKKEEPING,
    )
    return result


async def plan_batch(run: BatchRun) -> BatchPlan:
    """What does not change while the workflow runs."""
    return await _call("plan_batch", run, BatchPlan)


async def open_entries(page: OpenEntries) -> EntryPage:
    """A page of entries that have not ended."""
    return await _call("open_entries", page, EntryPage)


async def batch_progress(run: BatchRun) -> BatchProgress:
    """The batch's counts."""
    return await _call("batch_progress", run, BatchProgress)


async def retry_failed(retry: RetryFailed) -> int:
    """Failed entries wait again; how many."""
    return await _call("retry_failed", retry, int)


async def cancel_batch(run: BatchRun) -> None:
    """What has not started ends with the error `Cancelled`."""
    await _call("cancel_batch", run, type(None))


async def set_paused(change: SetPaused) -> None:
    """The batch is held back, or goes on."""
    await _call("set_paused", change, type(None))


async def record_fault(fault: EntryFault) -> None:
    """The entry ends with an error."""
    await _call("record_fault", fault, type(None))


async def record_job_fault(fault: JobFault) -> None:
    """The job ends with an error."""
    await _call("record_job_fault", fault, type(None))
