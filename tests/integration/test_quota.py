"""Assets in process at once never pass a quota of bytes together."""

import asyncio

import pytest

from projection import asset, customer, processing, space
from projection.database import Pool, transaction
from projection.processing import BeyondQuota, Processed, Work
from tests.integration.conftest import FIELDS

QUOTA = 1000


async def begun(pool: Pool, customer_id: int, name: str) -> tuple[int, Work]:
    """A job of an asset, and its work, claimed."""
    async with transaction(pool) as connection:
        job = await asset.put(connection, customer_id, 1, {**FIELDS, "id": name})
    async with transaction(pool) as connection:
        work = await processing.begin_job(connection, job.job_id)
    assert work is not None
    assert work.is_bounded
    return job.job_id, work


async def reserve(pool: Pool, work: Work, size: int) -> None:
    async with transaction(pool) as connection:
        await processing.reserve(connection, work, size)


async def end(pool: Pool, job_id: int, work: Work, size: int) -> None:
    made = Processed(
        derivatives=[{"channel": "file", "key": f"file/{work.asset_id}", "bytes": size}]
    )
    async with transaction(pool) as connection:
        await processing.end_job(connection, job_id, work, made)


async def test_what_is_in_process_counts(pool: Pool) -> None:
    async with transaction(pool) as connection:
        made = await customer.create(connection, "library", None)
        assert made is not None
        await space.put(connection, made.id, 1, "books")
        await customer.set_quota(connection, made.id, None, QUOTA)
    works = [await begun(pool, made.id, name) for name in "abcde"]
    tried = await asyncio.gather(
        *(reserve(pool, work, 300) for _, work in works), return_exceptions=True
    )
    refused = [each for each in tried if isinstance(each, BeyondQuota)]
    assert [each.room for each in refused] == [100, 100]
    assert tried.count(None) == 3

    kept = [each for each, outcome in zip(works, tried, strict=True) if outcome is None]
    for job_id, work in kept:
        await end(pool, job_id, work, 300)
    late = next(
        work for each, outcome in zip(works, tried, strict=True) if outcome for work in each[1:]
    )
    with pytest.raises(BeyondQuota):
        await reserve(pool, late, 101)
    await reserve(pool, late, 100)

    # What an asset has already makes room for what it is to have.
    job_id, again = await begun(pool, made.id, kept[0][1].asset_id)
    await reserve(pool, again, 300)
    with pytest.raises(BeyondQuota) as caught:
        await reserve(pool, again, 301)
    assert caught.value.room == 300
    await end(pool, job_id, again, 200)
    _, again = await begun(pool, made.id, again.asset_id)
    await reserve(pool, again, 300)
