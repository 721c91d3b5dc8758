"""Starts workflows, tells a batch's to look again, and asks whether one is running."""

from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.service import RPCError, RPCStatusCode

from workflows.contracts import (
    ASSET_WORKFLOW,
    BATCH,
    BATCH_WORKFLOW,
    BATCHES,
    CUSTOMER,
    DELETION_WORKFLOW,
    ERRORS,
    QUEUE,
    STATE,
    BatchRun,
    BatchState,
    ProcessJob,
    QueueKind,
    batch_workflow_id,
    job_workflow_id,
)

STEERING = """
| signal | input | does |
|---|---|---|
| `retry_failed` | none, or `["space/id"]` | retries what failed: all, or these |
| `cancel` | none | ends what has not started with the error `Cancelled` |
| `pause`, `resume` | none | holds back what has not started, and lets it go on |

The query `progress` says how far it is, what its assets wait for, and which hosts are closed.
""".strip()
"""What the Web UI says can be done to any batch."""


async def dispatch_batch(client: Client, batch_id: int, customer_id: int, queue: QueueKind) -> None:
    """Signals `wake` to the batch's workflow, and starts it if it is not running.

    Any number of times, at any moment: the workflow reads from Postgres what there is to do.
    """
    await client.start_workflow(
        BATCH_WORKFLOW,
        BatchRun(batch_id),
        id=batch_workflow_id(batch_id),
        task_queue=BATCHES,
        start_signal="wake",
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        memo={"customer": customer_id, "queue": queue.value},
        search_attributes=TypedSearchAttributes(
            [
                SearchAttributePair(CUSTOMER, customer_id),
                SearchAttributePair(BATCH, batch_id),
                SearchAttributePair(QUEUE, queue.value),
                SearchAttributePair(ERRORS, 0),
                SearchAttributePair(STATE, BatchState.WAITING.value),
            ]
        ),
        static_summary=f"batch {batch_id} of customer {customer_id} on {queue.value}",
        static_details=STEERING,
    )


async def dispatch_deletion(client: Client, deletion_id: int) -> None:
    """Starts the workflow that removes what a deleted asset left, unless it is running."""
    await client.start_workflow(
        DELETION_WORKFLOW,
        deletion_id,
        id=f"deletion-{deletion_id}",
        task_queue=BATCHES,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )


async def dispatch_job(client: Client, job: ProcessJob) -> WorkflowHandle[Any, None]:
    """Starts the workflow that processes one asset alone, unless it is running."""
    return await client.start_workflow(
        ASSET_WORKFLOW,
        job,
        id=job_workflow_id(job.job_id),
        task_queue=BATCHES,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )


async def is_running(client: Client, workflow_id: str) -> bool:
    """Whether a workflow of this id is open."""
    try:
        described = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return False
        raise
    return described.status == WorkflowExecutionStatus.RUNNING
