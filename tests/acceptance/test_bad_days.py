"""Parts are killed in the middle of a batch: it finishes, counts exact, nothing lost."""

import os
import signal
import time
from collections.abc import Iterator
from functools import partial

import psutil  # type: ignore[import-untyped]
import pytest

from tests.conftest import Origin
from tests.stack import Customer, Json, Stack, running_stack, until

COUNT = 60


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that tests may break; each has to find it mended by the one before."""
    with running_stack(tmp_path_factory.mktemp("bad days") / "data") as running:
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


def test_postgres_does_not_answer(own_stack: Stack, origin: Origin) -> None:
    """Frozen with all its connections: 503 within 10 s, nothing half-written, then as before."""
    customer = own_stack.customer()
    member = {"id": "a", "space": 1, "origin": origin.picture(), "mediaType": "image/jpeg"}
    postmaster = psutil.Process(own_stack.run["postgres"])
    frozen = [postmaster, *postmaster.children(recursive=True)]
    for process in frozen:
        process.suspend()
    try:
        for send in (
            partial(own_stack.client.get, customer.url("/queue"), auth=customer.auth),
            partial(customer.post, "/queue", {"member": [member]}),
        ):
            asked = time.monotonic()
            refused = send()
            assert refused.status_code == 503
            assert time.monotonic() - asked < 10
            assert int(refused.headers["retry-after"]) > 0
            assert refused.json()["@type"] == "Error"
        health = own_stack.client.get(f"{own_stack.run['api_url']}/health/ready")
        assert health.status_code == 503
        assert "postgres" in health.json()["missing"]
    finally:
        for process in reversed(frozen):
            process.resume()
    until("it answers again", lambda: answers(customer))
    assert customer.get("/queue/batches")["totalItems"] == 0
    assert customer.finished(customer.submit([member]))["errors"] == 0


def answers(customer: Customer) -> bool:
    response = customer.stack.client.get(customer.url("/queue"), auth=customer.auth)
    return response.status_code == 200
