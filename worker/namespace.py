"""What a worker makes sure of in Temporal's namespace: search attributes, and the reconciler."""

import asyncio
from datetime import timedelta

import structlog
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from settings import Settings
from workflows.contracts import BATCHES, RECONCILE_WORKFLOW, SEARCH_ATTRIBUTES

log = structlog.get_logger()

SCHEDULE_ID = "reconcile"


async def connect(settings: Settings, stop: asyncio.Event) -> Client | None:
    """A client, once Temporal answers; None when told to stop before."""
    while not stop.is_set():
        try:
            client = await Client.connect(
                settings.temporal_address, namespace=settings.temporal_namespace
            )
            await _ensure_search_attributes(client)
        except (RuntimeError, RPCError) as away:
            log.warning("Temporal is away, waiting", why=str(away))
            await asyncio.sleep(1)
        else:
            return client
    return None


async def _ensure_search_attributes(client: Client) -> None:
    for attribute in SEARCH_ATTRIBUTES:
        request = AddSearchAttributesRequest(
            namespace=client.namespace,
            search_attributes={attribute.name: attribute.indexed_value_type.value},  # type: ignore[dict-item]
        )
        try:
            await client.operator_service.add_search_attributes(request)
        except RPCError as error:
            if error.status != RPCStatusCode.ALREADY_EXISTS:
                raise


async def ensure_schedule(client: Client, settings: Settings) -> None:
    """The reconciler runs every `reconcile_s`, one pass at a time."""
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(RECONCILE_WORKFLOW, id="reconcile", task_queue=BATCHES),
        spec=ScheduleSpec(
            intervals=[ScheduleIntervalSpec(every=timedelta(seconds=settings.reconcile_s))]
        ),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
    )
    try:
        await client.create_schedule(SCHEDULE_ID, schedule)
    except ScheduleAlreadyRunningError:

        def same(_: ScheduleUpdateInput) -> ScheduleUpdate:
            return ScheduleUpdate(schedule)

        await client.get_schedule_handle(SCHEDULE_ID).update(same)
