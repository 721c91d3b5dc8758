"""What crosses between API, workflows and activities: names, and dataclasses of ids.

History keeps these forever, so they hold ids and never an asset's body.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from temporalio.common import SearchAttributeKey

BATCHES = "batches"
"""Task queue of the workflows, and of the activities that only talk to Postgres."""


AV = "av"
"""Task queue of what sound or film is made of, from batches of either kind and alone."""


class QueueKind(StrEnum):
    """The two queues a batch can be sent to; each is a Temporal task queue of that name."""

    MAIN = "main"
    PRIORITY = "priority"


class BatchState(StrEnum):
    """Values of the search attribute `IiifqState`."""

    WAITING = "waiting"
    PROCESSING = "processing"
    PAUSED = "paused"
    FINISHED = "finished"
    ERRORS = "errors"
    CANCELLED = "cancelled"


def shown_state(state: str, paused: bool, cancelled: bool, errors: int) -> BatchState:
    """The state that people see of a batch whose row is in `state`."""
    if state != "finished":
        return BatchState.PAUSED if paused else BatchState(state)
    if cancelled:
        return BatchState.CANCELLED
    return BatchState.ERRORS if errors else BatchState.FINISHED


CUSTOMER = SearchAttributeKey.for_int("IiifqCustomer")
BATCH = SearchAttributeKey.for_int("IiifqBatch")
QUEUE = SearchAttributeKey.for_keyword("IiifqQueue")
ERRORS = SearchAttributeKey.for_int("IiifqErrors")
STATE = SearchAttributeKey.for_keyword("IiifqState")
SEARCH_ATTRIBUTES = (CUSTOMER, BATCH, QUEUE, ERRORS, STATE)

BATCH_WORKFLOW = "batch"
ASSET_WORKFLOW = "asset"
DELETION_WORKFLOW = "deletion"
RECONCILE_WORKFLOW = "reconcile"

PROCESS_ENTRY = "process_asset"
PROCESS_JOB = "process_job"
REMOVE_DERIVATIVES = "remove_derivatives"
RECONCILE = "reconcile"

HEARTBEAT_TIMEOUT = timedelta(seconds=15)
"""After this much silence an asset is taken over from its worker."""

SHOWN_FAILED = 20
"""Failed assets that the Web UI names."""

ASSET_CLAIMED = "AssetClaimed"
"""Type of the failure of an activity whose asset is being processed for somebody else."""


def batch_workflow_id(batch_id: int) -> str:
    """The id of the one workflow of a batch."""
    return f"batch-{batch_id}"


def job_workflow_id(job_id: int) -> str:
    """The id of the workflow that processes one asset alone."""
    return f"asset-{job_id}"


def asset_task_queue(is_av: bool) -> str:
    """Where an asset is processed alone: sound and film on `av`, all else with priority."""
    return AV if is_av else QueueKind.PRIORITY


@dataclass(frozen=True)
class BatchRun:
    """Input of workflow `batch`."""

    batch_id: int


@dataclass(frozen=True)
class RetryPlan:
    """How often an asset is tried, and the seconds before the second try."""

    attempts: int
    interval_s: float


@dataclass(frozen=True)
class BatchPlan:
    """Output of activity `plan_batch`: what does not change while a workflow runs.

    `host_connections`: entries of one origin's host in flight at once; 0: as many as the window.
    """

    customer_id: int
    queue: QueueKind
    weight: float
    window: int
    retry: RetryPlan
    retry_window_s: float
    host_connections: int = 0


@dataclass(frozen=True)
class OpenEntries:
    """Input of activity `open_entries`: a page of what has not ended, beyond ordinal `after`."""

    batch_id: int
    after: int
    limit: int


@dataclass(frozen=True)
class EntryRef:
    """An entry by its ordinal in the batch, its asset as `space/id`, its origin's file and host.

    `task_queue` is where it is processed, empty for that of its batch; `wait_s`: seconds until it
    may be tried again.
    """

    ordinal: int
    asset: str
    file: str = ""
    host: str = ""
    task_queue: str = ""
    wait_s: float = 0.0


@dataclass(frozen=True)
class EntryPage:
    """Output of activity `open_entries`, by ordinal; empty at the end."""

    entries: list[EntryRef] = field(default_factory=list)


@dataclass(frozen=True)
class ProcessEntry:
    """Input of activity `process_asset`: one entry of a batch.

    `is_last`: its host has been away for so long that a fault is its error at once.
    """

    batch_id: int
    ordinal: int
    is_last: bool = False


@dataclass(frozen=True)
class ProcessJob:
    """Input of activity `process_job` and of workflow `asset`: one asset alone.

    Of customer `customer_id`, 0 when a workflow of before started it; on `task_queue`.
    """

    job_id: int
    retry: RetryPlan
    customer_id: int = 0
    task_queue: str = QueueKind.PRIORITY


@dataclass(frozen=True)
class Outcome:
    """How processing ended: `error` is the message for the customer, None when it went well.

    `held_back`: nothing was done, since the batch or the customer's queue is paused. `wait_s`: it
    has not ended, and is to be scheduled again after so many seconds: after `attempts` tries in
    vain, the last of which came to `fault`, if `is_attempt`; else it was handed back, as nothing
    could be tried. `closes_host`: nor is anything else of its host to be tried before.
    """

    error: str | None = None
    held_back: bool = False
    wait_s: float | None = None
    attempts: int = 0
    is_attempt: bool = False
    fault: str | None = None
    closes_host: bool = False


@dataclass(frozen=True)
class EntryFault:
    """Input of activity `record_fault`: an entry whose activity failed for good."""

    batch_id: int
    ordinal: int
    error: str


@dataclass(frozen=True)
class JobFault:
    """Input of activity `record_job_fault`: a job whose activity failed for good."""

    job_id: int
    error: str


@dataclass(frozen=True)
class RetryFailed:
    """Input of activity `retry_failed`: `assets` as `space/id`; None: all that failed."""

    batch_id: int
    assets: list[str] | None = None


@dataclass(frozen=True)
class SetPaused:
    """Input of activity `set_paused`: the batch is held back, or goes on."""

    batch_id: int
    paused: bool


@dataclass(frozen=True)
class FailedAsset:
    """An asset as `space/id`, and its error."""

    asset: str
    error: str


@dataclass(frozen=True)
class BatchProgress:
    """Output of activity `batch_progress`: counts, and the first assets that failed.

    `paused`: the batch, or the customer's queue that it was sent to, is held back.
    """

    state: BatchState
    count: int
    waiting: int
    processing: int
    completed: int
    errors: int
    paused: bool = False
    failed: list[FailedAsset] = field(default_factory=list)


@dataclass(frozen=True)
class InFlight:
    """An asset as `space/id` that is in process, since when, or waits for another try.

    Times are RFC 3339; `attempts` are its tries in vain so far.
    """

    asset: str
    since: str
    attempts: int = 0
    last_fault: str | None = None
    next_attempt: str | None = None


@dataclass(frozen=True)
class ClosedHost:
    """A host of origins of which nothing is tried until then (RFC 3339)."""

    host: str
    until: str


@dataclass(frozen=True)
class Progress:
    """Output of query `progress`: what the workflow knows at this moment."""

    state: str
    count: int
    waiting: int
    processing: int
    completed: int
    errors: int
    in_flight: list[InFlight]
    closed_hosts: list[ClosedHost]
