"""The API's one task that tells Temporal: it outlives Temporal's absence, and forgets nothing."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.service import RPCError, RPCStatusCode

from api import dispatch
from projection import asset, batch
from projection.database import Pool, transaction
from settings import Settings
from tests.integration.test_projection_counters import made_world


class Temporal:
    """What the task tells, and whether Temporal is away or hangs meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_away = False
        self.batches: list[int] = []
        self.deletions: list[int] = []
        self.under_way = self.most_under_way = self.asked = 0
        connected = SimpleNamespace(connect=self.connect)
        monkeypatch.setattr(dispatch, "Client", connected)
        monkeypatch.setattr(dispatch, "dispatch_batch", self.batch)
        monkeypatch.setattr(dispatch, "dispatch_deletion", self.deletion)
        monkeypatch.setattr(dispatch, "SHORTEST_PAUSE_S", 0.05)

    async def connect(self, *_: object, **__: object) -> "Temporal":
        return self

    async def _answer(self) -> None:
        self.asked += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        if self.is_away:
            raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")

    async def batch(self, _: Any, batch_id: int, *__: object) -> None:
        await self._answer()
        self.batches.append(batch_id)

    async def deletion(self, _: Any, deletion_id: int) -> None:
        await self._answer()
        self.deletions.append(deletion_id)


async def until_told(pool: Pool) -> None:
    async with asyncio.timeout(10):
        while True:
            async with transaction(pool) as connection:
                if not await batch.undispatched(connection, 1):
                    return
            await asyncio.sleep(0.02)


async def test_what_is_written_while_temporal_is_away_is_told_later(
    pool: Pool, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "NEWEST", 2)
    monkeypatch.setattr(dispatch, "PAGE", 20)
    world = await made_world(pool)
    temporal = Temporal(monkeypatch)
    temporal.is_away = True
    dispatcher = dispatch.Dispatcher(Settings(database_url=database_url), pool)
    async with dispatcher.running():
        for number in range(50):
            await world.submit("main", False, [f"p{number}"])
            dispatcher.nudge()
        await asyncio.sleep(0.3)
        assert temporal.batches == []
        assert 0 < temporal.asked < 200  # it backs off
        temporal.is_away = False
        await until_told(pool)
        assert sorted(temporal.batches) == world.batches
        assert temporal.batches[0] == world.batches[-1]
        assert temporal.most_under_way <= 16


async def test_a_deletion_is_told_once(
    pool: Pool, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await made_world(pool)
    temporal = Temporal(monkeypatch)
    dispatcher = dispatch.Dispatcher(Settings(database_url=database_url), pool)
    async with dispatcher.running():
        await until_told(pool)
        for name in "abc":
            await world.submit("main", False, name)
            await world.delete(name)
            dispatcher.nudge()
            await until_told(pool)
        async with transaction(pool) as connection:
            pending = await asset.pending_deletions(connection, 0, 10)
        for _ in range(2):
            await asyncio.sleep(0.3)
            assert temporal.deletions == pending
            dispatcher.nudge()
