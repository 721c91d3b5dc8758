"""What was given up is taken up again, and a batch hears at once of what was done to it."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg
import pytest
from temporalio.client import Client

from tests.acceptance.test_first_light import picture
from tests.conftest import Origin
from tests.stack import Stack, iiifq, running_stack, until


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One whose reconciler is not quick to help; an activity waits long for its origin."""
    quiet = {"IIIFQ_RECONCILE_S": "20", "IIIFQ_ORIGIN_TIMEOUT_S": "60", "IIIFQ_SYNC_WAIT_S": "2"}
    with running_stack(tmp_path_factory.mktemp("leftovers") / "data", **quiet) as running:
        yield running


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of an origin that takes a request and never answers."""
    asked: list[socket.socket] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def listen() -> None:
            try:
                while True:
                    asked.append(server.accept()[0])
            except OSError:
                return  # the test is over

        threading.Thread(target=listen, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/a.jpg"
    for each in asked:
        each.close()


def rows(stack: Stack, statement: Any, *given: Any) -> list[Any]:
    with psycopg.connect(stack.run["database_url"]) as connection:
        return connection.execute(statement, given).fetchall()


def told(stack: Stack, batch_id: int) -> tuple[int, int]:
    """How often the batch's workflow had to be told, and up to which of these it was."""
    (row,) = rows(stack, "SELECT requested, dispatched FROM batch WHERE id = %s", batch_id)
    return row[0], row[1]


async def terminate(stack: Stack, workflow_id: str) -> None:
    client = await Client.connect(
        stack.run["temporal_address"], namespace=stack.run["temporal_namespace"]
    )
    await client.get_workflow_handle(workflow_id).terminate()


async def test_an_asset_whose_job_was_terminated_is_processed_for_the_next(
    own_stack: Stack, origin: Origin, silent: str
) -> None:
    customer = own_stack.customer()
    place = "/spaces/1/images/a"

    def claimed() -> str | None:
        found = rows(own_stack, "SELECT holder FROM claim WHERE customer_id = %s", customer.id)
        return str(found[0][0]) if found else None

    assert customer.put(place, {**picture(origin, "a"), "origin": silent}).status_code == 202
    holder = until("it is being processed", claimed, 20)
    assert customer.put(place, picture(origin, "a")).status_code == 202
    assert claimed() == holder
    await terminate(own_stack, holder.replace("job-", "asset-"))
    until("the second is made", lambda: "finished" in customer.get(place), 110)
    made = customer.get(place)
    assert ("error" in made, made["width"] > 0) == (False, True)
    until("nobody holds it", lambda: claimed() is None, 20)


def test_a_batch_hears_at_once_that_it_was_cancelled_or_taken(
    own_stack: Stack, origin: Origin
) -> None:
    customer = own_stack.customer()
    queue = ("--customer", str(customer.id), "--data", str(own_stack.data))
    assert iiifq("pause", *queue).returncode == 0
    taken = customer.submit([picture(origin, name) for name in "ab"])
    cancelled = customer.submit([picture(origin, name) for name in "cd"])
    deleted = customer.submit([picture(origin, name) for name in "ef"])
    batches = [each["id"] for each in (taken, cancelled, deleted)]

    def all_told(times: int) -> bool:
        return all(told(own_stack, each) == (times, times) for each in batches)

    until("all are told", lambda: all_told(1), 5)
    customer.submit([picture(origin, "a")], "/queue/priority")
    client = own_stack.client
    assert client.delete(customer.url(cancelled["@id"]), auth=customer.auth).status_code == 202
    gone = client.delete(customer.url("/spaces/1/images/e"), auth=customer.auth)
    assert gone.status_code == 204
    until("all are told again", lambda: all_told(2), 5)
    assert iiifq("resume", *queue).returncode == 0
    for each in (taken, cancelled, deleted):
        customer.finished(each, 20)


def test_many_posts_at_once_are_all_told(own_stack: Stack, origin: Origin) -> None:
    customer = own_stack.customer()
    with ThreadPoolExecutor(8) as threads:
        sent = [
            threads.submit(customer.submit, [picture(origin, f"p{number}")]) for number in range(40)
        ]
    for each in sent:
        assert customer.finished(each.result(), 60)["errors"] == 0
