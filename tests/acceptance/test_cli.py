"""The `iiifq` command as a person uses it."""

import json
from pathlib import Path

from tests.acceptance.test_first_light import picture
from tests.conftest import Origin
from tests.stack import Customer, Stack, iiifq


def said(customer: Customer, *words: str) -> tuple[int, str, str]:
    done = iiifq(
        *words,
        "--data",
        str(customer.stack.data),
        env={"IIIFQ_CREDENTIALS": ":".join(customer.auth)},
    )
    return done.returncode, done.stdout, done.stderr


def test_submit_watch_retry_queue(customer: Customer, origin: Origin, tmp_path: Path) -> None:
    sheet = tmp_path / "pages.csv"
    url = f"{origin.url}/cli-{customer.id}.jpg"
    sheet.write_text(
        "id,origin,mediaType,string1,number1,tags\n"
        f"p1,{origin.picture()},image/jpeg,first,1,a;b\n"
        f"p2,{url},image/jpeg,,2,\n"
    )
    code, out, _ = said(customer, "submit", str(sheet), "--space", "1", "--watch")
    assert code == 1
    assert "2 completed, 1 errors" in out
    assert "1/p2: The origin 127.0.0.1 answered 404 Not Found" in out
    first = customer.get("/spaces/1/images/p1")
    assert (first["string1"], first["number1"], first["tags"]) == ("first", 1, ["a", "b"])

    batch = customer.get("/queue/batches")["member"][0]["id"]
    origin.file(f"cli-{customer.id}.jpg", (origin.folder / "rocket.jpg").read_bytes())
    assert said(customer, "retry", str(batch), "1/p1")[0] == 1
    assert said(customer, "retry", str(batch), "1/p2")[:2] == (
        0,
        f"batch {batch}: 1 assets to do\n",
    )
    assert said(customer, "watch", str(batch))[0] == 0
    assert "0 assets in the queue" in said(customer, "queue")[1]

    collection = tmp_path / "pages.json"
    collection.write_text(json.dumps({"member": [picture(origin, "p3")]}))
    code, _, _ = said(customer, "submit", str(collection), "--space", "1", "--priority", "--watch")
    assert code == 0


def test_what_is_wrong_is_said_in_a_line(customer: Customer, tmp_path: Path) -> None:
    missing = said(customer, "submit", str(tmp_path / "no.csv"), "--space", "1")
    assert missing[0] == 1
    assert "no.csv cannot be read" in missing[2]
    assert "404" in said(customer, "watch", "999999")[2]
    nowhere = iiifq("queue", "--data", str(tmp_path))
    assert nowhere.returncode == 1
    assert "no `iiifq up` runs in" in nowhere.stderr
    assert nowhere.stderr.count("\n") == 1


def test_customers_and_keys(stack: Stack, customer: Customer) -> None:
    data = ("--data", str(stack.data))
    taken = iiifq("customer", "create", "again", "--id", str(customer.id), *data)
    assert (taken.returncode, taken.stderr) == (1, f"customer {customer.id} exists already\n")
    assert f"{customer.id}\ttest\n" in iiifq("customer", "list", *data).stdout

    added = iiifq("customer", "key", "add", str(customer.id), *data).stdout.split()
    rotated = Customer(stack, customer.id, (added[1], added[3]))
    assert rotated.get("/queue")["size"] == 0
    old = customer.auth[0]
    assert iiifq("customer", "key", "revoke", str(customer.id), old, *data).returncode == 0
    refused = stack.client.get(customer.url("/queue"), auth=customer.auth)
    assert refused.status_code == 401
    assert rotated.get("/queue")["size"] == 0
    keys = iiifq("customer", "key", "list", str(customer.id), *data).stdout.split()
    assert keys == [added[1]]
    own = iiifq("customer", "create", "own", "--key", "mine", "--secret", "s3cret", *data)
    assert own.returncode == 0
    assert "s3cret" in own.stdout
