"""Processing of one asset: begin, fetch, derive, store, record. Runs twice without harm."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.av import Transcoder
from activities.derived import Derived, Made
from activities.faults import AssetFault, OriginAway, OriginBusy
from activities.fetched import Fetched
from activities.image_job import ImageJob
from activities.image_process import ImageProcesses
from activities.keys import place
from activities.origin import OriginClient
from activities.origin_access import access_to
from activities.scratch import Scratch
from activities.share import CustomerShare, Slot
from activities.store import Store
from delivery_channels import PolicyData, policy_data
from projection import processing, queue
from projection.database import Connection, DatabaseUnavailable, Pool, transaction
from projection.processing import (
    CANCELLED,
    AssetClaimed,
    BeyondQuota,
    Deferral,
    HeldBack,
    Processed,
    Work,
)
from sealed import Sealer
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

WATCH_S = 2.0
"""Seconds between two looks, while an original is being fetched, whether it is still wanted."""

MAX_BACKOFF_S = 300.0

CROWDED_S = 1.0
"""Seconds until an asset is begun again whose slot another customer needs."""

HAND_BACK_S = 0.5
"""Seconds until an asset is begun again that a stopping worker has handed back."""

Result = TypeVar("Result")
Watch = Callable[[Connection], Awaitable[bool]]
"""Whether an asset is wanted no more."""

Policies = Mapping[str, object]
"""The policy of each channel: the name of one of the platform's, or what one of the customer's own
stands for."""


class SlotNeeded(Exception):
    """The customer has more than half of the slots, and another's work waits."""


@dataclass
class Beat:
    """What the next heartbeat says."""

    words: tuple[str, ...] = ()

    def say(self, words: str) -> None:
        """Says how far it is from now on."""
        self.words = (words,)


@dataclass(frozen=True)
class ProcessActivities:
    """The activities of one task queue, with what they work with.

    `kind`: of the assets that wait for it, `main` or `priority`; None: no customer's share of its
    slots is bounded.
    """

    settings: Settings
    pool: Pool
    origins: OriginClient
    images: ImageProcesses
    transcoder: Transcoder
    store: Store
    scratch: Scratch
    sealer: Sealer
    share: CustomerShare
    kind: str | None

    @activity.defn(name=PROCESS_ENTRY)
    async def process_entry(self, entry: ProcessEntry) -> Outcome:
        """One entry of a batch."""
        async with _beating() as beat:
            try:
                work = await self._claim(
                    lambda c: processing.begin_entry(c, entry.batch_id, entry.ordinal)
                )
            except HeldBack:
                return Outcome(held_back=True)
            if work is None:
                return Outcome()
            result = await self._process(
                work,
                beat,
                is_last=entry.is_last,
                watch=lambda c: processing.is_cancelled(c, entry.batch_id, entry.ordinal),
            )
            if isinstance(result, Deferral):
                await self._transact(
                    lambda c: processing.defer_entry(c, entry.batch_id, entry.ordinal, work, result)
                )
                return _deferred(work, result)
            await self._transact(
                lambda c: processing.end_entry(c, entry.batch_id, entry.ordinal, result, work)
            )
            return Outcome(result.error)

    @activity.defn(name=PROCESS_JOB)
    async def process_job(self, job: ProcessJob) -> Outcome:
        """One asset alone."""
        async with _beating() as beat:
            work = await self._claim(lambda c: processing.begin_job(c, job.job_id))
            if work is None:
                return Outcome()
            result = await self._process(work, beat)
            if isinstance(result, Deferral):
                await self._transact(lambda c: processing.defer_job(c, job.job_id, work, result))
                return _deferred(work, result)
            await self._transact(lambda c: processing.end_job(c, job.job_id, work, result))
            return Outcome(result.error)

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

    async def _process(
        self, work: Work, beat: Beat, *, is_last: bool = False, watch: Watch | None = None
    ) -> Processed | Deferral:
        """How processing ended, or when it is to be tried again.

        Only faults of the asset or its origin use up attempts: those of the platform are waited
        for, and a worker that stops hands the asset back. `is_last`: no other try follows.
        """
        try:
            with self.share.slot(work.customer_id) as slot:
                await self._leave_room(slot)
                with await self.scratch.with_room(self.scratch.folder, beat.say) as folder:
                    return await self._derive(work, Path(folder), beat, watch, slot)
        except AssetFault as fault:
            return Processed(error=str(fault))
        except OriginAway as fault:
            attempts = work.attempts + 1
            if is_last or attempts >= self.settings.activity_attempts:
                return Processed(error=str(fault))
            backoff = self.settings.retry_interval_s * 4**work.attempts
            wait_s = min(backoff, MAX_BACKOFF_S) if (s := fault.retry_after_s) is None else s
            activity.logger.info("deferred: %s", fault)
            return Deferral(attempts, wait_s, str(fault), closes_host=s is not None)
        except OriginBusy as busy:
            return Deferral(work.attempts, busy.wait_s)
        except SlotNeeded:
            return Deferral(work.attempts, CROWDED_S)
        except asyncio.CancelledError:
            if not activity.is_worker_shutdown():
                raise
            return Deferral(work.attempts, HAND_BACK_S)

    async def _derive(
        self, work: Work, folder: Path, beat: Beat, watch: Watch | None, slot: Slot
    ) -> Processed:
        policies = {each["channel"]: each["policy"] for each in work.delivery_channels}
        if policies.keys() <= {"none"}:
            return Processed()
        original = folder / "original"

        def room(step: Callable[[], Awaitable[Result]]) -> Awaitable[Result]:
            return self.scratch.with_room(step, beat.say)

        access = access_to(work.origin, work.strategies, self.sealer)
        fetched = await self._while_wanted(
            room(lambda: self.origins.fetch(work.origin, original, access)), watch, slot
        )
        parts = []
        if policies.keys() & {"iiif-img", "thumbs"}:
            parts.append(await room(lambda: self._image(policies, original)))
        for preset in _data("iiif-av", policies):
            made = await room(partial(self.transcoder.transcode, original, preset, beat.say))
            parts.append(made)
        if "file" in policies:
            parts.append(await asyncio.to_thread(_unchanged, fetched, work.media_type))
        if work.is_bounded:
            await self._reserve(work, sum(each.size_bytes for part in parts for each in part.files))
        # A worker that was stopped for long may wake up here, when another has the asset.
        await self._transact(lambda c: processing.check(c, work))
        below = place(work.customer_id, work.space_id, work.asset_id)
        derivatives = []
        for derived in (each for part in parts for each in part.files):
            key, path = f"{derived.channel}/{below}{derived.suffix}", folder / derived.name
            await room(partial(self.store.put, key, path))
            derivatives.append(_recorded(key, derived))
        return Processed(
            width=next((part.width for part in parts if part.width), None),
            height=next((part.height for part in parts if part.height), None),
            duration=next((part.duration for part in parts if part.duration), None),
            derivatives=derivatives,
        )

    async def _while_wanted(
        self, fetch: Awaitable[Fetched], watch: Watch | None, slot: Slot
    ) -> Fetched:
        """What is fetched.

        Raises:
            AssetFault: it is wanted no more.
            SlotNeeded: another customer's work waits.
        """
        fetching = asyncio.ensure_future(fetch)
        try:
            while not (await asyncio.wait({fetching}, timeout=WATCH_S))[0]:
                if watch is not None and await self._holds(watch):
                    raise AssetFault(CANCELLED)
                await self._leave_room(slot)
            return fetching.result()
        finally:
            fetching.cancel()
            await asyncio.wait({fetching})

    async def _leave_room(self, slot: Slot) -> None:
        """Raises SlotNeeded if the customer has more than half of the slots, and others wait."""
        kind = self.kind
        if kind is None or not slot.is_beyond_share:
            return
        others_wait = await self._holds(lambda c: queue.others_wait(c, slot.customer_id, kind))
        if others_wait and slot.is_beyond_share:
            slot.give_up()
            raise SlotNeeded

    async def _holds(self, watch: Watch) -> bool:
        """What is found in Postgres; false while that is away."""
        try:
            async with transaction(self.pool, WATCH_S) as connection:
                return await watch(connection)
        except DatabaseUnavailable as away:
            activity.logger.warning("the database is away: %s", away)
            return False

    async def _reserve(self, work: Work, size_bytes: int) -> None:
        try:
            await self._transact(lambda c: processing.reserve(c, work, size_bytes))
        except BeyondQuota as beyond:
            raise AssetFault(
                f"The customer's storage quota leaves {beyond.room} bytes, and this asset takes"
                f" {size_bytes}: delete assets or have the quota raised, then retry"
            ) from beyond

    async def _image(self, policies: Policies, source: Path) -> Made:
        channel = policies.get("iiif-img")
        job = ImageJob(
            source=source,
            folder=source.parent,
            iiif_img=None if channel is None else str(channel),
            thumbs=_data("thumbs", policies),
            max_pixels=self.settings.image_max_pixels,
        )
        return await self.images.derive(job, self.settings.image_timeout_s)


def _deferred(work: Work, deferral: Deferral) -> Outcome:
    return Outcome(
        wait_s=deferral.wait_s,
        attempts=deferral.attempts,
        is_attempt=deferral.attempts > work.attempts,
        fault=deferral.fault,
        closes_host=deferral.closes_host,
    )


def _data(channel: str, policies: Policies) -> PolicyData:
    """What the policy of a channel makes; nothing if the asset has not the channel."""
    if channel not in policies:
        return ()
    try:
        return policy_data(channel, policies[channel])
    except KeyError as error:
        raise AssetFault(
            f"There is no policy '{policies[channel]}' of delivery channel '{channel}' any more:"
            " name another, and send the asset again"
        ) from error


def _unchanged(fetched: Fetched, media_type: str) -> Made:
    """The original as a derivative of its own, with its checksum."""
    with fetched.path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    name = fetched.path.name
    derived = Derived("file", name, "", fetched.size_bytes, media_type=media_type, sha256=sha256)
    return Made((derived,))


def _recorded(key: str, derived: Derived) -> dict[str, object]:
    said = {
        "channel": derived.channel,
        "key": key,
        "bytes": derived.size_bytes,
        "width": derived.width,
        "height": derived.height,
        "mediaType": derived.media_type,
        "sha256": derived.sha256,
        "note": derived.note,
    }
    return {name: value for name, value in said.items() if value is not None}


@asynccontextmanager
async def _beating() -> AsyncIterator[Beat]:
    """Heartbeats while the body runs."""
    said = Beat()

    async def beat() -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            activity.heartbeat(*said.words)

    beating = asyncio.create_task(beat())
    try:
        yield said
    finally:
        beating.cancel()
