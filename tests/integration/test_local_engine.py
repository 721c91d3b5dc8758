"""Postgres and Temporal as tests get them."""

import asyncio
import os
import signal
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from temporalio.client import Client

from local import health
from local.child import answer, start, stop
from local.engine import engine
from local.ports import free_port
from local.temporal import temporal
from local.temporal_cli import temporal_cli


async def test_an_engine_gives_both_and_leaves_nothing(tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    with engine(tmp_path / "with space") as running:
        with psycopg.connect(running.database_url) as connection:
            assert connection.info.dbname == "iiifq"
        client = await Client.connect(
            running.temporal_address, namespace=running.temporal_namespace
        )
        assert await client.service_client.check_health()
        assert await health.http_answers(running.ui_url)
    assert set(psutil.Process().children(recursive=True)) <= before


async def test_a_stopped_temporal_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "TIMEOUT_S", 0.5)
    child = temporal(tmp_path, temporal_cli(), free_port(), free_port(), "other")
    process = start(child)
    try:
        await answer(child, process, 60)
        process.send_signal(signal.SIGSTOP)
        await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WSTOPPED)  # all its threads
        assert not await child.alive()
        process.send_signal(signal.SIGCONT)
        async with asyncio.timeout(30):
            while not await child.alive():
                pass
    finally:
        stop(child, process)
