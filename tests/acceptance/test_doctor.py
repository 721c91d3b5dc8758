"""`iiifq doctor` finds what was broken by hand, and mends it."""

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.test_first_light import picture
from tests.conftest import Origin
from tests.stack import Stack, iiifq, running_stack, until


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    with running_stack(tmp_path / "data") as running:
        yield running


def test_what_disagrees_is_named_and_mended(own_stack: Stack, origin: Origin) -> None:
    data = ("--data", str(own_stack.data))
    customer = own_stack.customer()
    batch = customer.finished(customer.submit([picture(origin, name) for name in "abc"]))
    healthy = iiifq("doctor", *data)
    assert (healthy.returncode, healthy.stdout) == (0, "0 disagreements\n"), healthy.stderr

    place = f"{customer.id}/1"
    thumbs = own_stack.data / "storage" / "thumbs" / place
    (thumbs / "a" / "100.jpg").unlink()
    for orphan in (thumbs / "gone" / "100.jpg", thumbs / "c" / "99.jpg"):
        orphan.parent.mkdir(exist_ok=True)
        orphan.write_bytes(b"left by a restored backup")
    half, being_written = thumbs / "a" / "200.jpg#1", thumbs / "a" / "400.jpg#1"
    half.touch()
    being_written.touch()
    os.utime(half, (0, 0))
    size = customer.get("/spaces/1/storage")["totalSizeOfStoredImages"]
    with psycopg.connect(own_stack.run["database_url"]) as connection:
        connection.execute("UPDATE batch SET owned = 5 WHERE id = %s", (batch["id"],))
        connection.execute("UPDATE space SET assets = 9, bytes = bytes + 1")
        connection.execute(
            "INSERT INTO claim (customer_id, space_id, asset_id, holder) "
            "VALUES (%s, 1, 'b', 'batch-77')",
            (customer.id,),
        )
    found = iiifq("doctor", *data)
    assert found.returncode == 1
    for words in (
        f"batch {batch['id']}: its counts do not agree",
        f"space {place}: counts 9 assets of {size + 1} bytes, has 3 of {size}",
        f"asset {place}/b: is held by batch-77",
        f"asset {place}/a: not in the store",
        f"in the store, and no asset's: thumbs/{place}/gone/100.jpg",
        f"in the store, and no asset's: thumbs/{place}/c/99.jpg",
        f"in the store, and half-written: {half}",
        "7 disagreements",
    ):
        assert words in found.stdout
    assert iiifq("doctor", "--fix", *data).returncode == 0
    until("all agrees", lambda: iiifq("doctor", *data).returncode == 0)
    assert (thumbs / "a" / "100.jpg").exists()
    assert (thumbs / "c" / "100.jpg").exists()
    assert not half.exists()
    assert being_written.exists()
    assert not (thumbs / "gone" / "100.jpg").exists()
    assert not (thumbs / "c" / "99.jpg").exists()
    assert customer.get("/spaces/1/images")["totalItems"] == 3
