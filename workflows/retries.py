"""Which failures are tried again, how often, and what the customer is told of the last one."""

from datetime import timedelta

from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.exceptions import TimeoutError as ActivityTimeout

from workflows.contracts import ASSET_CLAIMED

LONGEST = timedelta(days=1)
"""No asset takes longer: two hours of film are transcoded in less. A dead worker is noticed by its
missing heartbeat, long before."""

CLAIM_WAIT = timedelta(seconds=0.5)
"""The first wait for an asset that is being processed for somebody else; each is twice the last."""

LONGEST_CLAIM_WAIT = timedelta(seconds=15)

MAX_HAND_BACK_S = 30.0
"""The longest wait of an asset that was handed back; each is twice the last."""

BOOKKEEPING = RetryPolicy(
    # Postgres may be away for hours; nothing is lost by waiting, and much by giving up.
    initial_interval=timedelta(seconds=0.5),
    backoff_coefficient=2,
    maximum_interval=timedelta(seconds=10),
)


ASSET = RetryPolicy(
    # Faults of the asset, its origin and the platform are outcomes. What remains are workers that
    # died and bugs: an asset that costs five workers is taken for the cause of it.
    initial_interval=timedelta(seconds=1),
    backoff_coefficient=2,
    maximum_interval=timedelta(minutes=1),
    maximum_attempts=5,
    non_retryable_error_types=[ASSET_CLAIMED],
)


def hand_back_wait(wait_s: float, times: int) -> timedelta:
    """The wait before an asset is scheduled again that was handed back so many times in a row."""
    return timedelta(seconds=min(max(wait_s, MAX_HAND_BACK_S), wait_s * 2 ** min(times, 10)))


def is_claimed(error: ActivityError) -> bool:
    """Whether the asset is being processed for somebody else: to be tried again in a while."""
    return isinstance(error.cause, ApplicationError) and error.cause.type == ASSET_CLAIMED


def explain(error: ActivityError) -> str:
    """What the customer is told of an activity that failed for good."""
    cause = error.cause
    if isinstance(cause, ActivityTimeout):
        return "Processing was interrupted several times, and the asset may be the cause of it"
    return "The platform failed to process the asset; its operator can see why"
