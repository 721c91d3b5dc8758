"""Has one asset processed, for a batch or alone."""

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows.contracts import HEARTBEAT_TIMEOUT, Outcome, ProcessEntry, ProcessJob
from workflows.retries import (
    ASSET,
    CLAIM_WAIT,
    LONGEST,
    LONGEST_CLAIM_WAIT,
    explain,
    is_claimed,
)


def is_history_long() -> bool:
    """Whether the workflow is to continue as new, as soon as it may."""
    info = workflow.info()
    return info.is_continue_as_new_suggested() and workflow.patched("history-is-long")


class ProcessingFailed(Exception):
    """The activity failed for good, and could record nothing; the message is for the customer."""


async def process(
    activity: str,
    what: ProcessEntry | ProcessJob,
    *,
    task_queue: str,
    priority: Priority = Priority.default,
    summary: str | None = None,
) -> Outcome:
    """Runs the activity, again and again while the asset is processed for somebody else.

    That wait ends, as if the asset had been handed back, when history has grown long.

    Raises:
        ProcessingFailed: it failed for good.
    """
    wait = CLAIM_WAIT
    while True:
        try:
            outcome: Outcome = await workflow.execute_activity(
                activity,
                what,
                result_type=Outcome,
                task_queue=task_queue,
                heartbeat_timeout=HEARTBEAT_TIMEOUT,
                start_to_close_timeout=LONGEST,
                retry_policy=ASSET,
                priority=priority,
                summary=summary,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            if not is_claimed(error):
                raise ProcessingFailed(explain(error)) from error
        else:
            return outcome
        if is_history_long():
            return Outcome(wait_s=0.0)
        await workflow.sleep(wait)
        wait = min(2 * wait, LONGEST_CLAIM_WAIT)
