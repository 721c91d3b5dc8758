"""Which failures are tried again, how often, and what the customer is told of the last one."""

from datetime import timedelta

from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.exceptions import TimeoutError as ActivityTimeout

from workflows.contracts import ASSET_CLAIMED, RetryPlan

LONGEST = timedelta(days=1)
"""No asset takes longer: two hours of film are transcoded in less. A dead worker is noticed by its
missing heartbeat, long before."""

CLAIM_WAIT = timedelta(seconds=0.5)
"""The first wait for an asset that is being processed for somebody else; each is twice the last."""

LONGEST_CLAIM_WAIT = timedelta(seconds=15)

BOOKKEEPING = RetryPolicy(
    # Postgres may be away for hours; nothing is lost by waiting, and much by giving up.
    initial_interval=timedelta(seconds=0.5),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=10),
)


def asset_retries(plan: RetryPlan) -> RetryPolicy:
    """Retries of an asset after a fault of the surroundings; its own faults are outcomes.

    Waits of 1, 4 and 16 intervals outlive a restart of an origin, and a worker's.
    """
    return RetryPolicy(
        initial_interval=timedelta(seconds=plan.interval_s),
        backoff_coefficient=4,
        maximum_interval=timedelta(minutes=5),
        maximum_attempts=plan.attempts,
        non_retryable_error_types=[ASSET_CLAIMED],
    )


def is_claimed(error: ActivityError) -> bool:
    """Whether the asset is being processed for somebody else: to be tried again in a while."""
    return isinstance(error.cause, ApplicationError) and error.cause.type == ASSET_CLAIMED


def explain(error: ActivityError) -> str:
    """What the customer is told of an activity that failed for good."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.category.name == "BENIGN":
        return cause.message
    if isinstance(cause, ActivityTimeout):
        return "Processing was interrupted several times, and the asset may be the cause of it"
    return "The platform failed to process the asset; its operator can see why"
