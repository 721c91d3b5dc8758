"""The workflow of one asset that is processed alone, at once: a PUT or a reingest."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows import bookkeeping
from workflows.contracts import (
    ASSET_WORKFLOW,
    HEARTBEAT_TIMEOUT,
    PROCESS_JOB,
    JobFault,
    Outcome,
    ProcessJob,
    QueueKind,
)
from workflows.retries import (
    CLAIM_WAIT,
    LONGEST,
    LONGEST_CLAIM_WAIT,
    asset_retries,
    explain,
    is_claimed,
)


@workflow.defn(name=ASSET_WORKFLOW)
class AssetWorkflow:
    """One job, to its end."""

    @workflow.run
    async def run(self, job: ProcessJob) -> None:
        """Processes the asset on the priority task queue."""
        wait = CLAIM_WAIT
        while True:
            try:
                await workflow.execute_activity(
                    PROCESS_JOB,
                    job,
                    result_type=Outcome,
                    task_queue=QueueKind.PRIORITY,
                    heartbeat_timeout=HEARTBEAT_TIMEOUT,
                    start_to_close_timeout=LONGEST,
                    retry_policy=asset_retries(job.retry),
                )
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                if is_claimed(error):
                    await workflow.sleep(wait)
                    wait = min(2 * wait, LONGEST_CLAIM_WAIT)
                    continue
                await bookkeeping.record_job_fault(JobFault(job.job_id, explain(error)))
            return
