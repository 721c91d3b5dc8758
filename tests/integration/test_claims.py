"""A worker that wakes up late, when another has taken over its asset, records nothing."""

import pytest

from projection import asset, batch, processing, queue
from projection.database import Pool, transaction
from projection.processing import ClaimLost, Deferral, Processed
from tests.integration.test_projection_counters import fields, made_world, members, wrong


async def test_a_late_worker_records_nothing_of_an_entry(pool: Pool) -> None:
    world = await made_world(pool)
    batch_id = await world.submit("main", False, "a")
    async with transaction(world.pool) as connection:
        late = await processing.begin_entry(connection, batch_id, 1)
        assert late
    async with transaction(world.pool) as connection:
        newer = await processing.begin_entry(connection, batch_id, 1)
        assert newer
        await processing.check(connection, newer)
        with pytest.raises(ClaimLost):
            await processing.check(connection, late)
    with pytest.raises(ClaimLost):
        async with transaction(world.pool) as connection:
            await processing.end_entry(connection, batch_id, 1, Processed(width=1), late)
    with pytest.raises(ClaimLost):
        async with transaction(world.pool) as connection:
            await processing.defer_entry(connection, batch_id, 1, late, Deferral(1, 2.0, "away"))
    async with transaction(world.pool) as connection:
        await processing.end_entry(connection, batch_id, 1, Processed(width=2, height=2), newer)
    async with transaction(world.pool) as connection:
        # The newer attempt is over: whatever the late one says changes nothing.
        await processing.end_entry(connection, batch_id, 1, Processed(error="bad"), late)
    assert (await world.asset("a")).width == 2
    assert (await world.batch(batch_id)).errors == 0
    async with transaction(world.pool) as connection:
        assert await wrong(connection) == []


async def test_a_late_worker_records_nothing_of_a_job(pool: Pool) -> None:
    world = await made_world(pool)
    async with transaction(world.pool) as connection:
        job = await asset.put(connection, world.customer_id, 1, fields("a"))
        late = await processing.begin_job(connection, job.job_id)
        assert late
    async with transaction(world.pool) as connection:
        newer = await processing.begin_job(connection, job.job_id)
        assert newer
    with pytest.raises(ClaimLost):
        async with transaction(world.pool) as connection:
            await processing.end_job(connection, job.job_id, late, Processed(width=1, height=1))
    async with transaction(world.pool) as connection:
        await processing.end_job(connection, job.job_id, newer, Processed(width=2, height=2))
    assert (await world.asset("a")).width == 2


async def test_tries_are_kept_with_the_asset(pool: Pool) -> None:
    world = await made_world(pool)
    async with transaction(world.pool) as connection:
        batch_id = await batch.submit(
            connection, world.customer_id, queue.CUSTOMER_QUEUE, "main", members("a")
        )
    for attempts in (1, 2):
        async with transaction(world.pool) as connection:
            work = await processing.begin_entry(connection, batch_id, 1)
            assert work
            assert work.attempts == attempts - 1
            deferral = Deferral(attempts, 60.0, f"away {attempts}")
            await processing.defer_entry(connection, batch_id, 1, work, deferral)
        row = await world.asset("a")
        assert (row.attempts, row.last_fault) == (attempts, f"away {attempts}")
        assert row.next_attempt is not None
    async with transaction(world.pool) as connection:
        (waiting,) = await batch.between_tries(connection, batch_id)
        assert (waiting.asset, waiting.attempts) == ("1/a", 2)
    # What waits for another try is cancelled; and a retry begins to count anew.
    async with transaction(world.pool) as connection:
        await batch.cancel(connection, batch_id)
    assert (await world.batch(batch_id)).errors == 1
    assert (await world.asset("a")).next_attempt is None
    async with transaction(world.pool) as connection:
        await batch.retry(connection, batch_id, None)
    assert (await world.asset("a")).attempts == 0
    async with transaction(world.pool) as connection:
        assert await wrong(connection) == []
