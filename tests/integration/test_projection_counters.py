"""Counters stay equal to a recount, whatever happens in whatever order, and nothing is lost."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projection import asset, batch, customer, manifest, processing, queue, space
from projection.database import Connection, DatabaseUnavailable, Pool, open_pool, transaction
from projection.processing import AssetClaimed, Processed
from tests.recount import RECOUNT

IDS = "abcdef"


def members(ids: Sequence[str]) -> list[dict[str, object]]:
    """What `submit` takes for pictures of these ids."""
    return [
        {
            "space_id": 1,
            "id": name,
            "media_type": "image/jpeg",
            "origin": "http://example.org/a.jpg",
            "delivery_channels": [{"channel": "thumbs", "policy": "default"}],
        }
        for name in ids
    ]


def fields(name: str) -> dict[str, object]:
    """What `put` takes for a picture."""
    columns = ("string1", "string2", "string3", "number1", "number2", "number3")
    return {**dict.fromkeys((*columns, "tags", "roles", "max_unauthorised")), **members(name)[0]}


async def wrong(connection: Connection) -> list[str]:
    """What does not agree with a recount."""
    cursor = await connection.execute(RECOUNT)
    return [row["wrong"] for row in await cursor.fetchall()]


class World:
    """A customer's batches, what can happen to them, and who works on which asset."""

    def __init__(self, pool: Pool, customer_id: int, book: manifest.Manifest) -> None:
        self.pool = pool
        self.customer_id = customer_id
        self.book = book
        self.batches: list[int] = []
        self.jobs: list[int] = []
        self.working: dict[str, processing.Work] = {}

    async def submit(self, kind: str, in_manifest: bool, ids: Sequence[str]) -> int:
        async with transaction(self.pool) as connection:
            key = self.book.key if in_manifest else queue.CUSTOMER_QUEUE
            made = await batch.submit(connection, self.customer_id, key, kind, members(ids))
        self.batches.append(made)
        return made

    async def batch(self, batch_id: int) -> batch.Batch:
        async with transaction(self.pool) as connection:
            found = await batch.get(connection, self.customer_id, batch_id)
        assert found is not None
        return found

    async def asset(self, name: str) -> asset.Asset:
        async with transaction(self.pool) as connection:
            found = await asset.get(connection, self.customer_id, 1, name)
        assert found is not None
        return found

    def began(self, holder: str, work: processing.Work | None) -> None:
        if work is None:
            self.working.pop(holder, None)  # beginning again means that its worker had died
        else:
            others = [who for who, busy in self.working.items() if busy.asset_id == work.asset_id]
            assert others in ([], [holder])
            self.working[holder] = work

    async def begin(self, batch_id: int, ordinal: int) -> None:
        holder = f"batch-{batch_id} {ordinal}"
        try:
            async with transaction(self.pool) as connection:
                work = await processing.begin_entry(connection, batch_id, ordinal)
                if work is not None:
                    row = await asset.get(connection, self.customer_id, 1, work.asset_id)
                    assert row is not None
                    assert (row.batch_id, row.ingesting) == (batch_id, True)
        except AssetClaimed:
            return
        self.began(holder, work)

    async def end(self, batch_id: int, ordinal: int, error: bool) -> None:
        if self.working.pop(f"batch-{batch_id} {ordinal}", None) is not None:
            async with transaction(self.pool) as connection:
                ended = Processed(error="bad" if error else None)
                await processing.end_entry(connection, batch_id, ordinal, ended)

    async def begin_job(self, job_id: int) -> None:
        try:
            async with transaction(self.pool) as connection:
                work = await processing.begin_job(connection, job_id)
        except AssetClaimed:
            return
        self.began(f"job-{job_id}", work)

    async def end_job(self, job_id: int, error: bool) -> None:
        work = self.working.pop(f"job-{job_id}", None)
        if work is not None:
            async with transaction(self.pool) as connection:
                ended = Processed(error="bad" if error else None)
                await processing.end_job(connection, job_id, work, ended)

    async def delete(self, name: str) -> None:
        async with transaction(self.pool) as connection:
            await asset.delete(connection, self.customer_id, 1, name)

    async def put(self, name: str) -> None:
        async with transaction(self.pool) as connection:
            job = await asset.put(connection, self.customer_id, 1, fields(name))
        self.jobs.append(job.job_id)

    async def retry(self, batch_id: int, only: str | None) -> None:
        try:
            async with transaction(self.pool) as connection:
                chosen = None if only is None else [(1, only)]
                await batch.retry(connection, batch_id, chosen)
        except (batch.NothingFailed, batch.NotFailedHere):
            return

    async def cancel(self, batch_id: int) -> None:
        try:
            async with transaction(self.pool) as connection:
                await batch.cancel(connection, batch_id)
        except batch.BatchFinished:
            return

    async def recheck(self, batch_id: int) -> bool:
        async with transaction(self.pool) as connection:
            return await batch.recheck(connection, batch_id)

    async def happen(self, what: str, at: int, ordinal: int, flag: bool) -> None:
        """One event; `at` chooses the batch or job, `ordinal` the entry or asset."""
        name = IDS[ordinal % len(IDS)]
        if what == "delete":
            await self.delete(name)
        elif what == "put":
            await self.put(name)
        elif what in ("begin_job", "end_job"):
            if self.jobs:
                job_id = self.jobs[at % len(self.jobs)]
                begins = what == "begin_job"
                await (self.begin_job(job_id) if begins else self.end_job(job_id, flag))
        elif self.batches:
            batch_id = self.batches[at % len(self.batches)]
            if what == "begin":
                await self.begin(batch_id, ordinal)
            elif what == "end":
                await self.end(batch_id, ordinal, flag)
            elif what == "retry":
                await self.retry(batch_id, name if flag else None)
            elif what == "cancel":
                await self.cancel(batch_id)
            else:
                assert await self.recheck(batch_id) is False


async def made_world(pool: Pool) -> World:
    """A customer with a space and a manifest."""
    async with transaction(pool) as connection:
        made = await customer.create(connection, "test", None)
        assert made is not None
        await space.put(connection, made.id, 1, "one")
        book = await manifest.put(connection, made.id, "book", None)
    return World(pool, made.id, book)


ENTRY_EVENTS = ["begin", "begin", "begin", "end", "end", "end", "retry", "cancel"]
OTHER_EVENTS = ["delete", "put", "begin_job", "end_job", "recheck"]
EVENTS = st.one_of(
    st.tuples(
        st.just("submit"),
        st.sampled_from(["main", "priority"]),
        st.booleans(),
        st.lists(st.sampled_from(IDS), min_size=1, unique=True),
    ),
    st.tuples(
        st.sampled_from(ENTRY_EVENTS + OTHER_EVENTS),
        st.integers(0, 4),
        st.integers(1, 4),
        st.booleans(),
    ),
)


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(events=st.lists(EVENTS, min_size=8, max_size=30))
def test_any_interleaving_keeps_every_count(database_url: str, events: list[Any]) -> None:
    asyncio.run(_interleaved(database_url, events))


async def _interleaved(database_url: str, events: list[Any]) -> None:
    async with open_pool(database_url, size=2, name="test") as pool:
        world = await made_world(pool)
        for event in events:
            await (world.submit(*event[1:]) if event[0] == "submit" else world.happen(*event))
            async with transaction(pool) as connection:
                assert await wrong(connection) == [], event
        for batch_id in world.batches:
            assert await world.recheck(batch_id) is False


async def test_everything_at_once_keeps_every_count(pool: Pool) -> None:
    """Thirty at a time over the same assets: no deadlock, no serialisation failure."""
    world = await made_world(pool)
    await world.submit("main", False, IDS)
    chance = random.Random(7)
    events = ENTRY_EVENTS * 2 + ["delete", "put", "begin_job", "end_job", "recheck"]

    async def one(number: int) -> None:
        for _ in range(12):
            if chance.random() < 0.35:
                ids = chance.sample(IDS, chance.randint(1, len(IDS)))
                await world.submit(chance.choice(["main", "priority"]), number % 3 == 0, ids)
            else:
                what, at = chance.choice(events), chance.randint(0, 60)
                await world.happen(what, at, chance.randint(1, 6), chance.random() < 0.5)

    try:
        await asyncio.gather(*(one(number) for number in range(30)))
    except DatabaseUnavailable as failed:
        raise AssertionError(str(failed)) from failed.__cause__
    async with transaction(pool) as connection:
        assert await wrong(connection) == []


async def test_a_manifest_that_goes_leaves_its_batches_to_the_customer(pool: Pool) -> None:
    world = await made_world(pool)
    kept = await world.submit("main", True, "ab")
    await world.begin(kept, 1)
    async with transaction(pool) as connection:
        await manifest.delete(connection, world.book)
        assert await wrong(connection) == []
    with pytest.raises(manifest.ManifestGone):
        await world.submit("main", True, "ab")
    await world.end(kept, 1, error=False)
    async with transaction(pool) as connection:
        assert await wrong(connection) == []
        assert (await queue.counters(connection, world.customer_id)).size == 1


async def test_one_key_at_the_same_moment_makes_one_batch(pool: Pool) -> None:
    world = await made_world(pool)

    async def send() -> int:
        async with transaction(pool) as connection:
            earlier = await batch.use_key(connection, world.customer_id, "key", b"hash")
            if earlier is not None:
                return earlier
            made = await batch.submit(connection, world.customer_id, 0, "main", members("ab"))
            await batch.keep_key(connection, world.customer_id, "key", made)
            return made

    assert len(set(await asyncio.gather(*(send() for _ in range(10))))) == 1
    async with transaction(pool) as connection:
        with pytest.raises(batch.IdempotencyConflict):
            await batch.use_key(connection, world.customer_id, "key", b"other")
        assert (await queue.counters(connection, world.customer_id)).batches == 1


async def test_an_asset_is_processed_for_one_at_a_time(pool: Pool) -> None:
    world = await made_world(pool)
    older = await world.submit("main", False, "a")
    await world.begin(older, 1)
    newer = await world.submit("main", False, "a")
    async with transaction(pool) as connection:
        with pytest.raises(AssetClaimed):
            await processing.begin_entry(connection, newer, 1)
    await world.end(older, 1, error=True)
    await world.begin(newer, 1)
    async with transaction(pool) as connection:
        await processing.end_entry(connection, newer, 1, Processed(width=1, height=2))
    row = await world.asset("a")
    assert (row.error, row.width, row.batch_id) == (None, 1, newer)


async def test_an_entry_that_waits_ends_with_a_later_post(pool: Pool) -> None:
    world = await made_world(pool)
    first = await world.submit("main", False, "ab")
    await world.submit("priority", False, "a")
    row = await world.batch(first)
    assert (row.waiting, row.completed, row.errors, row.owned) == (1, 1, 0, 1)
    async with transaction(pool) as connection:
        assert await processing.begin_entry(connection, first, 1) is None


async def test_a_worker_that_died_leaves_no_claim(pool: Pool) -> None:
    world = await made_world(pool)
    first = await world.submit("main", False, "a")
    await world.begin(first, 1)
    await world.delete("a")
    second = await world.submit("main", False, "a")
    async with transaction(pool) as connection:  # the second attempt for the first batch
        assert await processing.begin_entry(connection, first, 1) is None
        assert await processing.begin_entry(connection, second, 1)
        await processing.end_entry(connection, second, 1, Processed())
    world.working.clear()
    await world.put("a")
    await world.begin_job(world.jobs[0])
    await world.put("a")
    async with transaction(pool) as connection:  # the second attempt of the first job
        assert await processing.begin_job(connection, world.jobs[0]) is None
        assert await processing.begin_job(connection, world.jobs[1])


async def test_cancel_and_retry_of_a_batch(pool: Pool) -> None:
    world = await made_world(pool)
    only = await world.submit("main", False, "abc")
    await world.begin(only, 1)
    await world.cancel(only)
    row = await world.batch(only)
    assert (row.state, row.cancelled, row.errors, row.processing) == ("processing", True, 2, 1)
    await world.end(only, 1, error=False)
    async with transaction(pool) as connection:
        with pytest.raises(batch.BatchFinished):
            await batch.cancel(connection, only)
        with pytest.raises(batch.NotFailedHere) as strangers:
            await batch.retry(connection, only, [(1, "a"), (1, "b"), (2, "c")])
    assert strangers.value.assets == [(1, "a"), (2, "c")]
    assert (await world.asset("b")).error == batch.CANCELLED
    await world.retry(only, "b")
    row = await world.batch(only)
    assert (row.state, row.cancelled, row.errors, row.requested) == ("waiting", False, 1, 3)
    again = await world.asset("b")
    assert (again.ingesting, again.error, again.finished) == (True, None, None)


async def test_recheck_corrects_what_was_tampered_with(pool: Pool) -> None:
    world = await made_world(pool)
    only = await world.submit("main", False, "abc")
    tampered = (
        "UPDATE batch SET count = 9, waiting = 9",
        "UPDATE batch SET state = 'finished', finished = now()",
    )
    for statement in tampered:
        async with transaction(pool) as connection:
            await connection.execute(statement)
        assert await world.recheck(only) is True
        assert await world.recheck(only) is False
        async with transaction(pool) as connection:
            assert await wrong(connection) == []
