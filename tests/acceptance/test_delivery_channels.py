"""Delivery channel policies and defaults over HTTP, and what assets become by them."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.test_first_light import picture
from tests.conftest import Origin
from tests.sound_and_film import made_by
from tests.stack import Customer, Json

SIZES = ["!300,300", "120,"]
POLICIES = "/deliveryChannelPolicies"
DEFAULTS = "/defaultDeliveryChannels"


def sent(customer: Customer, method: str, path: str, body: Any = None) -> httpx.Response:
    return customer.stack.client.request(method, customer.url(path), json=body, auth=customer.auth)


def large(customer: Customer, data: object = None) -> Json:
    """The policy `large` of thumbnails, new."""
    made = customer.post(f"{POLICIES}/thumbs", {"name": "large", "policyData": data or SIZES})
    assert made.status_code == 201, made.text
    said: Json = made.json()
    assert made.headers["Location"] == said["@id"]
    return said


def made(customer: Customer, asset: str) -> list[tuple[str, int | None]]:
    """Channel and width of each derivative."""
    found = customer.get(f"/spaces/1/images/{asset}/metadata")["derivatives"]
    return [(each["channel"], each.get("width")) for each in found]


def channels(customer: Customer, asset: str) -> list[tuple[str, object]]:
    found = customer.get(f"/spaces/1/images/{asset}")["deliveryChannels"]
    return [(each["channel"], each["policy"]) for each in found]


def test_the_platforms_policies(customer: Customer) -> None:
    listed = customer.get(POLICIES)
    assert listed["@id"] == customer.get("")["deliveryChannelPolicies"]
    names = {
        each["@id"].rpartition("/")[2]: [
            policy["name"] for policy in customer.get(each["@id"])["member"]
        ]
        for each in listed["member"]
    }
    assert names == {
        "iiif-img": ["default", "use-original"],
        "thumbs": ["default"],
        "iiif-av": ["default-audio", "default-video"],
        "file": ["none"],
    }
    policy = customer.get(f"{POLICIES}/thumbs/default")
    assert json.loads(policy["policyData"]) == ["!1024,1024", "!400,400", "!200,200", "!100,100"]
    assert policy["@type"] == "vocab:DeliveryChannelPolicy"
    for method in ("PUT", "PATCH", "DELETE"):
        body = None if method == "DELETE" else {"policyData": SIZES}
        refused = sent(customer, method, f"{POLICIES}/thumbs/default", body)
        assert refused.status_code == 409
        assert "cannot be changed" in refused.json()["detail"]
    for channel in ("iiif-img", "file"):
        assert customer.post(f"{POLICIES}/{channel}", {"name": "own"}).status_code == 409
    for path in ("/none", "/thumbs/other", "/none/other"):
        assert sent(customer, "GET", POLICIES + path).status_code == 404


def test_a_policy_of_ones_own(customer: Customer, origin: Origin) -> None:
    policy = large(customer, json.dumps(SIZES))
    assert json.loads(policy["policyData"]) == SIZES
    assert policy["policyCreated"] == policy["policyModified"]
    assert customer.get(policy["@id"]) == policy
    assert customer.get(f"{POLICIES}/thumbs")["totalItems"] == 2
    assert (
        customer.post(f"{POLICIES}/thumbs", {"name": "large", "policyData": SIZES}).status_code
        == 409
    )

    by_name = {
        **picture(origin, "a"),
        "deliveryChannels": [{"channel": "thumbs", "policy": "large"}],
    }
    by_url = {
        **picture(origin, "b"),
        "deliveryChannels": ["iiif-img", {"channel": "thumbs", "policy": policy["@id"]}],
    }
    assert customer.finished(customer.submit([by_name, by_url]))["errors"] == 0
    assert made(customer, "a") == [("thumbs", 300), ("thumbs", 120)]
    assert channels(customer, "b") == [("iiif-img", "default"), ("thumbs", "large")]

    changed = sent(customer, "PATCH", policy["@id"], {"displayName": "Larger"}).json()
    assert (changed["displayName"], changed["policyData"]) == ("Larger", policy["policyData"])
    replaced = sent(customer, "PUT", policy["@id"], {"policyData": ["!200,200"]})
    assert replaced.status_code == 200
    assert "displayName" not in replaced.json()
    assert made(customer, "a") == [("thumbs", 300), ("thumbs", 120)], "until it is processed again"
    assert sent(customer, "POST", "/spaces/1/images/a/reingest").status_code == 200
    assert made(customer, "a") == [("thumbs", 200)]


def test_a_policy_of_ones_own_for_film(customer: Customer, origin: Origin, tmp_path: Path) -> None:
    film = made_by("film.mp4", ("-f", "lavfi", "-i", "testsrc=size=960x720:d=1:r=5"), tmp_path)
    policy = {"name": "small", "policyData": ["video-mp4-480p"]}
    assert customer.post(f"{POLICIES}/iiif-av", policy).status_code == 201
    default = {"mediaType": "video/mp4", "channel": "iiif-av", "policy": "small"}
    assert customer.post(DEFAULTS, default).status_code == 201
    url = origin.file("own-policy.mp4", film.read_bytes())
    members = [
        {"id": each, "space": 1, "mediaType": "video/mp4", "origin": url, **more}
        for each, more in (("a", {}), ("b", {"deliveryChannels": ["iiif-av"]}))
    ]
    assert customer.finished(customer.submit(members))["errors"] == 0
    for each in ("a", "b"):
        assert made(customer, each) == [("iiif-av", 640)]
        assert channels(customer, each) == [("iiif-av", "small")]
        assert customer.get(f"/spaces/1/images/{each}")["height"] == 480


def test_a_policy_in_use_is_not_deleted(customer: Customer, origin: Origin) -> None:
    policy = large(customer)
    default = customer.post(
        DEFAULTS, {"mediaType": "image/png", "channel": "thumbs", "policy": "large"}
    )
    assert default.json()["policy"] == policy["@id"]
    member = {
        **picture(origin, "a"),
        "deliveryChannels": [{"channel": "thumbs", "policy": "large"}],
    }
    customer.finished(customer.submit([member]))
    assert "in use" in sent(customer, "DELETE", policy["@id"]).json()["detail"]
    assert sent(customer, "DELETE", default.json()["@id"]).status_code == 204
    assert sent(customer, "DELETE", policy["@id"]).status_code == 409
    assert customer.put("/spaces/1/images/a", picture(origin, "a")).status_code == 200
    assert sent(customer, "DELETE", policy["@id"]).status_code == 204
    assert sent(customer, "DELETE", policy["@id"]).status_code == 404
    refused = customer.post("/queue", {"member": [member]})
    assert "must be one of default" in refused.json()["detail"]


def test_policies_and_defaults_are_a_customers_own(customer: Customer, origin: Origin) -> None:
    policy = large(customer)
    default = customer.post(DEFAULTS, {"mediaType": "text/plain", "channel": "file"}).json()
    other = customer.stack.customer()
    for path in (f"{POLICIES}/thumbs/large", f"{DEFAULTS}/{default['id']}"):
        assert sent(other, "GET", path).status_code == 404
    member = {
        **picture(origin, "a"),
        "deliveryChannels": [{"channel": "thumbs", "policy": policy["@id"]}],
    }
    assert other.post("/queue", {"member": [member]}).status_code == 400
    url = customer.url(f"{POLICIES}/thumbs")
    assert customer.stack.client.get(url, auth=other.auth).status_code == 403


@pytest.mark.parametrize(
    ("channel", "body", "words"),
    [
        ("thumbs", {"policyData": SIZES}, "'name' must be 1 to 100 lower-case letters"),
        ("thumbs", {"name": "A b", "policyData": SIZES}, "'name' must be 1 to 100"),
        ("thumbs", {"name": "default", "policyData": SIZES}, "one of the platform's"),
        ("thumbs", {"name": "x"}, "'policyData' must be an array"),
        ("thumbs", {"name": "x", "policyData": "max"}, "'policyData' must be an array"),
        ("thumbs", {"name": "x", "policyData": "[" * 100_000}, "'policyData' must be an array"),
        ("thumbs", {"name": "x", "policyData": ["max"]}, "must hold sizes such as"),
        ("iiif-av", {"name": "x", "policyData": ["video-mp4", "video-mp4-480p"]}, "must hold one"),
        ("iiif-av", {"name": "x", "policyData": [{}]}, "must hold one of audio-mp3-64k"),
        ("thumbs", {"name": "x", "policyData": SIZES, "displayName": 7}, "'displayName' must be"),
    ],
)
def test_what_is_no_policy_is_named(
    customer: Customer, channel: str, body: Json, words: str
) -> None:
    refused = customer.post(f"{POLICIES}/{channel}", body)
    assert refused.status_code == 400
    assert words in refused.json()["detail"]


def test_defaults_of_a_customer_and_of_a_space(customer: Customer, origin: Origin) -> None:
    large(customer)
    assert [
        (each["mediaType"], each["channel"], each["policy"])
        for each in customer.get(DEFAULTS)["member"]
    ] == [
        ("image/*", "iiif-img", "default"),
        ("image/*", "thumbs", "default"),
        ("audio/*", "iiif-av", "default-audio"),
        ("video/*", "iiif-av", "default-video"),
    ]
    customer.put("/spaces/2", {"name": "two"})
    of_space = customer.get("/spaces/2")["defaultDeliveryChannels"]
    for path, media_type, channel, policy in (
        (DEFAULTS, "image/jpeg", "thumbs", "large"),
        (DEFAULTS, "*/*", "file", None),
        (of_space, "image/*", "iiif-img", "use-original"),
    ):
        body = {"mediaType": media_type, "channel": channel, "policy": policy}
        assert customer.post(path, body).status_code == 201
        assert customer.post(path, body).status_code == 409
    members = [
        picture(origin, "jpeg"),
        {**picture(origin, "png"), "mediaType": "image/png; q=1"},
        {**picture(origin, "text"), "mediaType": "Text/Plain"},
        {**picture(origin, "elsewhere"), "space": 2},
        {**picture(origin, "named"), "deliveryChannels": ["thumbs"]},
        {**picture(origin, "asked"), "deliveryChannels": ["default"]},
    ]
    batch = customer.submit(members)
    assert channels(customer, "jpeg") == [
        *(("iiif-img", "default"), ("thumbs", "large"), ("file", "none")),
    ]
    assert channels(customer, "png")[1] == ("thumbs", "default")
    assert channels(customer, "text") == [("file", "none")]
    elsewhere = customer.get("/spaces/2/images/elsewhere")["deliveryChannels"]
    assert [each["policy"] for each in elsewhere] == ["use-original", "large", "none"]
    assert channels(customer, "named") == [("thumbs", "large")]
    assert channels(customer, "asked") == channels(customer, "jpeg")
    assert customer.finished(batch)["errors"] == 0

    # What an asset has stays, unless it had what the defaults gave and is of another type now.
    changed = sent(customer, "PATCH", "/spaces/1/images/jpeg", {"mediaType": "image/png"})
    assert changed.status_code == 200
    assert channels(customer, "jpeg")[1] == ("thumbs", "default")
    sent(customer, "PATCH", "/spaces/1/images/named", {"mediaType": "image/png"})
    assert channels(customer, "named") == [("thumbs", "large")]

    for each in customer.get(DEFAULTS)["member"]:
        assert sent(customer, "DELETE", each["@id"]).status_code == 204
    assert customer.put("/spaces/1/images/png", members[1]).status_code == 200
    assert channels(customer, "png") == [("file", "none")], "what no default matches"


def test_a_default_is_changed(customer: Customer) -> None:
    first, second = customer.get(DEFAULTS)["member"][:2]
    body = {"mediaType": "image/tiff", "channel": "iiif-img", "policy": "use-original"}
    changed = sent(customer, "PUT", first["@id"], body)
    assert changed.status_code == 200
    assert changed.json() == {**customer.get(first["@id"])}
    assert changed.json()["policy"] == "use-original"
    taken = {key: second[key] for key in ("mediaType", "channel", "policy")}
    assert sent(customer, "PUT", first["@id"], taken).status_code == 409
    assert sent(customer, "PUT", second["@id"], taken).status_code == 200, "as it is"
    assert sent(customer, "GET", f"/spaces/1{DEFAULTS}/{first['id']}").status_code == 404
    assert sent(customer, "GET", f"/spaces/9{DEFAULTS}").status_code == 404


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "'mediaType' must be a media type such as image/tiff, image/* or */*; 'channel' must"),
        ({"mediaType": "*/jpeg", "channel": "file"}, "'mediaType' must be"),
        ({"mediaType": "image/jp*", "channel": "file"}, "'mediaType' must be"),
        ({"mediaType": "image/*", "channel": "none"}, "'channel' must be one of iiif-img"),
        ({"mediaType": "*/*", "channel": "thumbs"}, "'thumbs' is not a valid delivery channel"),
        ({"mediaType": "video/*", "channel": "iiif-img"}, "is not a valid delivery channel"),
        ({"mediaType": "image/*", "channel": "thumbs", "policy": "no"}, "must be one of default"),
        ({"mediaType": "image/*", "channel": "thumbs", "policy": SIZES}, "must be one of default"),
    ],
)
def test_what_is_no_default_is_named(customer: Customer, body: Json, words: str) -> None:
    refused = customer.post(DEFAULTS, body)
    assert refused.status_code == 400
    assert words in refused.json()["detail"]
