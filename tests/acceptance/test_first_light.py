"""From POST to finished, over HTTP, on the stack that `iiifq up` runs."""

import httpx
import pytest

from tests.conftest import Origin
from tests.stack import Customer, Json, Stack


def picture(origin: Origin, name: str, **more: object) -> Json:
    return {
        "id": name,
        "space": 1,
        "origin": origin.picture(),
        "mediaType": "image/jpeg",
        **more,
    }


@pytest.mark.parametrize("queue", ["/queue", "/queue/priority"])
def test_a_batch_is_processed_to_its_end(customer: Customer, origin: Origin, queue: str) -> None:
    batch = customer.submit([picture(origin, "a"), picture(origin, "b")], queue)
    assert (batch["count"], batch["completed"], batch["errors"]) == (2, 0, 0)
    assert "finished" not in batch

    finished = customer.finished(batch)
    assert (finished["count"], finished["completed"], finished["errors"]) == (2, 2, 0)
    assert finished["superseded"] is False

    images = customer.get(finished["images"])
    assert [image["id"] for image in images["member"]] == ["a", "b"]
    for image in images["member"]:
        assert (image["width"], image["height"]) == (640, 427)
        assert image["ingesting"] is False
        assert image["batch"] == batch["@id"]
        assert customer.get(image["@id"])["id"] == image["id"]
    assert [b["id"] for b in customer.get("/queue/recent")["member"]] == [batch["id"]]
    assert [b["id"] for b in customer.get("/queue/batches")["member"]] == [batch["id"]]
    assert customer.get("/queue/active")["totalItems"] == 0
    queued = customer.get("/queue")
    assert (queued["size"], queued["imagesWaiting"], queued["batchesWaiting"]) == (0, 0, 0)


def test_each_bad_asset_ends_with_an_error_and_the_others_finish(
    customer: Customer, origin: Origin
) -> None:
    bad = {
        "gone": (f"{origin.url}/gone.jpg", "404 Not Found"),
        "text": (origin.file("text.jpg", b"a letter, not a picture\n" * 50), "not an image"),
        "empty": (origin.file("empty.jpg", b""), "empty"),
        "cut": (
            origin.file("cut.jpg", (origin.folder / "rocket.jpg").read_bytes()[:60_000]),
            "damaged or cut short",
        ),
        "private": ("http://10.0.0.1/a.jpg", "private network"),
        "odd": ("gopher://127.0.0.1/a.jpg", "http or https"),
    }
    members = [{**picture(origin, name), "origin": url} for name, (url, _) in bad.items()]
    batch = customer.finished(customer.submit([*members, picture(origin, "good")]))
    assert (batch["completed"], batch["errors"]) == (7, 6)
    failed = {a["id"]: a["error"] for a in customer.get(batch["errorImages"])["member"]}
    assert failed.keys() == bad.keys()
    for name, (_, words) in bad.items():
        assert words in failed[name]
    assert [a["id"] for a in customer.get(batch["completedImages"])["member"]] == ["good"]


def test_the_global_queue_needs_no_credentials(stack: Stack) -> None:
    said = httpx.get(f"{stack.run['api_url']}/queue").json()
    assert said["@type"] == "vocab:Queue"
    assert (said["success"], said["failed"]) == (0, 0)


def test_callers_without_good_credentials_are_refused(stack: Stack, customer: Customer) -> None:
    url = customer.url("/queue")
    for auth in (None, ("nobody", "x"), (customer.auth[0], "wrong")):
        response = httpx.get(url, auth=auth)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Basic")
        assert response.headers["content-type"] == "application/problem+json"
    other = stack.customer("other")
    assert httpx.get(url, auth=other.auth).status_code == 403
    nobody = other.url("/queue").replace(f"/{other.id}/", "/999999/")
    assert httpx.get(nobody, auth=other.auth).status_code == 403


def test_the_priority_queue_takes_post_alone(customer: Customer) -> None:
    response = httpx.get(customer.url("/queue/priority"), auth=customer.auth)
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


def test_what_is_refused_writes_nothing(customer: Customer, origin: Origin) -> None:
    members = [
        {"id": "a", "space": 1, "mediaType": "image/jpeg"},
        {"id": "b c", "origin": origin.picture(), "width": 3},
    ]
    response = customer.post("/queue", {"member": members})
    assert response.status_code == 400
    detail = response.json()["detail"]
    for words in (
        "member 1: Asset origin must be specified",
        "member 2: Should not include width",
        "member 2: Space cannot be empty",
        "member 2: Media type must be specified",
        "the id 'b c'",
    ):
        assert words in detail
    missing = customer.post("/queue", {"member": [picture(origin, "a", space=992)]})
    assert "The following space(s) could not be found: 992" in missing.json()["detail"]
    assert customer.get("/queue/batches")["totalItems"] == 0
    assert customer.get("/spaces/1/images")["totalItems"] == 0


def test_an_asset_sent_again_belongs_to_the_newest_batch(
    customer: Customer, origin: Origin
) -> None:
    first = customer.finished(customer.submit([picture(origin, "a")]))
    second = customer.finished(customer.submit([picture(origin, "a", string1="new")]))
    assert customer.get(first["@id"])["superseded"] is True
    assert customer.get(first["images"])["totalItems"] == 0
    assert customer.get(first["assets"])["totalItems"] == 1
    assert [b["id"] for b in customer.get("/queue/recent")["member"]] == [second["id"]]
    assert customer.get("/spaces/1/images/a")["string1"] == "new"


def test_an_idempotency_key_returns_the_first_batch(customer: Customer, origin: Origin) -> None:
    body = {"member": [picture(origin, "a")]}
    key = {"Idempotency-Key": "one"}
    first = customer.post("/queue", body, key)
    again = customer.post("/queue", body, key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["@id"] == again.json()["@id"]
    other = customer.post("/queue", {"member": [picture(origin, "b")]}, key)
    assert other.status_code == 422
    assert customer.get("/queue/batches")["totalItems"] == 1
