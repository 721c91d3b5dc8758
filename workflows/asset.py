"""The workflow of one asset that is processed alone, at once: a PUT or a reingest."""

from temporalio import workflow

from workflows import bookkeeping
from workflows.contracts import ASSET_WORKFLOW, PROCESS_JOB, JobFault, ProcessJob, QueueKind
from workflows.processing import ProcessingFailed, process


@workflow.defn(name=ASSET_WORKFLOW)
class AssetWorkflow:
    """One job, to its end."""

    @workflow.run
    async def run(self, job: ProcessJob) -> None:
        """Processes the asset on the priority task queue."""
        try:
            await process(PROCESS_JOB, job, task_queue=QueueKind.PRIORITY, retry=job.retry)
        except ProcessingFailed as failed:
            await bookkeeping.record_job_fault(JobFault(job.job_id, str(failed)))
