"""Policies of delivery channels, over HTTP: thumbnails of one's own sizes, and what a change
leaves in the store."""

import io
import os

import pytest
from PIL import Image

from tests.acceptance.test_first_light import picture
from tests.conftest import SAMPLES, Origin
from tests.stack import Customer, Json, until

SIZES = ["!300,300", "120,", ",90"]


def sized(origin: Origin, policy: object) -> Json:
    channels = ["iiif-img", {"channel": "thumbs", "policy": policy}]
    return {**picture(origin, "a"), "deliveryChannels": channels}


def stored(customer: Customer) -> set[str]:
    """What is in the store of the customer, without the customer's place."""
    store = customer.stack.data / "storage"
    place = f"/{customer.id}/1/"
    # Not Path.rglob, which raises when a folder is removed while it looks.
    found = (f"{folder}/{name}" for folder, _, names in os.walk(store) for name in names)
    below = (path.removeprefix(f"{store}/") for path in found)
    return {path.replace(place, " ") for path in below if place in path}


def until_stored(customer: Customer, wanted: set[str]) -> None:
    """Waits until this is all that is there; what was recorded is there at once."""
    assert stored(customer) >= wanted
    until(f"only {wanted} is left", lambda: stored(customer) == wanted)


def test_thumbnails_of_ones_own_sizes(customer: Customer, origin: Origin) -> None:
    batch = customer.submit([sized(origin, SIZES)])
    assert customer.finished(batch)["errors"] == 0
    asset = customer.get("/spaces/1/images/a")
    assert asset["deliveryChannels"][1] == {"channel": "thumbs", "policy": SIZES}
    info = customer.stack.client.get(f"{asset['thumbnailImageService']}/info.json").json()
    # Of 640 x 427 pixels.
    wanted = [(120, 80), (135, 90), (300, 200)]
    assert [(size["width"], size["height"]) for size in info["sizes"]] == wanted
    for width, height in wanted:
        url = f"{asset['thumbnailImageService']}/full/{width},{height}/0/default.jpg"
        assert customer.stack.client.get(url).status_code == 200
    thumbs = {"thumbs a/300.jpg", "thumbs a/120x.jpg", "thumbs a/x90.jpg"}
    assert stored(customer) == {"iiif-img a.tif", *thumbs}


def test_what_a_new_policy_does_not_make_is_removed(customer: Customer, origin: Origin) -> None:
    customer.finished(customer.submit([sized(origin, SIZES)]))
    put = customer.put("/spaces/1/images/a", sized(origin, ["!300,300"]))
    assert put.status_code == 200, put.text
    until_stored(customer, {"iiif-img a.tif", "thumbs a/300.jpg"})
    file = {**picture(origin, "a"), "deliveryChannels": ["file"]}
    assert customer.put("/spaces/1/images/a", file).status_code == 200
    until_stored(customer, {"file a"})
    none = {**picture(origin, "a"), "deliveryChannels": ["none"]}
    assert customer.put("/spaces/1/images/a", none).status_code == 200
    until_stored(customer, set())


def test_all_sizes_go_with_the_asset(customer: Customer, origin: Origin) -> None:
    customer.finished(customer.submit([sized(origin, SIZES)]))
    unrecorded = customer.stack.data / f"storage/thumbs/{customer.id}/1/a/77.jpg"
    unrecorded.write_bytes(b"of a worker killed before it could record it")
    url = customer.url("/spaces/1/images/a")
    assert customer.stack.client.delete(url, auth=customer.auth).status_code == 204
    until("nothing is left", lambda: not stored(customer))


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ([], "must hold 1 to 20 sizes"),
        (["!100,100"] * 2, "must not hold a size twice"),
        (["100"], "must hold sizes such as"),
        (["max"], "must hold sizes such as"),
        (["!0,100"], "must hold sizes such as"),
        (["100,100"], "must hold sizes such as"),
        ([7], "must hold sizes such as"),
        ([f"{side}," for side in range(1, 22)], "must hold 1 to 20 sizes"),
        ("unknown", "must be one of default"),
        (7, "must be one of default"),
    ],
)
def test_what_is_no_policy_is_named(
    customer: Customer, origin: Origin, policy: object, words: str
) -> None:
    response = customer.post("/queue", {"member": [sized(origin, policy)]})
    assert response.status_code == 400
    assert words in response.json()["detail"]


def test_jpeg_2000_kept_as_it_came_has_the_sizes_of_its_thumbnails(
    customer: Customer, origin: Origin
) -> None:
    made = io.BytesIO()
    with Image.open(SAMPLES / "rocket.jpg") as sample:
        sample.save(made, "jpeg2000")
    channels = [{"channel": "iiif-img", "policy": "use-original"}, "thumbs"]
    member = {
        "id": "a",
        "space": 1,
        "origin": origin.file("rocket.jp2", made.getvalue()),
        "mediaType": "image/jp2",
        "deliveryChannels": channels,
    }
    assert customer.finished(customer.submit([member]))["errors"] == 0
    service = customer.get("/spaces/1/images/a")["imageService"]
    client = customer.stack.client
    info = client.get(f"{service}/info.json").json()
    assert (info["id"], info["profile"], info["width"]) == (service, "level0", 640)
    assert len(info["sizes"]) == 4
    for size in info["sizes"]:
        picture = client.get(f"{service}/full/{size['width']},{size['height']}/0/default.jpg")
        assert Image.open(io.BytesIO(picture.content)).size == (size["width"], size["height"])
    assert client.get(f"{service}/0,0,9,9/9,/0/default.jpg").status_code == 400
    assert client.get(f"{service}/full/9,/0/default.jpg").status_code == 404


def test_use_original(customer: Customer, origin: Origin) -> None:
    channels = [{"channel": "iiif-img", "policy": "use-original"}]
    batch = customer.submit([{**picture(origin, "a"), "deliveryChannels": channels}])
    assert customer.finished(batch)["errors"] == 0
    (made,) = customer.get("/spaces/1/images/a/metadata")["derivatives"]
    assert "a pyramid was made" in made["note"]
