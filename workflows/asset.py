"""The workflow of one asset that is processed alone, at once: a PUT or a reingest."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority

from workflows import bookkeeping
from workflows.contracts import ASSET_WORKFLOW, PROCESS_JOB, JobFault, Outcome, ProcessJob
from workflows.processing import ProcessingFailed, process
from workflows.retries import hand_back_wait


@workflow.defn(name=ASSET_WORKFLOW)
class AssetWorkflow:
    """One job, to its end."""

    @workflow.run
    async def run(self, job: ProcessJob) -> None:
        """Processes the asset, as often as its outcome says that it is to be tried again."""
        hand_backs = 0
        while (outcome := await self._process(job)).wait_s is not None:
            hand_backs = 0 if outcome.is_attempt else hand_backs + 1
            wait = hand_back_wait(outcome.wait_s, hand_backs)
            await workflow.sleep(timedelta(seconds=outcome.wait_s) if outcome.is_attempt else wait)
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(job)

    async def _process(self, job: ProcessJob) -> Outcome:
        try:
            return await process(
                PROCESS_JOB,
                job,
                task_queue=job.task_queue,
                priority=Priority(fairness_key=str(job.customer_id))
                if job.customer_id
                else Priority.default,
            )
        except ProcessingFailed as failed:
            await bookkeeping.record_job_fault(JobFault(job.job_id, str(failed)))
            return Outcome(error=str(failed))
