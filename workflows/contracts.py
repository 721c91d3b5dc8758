"""What crosses between API, workflows and activities: names, and dataclasses of ids.

History keeps these forever, so they hold ids and never an asset's body.
"""

from dataclasses import dataclass, field
from enum import StrEnum

BATCHES = "batches"
"""Task queue of the workflows and of the activities that only talk to Postgres."""


class QueueKind(StrEnum):
    """The two queues a batch can be sent to; each is a Temporal task queue of that name."""

    MAIN = "main"
    PRIORITY = "priority"


class BatchState(StrEnum):
    """Value of the search attribute `IiifqState`."""

    WAITING = "waiting"
    PROCESSING = "processing"
    PAUSED = "paused"
    FINISHED = "finished"
    ERRORS = "errors"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class ProcessAsset:
    """Input of activity `process_asset`: one entry of a batch."""

    batch_id: int
    ordinal: int


@dataclass(frozen=True)
class Outcome:
    """How the processing of one asset ended.

    `error` is the message for the customer, None when it ended well. `skipped` is true when there
    was nothing to do: the entry had ended already.
    """

    error: str | None = None
    skipped: bool = False
