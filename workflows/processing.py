"""Has one asset processed, for a batch or alone."""

from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows.contracts import HEARTBEAT_TIMEOUT, Outcome, ProcessEntry, ProcessJob, RetryPlan
from workflows.retries import (
    CLAIM_WAIT,
    LONGEST,
    LONGEST_CLAIM_WAIT,
    asset_retries,
    explain,
    is_claimed,
)


class ProcessingFailed(Exception):
    """The activity failed for good, and could record nothing; the message is for the customer."""


async def process(
    activity: str,
    what: ProcessEntry | ProcessJob,
    *,
    task_queue: str,
    retry: RetryPlan,
    priority: Priority = Priority.default,
    summary: str | None = None,
) -> Outcome:
    """Runs the activity, again and again while the asset is processed for somebody else.

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
                retry_policy=asset_retries(retry),
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
        await workflow.sleep(wait)
        wait = min(2 * wait, LONGEST_CLAIM_WAIT)
