"""`iiifq doctor`: names every disagreement of Postgres, Temporal and the store, and mends it."""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.store import ObjectStore
from temporalio.client import Client
from temporalio.service import RPCError

from activities.keys import owner
from projection import asset, audit, batch
from projection.database import DatabaseUnavailable, Pool, open_pool, transaction
from settings import Settings
from storage import open_store
from workflows.contracts import (
    ProcessJob,
    QueueKind,
    RetryPlan,
    asset_task_queue,
    batch_workflow_id,
)
from workflows.dispatch import dispatch_batch, dispatch_deletion, dispatch_job, is_running

PAGE = 500
STAGED = re.compile(r"#[0-9]+$")
"""How the names end under which obstore writes into a folder."""

LONGEST_WRITE_S = 3600.0


@dataclass(frozen=True)
class Examined:
    """What is compared."""

    settings: Settings
    pool: Pool
    client: Client
    store: ObjectStore
    fix: bool


def examine(settings: Settings, fix: bool) -> None:
    """Prints every disagreement, and mends them if told; exit 1 if one is left."""
    try:
        found = asyncio.run(_examine(settings, fix))
    except (DatabaseUnavailable, RuntimeError, RPCError) as error:
        raise SystemExit(f"cannot examine: {error}") from error
    for line in found:
        print(line)
    print(f"{len(found)} disagreements" + (", mended" if fix and found else ""))
    if found and not fix:
        raise SystemExit(1)


async def _examine(settings: Settings, fix: bool) -> list[str]:
    client = await Client.connect(settings.temporal_address, namespace=settings.temporal_namespace)
    store = open_store(settings.storage_url)
    async with open_pool(settings.database_url, size=2, name="iiifq-doctor") as pool:
        examined = Examined(settings, pool, client, store, fix)
        return [
            line
            for part in (_counts, _claims, _workflows, _derivatives, _orphans, _staged)
            async for line in part(examined)
        ]


async def _counts(examined: Examined) -> AsyncIterator[str]:
    async with transaction(examined.pool) as connection:
        batches = await audit.miscounted_batches(connection)
        spaces = await audit.miscounted_spaces(connection)
    for batch_id in batches:
        yield f"batch {batch_id}: its counts do not agree with its entries"
        if examined.fix:
            async with transaction(examined.pool) as connection:
                await batch.recheck(connection, batch_id)
    for space in spaces:
        yield (
            f"space {space.customer_id}/{space.id}: counts {space.assets} assets "
            f"of {space.bytes} bytes, has {space.counted} of {space.counted_bytes}"
        )
        if examined.fix:
            async with transaction(examined.pool) as connection:
                await audit.recount_space(connection, space)


async def _claims(examined: Examined) -> AsyncIterator[str]:
    async with transaction(examined.pool) as connection:
        claims = await audit.stale_claims(connection)
    for claim in claims:
        place = f"{claim.customer_id}/{claim.space_id}/{claim.asset_id}"
        yield f"asset {place}: is held by {claim.holder}, which is not processing it"
        if examined.fix:
            async with transaction(examined.pool) as connection:
                await audit.drop_claim(connection, claim)


async def _workflows(examined: Examined) -> AsyncIterator[str]:
    after = 0
    while True:
        async with transaction(examined.pool) as connection:
            page = await batch.unfinished(connection, after, PAGE)
        for each in page:
            after = each.id
            if await is_running(examined.client, batch_workflow_id(each.id)):
                continue
            yield f"batch {each.id}: has not finished, and no workflow drives it"
            if examined.fix:
                kind = QueueKind(each.kind)
                await dispatch_batch(examined.client, each.id, each.customer_id, kind)
        if len(page) < PAGE:
            return


async def _derivatives(examined: Examined) -> AsyncIterator[str]:
    settings = examined.settings
    retry = RetryPlan(settings.activity_attempts, settings.retry_interval_s)
    after: audit.Stored | None = None
    while True:
        async with transaction(examined.pool) as connection:
            page = await audit.stored(connection, after, PAGE)
        for row in page:
            after = row
            missing = [
                made["key"]
                for made in row.derivatives
                if not await _is_stored(examined.store, made["key"], made["bytes"])
            ]
            if not missing:
                continue
            place = f"{row.customer_id}/{row.space_id}/{row.id}"
            yield f"asset {place}: not in the store, or not as recorded: {', '.join(missing)}"
            if examined.fix:
                async with transaction(examined.pool) as connection:
                    job = await asset.reprocess(connection, row.customer_id, row.space_id, row.id)
                if job is not None:
                    task_queue = asset_task_queue(job.is_av)
                    again = ProcessJob(job.job_id, retry, row.customer_id, task_queue)
                    await dispatch_job(examined.client, again)
        if len(page) < PAGE:
            return


async def _orphans(examined: Examined) -> AsyncIterator[str]:
    async for page in obstore.list(examined.store, chunk_size=PAGE):
        owned = [
            audit.OwnedKey(meta["path"], *found)
            for meta in page
            if (found := owner(meta["path"])) is not None
        ]
        async with transaction(examined.pool) as connection:
            orphans = await audit.unrecorded(connection, owned)
        for each in orphans:
            yield f"in the store, and no asset's: {each.key}"
            if examined.fix:
                async with transaction(examined.pool) as connection:
                    deletion_id = await asset.leave(
                        connection, each.customer_id, each.space_id, each.asset_id, each.key
                    )
                await dispatch_deletion(examined.client, deletion_id)


async def _staged(examined: Examined) -> AsyncIterator[str]:
    """What a killed worker left half-written in a folder; obstore's lists do not show it."""
    parts = urlsplit(examined.settings.storage_url)
    if parts.scheme != "file":
        return
    before = time.time() - LONGEST_WRITE_S
    # Not Path.rglob, which raises when a folder is removed while it looks.
    for folder, _, names in os.walk(unquote(parts.path)):
        for path in (Path(folder, name) for name in names if STAGED.search(name)):
            try:
                if path.stat().st_mtime < before:
                    yield f"in the store, and half-written: {path}"
                    if examined.fix:
                        path.unlink()
            except FileNotFoundError:
                continue  # its writer lives, and has finished


async def _is_stored(store: ObjectStore, key: str, size: int) -> bool:
    try:
        return (await obstore.head_async(store, key))["size"] == size
    except FileNotFoundError:
        return False
