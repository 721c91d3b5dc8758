"""The workflow that the Temporal Schedule starts: one pass of the reconciler."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from workflows.contracts import BATCHES, RECONCILE, RECONCILE_WORKFLOW


@workflow.defn(name=RECONCILE_WORKFLOW)
class ReconcileWorkflow:
    """One pass; a pass that fails is left to the next."""

    @workflow.run
    async def run(self) -> None:
        """Starts what was not started, and removes what is left over."""
        await workflow.execute_activity(
            RECONCILE,
            task_queue=BATCHES,
            start_to_close_timeout=timedelta(minutes=5),
            heartbeat_timeout=timedelta(seconds=30),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )
