"""Parts are killed in the middle of a batch: it finishes, counts exact, nothing lost."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import Origin
from tests.stack import Customer, Json, Stack, running_stack, until

COUNT = 60


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack that a test may break."""
    with running_stack(tmp_path / "data") as running:
        yield running


def sixty(customer: Customer, origin: Origin) -> Json:
    return customer.submit(
        [
            {
                "id": f"page-{number}",
                "space": 1,
                "origin": origin.picture("retina.jpg"),
                "mediaType": "image/jpeg",
            }
            for number in range(COUNT)
        ]
    )


def begun(customer: Customer, batch: Json) -> bool:
    return bool(customer.get(batch["@id"])["completed"])


def check(customer: Customer, batch: Json) -> None:
    finished = customer.finished(batch, seconds=200)
    assert (finished["count"], finished["completed"], finished["errors"]) == (COUNT, COUNT, 0)
    assert customer.get(f"{batch['completedImages']}?pageSize=1")["totalItems"] == COUNT
    queued = customer.get("/queue")
    assert (queued["size"], queued["imagesWaiting"]) == (0, 0)


@pytest.mark.parametrize("part", ["worker", "temporal", "postgres"])
def test_a_part_is_killed(own_stack: Stack, origin: Origin, part: str) -> None:
    customer = own_stack.customer()
    batch = sixty(customer, origin)
    until("work has begun", lambda: begun(customer, batch))
    killed = own_stack.kill(part)
    until(f"{part} was replaced", lambda: own_stack.run[part] != killed)
    check(customer, batch)


def test_up_itself_is_killed_and_started_again(own_stack: Stack, origin: Origin) -> None:
    customer = own_stack.customer()
    batch = sixty(customer, origin)
    until("work has begun", lambda: begun(customer, batch))
    own_stack.up.kill()
    own_stack.up.wait()
    own_stack.start_again()
    check(customer, batch)


def test_temporal_is_away_while_posting(own_stack: Stack, origin: Origin) -> None:
    customer = own_stack.customer()
    os.kill(own_stack.run["temporal"], signal.SIGSTOP)
    batch = sixty(customer, origin)
    os.kill(own_stack.run["temporal"], signal.SIGCONT)
    check(customer, batch)


def test_postgres_is_away(own_stack: Stack, origin: Origin) -> None:
    customer = own_stack.customer()
    os.kill(own_stack.run["postgres"], signal.SIGSTOP)
    try:
        response = httpx.get(customer.url("/queue"), auth=customer.auth, timeout=20)
        own_stack.kill("postgres")
        refused = httpx.post(
            customer.url("/queue"), auth=customer.auth, json={"member": []}, timeout=20
        )
    finally:
        until("postgres was replaced", lambda: own_stack.run["postgres"])
    assert response.status_code in (200, 503)  # a backend that stood ready may still answer
    assert refused.status_code in (400, 503)
