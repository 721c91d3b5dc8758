"""What a backlog does to others: a priority asset, and another customer's ten on main."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench.figure import Figure
from bench.scans import origin, scans
from tests.stack import Customer, Json, running_stack, until

ROUNDS = 15
PAUSE_S = 0.5


def _members(urls: list[str], count: int, mark: str) -> list[Json]:
    return [
        {
            "id": f"{mark}-{number}",
            "space": 1,
            "origin": urls[number % len(urls)],
            "mediaType": "image/jpeg",
        }
        for number in range(count)
    ]


def _seconds(customer: Customer, members: list[Json], path: str) -> float:
    started = time.perf_counter()
    batch = customer.submit(members, path)
    while "finished" not in customer.get(batch["@id"]):
        time.sleep(0.01)
    return time.perf_counter() - started


def _median(customer: Customer, urls: list[str], count: int, path: str, mark: str) -> float:
    spent = []
    for number in range(ROUNDS):
        spent.append(_seconds(customer, _members(urls, count, f"{mark}-{number}"), path))
        time.sleep(PAUSE_S)
    return median(spent)


@contextmanager
def _busy(customer: Customer, urls: list[str], backlog: int) -> Iterator[None]:
    """The customer has so many assets on main, and they are being worked on."""
    batch = customer.submit(_members(urls, backlog, "backlog"))
    until("work on the backlog has begun", lambda: customer.get(batch["@id"])["completed"] > 4)
    yield
    left = customer.get("/queue")["size"]
    if left < backlog / 2:
        raise RuntimeError(f"only {left} of the backlog were left")
    customer.stack.client.delete(customer.url(batch["@id"]), auth=customer.auth)


def run(backlog: int) -> list[Figure]:
    """A priority asset, and ten of another customer on main: behind a backlog against alone."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "origin").mkdir()
        names = scans(folder / "origin")
        with (
            origin(folder / "origin") as url,
            running_stack(
                folder / "data",
                IIIFQ_RECONCILE_S="30",
                IIIFQ_MAX_BATCH_SIZE=str(backlog),
            ) as stack,
        ):
            urls = [f"{url}/{name}" for name in names]
            busy, other = stack.customer("busy"), stack.customer("other")
            _median(other, urls, 1, "/queue/priority", "warm")
            _median(other, urls, 2, "/queue", "warm-main")
            ways = {"/queue/priority": 1, "/queue": 10}
            alone = {path: _median(other, urls, n, path, "alone") for path, n in ways.items()}
            with _busy(busy, urls, backlog):
                behind = {path: _median(other, urls, n, path, "behind") for path, n in ways.items()}
    priority, main = ways
    return [
        Figure(
            f"a priority asset behind {backlog:,} on main, against alone",
            behind[priority],
            alone[priority],
            "s",
            1.5,
            "at most",
        ),
        Figure(
            f"10 assets behind another customer's {backlog:,}, against alone",
            behind[main],
            alone[main],
            "s",
            3,
            "at most",
        ),
    ]
