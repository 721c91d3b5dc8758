"""A batch is seen and steered in Temporal: signals, cancellation, termination, search."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle

from tests.acceptance.test_first_light import picture
from tests.conftest import Origin
from tests.stack import Customer, Json, Stack, iiifq, until

Handle = WorkflowHandle[Any, Any]


def ask(stack: Stack, batch: Json, question: Callable[[Handle], Awaitable[Any]]) -> Any:
    """What a client of Temporal is told of a batch's workflow."""

    async def asked() -> Any:
        client = await Client.connect(
            stack.run["temporal_address"], namespace=stack.run["temporal_namespace"]
        )
        return await question(client.get_workflow_handle(f"batch-{batch['id']}"))

    return asyncio.run(asked())


def signal(stack: Stack, batch: Json, name: str, *given: Any) -> None:
    ask(stack, batch, lambda handle: handle.signal(name, args=list(given)))


def status(stack: Stack, batch: Json) -> WorkflowExecutionStatus:
    async def of(handle: Handle) -> Any:
        return (await handle.describe()).status

    found: WorkflowExecutionStatus = ask(stack, batch, of)
    return found


def many(origin: Origin, count: int = 80) -> list[Json]:
    return [
        {**picture(origin, f"p{n:03}"), "origin": origin.picture("retina.jpg")}
        for n in range(count)
    ]


def failing(customer: Customer, origin: Origin) -> Json:
    """A finished batch whose assets a and b failed, and would not now."""
    name = f"later-{customer.id}.jpg"
    url = f"{origin.url}/{name}"
    members = [{**picture(origin, each), "origin": url} for each in ("a", "b")]
    batch = customer.finished(customer.submit([*members, picture(origin, "good")]))
    assert batch["errors"] == 2
    origin.file(name, (origin.folder / "rocket.jpg").read_bytes())
    return batch


def test_retry_by_signal(customer: Customer, origin: Origin) -> None:
    batch = failing(customer, origin)
    stack = customer.stack
    assert status(stack, batch) is WorkflowExecutionStatus.RUNNING
    # Twice, and of one that did not fail: no harm.
    for _ in range(2):
        signal(stack, batch, "retry_failed", ["1/a", "1/good"])
    until("a was retried", lambda: customer.get(batch["@id"])["errors"] == 1)
    finished = customer.finished(batch)
    assert (finished["completed"], finished["errors"]) == (3, 1)
    signal(stack, batch, "retry_failed")
    until("b was retried", lambda: customer.get(batch["@id"])["errors"] == 0)
    assert customer.finished(batch)["completed"] == 3
    until("its workflow has closed", lambda: status(stack, batch).name == "COMPLETED")


def test_retry_after_the_workflow_was_terminated(customer: Customer, origin: Origin) -> None:
    batch = failing(customer, origin)
    ask(customer.stack, batch, lambda handle: handle.terminate())
    assert customer.post(batch["retry"], {}).status_code == 202
    assert customer.finished(batch)["errors"] == 0


def test_a_terminated_workflow_is_started_again(customer: Customer, origin: Origin) -> None:
    batch = customer.submit(many(origin))
    until("work has begun", lambda: customer.get(batch["@id"])["completed"])
    ask(customer.stack, batch, lambda handle: handle.terminate())
    finished = customer.finished(batch)
    assert (finished["completed"], finished["errors"]) == (80, 0)


def test_cancel_by_signal_and_by_temporal(customer: Customer, origin: Origin) -> None:
    for stop in (
        lambda handle: handle.signal("cancel"),
        lambda handle: handle.cancel(),
    ):
        batch = customer.submit(many(origin))
        until("work has begun", lambda b=batch: customer.get(b["@id"])["completed"])  # type: ignore[misc]
        ask(customer.stack, batch, stop)
        finished = customer.finished(batch)
        assert finished["completed"] == 80
        assert 0 < finished["errors"] < 80
        failed = customer.get(f"{batch['errorImages']}?pageSize=500")
        assert {asset["error"] for asset in failed["member"]} == {"Cancelled"}


def test_progress_and_details_while_it_runs(customer: Customer, origin: Origin) -> None:
    bad = {**picture(origin, "bad"), "origin": f"{origin.url}/no.jpg"}
    batch = customer.submit([bad, *many(origin)])
    until("one has failed", lambda: customer.get(batch["@id"])["errors"])
    until("work goes on", lambda: customer.get(batch["@id"])["completed"] > 5)

    async def told(handle: Handle) -> Any:
        metadata = await handle.query("__temporal_workflow_metadata")
        return await handle.query("progress"), metadata

    progress, metadata = ask(customer.stack, batch, told)
    assert (progress["count"], progress["errors"]) == (81, 1)
    assert 0 < progress["completed"] < 81
    assert progress["completed"] + progress["waiting"] + progress["processing"] == 81
    assert 0 < len(progress["in_flight"]) <= progress["processing"]
    assert progress["closed_hosts"] == []
    details = str(metadata)
    assert "1/bad" in details
    assert "404 Not Found" in details
    assert "retry_failed" in details
    assert customer.finished(batch)["errors"] == 1


def test_pause_and_resume(customer: Customer, origin: Origin) -> None:
    batch = customer.submit(many(origin))
    until("work has begun", lambda: customer.get(batch["@id"])["completed"])
    signal(customer.stack, batch, "pause")
    paused = until("nothing is in process", lambda: resting(customer, batch))
    assert paused < 80
    signal(customer.stack, batch, "resume")
    assert customer.finished(batch)["completed"] == 80


def resting(customer: Customer, batch: Json) -> int | None:
    """How many have ended, once nothing is in process; None before."""
    size, waiting = (customer.get("/queue")[name] for name in ("size", "imagesWaiting"))
    return customer.get(batch["@id"])["completed"] if size == waiting else None


def test_a_whole_queue_is_paused(customer: Customer, origin: Origin) -> None:
    data = ("--data", str(customer.stack.data))
    queue = ("--customer", str(customer.id), "--queue", "main")
    assert iiifq("pause", *queue, *data).returncode == 0
    batch = customer.submit(many(origin, 5))
    other = customer.submit([picture(origin, "urgent")], "/queue/priority")
    assert customer.finished(other)["errors"] == 0
    assert customer.get("/queue")["imagesWaiting"] == 5
    assert "finished" not in customer.get(batch["@id"])
    assert iiifq("resume", *queue, *data).returncode == 0
    assert customer.finished(batch)["completed"] == 5


def test_failed_batches_of_a_customer_are_one_query(customer: Customer, origin: Origin) -> None:
    batch = failing(customer, origin)

    async def found() -> list[str]:
        client = await Client.connect(
            customer.stack.run["temporal_address"],
            namespace=customer.stack.run["temporal_namespace"],
        )
        query = f'IiifqCustomer = {customer.id} AND IiifqState = "errors" AND IiifqErrors = 2'
        return [each.id async for each in client.list_workflows(query)]

    until("it is found", lambda: asyncio.run(found()) == [f"batch-{batch['id']}"])

    async def described(handle: Handle) -> Any:
        said = await handle.describe()
        return await said.static_summary()

    assert ask(customer.stack, batch, described) == (
        f"batch {batch['id']} of customer {customer.id} on main"
    )
