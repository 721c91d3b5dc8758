"""Starts workflows, tells a batch's to look again, and asks whether one is running."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowHandle,
)
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

Due = TypeVar("Due")

HAVE_WORK = (BatchState.WAITING, BatchState.PROCESSING, BatchState.PAUSED)
"""States of batches that have not ended; with all others, workflows wait for retries, for days."""

AT_ONCE = 16
"""Calls of Temporal that are under way at one time."""

PATIENCE_S = 10.0
"""How long one call of Temporal may take."""

TEMPORAL_AWAY = (RPCError, RuntimeError, TimeoutError)
"""What calls of Temporal raise while it is away."""

STEERING = """
| signal | input | does |
|---|---|---|
| `retry_failed` | none, or `["space/id"]` | retries what failed: all, or these |
| `cancel` | none | ends what no work is being done on, with the error `Cancelled` |
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


@dataclass
class Told(Generic[Due]):
    """What was told, in any order, and the first fault, if there was one."""

    told: list[Due] = field(default_factory=list)
    fault: Exception | None = None


async def tell_each(dues: Iterable[Due], tell: Callable[[Due], Awaitable[object]]) -> Told[Due]:
    """Tells Temporal of each, some at once.

    One that cannot be told does not keep the others from it; but while Temporal is away, no more
    than a few are tried.
    """
    outcome = Told[Due]()
    left = iter(dues)

    async def tell_some() -> None:
        for due in left:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await tell(due)
            except TimeoutError:
                late = RPCError("no answer", RPCStatusCode.DEADLINE_EXCEEDED, b"")
                outcome.fault = outcome.fault or late
                return
            except (RPCError, RuntimeError) as away:
                outcome.fault = outcome.fault or away
                return
            outcome.told.append(due)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(tell_some())
    return outcome


async def is_running(client: Client, workflow_id: str) -> bool:
    """Whether a workflow of this id is open."""
    said = await _described(client, workflow_id)
    return said is not None and said.status == WorkflowExecutionStatus.RUNNING


async def has_closed(client: Client, workflow_id: str, seconds: float) -> bool:
    """Whether no workflow of this id has been open in the last `seconds`."""
    said = await _described(client, workflow_id)
    if said is None:
        return True
    if said.close_time is None:
        return False
    return datetime.now(UTC) - said.close_time > timedelta(seconds=seconds)


async def _described(client: Client, workflow_id: str) -> WorkflowExecutionDescription | None:
    """What Temporal knows of the newest workflow of this id; None: nothing."""
    try:
        return await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return None
        raise


async def running_batches(client: Client, first: int, last: int) -> set[str]:
    """Ids of workflows, of batches from `first` to `last`, that are open and have work.

    As Temporal's visibility knows them, which is a moment late: of one that is missing, ask again.
    """
    states = ", ".join(f'"{state}"' for state in HAVE_WORK)
    query = (
        f'WorkflowType = "{BATCH_WORKFLOW}" AND ExecutionStatus = "Running"'
        f" AND {BATCH.name} >= {first} AND {BATCH.name} <= {last}"
        f" AND {STATE.name} IN ({states})"
    )
    return {each.id async for each in client.list_workflows(query)}
