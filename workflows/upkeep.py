"""Workflows of upkeep: one pass of the reconciler, and what a deleted asset left in the store."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from workflows.contracts import (
    BATCHES,
    DELETION_WORKFLOW,
    RECONCILE,
    RECONCILE_WORKFLOW,
    REMOVE_DERIVATIVES,
)


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


@workflow.defn(name=DELETION_WORKFLOW)
class DeletionWorkflow:
    """What one deleted asset left in the store."""

    @workflow.run
    async def run(self, deletion_id: int) -> None:
        """Removes it; tried until the store answers and no processing stands in the way."""
        await workflow.execute_activity(
            REMOVE_DERIVATIVES,
            deletion_id,
            task_queue=BATCHES,
            start_to_close_timeout=timedelta(minutes=1),
            retry_policy=RetryPolicy(
                initial_interval=timedelta(seconds=0.5), maximum_interval=timedelta(seconds=30)
            ),
        )
