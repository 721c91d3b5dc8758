"""api.md, "Batch" and "Queue", sentence by sentence."""

import httpx

from tests.acceptance.test_first_light import picture
from tests.conftest import Origin
from tests.stack import Customer, until


def test_retry_takes_up_what_failed(customer: Customer, origin: Origin) -> None:
    url = f"{origin.url}/late-{customer.id}.jpg"
    members = [{**picture(origin, name), "origin": url} for name in ("a", "b")]
    batch = customer.finished(customer.submit([*members, picture(origin, "good")]))
    assert (batch["completed"], batch["errors"]) == (3, 2)

    stranger = customer.post(batch["retry"], {"member": [{"id": "good", "space": 1}]})
    assert stranger.status_code == 400
    assert "1/good" in stranger.json()["detail"]

    origin.file(f"late-{customer.id}.jpg", (origin.folder / "rocket.jpg").read_bytes())
    one = customer.post(batch["retry"], {"member": [{"id": "a", "space": 1}]})
    assert one.status_code == 202
    said = one.json()
    assert (said["completed"], said["errors"]) == (2, 1)
    assert "finished" not in said
    assert (customer.finished(batch)["completed"], customer.finished(batch)["errors"]) == (3, 1)

    rest = httpx.post(customer.url(batch["retry"]), auth=customer.auth)
    assert rest.status_code == 202
    finished = customer.finished(batch)
    assert (finished["completed"], finished["errors"]) == (3, 0)
    assert "error" not in customer.get("/spaces/1/images/a")
    nothing = httpx.post(customer.url(batch["retry"]), auth=customer.auth)
    assert nothing.status_code == 409


def test_cancel_ends_what_has_not_started(customer: Customer, origin: Origin) -> None:
    members = [
        {**picture(origin, f"p{n}"), "origin": origin.picture("retina.jpg")} for n in range(100)
    ]
    batch = customer.submit(members)
    cancelled = httpx.delete(customer.url(batch["@id"]), auth=customer.auth)
    assert cancelled.status_code == 202
    finished = customer.finished(batch)
    assert finished["completed"] == 100
    assert finished["errors"] > 50
    failed = customer.get(f"{batch['errorImages']}?pageSize=500")
    assert {asset["error"] for asset in failed["member"]} == {"Cancelled"}
    assert failed["totalItems"] == finished["errors"]
    assert batch["id"] in [b["id"] for b in customer.get("/queue/recent")["member"]]
    again = httpx.delete(customer.url(batch["@id"]), auth=customer.auth)
    assert again.status_code == 409
    assert httpx.post(customer.url(batch["retry"]), auth=customer.auth).status_code == 202
    assert customer.finished(batch)["errors"] == 0


def test_test_finds_nothing_to_correct(customer: Customer, origin: Origin) -> None:
    batch = customer.finished(customer.submit([picture(origin, "a")]))
    response = customer.post(batch["test"], {})
    assert (response.status_code, response.json()) == (200, {"success": False})
    assert customer.get(batch["@id"]) == batch


def test_a_batch_of_another_customer_is_not_there(customer: Customer, origin: Origin) -> None:
    batch = customer.submit([picture(origin, "a")])
    other = customer.stack.customer("other")
    for method, below in (("GET", ""), ("GET", "/images"), ("POST", "/retry"), ("DELETE", "")):
        url = other.url(f"/queue/batches/{batch['id']}{below}")
        assert httpx.request(method, url, auth=other.auth).status_code == 404


def test_the_merged_view_has_what_waits_front_first(customer: Customer, origin: Origin) -> None:
    members = [
        {**picture(origin, f"p{n:03}"), "origin": origin.picture("retina.jpg")} for n in range(120)
    ]
    customer.submit(members[:60])
    last = customer.submit(members[60:])
    page = customer.get("/queue/images?pageSize=10")
    assert [a["id"] for a in page["member"]] == sorted(a["id"] for a in page["member"])
    until("both have finished", lambda: customer.get("/queue")["size"] == 0)
    assert customer.get("/queue/images")["totalItems"] == 0
    assert customer.finished(last)["completed"] == 60
