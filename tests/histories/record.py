"""Records the histories that `test_replay.py` replays: `python -m tests.histories.record`.

To be run when a workflow has been changed on purpose and no batch of before runs any more; what
was recorded before stays while such batches may.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from temporalio.client import Client

from tests.bad_origin import bad_origin
from tests.conftest import SAMPLES
from tests.stack import Customer, Json, Stack, running_stack, until

FOLDER = Path(__file__).parent


def _members(names: str, origin: str) -> list[Json]:
    return [
        {
            "id": name,
            "space": 1,
            "origin": f"{origin}/{name}.jpg",
            "mediaType": "image/jpeg",
            "deliveryChannels": ["thumbs"],
        }
        for name in names
    ]


async def _save(stack: Stack, workflow_id: str, name: str) -> None:
    client = await Client.connect(
        stack.run["temporal_address"], namespace=stack.run["temporal_namespace"]
    )
    history = await client.get_workflow_handle(workflow_id).fetch_history()
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps(history.to_json_dict(), separators=(",", ":")), encoding="utf-8")
    print(f"{path}: {len(history.events)} events")


def main() -> None:
    """Runs batches that take every way through the workflows, and keeps their histories."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "origin"
        folder.mkdir()
        picture = (SAMPLES / "rocket.jpg").read_bytes()
        for name in "abcd":
            (folder / f"{name}.jpg").write_bytes(picture)
        with running_stack(
            Path(temporary) / "data",
            IIIFQ_ORIGIN_FILE_ROOTS=str(folder),
            IIIFQ_RETRY_WINDOW_S="3600",
            IIIFQ_WINDOW="3",
        ) as stack:
            customer = stack.customer()
            origin = folder.as_uri()
            _plain(customer, origin)
            _retried(customer, origin, folder, picture)
            _steered(customer, origin)
            _deferred(customer)


def _plain(customer: Customer, origin: str) -> None:
    batch = customer.finished(customer.submit(_members("abcd", origin)))
    asyncio.run(_save(customer.stack, f"batch-{batch['id']}", "plain"))
    customer.put("/spaces/1/images/a", _members("a", origin)[0])
    asyncio.run(_save(customer.stack, "asset-1", "asset"))


def _retried(customer: Customer, origin: str, folder: Path, picture: bytes) -> None:
    batch = customer.finished(customer.submit(_members("axy", origin)))
    (folder / "x.jpg").write_bytes(picture)
    customer.post(batch["retry"], {"member": [{"id": "x", "space": 1}]})
    until("x was retried", lambda: customer.get(batch["@id"])["errors"] == 1)
    asyncio.run(_signal(customer.stack, batch, "retry_failed"))
    until("y was tried", lambda: "finished" in customer.get(batch["@id"]))
    asyncio.run(_save(customer.stack, f"batch-{batch['id']}", "retried"))


def _steered(customer: Customer, origin: str) -> None:
    batch = customer.submit(_members("abcd", origin))
    asyncio.run(_signal(customer.stack, batch, "pause"))
    asyncio.run(_signal(customer.stack, batch, "resume"))
    asyncio.run(_signal(customer.stack, batch, "cancel"))
    customer.finished(batch)
    asyncio.run(_save(customer.stack, f"batch-{batch['id']}", "steered"))


def _deferred(customer: Customer) -> None:
    """A host closes, is probed in vain, opens; and the batch is paused meanwhile."""
    with bad_origin() as bad:
        bad.retry_after_s = 2
        batch = customer.submit(bad.members("closed", 6))
        progress = f"{batch['@id']}/progress"
        until("it is closed", lambda: customer.get(progress)["closedHosts"])
        asked = bad.asked["closed"]
        until("it was probed", lambda: bad.asked["closed"] > asked)
        asyncio.run(_signal(customer.stack, batch, "pause"))
        until("it is paused", lambda: customer.get(progress)["state"] == "paused")
        bad.is_closed = False
        asyncio.run(_signal(customer.stack, batch, "resume"))
        customer.finished(batch)
    asyncio.run(_save(customer.stack, f"batch-{batch['id']}", "deferred"))


async def _signal(stack: Stack, batch: Json, name: str) -> None:
    client = await Client.connect(
        stack.run["temporal_address"], namespace=stack.run["temporal_namespace"]
    )
    await client.get_workflow_handle(f"batch-{batch['id']}").signal(name)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
