"""`iiifq demo`: the embedded engine on the sample pictures, from POST to finished."""

import asyncio
import json
import mimetypes
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
import typer

from cli.customer import create_customer, in_transaction
from local.run import Run
from local.up import up
from projection import asset
from projection.page import Window
from settings import Settings

PATIENCE_S = 300.0
SPACE = 1


class DemoFailed(Exception):
    """The demonstration did not end as it should; the message is the reason."""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, ARG002 - as inherited
        return


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder over HTTP on loopback, for as long as the `with` lasts: gives its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def demo() -> None:
    """Runs a batch and a priority batch of the sample pictures, and shows what came of them."""
    # The samples are served on loopback, where origins are not allowed unless a setting says so.
    os.environ["IIIFQ_ORIGIN_ALLOW"] = "127.0.0.0/8"
    folder = Path(tempfile.mkdtemp(prefix="iiifq-demo-"))
    failure: list[str] = []

    def show(run: Run) -> None:
        try:
            with (
                resources.as_file(resources.files("cli").joinpath("samples")) as samples,
                served(samples) as origin,
            ):
                _show(run, sorted(samples.glob("*.[jp][pn]g")), origin)
        except (DemoFailed, httpx.HTTPError) as error:
            failure.append(str(error) or type(error).__name__)
        os.kill(os.getpid(), signal.SIGTERM)

    print("starting Postgres, Temporal, API and worker", flush=True)
    code = up(folder, Settings(), show, port=0, temporal_port=0, ui_port=0)
    if failure or code:
        print(failure[0] if failure else "the engine failed", file=sys.stderr)
        print(f"the logs are in {folder / 'logs'}", file=sys.stderr)
        raise typer.Exit(1)
    shutil.rmtree(folder)
    print("stopped; the demonstration is over")


def _show(run: Run, pictures: list[Path], origin: str) -> None:
    created = asyncio.run(
        in_transaction(run.database_url, lambda c: create_customer(c, "demonstration"))
    )
    base = f"{run.api_url}/customers/{created.id}"
    with httpx.Client(auth=(created.key, created.secret), timeout=30) as client:
        _sent(client.put(f"{base}/spaces/{SPACE}", json={"name": "samples"}), 201)
        submitted = {
            "queue": _batch(client, f"{base}/queue", pictures, origin, "main"),
            "priority queue": _batch(
                client, f"{base}/queue/priority", pictures, origin, "priority"
            ),
        }
        for name, url in submitted.items():
            _follow(client, name, url)
        for name, url in submitted.items():
            print(f"\nthe batch of the {name}, finished:")
            finished = _sent(client.get(url), 200)
            print(json.dumps(finished, indent=2))
            if finished["errors"]:
                raise DemoFailed(f"{finished['errors']} assets of {url} ended with an error")
            _show_assets(run.database_url, url)
    sys.stdout.flush()


def _batch(client: httpx.Client, queue: str, pictures: list[Path], origin: str, prefix: str) -> str:
    members = [
        {
            "id": f"{prefix}-{picture.stem}",
            "space": SPACE,
            "origin": f"{origin}/{picture.name}",
            "mediaType": mimetypes.guess_type(picture.name)[0],
        }
        for picture in pictures
    ]
    batch = _sent(client.post(queue, json={"@type": "Collection", "member": members}), 201)
    print(f"POST {queue}: {len(members)} pictures, batch {batch['@id']}", flush=True)
    return str(batch["@id"])


def _sent(response: httpx.Response, expected: int) -> dict[str, Any]:
    if response.status_code != expected:
        raise DemoFailed(
            f"{response.request.method} {response.url} answered {response.status_code}: "
            f"{response.text[:300]}"
        )
    answer: dict[str, Any] = response.json()
    return answer


def _follow(client: httpx.Client, name: str, url: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    shown = None
    while True:
        batch = _sent(client.get(url), 200)
        progress = f"{name}: {batch['completed']} of {batch['count']}, {batch['errors']} errors"
        if progress != shown:
            print(progress, flush=True)
            shown = progress
        if "finished" in batch:
            return
        if time.monotonic() > deadline:
            raise DemoFailed(f"the batch did not finish within {PATIENCE_S:.0f} s: {progress}")
        time.sleep(0.2)


def _show_assets(database_url: str, batch_url: str) -> None:
    """The derivatives are no part of the API's answer: they are read from the projection."""
    view = asset.of_batch_entries(int(batch_url.rpartition("/")[2]))
    page = asyncio.run(
        in_transaction(database_url, lambda c: asset.page(c, view, Window(1, 100), {}))
    )
    for row in page.rows:
        print(f"\n{row.customer_id}/{row.space_id}/{row.id}: {row.width} x {row.height} pixels")
        for made in row.derivatives:
            size = f"{made['width']} x {made['height']}"
            print(f"  {made['key']:50} {size:>12} {made['bytes']:>9,} bytes")
