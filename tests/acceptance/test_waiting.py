"""A slot is for work: nobody waits for another's origin or film, and the platform's bad days are no
asset's error."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import imageio_ffmpeg  # type: ignore[import-untyped]
import psycopg
import pytest
from psycopg import sql

from tests.acceptance.test_first_light import picture
from tests.acceptance.test_steering import signal as signal_batch
from tests.acceptance.test_steering import status
from tests.bad_origin import BadOrigin, bad_origin
from tests.conftest import Origin
from tests.stack import Customer, Json, Stack, running_stack, until

SOON_S = 15
"""Much longer than a picture takes, much shorter than what it would wait for."""


@pytest.fixture
def bad() -> Iterator[BadOrigin]:
    with bad_origin() as serving:
        yield serving


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("waiting") / "data") as running:
        yield running


def cancel(customer: Customer, batch: Json) -> None:
    url = customer.url(batch["@id"])
    assert customer.stack.client.delete(url, auth=customer.auth).status_code == 202


def state_of(customer: Customer, batch: Json) -> tuple[str, str, list[Json]]:
    """Who says so, the state, and what is in flight."""
    progress = customer.get(f"{batch['@id']}/progress")
    return progress["source"], progress["state"], progress["inFlight"]


def test_a_closed_host(own_stack: Stack, origin: Origin, bad: BadOrigin) -> None:
    first, second = own_stack.customer(), own_stack.customer()
    held = first.submit(bad.members("closed", 40))
    until("the host has said so", lambda: bad.asked["closed"])
    progress = until(
        "its workflow has heard it",
        lambda: found if (found := first.get(f"{held['@id']}/progress"))["closedHosts"] else None,
    )
    assert progress["source"] == "workflow"
    assert progress["closedHosts"][0]["host"] == bad.url.removeprefix("http://")
    assert progress["workflow"]["id"] == f"batch-{held['id']}"
    assert progress["workflow"]["url"].endswith(f"/workflows/batch-{held['id']}")
    tried = [each for each in progress["inFlight"] if "lastFault" in each]
    assert "503" in tried[0]["lastFault"]
    assert tried[0]["nextAttempt"]
    # Neither another's work nor the same customer's waits for it.
    for customer in (second, first):
        batch = customer.submit([picture(origin, name) for name in "abc"])
        assert customer.finished(batch, SOON_S)["errors"] == 0
    space, name = tried[0]["asset"].split("/", 1)
    asset = first.get(f"/spaces/{space}/images/{name}")
    assert asset["attempts"] == 1
    assert "503" in asset["lastFault"]
    assert asset["nextAttempt"]
    # Connections were under way when it first said so; after that it is left alone.
    assert bad.asked["closed"] <= 8
    cancel(first, held)
    finished = first.finished(held, 5)
    assert (finished["completed"], finished["errors"]) == (40, 40)
    assert first.get(f"{held['errorImages']}?pageSize=1")["member"][0]["error"] == "Cancelled"
    expected: tuple[str, str, list[Json]] = ("workflow", "cancelled", [])
    until("its workflow knows", lambda: state_of(first, held) == expected, 10)
    assert bad.asked["closed"] <= 8


def test_a_closed_host_opens_again(own_stack: Stack, bad: BadOrigin) -> None:
    bad.retry_after_s = 2
    customer = own_stack.customer()
    batch = customer.submit(bad.members("closed", 30))
    until("it was closed", lambda: customer.get(f"{batch['@id']}/progress")["closedHosts"])
    asked = bad.asked["closed"]
    until("it was probed", lambda: bad.asked["closed"] > asked)
    bad.is_closed = False
    assert customer.finished(batch)["errors"] == 0
    assert bad.asked["closed"] <= 30 + 8 + 4, (
        "each was asked for once, but for the first and probes"
    )


def test_a_host_that_stays_closed(own_stack: Stack, bad: BadOrigin) -> None:
    bad.retry_after_s = 1
    customer = own_stack.customer()
    batch = customer.submit(bad.members("closed", 30))
    finished = customer.finished(batch, 60)
    assert (finished["completed"], finished["errors"]) == (30, 30)
    failed = customer.get(f"{batch['errorImages']}?pageSize=1")["member"][0]
    assert "503" in failed["error"]
    assert "nextAttempt" not in failed


def test_origins_that_hang(own_stack: Stack, origin: Origin, bad: BadOrigin) -> None:
    first, second = own_stack.customer(), own_stack.customer()
    held = first.submit(bad.members("hang", 16))
    until("they hang", lambda: bad.asked["hang"] >= 8)
    batch = second.submit([picture(origin, "a")])
    assert second.finished(batch, 5)["errors"] == 0
    # What is only being fetched is cancelled at once as well.
    cancel(first, held)
    assert first.finished(held, 6)["errors"] == 16


def test_many_hosts_that_hang(own_stack: Stack, origin: Origin) -> None:
    first, second = own_stack.customer(), own_stack.customer()
    with ExitStack() as hosts:
        origins = [hosts.enter_context(bad_origin()) for _ in range(20)]
        members = [
            {**member, "id": f"{number}-{member['id']}"}
            for number, each in enumerate(origins)
            for member in each.members("hang", 2)
        ]
        held = first.submit(members)
        until("they hang", lambda: sum(each.asked["hang"] for each in origins) >= 16)
        batch = second.submit([picture(origin, name) for name in "abc"])
        assert second.finished(batch, SOON_S)["errors"] == 0
        cancel(first, held)
        assert first.finished(held, 6)["errors"] == 40


def test_films_do_not_keep_pictures(own_stack: Stack, origin: Origin, tmp_path: Path) -> None:
    words = (
        "-loglevel",
        "error",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=1280x720:rate=25:duration=20",
    )
    command = [imageio_ffmpeg.get_ffmpeg_exe(), *words, "-c:v", "mpeg4", "film.mp4"]
    subprocess.run(command, cwd=tmp_path, check=True)
    shutil.move(tmp_path / "film.mp4", origin.folder / "long.mp4")
    film = {"space": 1, "mediaType": "video/mp4", "origin": f"{origin.url}/long.mp4"}
    first, second = own_stack.customer(), own_stack.customer()
    films = first.submit([{**film, "id": f"film-{number}"} for number in range(20)])
    until("a film is in process", lambda: first.get("/queue")["imagesWaiting"] < 20)
    puts = [
        threading.Thread(target=first.put, args=(f"/spaces/1/images/put-{number}", film))
        for number in range(8)
    ]
    for put in puts:
        put.start()
    for path in ("/queue", "/queue/priority"):
        batch = second.submit([picture(origin, f"a{path[-1]}")], path)
        assert second.finished(batch, SOON_S)["errors"] == 0
    assert first.get(films["@id"])["completed"] < 20
    cancel(first, films)
    for put in puts:
        put.join()
    for number in range(8):
        url = first.url(f"/spaces/1/images/put-{number}")
        assert own_stack.client.delete(url, auth=first.auth).status_code == 204


def test_a_worker_is_restarted_politely(own_stack: Stack, bad: BadOrigin) -> None:
    customer = own_stack.customer()
    batch = customer.submit(bad.members("hang", 6))
    for times in range(1, 6):
        until("all are being fetched", lambda n=times: bad.asked["hang"] >= 6 * n)  # type: ignore[misc]
        before = own_stack.run["worker"]
        os.kill(before, signal.SIGTERM)
        until("it was replaced", lambda b=before: own_stack.run["worker"] != b)  # type: ignore[misc]
    bad.let_go.set()
    finished = customer.finished(batch)
    assert (finished["completed"], finished["errors"]) == (6, 0)


def test_the_store_is_away(own_stack: Stack, origin: Origin) -> None:
    customer = own_stack.customer()
    storage = own_stack.data / "storage"
    away = storage.with_name("storage away")
    storage.rename(away)
    storage.touch()  # a file, in which nothing can be written
    try:
        batch = customer.submit([picture(origin, name) for name in "abcdef"])
        ready = f"{own_stack.run['api_url']}/health/ready"
        until(
            "it is said",
            lambda: "store" in own_stack.client.get(ready).json().get("missing", []),
        )
        time.sleep(5)
        assert customer.get(batch["@id"])["errors"] == 0
    finally:
        storage.unlink()
        away.rename(storage)
    assert customer.finished(batch)["errors"] == 0
    own_stack.wait_ready()


def test_the_database_is_read_only_for_a_while(own_stack: Stack, bad: BadOrigin) -> None:
    customer = own_stack.customer()
    batch = customer.submit(bad.members("hang", 6))
    until("all are being fetched", lambda: bad.asked["hang"] >= 6)
    worker = own_stack.run["worker"]
    url = own_stack.run["database_url"]
    read_only(url, is_on=True)
    try:
        bad.let_go.set()
        refused = customer.post("/queue", {"member": bad.members("open", 1)})
        assert refused.status_code == 503, refused.text
        assert refused.headers["retry-after"]
        time.sleep(5)
    finally:
        read_only(url, is_on=False)
    finished = customer.finished(batch)
    assert (finished["completed"], finished["errors"]) == (6, 0)
    assert own_stack.run["worker"] == worker, "it did not fall over"


def read_only(url: str, *, is_on: bool) -> None:
    """As a server that another has taken over from, for connections old and new."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        name = sql.Identifier(connection.info.dbname)
        change = sql.SQL("SET default_transaction_read_only = on" if is_on else "RESET ALL")
        connection.execute(sql.SQL("ALTER DATABASE {} {}").format(name, change))
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.mark.parametrize("way", ["cancelled", "superseded", "deleted"])
def test_a_paused_batch_that_ends_closes(
    own_stack: Stack, origin: Origin, bad: BadOrigin, way: str
) -> None:
    customer = own_stack.customer()
    members = bad.members("hang", 3)
    batch = customer.submit(members)
    progress = f"{batch['@id']}/progress"
    until("its workflow runs", lambda: customer.get(progress)["source"] == "workflow")
    signal_batch(own_stack, batch, "pause")
    until("it is paused", lambda: customer.get(progress)["state"] == "paused")
    bad.let_go.set()
    if way == "cancelled":
        cancel(customer, batch)
    elif way == "superseded":
        newer = customer.submit([picture(origin, each["id"]) for each in members])
        assert customer.finished(newer)["errors"] == 0
    else:
        for each in members:
            url = customer.url(f"/spaces/1/images/{each['id']}")
            assert own_stack.client.delete(url, auth=customer.auth).status_code == 204
    finished = customer.finished(batch)
    if finished["errors"] == 0:
        until("its workflow has closed", lambda: status(own_stack, batch).name == "COMPLETED", 20)
