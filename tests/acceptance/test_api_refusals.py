"""api.md, "Submitting: what is refused, all or nothing", row by row, and "Who may call"."""

import json
from typing import Any

import httpx
import pytest

from tests.stack import Customer, Json, Stack

GOOD: Json = {
    "id": "a",
    "space": 1,
    "mediaType": "image/jpeg",
    "origin": "http://example.org/a.jpg",
}


def without(name: str) -> Json:
    return {key: value for key, value in GOOD.items() if key != name}


ALONE = (
    "If one of none, default is a specified channel, then no other delivery channels are allowed"
)
ROWS: list[tuple[str, Any, str]] = [
    ("no member", {}, "Members cannot be empty"),
    ("an empty member", {"member": []}, "Members cannot be empty"),
    (
        "more than the most",
        {"member": [without("id")] * 1001},
        "Maximum assets in single batch is 1000",
    ),
    (
        "the same space and id twice",
        {"member": [GOOD | {"id": "foo", "space": 2}] * 2},
        "Members contains 1 duplicate Id(s): Id:foo,Space:2",
    ),
    ("no space", {"member": [without("space")]}, "Space cannot be empty"),
    (
        "a space that does not exist",
        {"member": [GOOD | {"space": 992}]},
        "The following space(s) could not be found: 992",
    ),
    ("no mediaType", {"member": [without("mediaType")]}, "Media type must be specified"),
    ("no origin", {"member": [without("origin")]}, "Asset origin must be specified"),
    *(
        (f"{name} sent", {"member": [GOOD | {name: 3}]}, f"Should not include {name}")
        for name in ("width", "height", "duration", "batch", "finished", "created")
    ),
    *(
        (
            f"{name} sent",
            {"member": [GOOD | {name: "x"}]},
            f"'{name}' is deprecated. Use 'deliveryChannels' instead.",
        )
        for name in ("imageOptimisationPolicy", "thumbnailPolicy")
    ),
    (
        "no delivery channels",
        {"member": [GOOD | {"deliveryChannels": []}]},
        "'deliveryChannels' cannot be an empty array",
    ),
    (
        "an unknown channel",
        {"member": [GOOD | {"deliveryChannels": ["fax"]}]},
        "DeliveryChannel must be one of iiif-img, thumbs, iiif-av, file, none, default",
    ),
    ("none beside others", {"member": [GOOD | {"deliveryChannels": ["none", "thumbs"]}]}, ALONE),
    (
        "default beside others",
        {"member": [GOOD | {"deliveryChannels": ["file", "default"]}]},
        ALONE,
    ),
    (
        "a channel twice",
        {"member": [GOOD | {"deliveryChannels": ["file", {"channel": "file"}]}]},
        "'deliveryChannels' cannot contain duplicate channels.",
    ),
    (
        "a channel that does not fit",
        {"member": [GOOD | {"deliveryChannels": ["iiif-av"]}]},
        "'iiif-av' is not a valid delivery channel for asset of type 'image/jpeg'",
    ),
    *(
        (f"the id {name!r}", {"member": [GOOD | {"id": name}]}, "cannot be used")
        for name in ("  ", "a b", "a\\b", "a/b", "a..b", "a\nb", "a\u0007b")
    ),
    (
        "a paged collection",
        {"member": [GOOD], "view": {"next": "http://example.org/?page=2"}},
        "paged collection",
    ),
    ("a wrong type", {"member": [GOOD | {"number1": "x"}]}, "'number1' must be a whole number"),
    ("a member that is no asset", {"member": ["a"]}, "member 1: must be an asset"),
    ("a member that is no array", {"member": {"a": 1}}, "'member' must be an array"),
    ("an array", [GOOD], "must be a JSON object"),
]


@pytest.mark.parametrize(("what", "body", "words"), ROWS, ids=[row[0] for row in ROWS])
def test_what_is_refused(customer: Customer, what: str, body: Any, words: str) -> None:
    response = customer.post("/queue", body, {"Idempotency-Key": "k"})
    assert response.status_code == 400
    said = response.json()
    assert words in said["detail"]
    assert said["description"] == said["detail"]
    assert (said["status"], said["statusCode"], said["@type"]) == (400, 400, "Error")
    assert said["instance"] == f"/customers/{customer.id}/queue"
    assert customer.get("/queue/batches")["totalItems"] == 0
    assert customer.get("/allImages")["totalItems"] == 0
    # A refused body does not use up its key.
    assert customer.post("/queue", {"member": [GOOD]}, {"Idempotency-Key": "k"}).status_code == 201


def test_every_fault_of_every_member_is_named(customer: Customer) -> None:
    body = {"member": [without("origin"), GOOD | {"id": "b", "width": 1, "tags": "x"}]}
    detail = customer.post("/queue", body).json()["detail"]
    assert "member 1: Asset origin must be specified" in detail
    assert "member 2: Should not include width" in detail
    assert "member 2: 'tags' must be an array of texts" in detail


def test_what_only_the_platform_sets_is_ignored(customer: Customer) -> None:
    sent = GOOD | {"family": "T", "ingesting": False, "error": "x", "nosuch": {"a": 1}}
    assert customer.post("/queue", {"member": [sent]}).status_code == 201
    shown = customer.get("/spaces/1/images/a")
    assert shown["family"] == "I"
    assert "nosuch" not in shown


def test_an_absent_or_empty_id_is_minted(customer: Customer) -> None:
    batch = customer.submit([without("id"), GOOD | {"id": ""}])
    ids = [asset["id"] for asset in customer.get(batch["images"])["member"]]
    assert len(set(ids)) == 2
    assert all(len(name) == 36 for name in ids)


def test_delivery_channels_left_out_follow_the_media_type(customer: Customer) -> None:
    expected = {
        "image/png": ["iiif-img", "thumbs"],
        "audio/mpeg": ["iiif-av"],
        "video/mp4": ["iiif-av"],
        "application/pdf": ["file"],
    }
    members = [
        GOOD | {"id": media_type.replace("/", "-"), "mediaType": media_type}
        for media_type in expected
    ]
    batch = customer.submit(members)
    for shown in customer.get(batch["images"])["member"]:
        channels = [channel["channel"] for channel in shown["deliveryChannels"]]
        assert channels == expected[shown["mediaType"]]


@pytest.mark.parametrize("media_type", ["audio/mpeg", "video/mp4", "application/pdf"])
def test_the_priority_queue_takes_images_alone(customer: Customer, media_type: str) -> None:
    body = {"member": [GOOD | {"mediaType": media_type}]}
    response = customer.post("/queue/priority", body)
    assert response.status_code == 400
    assert "Priority queue only supports image assets" in response.json()["detail"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"member": NaN}', b"[" * 100_000])
def test_what_is_not_json(customer: Customer, content: bytes) -> None:
    response = customer.stack.client.post(
        customer.url("/queue"), content=content, auth=customer.auth
    )
    assert response.status_code == 400
    assert "The body is not JSON" in response.json()["detail"]


def test_a_body_that_is_too_large(customer: Customer) -> None:
    content = json.dumps({"member": [GOOD | {"string1": "x" * 17_000_000}]}).encode()
    for headers in ({}, {"Transfer-Encoding": "chunked"}):
        response = customer.stack.client.post(
            customer.url("/queue"),
            content=iter([content]) if headers else content,
            auth=customer.auth,
        )
        assert response.status_code == 413


def test_refusals_come_in_order(stack: Stack, customer: Customer) -> None:
    def status(method: str, path: str, auth: Any) -> int:
        url = f"{stack.run['api_url']}{path}"
        return stack.client.request(method, url, auth=auth, content=b"{").status_code

    mine, nobody = f"/customers/{customer.id}", ("nobody", "x")
    assert status("GET", "/nosuch", nobody) == 404
    assert status("DELETE", f"{mine}/queue", nobody) == 405
    assert status("POST", f"{mine}/queue", nobody) == 401
    assert status("POST", "/customers/999999/queue/batches/1/retry", customer.auth) == 403
    assert status("POST", "/customers/x/queue", customer.auth) == 403
    assert status("POST", f"{mine}/queue/batches/999999/retry", customer.auth) == 404
    assert status("PUT", f"{mine}/spaces/9/images/a", customer.auth) == 404
    assert status("POST", f"{mine}/queue", customer.auth) == 400


def test_no_answer_shows_how_it_was_made(stack: Stack, customer: Customer) -> None:
    for path in ("/queue/batches/x", "/queue/batches/99999999999999999999", "/spaces/-1"):
        response = stack.client.get(customer.url(path), auth=customer.auth)
        assert response.status_code == 404
        assert "Traceback" not in response.text


def test_the_health_and_documentation_need_no_credentials(stack: Stack) -> None:
    base = stack.run["api_url"]
    for path in ("/", "/queue", "/health/live", "/health/ready", "/docs", "/openapi.json"):
        assert httpx.get(f"{base}{path}").status_code == 200
