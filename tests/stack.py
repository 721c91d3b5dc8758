"""`iiifq up` as a process, and a customer of it: what acceptance tests talk to."""

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from cli.customer import Created, create_customer, in_transaction

Json = dict[str, Any]

QUICK = {
    "IIIFQ_ORIGIN_ALLOW": "127.0.0.0/8",
    "IIIFQ_RECONCILE_S": "2",
    "IIIFQ_RETRY_INTERVAL_S": "0.2",
    "IIIFQ_ORIGIN_TIMEOUT_S": "5",
    "IIIFQ_ORIGIN_HOST_RATE": "10000",
    "IIIFQ_SYNC_WAIT_S": "10",
}


def iiifq(*words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the `iiifq` command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
        timeout=120,
    )


def until(what: str, found: Callable[[], Any], seconds: float = 120) -> Any:
    """The first true answer of `found`."""
    deadline = time.monotonic() + seconds
    while True:
        answer = found()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.1)


@dataclass
class Stack:
    """A stack in a data folder; `up` is its process."""

    data: Path
    env: Mapping[str, str]
    up: subprocess.Popen[bytes]
    client: httpx.Client

    @property
    def run(self) -> Json:
        """What `run.json` says now."""
        said: Json = json.loads((self.data / "run.json").read_text())
        return said

    def wait_ready(self) -> None:
        """Waits until `/health/ready` says so."""

        def ready() -> bool:
            if self.up.poll() is not None:
                log = (self.data / "up.log").read_text()
                raise AssertionError(f"`iiifq up` ended with {self.up.returncode}: {log}")
            try:
                said = self.client.get(f"{self.run['api_url']}/health/ready")
            except (OSError, ValueError, httpx.HTTPError):
                return False
            return said.status_code == 200

        until("the stack is ready", ready)

    def kill(self, part: str) -> int:
        """SIGKILLs a part; returns the process id that it had."""
        pid: int = self.run[part]
        os.kill(pid, signal.SIGKILL)
        return pid

    def start_again(self) -> None:
        """Starts `iiifq up` on the same folder."""
        self.up = _start(self.data, self.env)
        self.wait_ready()

    def customer(self, name: str = "test", number: int | None = None) -> "Customer":
        """A new customer with a space 1; the next number unless told."""
        url = self.run["database_url"]

        def create() -> Created:
            return asyncio.run(in_transaction(url, lambda c: create_customer(c, name, number)))

        # What the command does, without its start; in a thread without a loop of its test's.
        with ThreadPoolExecutor(1) as thread:
            created = thread.submit(create).result()
        customer = Customer(self, created.id, (created.key, created.secret))
        assert customer.put("/spaces/1", {"name": "one"}).status_code == 201
        return customer


@dataclass
class Customer:
    """A customer, and requests with their credentials to URLs below theirs."""

    stack: Stack
    id: int
    auth: tuple[str, str]

    def url(self, path: str) -> str:
        """The absolute URL of a path below the customer, or of a link given by an earlier run."""
        if path.startswith("http"):
            path = path.partition(f"/customers/{self.id}")[2]
        return f"{self.stack.run['api_url']}/customers/{self.id}{path}"

    def get(self, path: str) -> Json:
        """The JSON of a GET that succeeds."""
        response = self.stack.client.get(self.url(path), auth=self.auth)
        assert response.status_code == 200, response.text
        said: Json = response.json()
        return said

    def post(
        self, path: str, body: Any, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """POSTs JSON."""
        return self.stack.client.post(self.url(path), json=body, auth=self.auth, headers=headers)

    def put(self, path: str, body: Any) -> httpx.Response:
        """PUTs JSON."""
        return self.stack.client.put(self.url(path), json=body, auth=self.auth)

    def submit(self, members: list[Json], path: str = "/queue") -> Json:
        """POSTs a collection; the batch."""
        response = self.post(path, {"@type": "Collection", "member": members})
        assert response.status_code == 201, response.text
        said: Json = response.json()
        return said

    def finished(self, batch: Json, seconds: float = 120) -> Json:
        """The batch, once it has finished."""

        def done() -> Json | None:
            try:
                now = self.get(batch["@id"])
            except (httpx.HTTPError, OSError, AssertionError):
                return None  # the API or the database may be away in a test of just that
            return now if "finished" in now else None

        found: Json = until(f"batch {batch['id']} finished", done, seconds)
        return found


def _start(data: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with (data / "up.log").open("ab") as log:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "cli.main", "up", "--data", str(data)),
                *("--port", "0", "--temporal-port", "0", "--ui-port", "0"),
            ],
            stdout=log,
            stderr=log,
            env={**os.environ, **env},
        )


@contextmanager
def running_stack(data: Path, **settings: str) -> Iterator[Stack]:
    """A stack for as long as the `with` lasts."""
    data.mkdir(parents=True, exist_ok=True)
    env = {**QUICK, **settings}
    # One client for all: each would spend 45 ms of processor time on loading certificates.
    with httpx.Client(timeout=30, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)) as client:
        stack = Stack(data, env, _start(data, env), client)
        try:
            stack.wait_ready()
            until("the first customer is there", (data / "credentials").exists)
            yield stack
        finally:
            stack.up.send_signal(signal.SIGTERM)
            stack.up.wait(30)
