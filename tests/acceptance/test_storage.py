"""`…/storage` of a customer and their spaces, and the quota that bounds it."""

from tests.acceptance.test_first_light import picture
from tests.conftest import Origin
from tests.stack import Customer, iiifq


def quota(customer: Customer, *words: str) -> str:
    """`iiifq customer quota`; what it prints."""
    command = ("customer", "quota", str(customer.id), "--data", str(customer.stack.data), *words)
    ran = iiifq(*command)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_bytes_are_those_of_the_assets(customer: Customer, origin: Origin) -> None:
    assert customer.put("/spaces/2", {"name": "two"}).status_code == 201
    members = [picture(origin, "a"), picture(origin, "b"), {**picture(origin, "c"), "space": 2}]
    customer.finished(customer.submit(members))
    of_assets = {
        name: customer.get(f"/spaces/{space}/images/{name}/storage")["size"]
        for space, name in ((1, "a"), (1, "b"), (2, "c"))
    }
    one = customer.get(customer.get("/spaces/1")["storage"])
    assert one["numberOfStoredImages"] == 2
    assert one["totalSizeOfStoredImages"] == of_assets["a"] + of_assets["b"] > 0
    whole = customer.get(customer.get("")["storage"])
    assert whole["numberOfStoredImages"] == 3
    assert whole["totalSizeOfStoredImages"] == sum(of_assets.values())
    assert "maximumTotalSizeOfStoredImages" not in whole

    # Made anew, less is kept; deleted, nothing.
    assert customer.put("/spaces/1/images/a", picture(origin, "a")).status_code == 200
    assert customer.get("/spaces/1/storage") == one
    registered = {**picture(origin, "a"), "deliveryChannels": ["none"]}
    assert customer.put("/spaces/1/images/a", registered).status_code == 200
    assert customer.get("/spaces/1/storage")["totalSizeOfStoredImages"] == of_assets["b"]
    url = customer.url("/spaces/1/images/b")
    assert customer.stack.client.delete(url, auth=customer.auth).status_code == 204
    left = customer.get("/spaces/1/storage")
    assert (left["numberOfStoredImages"], left["totalSizeOfStoredImages"]) == (1, 0)


def test_more_assets_than_the_quota_are_refused_whole(customer: Customer, origin: Origin) -> None:
    assert "2 assets" in quota(customer, "--assets", "2")
    refused = customer.post("/queue", {"member": [picture(origin, name) for name in "abc"]})
    assert refused.status_code == 507
    assert "The quota is 2 assets, and these would make it 3" in refused.json()["detail"]
    assert customer.get("/queue/batches")["totalItems"] == 0
    members = [picture(origin, name) for name in "ab"]
    customer.finished(customer.submit(members))
    customer.finished(customer.submit(members))  # the same assets: no more than before
    assert customer.put("/spaces/1/images/c", picture(origin, "c")).status_code == 507
    assert customer.get("/storage")["numberOfStoredImages"] == 2
    assert "any number of assets" in quota(customer)
    assert customer.put("/spaces/1/images/c", picture(origin, "c")).status_code == 201


def test_bytes_beyond_the_quota_are_the_assets_error(customer: Customer, origin: Origin) -> None:
    assert customer.put("/spaces/1/images/a", picture(origin, "a")).status_code == 201
    size = customer.get("/storage")["totalSizeOfStoredImages"]
    quota(customer, "--bytes", str(size + 1))
    batch = customer.finished(customer.submit([picture(origin, "b")]))
    assert (batch["completed"], batch["errors"]) == (1, 1)
    error = customer.get("/spaces/1/images/b")["error"]
    assert "storage quota leaves 1 bytes" in error
    assert customer.get("/storage")["totalSizeOfStoredImages"] == size
    assert not (customer.stack.data / f"storage/iiif-img/{customer.id}/1/b.tif").exists()
    # Its own bytes are no hindrance to one that is made anew.
    assert customer.put("/spaces/1/images/a", picture(origin, "a")).status_code == 200
    assert "error" not in customer.get("/spaces/1/images/a")

    quota(customer, "--bytes", str(size))
    refused = customer.post("/queue", {"member": [picture(origin, "c")]})
    assert refused.status_code == 507
    assert f"The quota of {size} bytes is used up" in refused.json()["detail"]

    quota(customer, "--bytes", str(3 * size))
    assert customer.post(f"/queue/batches/{batch['id']}/retry", {}).status_code < 300
    again = customer.finished(batch)
    assert again["errors"] == 0
    assert customer.get("/storage")["totalSizeOfStoredImages"] == 2 * size


def test_a_quota_of_nobody(customer: Customer) -> None:
    ran = iiifq("customer", "quota", "899999", "--data", str(customer.stack.data))
    assert ran.returncode == 1
    assert "no customer 899999" in ran.stderr
