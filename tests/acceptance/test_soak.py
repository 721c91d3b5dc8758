"""Customers submit, resubmit, retry and cancel while parts are killed in turn: nothing is lost.

`IIIFQ_SOAK_S` is how long, in seconds: a minute in `make test`, ten in `make soak`.
"""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.conftest import Origin
from tests.recount import RECOUNT
from tests.stack import Customer, Json, Stack, running_stack, until

SECONDS = float(os.environ.get("IIIFQ_SOAK_S", "45"))
PARTS = ("worker", "postgres", "api", "temporal")
KILL_EVERY_S = 9.0
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
        if what < 0.5 or not known:
            path = chance.choice(["/queue", "/queue", "/queue/priority"])
            response = customer.post(path, {"member": members(chance, origin)})
            if response.status_code == 201:
                known.append(response.json())
            else:
                assert response.status_code == 503, response.text
        elif what < 0.7:
            response = customer.post(chance.choice(known)["retry"], {})
            assert response.status_code in (202, 409, 503), response.text
        elif what < 0.8:
            url = customer.url(chance.choice(known)["@id"])
            response = customer.stack.client.delete(url, auth=customer.auth)
            assert response.status_code in (202, 409, 503), response.text
        else:
            url = customer.url(f"/spaces/1/images/{chance.choice(NAMES)}")
            response = customer.stack.client.delete(url, auth=customer.auth)
            assert response.status_code in (204, 404, 503), response.text
    except httpx.HTTPError:
        return  # the API was killed


@pytest.mark.timeout(SECONDS + 400)
def test_nothing_is_lost(soaked: Stack, origin: Origin) -> None:
    chance = random.Random(11)
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
    try:
        return bool(
            customer.get("/queue")["size"] == 0
            and all("finished" in b for b in customer.get("/queue/batches?pageSize=500")["member"])
        )
    except (httpx.HTTPError, AssertionError):
        return False
