"""api.md, "Envelope", "Queue", "Batch" and spaces: what resources look like."""

import re
import socket
from datetime import datetime

import httpx

from tests.acceptance.test_first_light import picture
from tests.conftest import Origin
from tests.stack import Customer, Json, Stack, until

CONTEXT = "https://dlcs.github.io/vocab/context/future.json"
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def send(customer: Customer, method: str, path: str, body: Json | None = None) -> httpx.Response:
    return customer.stack.client.request(method, customer.url(path), json=body, auth=customer.auth)


def test_a_queue_has_its_counts_and_links(customer: Customer) -> None:
    said = customer.get("/queue")
    url = customer.url("/queue")
    assert said == {
        "@context": CONTEXT,
        "@id": url,
        "@type": "vocab:CustomerQueue",
        "size": 0,
        "batchesWaiting": 0,
        "imagesWaiting": 0,
        **{name: f"{url}/{name}" for name in ("batches", "images", "active", "recent", "priority")},
    }


def test_a_batch_waits_works_and_finishes(customer: Customer, origin: Origin) -> None:
    members = [
        {**picture(origin, f"p{n}"), "origin": origin.picture("retina.jpg")} for n in range(60)
    ]
    sent = customer.post("/queue", {"member": members})
    batch = sent.json()
    assert sent.headers["location"] == batch["@id"]
    assert (batch["@type"], batch["superseded"]) == ("vocab:Batch", False)
    assert DATE.fullmatch(batch["submitted"])
    assert "finished" not in batch
    assert "estCompletion" not in batch
    working = until("it is active", lambda: customer.get("/queue/active")["member"])
    assert [each["id"] for each in working] == [batch["id"]]
    running = until(
        "an end is expected",
        lambda: (now := customer.get(batch["@id"])) and "estCompletion" in now and now,
    )
    assert DATE.fullmatch(running["estCompletion"])
    queued = customer.get("/queue")
    assert queued["imagesWaiting"] <= queued["size"] <= 60
    assert queued["batchesWaiting"] == 0
    finished = customer.finished(batch)
    assert DATE.fullmatch(finished["finished"])
    assert datetime.fromisoformat(finished["finished"]) > datetime.fromisoformat(
        finished["submitted"]
    )
    assert "estCompletion" not in finished
    assert customer.get("/queue/active")["totalItems"] == 0


def test_recent_has_the_last_finished_first(customer: Customer, origin: Origin) -> None:
    first = customer.finished(customer.submit([picture(origin, "a")]))
    second = customer.finished(customer.submit([picture(origin, "b")]))
    assert [b["id"] for b in customer.get("/queue/recent")["member"]] == [
        second["id"],
        first["id"],
    ]
    assert [b["id"] for b in customer.get("/queue/batches")["member"]] == [
        second["id"],
        first["id"],
    ]


def test_an_asset_that_waits_is_processed_once_for_the_newest(
    customer: Customer, origin: Origin
) -> None:
    slow = [{**picture(origin, f"p{n}"), "origin": origin.picture("retina.jpg")} for n in range(40)]
    older = customer.submit([*slow, picture(origin, "shared")])
    newer = customer.submit([picture(origin, "shared", string1="newer")])
    assert customer.get("/spaces/1/images/shared")["batch"] == newer["@id"]
    assert customer.finished(older)["errors"] == 0
    assert customer.finished(newer)["completed"] == 1
    assert customer.get(older["images"])["totalItems"] == 40
    assert customer.get(older["assets"])["totalItems"] == 41
    assert customer.get("/spaces/1/images/shared")["string1"] == "newer"


def test_spaces(customer: Customer) -> None:
    made = send(customer, "POST", "/spaces", {"name": "maps"})
    assert made.status_code == 201
    space = made.json()
    assert made.headers["location"] == space["@id"] == customer.url(f"/spaces/{space['id']}")
    assert (space["@type"], space["name"]) == ("vocab:Space", "maps")
    assert send(customer, "PUT", "/spaces/7", {"name": "a"}).status_code == 201
    assert send(customer, "PUT", "/spaces/7", {"name": "b"}).status_code == 200
    assert send(customer, "PATCH", "/spaces/7", {"name": "c"}).json()["name"] == "c"
    assert customer.get("/spaces/7")["name"] == "c"
    assert {each["id"] for each in customer.get("/spaces")["member"]} == {1, space["id"], 7}
    assert send(customer, "PUT", "/spaces/8", {"name": ""}).status_code == 400
    assert send(customer, "DELETE", "/spaces/7").status_code == 204
    assert send(customer, "GET", "/spaces/7").status_code == 404
    assert send(customer, "DELETE", "/spaces/7").status_code == 404


def test_a_put_that_takes_too_long_goes_on(customer: Customer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a.jpg"
        body = {"origin": url, "mediaType": "image/jpeg"}
        accepted = send(customer, "PUT", "/spaces/1/images/a", body)
        assert accepted.status_code == 202
        assert accepted.json()["ingesting"] is True
        assert "finished" not in accepted.json()
    ended = until(
        "it has ended",
        lambda: (now := customer.get("/spaces/1/images/a")) and not now["ingesting"] and now,
    )
    assert "did not answer in time" in ended["error"] or "failed" in ended["error"]
    assert DATE.fullmatch(ended["finished"])


def test_public_links_start_with_the_address_asked(stack: Stack) -> None:
    port = stack.run["api_url"].rpartition(":")[2]
    said = stack.client.get(f"http://localhost:{port}/queue").json()
    assert said["@id"] == f"http://localhost:{port}/queue"
