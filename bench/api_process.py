"""An API process on a Postgres of its own, for benchmarks that need no worker."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg

from local.engine import postgres
from local.ports import free_port
from projection.migrate import migrate
from projection.secret import generate, hashed


@dataclass(frozen=True)
class Api:
    """Where the API and its database are."""

    url: str
    database_url: str

    def customer(self, customer_id: int) -> httpx.Client:
        """A client of a new customer with a space 1; its paths start below the customer."""
        secret = generate()
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO customer (id, name) VALUES (%s, 'bench')", (customer_id,)
            )
            connection.execute(
                "INSERT INTO credential (key, customer_id, secret_hash) VALUES (%s, %s, %s)",
                (f"key-{customer_id}", customer_id, hashed(secret)),
            )
            connection.execute(
                "INSERT INTO space (customer_id, id, name) VALUES (%s, 1, 'one')", (customer_id,)
            )
        return httpx.Client(
            base_url=f"{self.url}/customers/{customer_id}",
            auth=(f"key-{customer_id}", secret),
            timeout=60,
        )


@contextmanager
def api(folder: Path) -> Iterator[Api]:
    """A running API; Temporal is away."""
    port = free_port()
    with postgres(folder) as database_url:
        migrate(database_url)
        command = [sys.executable, "-m", "cli.main", "api", "--port", str(port)]
        settings = {
            "IIIFQ_DATABASE_URL": database_url,
            "IIIFQ_TEMPORAL_ADDRESS": f"127.0.0.1:{free_port()}",
            "IIIFQ_STORE_URL": (folder / "store").as_uri(),
        }
        with (
            (folder / "api.log").open("wb") as log,
            subprocess.Popen(
                command, env={**os.environ, **settings}, stdout=log, stderr=log
            ) as process,
        ):
            try:
                url = f"http://127.0.0.1:{port}"
                _wait(url, process)
                yield Api(url, database_url)
            finally:
                process.terminate()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/queue").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError("the API does not answer")
