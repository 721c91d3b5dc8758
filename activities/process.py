"""Processing of one asset: begin, fetch, derive, store, record. Runs twice without harm."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.faults import AssetFault, OriginAway, SurroundingsFault
from activities.image_job import ImageJob
from activities.image_process import ImageProcesses
from activities.keys import THUMBS, place
from activities.origin import OriginClient
from activities.store import Store
from projection import processing
from projection.database import Connection, DatabaseUnavailable, Pool, transaction
from projection.processing import AssetClaimed, HeldBack, Processed, Work
from settings import Settings
from workflows.contracts import (
    ASSET_CLAIMED,
    PROCESS_ENTRY,
    PROCESS_JOB,
    Outcome,
    ProcessEntry,
    ProcessJob,
)

BEAT_S = 4.0
"""Seconds between heartbeats: a third of the time after which a worker counts as dead."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class ProcessActivities:
    """The activities of one task queue, with what they work with."""

    settings: Settings
    pool: Pool
    origins: OriginClient
    images: ImageProcesses
    store: Store

    @activity.defn(name=PROCESS_ENTRY)
    async def process_entry(self, entry: ProcessEntry) -> Outcome:
        """One entry of a batch."""
        async with _beating():
            try:
                work = await self._claim(
                    lambda c: processing.begin_entry(c, entry.batch_id, entry.ordinal)
                )
            except HeldBack:
                return Outcome(held_back=True)
            if work is None:
                return Outcome()
            processed = await self._processed(work)
            await self._transact(
                lambda c: processing.end_entry(c, entry.batch_id, entry.ordinal, processed)
            )
            return Outcome(processed.error)

    @activity.defn(name=PROCESS_JOB)
    async def process_job(self, job: ProcessJob) -> Outcome:
        """One asset alone."""
        async with _beating():
            work = await self._claim(lambda c: processing.begin_job(c, job.job_id))
            if work is None:
                return Outcome()
            processed = await self._processed(work)
            await self._transact(lambda c: processing.end_job(c, job.job_id, work, processed))
            return Outcome(processed.error)

    async def _claim(self, begin: Callable[[Connection], Awaitable[Work | None]]) -> Work | None:
        try:
            return await self._transact(begin)
        except AssetClaimed as claimed:
            raise ApplicationError(
                f"the asset is being processed for {claimed.holder}",
                type=ASSET_CLAIMED,
                category=ApplicationErrorCategory.BENIGN,
            ) from claimed

    async def _transact(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """One transaction; while the database is away, waits for it, and the heartbeats go on."""
        wait = 0.2
        while True:
            try:
                async with transaction(self.pool) as connection:
                    return await work(connection)
            except DatabaseUnavailable as away:
                activity.logger.warning("the database is away, waiting: %s", away)
                await asyncio.sleep(wait)
                wait = min(2 * wait, 5.0)

    async def _processed(self, work: Work) -> Processed:
        """What processing came to; a fault of the asset is an outcome."""
        try:
            with tempfile.TemporaryDirectory(
                prefix="iiifq-", dir=self.settings.scratch_folder, ignore_cleanup_errors=True
            ) as folder:
                return await self._derive(work, Path(folder))
        except AssetFault as fault:
            return Processed(error=str(fault))
        except SurroundingsFault as fault:
            wait = fault.retry_after_s if isinstance(fault, OriginAway) else None
            raise ApplicationError(
                str(fault),
                type=type(fault).__name__,
                category=ApplicationErrorCategory.BENIGN,
                next_retry_delay=None if wait is None else timedelta(seconds=wait),
            ) from fault

    async def _derive(self, work: Work, folder: Path) -> Processed:
        channels = {channel["channel"] for channel in work.delivery_channels}
        if not channels & {"iiif-img", "thumbs", "file"}:
            if channels == {"none"}:
                return Processed()
            raise AssetFault("The delivery channel iiif-av cannot be processed yet")
        source = folder / "original"
        fetched = await self.origins.fetch(work.origin, source)
        derivatives: list[dict[str, object]] = []
        width: int | None = None
        height: int | None = None
        key = place(work.customer_id, work.space_id, work.asset_id)
        if channels & {"iiif-img", "thumbs"}:
            job = ImageJob(
                source=source,
                folder=folder,
                pyramid="iiif-img" in channels,
                thumbs=THUMBS if "thumbs" in channels else (),
                max_pixels=self.settings.image_max_pixels,
            )
            result = await self.images.derive(job, self.settings.image_timeout_s)
            width, height = result.width, result.height
            for made in result.files:
                stored = f"{made.channel}/{key}{made.suffix}"
                await self.store.put(stored, folder / made.name)
                derivatives.append(
                    {
                        "channel": made.channel,
                        "key": stored,
                        "bytes": made.size_bytes,
                        "width": made.width,
                        "height": made.height,
                    }
                )
        if "file" in channels:
            await self.store.put(f"file/{key}", source)
            derivatives.append(
                {"channel": "file", "key": f"file/{key}", "bytes": fetched.size_bytes}
            )
        return Processed(width=width, height=height, derivatives=derivatives)


@asynccontextmanager
async def _beating() -> AsyncIterator[None]:
    """Heartbeats while the body runs."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            activity.heartbeat()

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
