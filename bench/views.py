"""GETs of a customer with 1,000,000 assets in 10,000 batches, against one with 1,000 in 10."""

import tempfile
import time
from pathlib import Path

import httpx

from bench.api_process import Api, api
from bench.figure import Figure
from bench.seed import OF_EACH, seed

MOST_RATIO = 2.0
PAGE_SIZE = 100


class Seeded:
    """A customer with batches, and the views of it."""

    def __init__(self, running: Api, customer_id: int, batches: int) -> None:
        self.client: httpx.Client = running.customer(customer_id)
        first = seed(running.database_url, customer_id, batches)
        size: int = self.client.get("/queue").raise_for_status().json()["size"]
        last_page = -(-size // PAGE_SIZE)
        self.views = {
            "queue": "/queue",
            "active": "/queue/active?pageSize=1",
            "recent": "/queue/recent?pageSize=8",
            "batches": "/queue/batches?pageSize=10",
            "a batch": f"/queue/batches/{first}",
            "first page of images": f"/queue/images?pageSize={PAGE_SIZE}",
            "last page of images": f"/queue/images?pageSize={PAGE_SIZE}&page={last_page}",
        }

    def seconds(self, view: str) -> float:
        """How long one GET of a view takes."""
        started = time.perf_counter()
        self.client.get(self.views[view]).raise_for_status()
        return time.perf_counter() - started


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.99)]


def run(batches: int, rounds: int) -> list[Figure]:
    """A figure for each view; pages hold as many rows on either side."""
    with tempfile.TemporaryDirectory() as folder, api(Path(folder)) as running:
        small, large = Seeded(running, 1, 10), Seeded(running, 2, batches)
        figures: list[Figure] = []
        name = f"GET of %s, p99, {batches * OF_EACH:,} assets against {10 * OF_EACH:,}"
        for view in small.views:
            spent: dict[Seeded, list[float]] = {small: [], large: []}
            for number in range(rounds + 10):
                for side in (small, large) if number % 2 else (large, small):
                    seconds = side.seconds(view)
                    if number >= 10:
                        spent[side].append(seconds)
            of_large, of_small = (1000 * _p99(spent[side]) for side in (large, small))
            figures.append(Figure(name % view, of_large, of_small, "ms", MOST_RATIO, "at most"))
    return figures
