"""Customers submit, resubmit, retry, cancel and signal while parts are killed: nothing is lost.

`IIIFQ_SOAK_S` is how long, in seconds: a minute in `make test`, ten in `make soak`. What happens is
drawn at random from `IIIFQ_SOAK_SEED`.
"""

import asyncio
import os
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import httpx
import psycopg
import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from tests.conftest import Origin
from tests.recount import RECOUNT
from tests.stack import Customer, Json, Stack, running_stack, until

SECONDS = float(os.environ.get("IIIFQ_SOAK_S", "45"))
PARTS = ("worker", "postgres", "api", "temporal")
SEED = int(os.environ.get("IIIFQ_SOAK_SEED", "11"))
KILL_EVERY_S = 9.0
SIGNALS: tuple[tuple[str, list[object]], ...] = (
    ("retry_failed", []),
    ("retry_failed", [["1/page-1", "1/page-2", "9/none"]]),
    ("cancel", []),
    ("pause", []),
    ("resume", []),
    ("wake", []),
)
NAMES = [f"page-{number}" for number in range(12)]


@pytest.fixture
def soaked(tmp_path: Path) -> Iterator[Stack]:
    with running_stack(tmp_path / "data", IIIFQ_WINDOW="5") as running:
        yield running


def members(chance: random.Random, origin: Origin) -> list[Json]:
    return [
        {
            "id": name,
            "space": 1,
            "origin": chance.choice([origin.picture(), origin.picture(), f"{origin.url}/no.jpg"]),
            "mediaType": "image/jpeg",
            "deliveryChannels": ["thumbs"],
        }
        for name in chance.sample(NAMES, chance.randint(1, len(NAMES)))
    ]


def act(chance: random.Random, customer: Customer, origin: Origin, known: list[Json]) -> None:
    """One request; while a part is away it may fail, but an accepted batch is remembered."""
    what = chance.random()
    try:
        if what < 0.4 or not known:
            path = chance.choice(["/queue", "/queue", "/queue/priority"])
            response = customer.post(path, {"member": members(chance, origin)})
            if response.status_code == 201:
                known.append(response.json())
            else:
                assert response.status_code == 503, response.text
        elif what < 0.6:
            signal(customer.stack, chance.choice(known), *chance.choice(SIGNALS))
        elif what < 0.75:
            response = customer.post(chance.choice(known)["retry"], {})
            assert response.status_code in (202, 409, 503), response.text
        elif what < 0.85:
            url = customer.url(chance.choice(known)["@id"])
            response = customer.stack.client.delete(url, auth=customer.auth)
            assert response.status_code in (202, 409, 503), response.text
        else:
            url = customer.url(f"/spaces/1/images/{chance.choice(NAMES)}")
            response = customer.stack.client.delete(url, auth=customer.auth)
            assert response.status_code in (204, 404, 503), response.text
    except httpx.HTTPError:
        return  # the API was killed


def signal(stack: Stack, batch: Json, name: str, given: list[object]) -> None:
    """Sends it, unless Temporal is away or the batch's workflow has closed."""

    async def send() -> None:
        client = await Client.connect(
            stack.run["temporal_address"], namespace=stack.run["temporal_namespace"]
        )
        handle = client.get_workflow_handle(f"batch-{batch['id']}")
        await handle.signal(name, args=given, rpc_timeout=timedelta(seconds=5))

    with suppress(RPCError, RuntimeError):  # RuntimeError: cannot connect
        asyncio.run(send())


@pytest.mark.timeout(SECONDS + 400)
def test_nothing_is_lost(soaked: Stack, origin: Origin) -> None:
    chance = random.Random(SEED)
    customers = [soaked.customer(f"soak {number}") for number in range(3)]
    known: dict[int, list[Json]] = {customer.id: [] for customer in customers}
    started = killed = time.monotonic()
    kills = 0
    while time.monotonic() - started < SECONDS:
        customer = chance.choice(customers)
        act(chance, customer, origin, known[customer.id])
        if time.monotonic() - killed > KILL_EVERY_S:
            part = PARTS[kills % len(PARTS)]
            before = soaked.kill(part)
            kills += 1
            killed = time.monotonic()
            until(f"{part} was replaced", lambda: _replaced(soaked, part, before))  # noqa: B023
        time.sleep(0.1)
    assert kills >= 3
    soaked.wait_ready()
    for customer in customers:
        until("its queues are empty", lambda c=customer: _idle(c), 180)  # type: ignore[misc]
        for batch in known[customer.id]:
            now = customer.get(batch["@id"])
            assert (now["completed"], now["count"]) == (batch["count"], batch["count"])
            assert "finished" in now
    with psycopg.connect(soaked.run["database_url"]) as connection:
        assert connection.execute(RECOUNT).fetchall() == []
        for leftover in ("claim", "deletion", "asset WHERE ingesting"):
            query = f"SELECT count(*) FROM {leftover}"
            assert _count(connection, query) == 0, leftover


def _count(connection: psycopg.Connection, query: str) -> int:
    deadline = time.monotonic() + 60
    while True:
        row = connection.execute(query.encode()).fetchone()
        connection.commit()
        assert row is not None
        if row[0] == 0 or time.monotonic() > deadline:
            return int(row[0])
        time.sleep(0.2)


def _replaced(stack: Stack, part: str, before: int) -> bool:
    return bool(stack.run[part] != before)


def _idle(customer: Customer) -> bool:
    """Whether all has ended; what a signal has paused goes on."""
    try:
        batches = customer.get("/queue/batches?pageSize=500")["member"]
        left = [batch for batch in batches if "finished" not in batch]
        for batch in left:
            signal(customer.stack, batch, "resume", [])
        return not left and customer.get("/queue")["size"] == 0
    except (httpx.HTTPError, AssertionError):
        return False
