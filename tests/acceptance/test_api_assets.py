"""api.md, "Asset" and "Manifest queues", sentence by sentence."""

import httpx

from tests.acceptance.test_first_light import picture
from tests.conftest import Origin
from tests.stack import Customer, Json, until


def send(customer: Customer, method: str, path: str, body: Json | None = None) -> httpx.Response:
    return httpx.request(method, customer.url(path), json=body, auth=customer.auth, timeout=60)


def test_put_processes_at_once(customer: Customer, origin: Origin) -> None:
    body = {"origin": origin.picture(), "mediaType": "image/jpeg", "string1": "x"}
    created = send(customer, "PUT", "/spaces/1/images/a", body)
    assert created.status_code == 201, created.text
    said = created.json()
    assert (said["width"], said["height"], said["ingesting"]) == (640, 427, False)
    assert said["imageService"].endswith(f"/iiif-img/{customer.id}/1/a")
    assert "batch" not in said
    replaced = send(
        customer,
        "PUT",
        "/spaces/1/images/a",
        {"origin": f"{origin.url}/no.jpg", "mediaType": "image/jpeg"},
    )
    assert replaced.status_code == 200
    assert "404 Not Found" in replaced.json()["error"]
    assert "string1" not in replaced.json()
    missing = send(customer, "PUT", "/spaces/77/images/a", body)
    assert missing.status_code == 404


def test_patch_processes_again_only_when_it_has_to(customer: Customer, origin: Origin) -> None:
    body = {"origin": origin.picture(), "mediaType": "image/jpeg", "tags": ["t"]}
    first = send(customer, "PUT", "/spaces/1/images/a", body).json()
    same = send(customer, "PATCH", "/spaces/1/images/a", {"string2": "y", "number1": 4}).json()
    assert (same["string2"], same["number1"], same["tags"]) == ("y", 4, ["t"])
    assert same["finished"] == first["finished"]
    moved = send(customer, "PATCH", "/spaces/1/images/a", {"origin": origin.picture("retina.jpg")})
    assert moved.status_code == 200
    assert moved.json()["width"] == 1411
    assert moved.json()["string2"] == "y"
    unfit = send(customer, "PATCH", "/spaces/1/images/a", {"deliveryChannels": ["iiif-av"]})
    assert unfit.status_code == 400


def test_reingest_answers_with_the_outcome(customer: Customer, origin: Origin) -> None:
    url = f"{origin.url}/reingest-{customer.id}.jpg"
    body = {"origin": url, "mediaType": "image/jpeg"}
    assert "error" in send(customer, "PUT", "/spaces/1/images/a", body).json()
    origin.file(f"reingest-{customer.id}.jpg", (origin.folder / "rocket.jpg").read_bytes())
    again = send(customer, "POST", "/spaces/1/images/a/reingest")
    assert again.status_code == 200
    assert "error" not in again.json()
    assert again.json()["width"] == 640


def test_delete_removes_asset_and_derivatives(customer: Customer, origin: Origin) -> None:
    batch = customer.finished(customer.submit([picture(origin, "a")]))
    stored = customer.stack.data / "storage" / "iiif-img" / str(customer.id) / "1" / "a.tif"
    assert stored.exists()
    assert send(customer, "DELETE", "/spaces/1").status_code == 409
    assert send(customer, "DELETE", "/spaces/1/images/a").status_code == 204
    assert send(customer, "GET", "/spaces/1/images/a").status_code == 404
    assert customer.get(batch["@id"])["superseded"] is True
    until("the derivatives are gone", lambda: not stored.exists())
    assert send(customer, "DELETE", "/spaces/1").status_code == 204


def test_metadata_of_many_at_once(customer: Customer, origin: Origin) -> None:
    customer.finished(customer.submit([picture(origin, name) for name in "abc"]))
    changes = {"member": [{"id": "a", "string1": "x"}, {"id": "b", "number2": 7}]}
    answer = send(customer, "PATCH", "/spaces/1/images", changes)
    assert answer.status_code == 200, answer.text
    assert [a["id"] for a in answer.json()["member"]] == ["a", "b"]
    found = customer.get('/spaces/1/images?q={"string1":"x"}')
    assert [a["id"] for a in found["member"]] == ["a"]
    assert [a["id"] for a in customer.get("/allImages?number2=7")["member"]] == ["b"]
    ordered = customer.get("/spaces/1/images?orderByDescending=id&pageSize=2")
    assert [a["id"] for a in ordered["member"]] == ["c", "b"]
    assert "orderByDescending=id" in ordered["view"]["next"]
    refused = send(
        customer,
        "PATCH",
        "/spaces/1/images",
        {"member": [{"id": "a", "origin": "http://x/"}, {"id": "zz"}]},
    )
    assert refused.status_code == 400
    for query in ('q={"nosuch":1}', "q={", "orderBy=nosuch"):
        assert send(customer, "GET", f"/spaces/1/images?{query}").status_code == 400
    assert send(customer, "POST", "/spaces/1/images", {}).status_code == 405
    assert send(customer, "POST", "/spaces/1/images", {}).headers["allow"] == "GET, PATCH"


def test_a_manifest_has_a_queue_of_its_own(customer: Customer, origin: Origin) -> None:
    label = {"en": ["A book"]}
    made = send(customer, "POST", "/manifests", {"id": "book", "label": label})
    assert (made.status_code, made.json()["label"]) == (201, label)
    member = {"id": "p1", "origin": origin.picture(), "mediaType": "image/jpeg"}
    batch = customer.submit([member], "/manifests/book/queue")
    assert batch["@id"] == customer.url(f"/queue/batches/{batch['id']}")
    finished = customer.finished(batch)
    assert finished["errors"] == 0
    for alias in ("/manifests/book", "/iiif/book"):
        recent = customer.get(f"{alias}/queue/recent")
        assert [b["id"] for b in recent["member"]] == [batch["id"]]
    (shown,) = customer.get("/manifests/book/assets")["member"]
    assert shown["manifests"] == [customer.url("/manifests/book")]
    customer.submit([picture(origin, "elsewhere")])
    assert customer.get("/manifests/book/queue/batches")["totalItems"] == 1
    assert customer.get("/queue/batches")["totalItems"] == 2
    assert send(customer, "DELETE", "/manifests/book").status_code == 204
    assert send(customer, "GET", "/manifests/book/queue").status_code == 404
    assert "manifests" not in customer.get(shown["@id"])


def test_links_can_be_followed(customer: Customer, origin: Origin) -> None:
    customer.finished(customer.submit([picture(origin, "a%2F-é")]))
    send(customer, "PUT", "/manifests/m", {"label": "m"})
    seen: set[str] = set()
    base = customer.stack.run["api_url"]
    waiting = [f"{base}/", customer.url("")]
    while waiting:
        url = waiting.pop()
        if url in seen or url.endswith(("/docs", "/test", "/retry", "/priority")):
            continue
        seen.add(url)
        response = httpx.get(url, auth=customer.auth, follow_redirects=True)
        assert response.status_code == 200, url
        waiting += [
            part
            for part in response.text.split('"')
            if part.startswith(f"{base}/") and part not in seen
        ]
    assert len(seen) > 15


def test_thumbnails_can_be_looked_at(customer: Customer, origin: Origin) -> None:
    customer.finished(customer.submit([picture(origin, "a")]))
    service = customer.get("/spaces/1/images/a")["thumbnailImageService"]
    info = httpx.get(service, follow_redirects=True).json()
    assert (info["id"], info["type"], info["profile"]) == (service, "ImageService3", "level0")
    assert (info["width"], info["height"]) == (640, 427)
    assert info["sizes"][-1] == {"width": 640, "height": 427}
    for size in info["sizes"]:
        url = f"{service}/full/{size['width']},{size['height']}/0/default.jpg"
        shown = httpx.get(url)
        assert shown.status_code == 200
        assert shown.headers["content-type"] == "image/jpeg"
        assert shown.content.startswith(b"\xff\xd8")
        cached = httpx.get(url, headers={"If-None-Match": shown.headers["etag"]})
        assert cached.status_code == 304
    assert httpx.get(f"{service}/full/7,7/0/default.jpg").status_code == 404
