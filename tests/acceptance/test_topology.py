"""The processes of docker-compose.yml with their environment: an API, three workers, S3."""

import asyncio
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg
import pytest
from temporalio.client import Client

from local.engine import Engine, engine
from local.ports import free_port
from tests import compose
from tests.conftest import SAMPLES, Origin
from tests.recount import RECOUNT
from tests.s3 import BUILD_S, S3, running_s3
from tests.stack import QUICK, Customer, Json, Stack, iiifq, until
from workflows.contracts import PROCESS_ENTRY

pytestmark = pytest.mark.timeout(BUILD_S)

COUNT = 60
Process = subprocess.Popen[bytes]


@dataclass
class Topology:
    """The services as processes; addresses are this machine's."""

    folder: Path
    engine: Engine
    s3: S3
    port: int = field(default_factory=free_port)
    processes: dict[str, Process] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self, service: str) -> dict[str, str]:
        """What Compose gives a service, with the addresses that it has here."""
        given = {
            **compose.GIVEN,
            "S3_ACCESS_KEY": self.s3.env["AWS_ACCESS_KEY_ID"],
            "S3_SECRET_KEY": self.s3.env["AWS_SECRET_ACCESS_KEY"],
            "IIIFQ_PUBLIC_URL": self.url,
        }
        here = {
            "IIIFQ_DATABASE_URL": self.engine.database_url,
            "IIIFQ_TEMPORAL_ADDRESS": self.engine.temporal_address,
            "AWS_ENDPOINT_URL": self.s3.env["AWS_ENDPOINT_URL"],
            "IIIFQ_SCRATCH_FOLDER": str(self.folder / "scratch" / service),
        }
        told = compose.services(given)[service]["environment"]
        return {**told, **{name: value for name, value in here.items() if name in told}}

    def command(self, service: str) -> list[str]:
        words = compose.services(compose.GIVEN)[service]["command"]
        here = {"0.0.0.0": "127.0.0.1", "8000": str(self.port)}
        return [sys.executable, "-m", "cli.main", *(here.get(word, word) for word in words)]

    def start(self, name: str, service: str) -> Process:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                self.command(service),
                stdout=log,
                stderr=log,
                env={**os.environ, **QUICK, **self.environment(service)},
            )
        self.processes[name] = process
        return process

    def signs(self) -> set[int]:
        """Ids of the workers that gave a sign lately."""
        query = "SELECT id FROM worker WHERE seen > now() - interval '5 s'"
        with psycopg.connect(self.engine.database_url) as connection:
            rows = connection.execute(query).fetchall()
        return {int(row[0].removeprefix(f"{socket.gethostname()}-")) for row in rows}


@contextmanager
def started(folder: Path) -> Iterator[Topology]:
    with engine(folder / "engine") as running, running_s3(folder / "s3") as s3:
        topology = Topology(folder, running, s3)
        try:
            assert topology.start("migrate", "migrate").wait(60) == 0
            topology.start("api", "api")
            topology.start("one", "worker")
            topology.start("two", "worker")
            topology.start("urgent", "worker-priority")
            yield topology
        finally:
            for process in topology.processes.values():
                process.terminate()
            for process in topology.processes.values():
                process.wait(30)


def pages(origin: Origin, mark: str, count: int) -> list[Json]:
    return [
        {
            "id": f"{mark}-{number}",
            "space": 1,
            "origin": origin.picture("retina.jpg"),
            "mediaType": "image/jpeg",
        }
        for number in range(count)
    ]


def made_customer(topology: Topology, client: httpx.Client) -> Customer:
    told = {"api_url": topology.url, "database_url": topology.engine.database_url}
    (topology.folder / "run.json").write_text(json.dumps(told))
    env = {"IIIFQ_DATABASE_URL": topology.engine.database_url}
    made = json.loads(iiifq("customer", "create", "test", "--json", env=env).stdout)
    stack = Stack(topology.folder, env, topology.processes["api"], client)
    customer = Customer(stack, made["id"], (made["key"], made["secret"]))
    stack.wait_ready()
    assert customer.put("/spaces/1", {"name": "one"}).status_code == 201
    return customer


async def processors(topology: Topology, batch: Json) -> set[int]:
    """Process ids of the workers that processed a batch's assets."""
    client = await Client.connect(topology.engine.temporal_address)
    history = await client.get_workflow_handle(f"batch-{batch['id']}").fetch_history()
    scheduled = {
        event.event_id
        for event in history.events
        if event.activity_task_scheduled_event_attributes.activity_type.name == PROCESS_ENTRY
    }
    started = [event.activity_task_started_event_attributes for event in history.events]
    return {
        int(each.identity.partition("@")[0])
        for each in started
        if each.scheduled_event_id in scheduled
    }


def own_bucket(topology: Topology, customer: Customer) -> None:
    """An original in a bucket that only a key of the customer's may read."""
    bucket = topology.s3.folder.parent / "scans"
    bucket.mkdir()
    shutil.copy(SAMPLES / "rocket.jpg", bucket / "page 1.jpg")
    member = {
        "id": "kept",
        "space": 1,
        "origin": "s3://scans/page 1.jpg",
        "mediaType": "image/jpeg",
    }
    batch = customer.finished(customer.submit([member]))
    assert batch["errors"] == 1
    error = customer.get("/spaces/1/images/kept")["error"]
    assert error == "The origin is in a bucket that may not be read"
    strategy = {
        "regex": "^s3://scans/",
        "strategy": "s3-access-key",
        "credentials": {
            "accessKeyId": topology.s3.env["AWS_ACCESS_KEY_ID"],
            "secretAccessKey": topology.s3.env["AWS_SECRET_ACCESS_KEY"],
        },
    }
    assert customer.post("/originStrategies", strategy).status_code == 201
    assert customer.post(f"/queue/batches/{batch['id']}/retry", None).status_code == 202
    until(
        "the retry has ended",
        lambda: customer.get("/spaces/1/images/kept").get("finished"),
    )
    assert "error" not in customer.get("/spaces/1/images/kept")


def test_workers_come_and_go(tmp_path: Path, origin: Origin) -> None:
    """One is killed, one is stopped politely, one is added; the one for priority stays out."""
    with (
        started(tmp_path) as topology,
        httpx.Client(timeout=30, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)) as client,
    ):
        customer = made_customer(topology, client)
        workers = {name: topology.processes[name].pid for name in ("one", "two", "urgent")}
        until("three workers sign", lambda: topology.signs() == set(workers.values()))
        assert iiifq("alive", env=topology.environment("worker")).returncode == 0

        batch = customer.submit(pages(origin, "page", COUNT))
        until("work has begun", lambda: customer.get(batch["@id"])["completed"] > 4)
        urgent = customer.submit(pages(origin, "urgent", 5), "/queue/priority")
        topology.processes["one"].kill()
        topology.processes["two"].send_signal(signal.SIGTERM)
        assert topology.processes["two"].wait(10) == 0
        until("who left signed off", lambda: workers["two"] not in topology.signs())
        topology.start("three", "worker")

        for each, count in ((batch, COUNT), (urgent, 5)):
            finished = customer.finished(each)
            assert (finished["completed"], finished["errors"]) == (count, 0)
        with psycopg.connect(topology.engine.database_url) as connection:
            assert connection.execute(RECOUNT).fetchall() == []
        worked = asyncio.run(processors(topology, batch))
        assert workers["urgent"] not in worked
        assert topology.processes["three"].pid in worked

        own_bucket(topology, customer)

        thumbs = topology.s3.folder / "thumbs" / str(customer.id) / "1"
        assert len(list(thumbs.glob("page-*/100.jpg"))) == COUNT
        service = customer.get("/spaces/1/images/page-1")["thumbnailImageService"]
        picture = client.get(f"{service}/full/100,100/0/default.jpg")
        assert picture.content == (thumbs / "page-1" / "100.jpg").read_bytes()
