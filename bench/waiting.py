"""What origins that close or trickle, and films, do to others; and what a closed host costs."""

import asyncio
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import imageio_ffmpeg  # type: ignore[import-untyped]
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from bench.figure import Figure
from tests.bad_origin import BadOrigin, bad_origin
from tests.stack import Customer, Json, Stack, running_stack, until
from workflows.contracts import PROCESS_ENTRY, batch_workflow_id

ROUNDS = 9
FILMS = 20
HOSTS = 10
CLOSED_S = 5.0


def run(count: int) -> list[Figure]:
    """Three pictures behind `count` assets of another customer, or 20 films, against alone."""
    with (
        tempfile.TemporaryDirectory() as temporary,
        bad_origin() as bad,
        running_stack(
            Path(temporary) / "data", IIIFQ_RECONCILE_S="30", IIIFQ_ORIGIN_FILE_ROOTS=temporary
        ) as stack,
    ):
        busy, other = stack.customer("busy"), stack.customer("other")
        _three(other, bad, "warm")
        alone = _three(other, bad, "alone")
        crowds = {
            f"{count:,} at a closed origin": bad.members("closed", count),
            f"{count:,} at a trickling origin": bad.members("trickle", count),
            f"{FILMS} films": _films(Path(temporary)),
        }
        figures = []
        for what, members in crowds.items():
            batch = busy.submit(members)
            until("work on it has begun", lambda b=batch: _has_begun(busy, b))  # type: ignore[misc]
            behind = _three(other, bad, what.split()[-1])
            stack.client.delete(busy.url(batch["@id"]), auth=busy.auth)
            name = f"3 pictures behind another customer's {what}, against alone"
            figures.append(Figure(name, behind, alone, "s", 2.5, "at most"))
        return [*figures, _activities(stack, count)]


def _has_begun(customer: Customer, batch: Json) -> bool:
    return bool(customer.get(f"{batch['@id']}/progress")["processing"])


def _three(customer: Customer, bad: BadOrigin, mark: str) -> float:
    """The median of the seconds from POST to finished."""
    spent = []
    for number in range(ROUNDS):
        started = time.perf_counter()
        batch = customer.submit(bad.members(f"{mark}-{number}", 3))
        while "finished" not in customer.get(batch["@id"]):
            time.sleep(0.01)
        spent.append(time.perf_counter() - started)
    return median(spent)


def _films(folder: Path) -> list[Json]:
    film = folder / "film.mp4"
    bars = ("-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25:duration=60")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *bars, "-c:v", "mpeg4"]
    subprocess.run([*command, str(film)], check=True)
    return [
        {"id": f"film-{number}", "space": 1, "mediaType": "video/mp4", "origin": film.as_uri()}
        for number in range(FILMS)
    ]


def _activities(stack: Stack, count: int) -> Figure:
    """Activities for an asset, of a batch of which a tenth is at a host that is closed a while."""
    with ExitStack() as hosts:
        origins = [hosts.enter_context(bad_origin()) for _ in range(HOSTS)]
        origins[0].retry_after_s = int(CLOSED_S)
        customer = stack.customer("spread")
        members = [
            {**member, "id": f"{host}-{member['id']}"}
            for host, origin in enumerate(origins)
            for member in origin.members("open" if host else "closed", count // HOSTS)
        ]
        batch = customer.submit(members)
        until("it was closed", lambda: origins[0].asked["closed"])
        time.sleep(CLOSED_S)
        origins[0].is_closed = False
        customer.finished(batch, 600)
        scheduled = asyncio.run(_scheduled(stack, batch))
    name = f"activities for {count:,} assets, of which a tenth is at a host closed for 5 s"
    return Figure(name, scheduled, len(members), "", 1.2, "at most")


async def _scheduled(stack: Stack, batch: Json) -> int:
    client = await Client.connect(
        stack.run["temporal_address"], namespace=stack.run["temporal_namespace"]
    )
    workflow_id = batch_workflow_id(batch["id"])
    total = 0
    async for each in client.list_workflows(f'WorkflowId = "{workflow_id}"'):
        handle = client.get_workflow_handle(workflow_id, run_id=each.run_id)
        async for event in handle.fetch_history_events():
            if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                kind = event.activity_task_scheduled_event_attributes.activity_type.name
                total += kind == PROCESS_ENTRY
    return total
