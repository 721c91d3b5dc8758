"""The worker process: polls task queues, signs that it lives, and stops politely."""

import asyncio
import os
import signal
import socket
import tempfile
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import structlog
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.av import Transcoder
from activities.bookkeeping import BookkeepingActivities
from activities.deletion import DeletionActivities
from activities.image_process import ImageProcesses
from activities.origin import OriginClient
from activities.process import ProcessActivities
from activities.reconcile import ReconcileActivities
from activities.scratch import Scratch, own_folder
from activities.share import CustomerShare
from activities.store import Store
from projection import worker as signs
from projection.database import DatabaseUnavailable, Pool, open_pool, transaction
from sealed import Sealer
from settings import Settings
from worker import namespace, watchdog
from workflows.asset import AssetWorkflow
from workflows.batch import BatchWorkflow
from workflows.contracts import AV, BATCHES, QueueKind
from workflows.upkeep import DeletionWorkflow, ReconcileWorkflow

GRACE = timedelta(seconds=2)
"""What is in process may take this long to end when the worker is stopped; the rest goes on at
the next start."""

MAIN_NICE = 19
"""Image processes of main work give way to everything else on the machine."""

POOL = 24
"""Connections to Postgres: transactions are short, and slots many."""

log = structlog.get_logger()


async def run(settings: Settings, queues: tuple[str, ...]) -> None:
    """Works until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    async with AsyncExitStack() as stack:
        alive = await stack.enter_async_context(asyncio.TaskGroup())
        beating = alive.create_task(watchdog.beat())
        stack.callback(beating.cancel)
        pool = await stack.enter_async_context(
            open_pool(
                settings.database_url,
                size=POOL,
                name="iiifq-worker",
            )
        )
        client = await namespace.connect(settings, stop)
        if client is None:
            return
        stack.push_async_callback(_leave, pool)
        folder = stack.enter_context(own_folder(_scratch_folder(settings)))
        scratch = Scratch(folder, settings.scratch_min_free_bytes)
        workers = await _workers(stack, settings, pool, client, queues, scratch)
        for each in workers:
            await stack.enter_async_context(each)
        if BATCHES in queues:
            await namespace.ensure_schedule(client, settings)
            first = alive.create_task(_first_pass(ReconcileActivities(settings, pool, client)))
            stack.callback(first.cancel)
        signing = alive.create_task(_sign(pool, queues, scratch))
        stack.callback(signing.cancel)
        log.info("working", queues=queues)
        await stop.wait()
        log.info("stopping")


async def _workers(
    stack: AsyncExitStack,
    settings: Settings,
    pool: Pool,
    client: Client,
    queues: tuple[str, ...],
    scratch: Scratch,
) -> list[Worker]:
    workers = []
    store = Store.from_url(settings.storage_url)
    if BATCHES in queues:
        books = BookkeepingActivities(settings, pool)
        upkeep = ReconcileActivities(settings, pool, client)
        deletion = DeletionActivities(pool, store)
        workers.append(
            Worker(
                client,
                task_queue=BATCHES,
                workflows=[BatchWorkflow, AssetWorkflow, DeletionWorkflow, ReconcileWorkflow],
                activities=[
                    books.plan_batch,
                    books.open_entries,
                    books.batch_progress,
                    books.retry_failed,
                    books.cancel_batch,
                    books.set_paused,
                    books.record_fault,
                    books.record_job_fault,
                    upkeep.reconcile,
                    deletion.remove_derivatives,
                ],
                workflow_runner=SandboxedWorkflowRunner(
                    restrictions=SandboxRestrictions.default.with_passthrough_modules("workflows")
                ),
                max_concurrent_activities=8,
                graceful_shutdown_timeout=GRACE,
            )
        )
    slots = {
        QueueKind.MAIN.value: (settings.main_slots, MAIN_NICE),
        QueueKind.PRIORITY.value: (settings.priority_slots, 0),
        AV: (settings.av_slots, MAIN_NICE),
    }
    asset_queues = [queue for queue in queues if queue in slots]
    if asset_queues:
        sealer = Sealer(settings.secret_keys)
        transcoder = Transcoder(settings.av_timeout_s, settings.origin_max_bytes)
    for queue in asset_queues:
        count, nice = slots[queue]
        # Connections to a host are counted for each task queue: no backlog takes priority's.
        origins = await stack.enter_async_context(OriginClient(settings))
        images = await stack.enter_async_context(
            ImageProcesses(settings.image_processes, nice, settings.image_memory_bytes)
        )
        processing = ProcessActivities(
            settings,
            pool,
            origins,
            images,
            transcoder,
            store,
            scratch,
            sealer,
            CustomerShare(count),
            None if queue == AV else queue,
        )
        workers.append(
            Worker(
                client,
                task_queue=queue,
                activities=[processing.process_entry, processing.process_job],
                max_concurrent_activities=count,
                graceful_shutdown_timeout=GRACE,
                max_heartbeat_throttle_interval=timedelta(seconds=5),
            )
        )
    return workers


async def _first_pass(reconciler: ReconcileActivities) -> None:
    try:
        await reconciler.run()
    except (DatabaseUnavailable, RPCError, RuntimeError, TimeoutError) as away:
        log.warning("first pass of the reconciler failed; the schedule tries again", why=str(away))


def _scratch_folder(settings: Settings) -> Path:
    """As set; else the system's, with a name that other users' workers do not use."""
    return settings.scratch_folder or Path(tempfile.gettempdir()) / f"iiifq-{os.getuid()}"


def _id() -> str:
    return f"{socket.gethostname()}-{os.getpid()}"


async def _sign(pool: Pool, queues: tuple[str, ...], scratch: Scratch) -> None:
    while True:
        try:
            async with asyncio.timeout(5), transaction(pool) as connection:
                await signs.sign(connection, _id(), list(queues), scratch.trouble)
        except (DatabaseUnavailable, TimeoutError) as away:
            log.warning("could not sign", why=str(away))
        await asyncio.sleep(2)


async def _leave(pool: Pool) -> None:
    try:
        async with asyncio.timeout(1), transaction(pool) as connection:
            await signs.leave(connection, _id())
    except (DatabaseUnavailable, TimeoutError) as away:
        log.warning("could not sign off", why=str(away))
