"""What ends entries from outside tells the workflow; what nobody processes is let go of."""

import asyncio

import psycopg
import pytest

from cli import steering
from projection import asset, audit, batch
from projection.database import Pool, transaction
from settings import Settings
from tests.integration.test_projection_counters import World, made_world

AGED = "UPDATE claim SET since = now() - interval '31 seconds'"


async def told(world: World, batch_id: int) -> None:
    """All that its workflow had to be told, it has been."""
    async with transaction(world.pool) as connection:
        row = await batch.get(connection, world.customer_id, batch_id)
        assert row is not None
        due = batch.Dispatch(row.id, row.customer_id, row.kind, row.requested)
        await batch.dispatched(connection, [due])


async def due(pool: Pool) -> list[int]:
    """Batches whose workflow has to be told, oldest first."""
    async with transaction(pool) as connection:
        found = [each.id for each in await batch.undispatched(connection, 500)]
        newest = [each.id for each in await batch.undispatched(connection, 500, newest=True)]
    assert newest == found[::-1]
    return found


async def test_a_cancelled_batch_is_told(pool: Pool) -> None:
    world = await made_world(pool)
    made = await world.submit("main", False, "ab")
    await told(world, made)
    await world.cancel(made)
    assert await due(pool) == [made]
    await told(world, made)
    await world.cancel(made)  # it has finished: there is nothing to tell
    assert await due(pool) == []
    assert (await world.batch(made)).requested == 2


async def test_cancelling_by_the_workflow_itself_tells_nobody(pool: Pool) -> None:
    world = await made_world(pool)
    made = await world.submit("main", False, "ab")
    await told(world, made)
    async with transaction(pool) as connection:
        await batch.cancel_waiting(connection, made)
    assert await due(pool) == []


async def test_batches_whose_waiting_entries_are_taken_are_told(pool: Pool) -> None:
    world = await made_world(pool)
    ended = await world.submit("main", False, "a")
    await world.begin(ended, 1)
    await world.end(ended, 1, error=False)
    begun = await world.submit("main", False, "b")
    await world.begin(begun, 1)
    first, second = [await world.submit("main", False, ids) for ids in ("cd", "ef")]
    for each in world.batches:
        await told(world, each)
    newest = await world.submit("priority", False, "abcdef")
    assert await due(pool) == [first, second, newest]
    assert [(await world.batch(each)).requested for each in (first, second, newest)] == [2, 2, 1]


async def test_batches_of_a_deleted_asset_are_told(pool: Pool) -> None:
    world = await made_world(pool)
    waiting = await world.submit("main", False, "ab")
    ended = await world.submit("main", False, "c")
    await world.begin(ended, 1)
    await world.end(ended, 1, error=True)
    for each in world.batches:
        await told(world, each)
    await world.delete("a")
    await world.delete("c")
    assert await due(pool) == [waiting]


async def test_a_batch_told_of_less_than_was_requested_is_still_due(pool: Pool) -> None:
    world = await made_world(pool)
    made = await world.submit("main", False, "ab")
    async with transaction(pool) as connection:
        (first,) = await batch.undispatched(connection, 500)
        await batch.request(connection, [made])
        await batch.dispatched(connection, [first])
    assert await due(pool) == [made]
    await told(world, made)
    async with transaction(pool) as connection:
        await batch.dispatched(connection, [first])  # late: nothing is forgotten
    assert await due(pool) == []


async def test_pause_and_resume_tell_the_batches(
    pool: Pool, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await made_world(pool)
    finished = await world.submit("main", False, "a")
    await world.cancel(finished)
    one, other = [await world.submit("main", False, ids) for ids in ("b", "c")]
    await world.submit("priority", False, "d")
    for each in world.batches:
        await told(world, each)

    async def wake(*_: object) -> None:
        """Temporal is away."""

    monkeypatch.setattr(steering, "_wake", wake)
    given = Settings(database_url=database_url)
    for paused in (True, False):
        await asyncio.to_thread(steering.steer, None, world.customer_id, "main", paused, given)
        assert await due(pool) == [one, other]
        for each in (one, other):
            await told(world, each)
        await asyncio.to_thread(steering.steer, other, None, "main", paused, given)
        assert await due(pool) == [other]
        await told(world, other)


async def stale(pool: Pool, seconds: float = 30) -> list[str]:
    """Holders of claims that nobody is processing."""
    async with transaction(pool) as connection:
        return [each.holder for each in await audit.stale_claims(connection, seconds)]


def age(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(AGED)


async def test_claims_of_holders_that_gave_up_are_stale(pool: Pool, database_url: str) -> None:
    world = await made_world(pool)
    made = await world.submit("main", False, "a")
    await world.begin(made, 1)
    await world.put("b")
    await world.begin_job(world.jobs[0])
    await world.put("b")  # its job waits for the first
    job = f"job-{world.jobs[0]}"
    await world.submit("main", False, "c")
    await world.delete("c")
    async with transaction(pool) as connection:
        (deletion_id,) = await asset.pending_deletions(connection, 0, 500)
        await asset.begin_deletion(connection, deletion_id)
    assert await stale(pool) == []  # too young
    age(database_url)
    assert await stale(pool) == [job]
    await world.submit("main", False, "a")  # the older is still processed
    assert await stale(pool) == [job]
    await world.delete("a")
    assert sorted(await stale(pool)) == [f"batch-{made}", job]


async def test_a_claim_is_dropped_only_while_it_is_stale(pool: Pool, database_url: str) -> None:
    world = await made_world(pool)
    await world.put("b")
    await world.begin_job(world.jobs[0])
    await world.put("b")
    age(database_url)
    async with transaction(pool) as connection:
        (old,) = await audit.stale_claims(connection, 30)
        await audit.drop_claim(connection, old)
    assert await stale(pool, 0) == []
    world.working.clear()
    await world.begin_job(world.jobs[1])
    assert f"job-{world.jobs[1]}" in world.working
    live = audit.StaleClaim(world.customer_id, 1, "b", f"job-{world.jobs[1]}")
    async with transaction(pool) as connection:
        await audit.drop_claim(connection, live)
    await world.put("b")
    assert await stale(pool, 0) == [live.holder]  # it was not dropped
