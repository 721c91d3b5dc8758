"""A large batch, and many batches open at once: histories, windows and memory stay bounded.

`IIIFQ_SCALE_ASSETS` and `IIIFQ_SCALE_BATCHES` say how many: 1,000 and 100 in `make test`, 10,000
and 1,000 in `make soak`.
"""

import asyncio
import os
from collections.abc import Iterator

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from temporalio.client import Client

from tests.conftest import Origin
from tests.recount import RECOUNT
from tests.stack import Customer, Json, Stack, iiifq, running_stack, until

ASSETS = int(os.environ.get("IIIFQ_SCALE_ASSETS", "1500"))
BATCHES = int(os.environ.get("IIIFQ_SCALE_BATCHES", "100"))
BAD = 20
WINDOW = 50
QUARTER_OF_EVENTS = 51_200 // 4
QUARTER_OF_BYTES = 50 * 1024**2 // 4
LEEWAY_BYTES = 128 * 1024**2
SECONDS = 120 + ASSETS / 10 + BATCHES

pytestmark = pytest.mark.timeout(2 * SECONDS)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    data = tmp_path_factory.mktemp("scale") / "data"
    with running_stack(data, IIIFQ_MAX_BATCH_SIZE=str(ASSETS), IIIFQ_WINDOW=str(WINDOW)) as running:
        yield running


def registered(name: str) -> Json:
    return {
        "id": name,
        "space": 1,
        "origin": "https://example.org/a.jpg",
        "mediaType": "image/jpeg",
        "deliveryChannels": ["none"],
    }


async def connected(stack: Stack) -> Client:
    run = stack.run
    return await Client.connect(run["temporal_address"], namespace=run["temporal_namespace"])


def test_a_large_batch(large: Stack, origin: Origin) -> None:
    """Signals come all the while, also when its workflow continues as new."""
    customer = large.customer()
    customer.finished(customer.submit([registered("warm")]))
    worker = psutil.Process(large.run["worker"])
    before = worker.memory_info().rss
    bad = [
        {**registered(f"bad-{n}"), "origin": f"{origin.url}/no.jpg", "deliveryChannels": ["file"]}
        for n in range(BAD)
    ]
    good = [registered(f"good-{n}") for n in range(ASSETS - BAD)]
    batch = customer.submit([*bad, *good])
    pending = asyncio.run(_signalled(customer, batch))
    finished = customer.finished(batch, SECONDS)
    assert (finished["count"], finished["completed"], finished["errors"]) == (ASSETS, ASSETS, BAD)
    assert WINDOW / 2 < pending <= WINDOW
    assert worker.memory_info().rss < before + LEEWAY_BYTES
    histories = asyncio.run(_histories(large, batch))
    assert len(histories) > 1, "it continued as new"
    assert max(events for events, _ in histories) < QUARTER_OF_EVENTS
    assert max(size for _, size in histories) < QUARTER_OF_BYTES
    with psycopg.connect(large.run["database_url"]) as connection:
        assert connection.execute(RECOUNT).fetchall() == []


async def _signalled(customer: Customer, batch: Json) -> int:
    """Retries until all has ended; the most activities that were pending at once."""
    client = await connected(customer.stack)
    handle = client.get_workflow_handle(f"batch-{batch['id']}")
    most = 0
    async with asyncio.timeout(SECONDS):
        while customer.get(batch["@id"])["completed"] < ASSETS - BAD:
            await handle.signal("retry_failed")
            described = await handle.describe()
            most = max(most, len(described.raw_description.pending_activities))
            await asyncio.sleep(0.5)
    return most


async def _histories(stack: Stack, batch: Json) -> list[tuple[int, int]]:
    """Events and bytes of each run of the batch's workflow."""
    client = await connected(stack)
    runs = client.list_workflows(f'WorkflowId = "batch-{batch["id"]}"')
    infos = [
        (
            await client.get_workflow_handle(run.id, run_id=run.run_id).describe()
        ).raw_description.workflow_execution_info
        async for run in runs
    ]
    return [(info.history_length, info.history_size_bytes) for info in infos]


def test_many_batches_are_open_at_once(large: Stack) -> None:
    customer = large.customer()
    queue = ("--customer", str(customer.id), "--queue", "main", "--data", str(large.data))
    assert iiifq("pause", *queue).returncode == 0
    batches = [customer.submit([registered(f"a-{n}")]) for n in range(BATCHES)]
    until("all are open", lambda: asyncio.run(_open(customer)) == BATCHES, SECONDS)
    waiting = customer.get("/queue")
    assert (waiting["size"], waiting["batchesWaiting"]) == (BATCHES, BATCHES)
    assert iiifq("resume", *queue).returncode == 0
    until("the queue is empty", lambda: customer.get("/queue")["size"] == 0, SECONDS)
    assert customer.get("/queue/recent")["totalItems"] == BATCHES
    assert customer.get(batches[0]["@id"])["errors"] == 0
    until("all workflows have closed", lambda: asyncio.run(_open(customer)) == 0, SECONDS)


async def _open(customer: Customer) -> int:
    client = await connected(customer.stack)
    query = f'IiifqCustomer = {customer.id} AND ExecutionStatus = "Running"'
    return (await client.count_workflows(query)).count
