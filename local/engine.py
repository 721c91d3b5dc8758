"""Postgres and Temporal for as long as a `with` lasts: what tests run on."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local import child as programs
from local.child import Child
from local.ports import free_port
from local.postgres import database_url
from local.postgres import postgres as postgres_child
from local.temporal import HOST
from local.temporal import temporal as temporal_child
from local.temporal_cli import temporal_cli
from settings import Settings

START_S = 60.0


@dataclass(frozen=True)
class Engine:
    """Where the running Postgres and Temporal are."""

    database_url: str
    temporal_address: str
    temporal_namespace: str
    ui_url: str


@contextmanager
def engine(folder: Path, settings: Settings | None = None) -> Iterator[Engine]:
    """Postgres and Temporal in `folder`, on free ports; stopped at the end, data kept.

    To be entered from the main thread. Raises EngineError.
    """
    settings = settings or Settings()
    folder = folder.resolve()
    cli = temporal_cli(settings.temporal_cli)
    port, ui_port = free_port(), free_port()
    child = temporal_child(folder, cli, port, ui_port, settings.temporal_namespace)
    with postgres(folder) as url, running(child):
        yield Engine(
            database_url=url,
            temporal_address=f"{HOST}:{port}",
            temporal_namespace=settings.temporal_namespace,
            ui_url=f"http://{HOST}:{ui_port}",
        )


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Postgres alone, in `folder`: gives the libpq URL of its database `iiifq`."""
    folder = folder.resolve()
    with running(postgres_child(folder)):
        yield database_url(folder)


@contextmanager
def running(child: Child) -> Iterator[None]:
    """A program of the engine for as long as the `with` lasts; entered from the main thread."""
    child.before()
    process = programs.start(child)
    try:
        # A thread of its own, as the caller's may already run an event loop.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, programs.answer(child, process, START_S)).result()
        yield
    finally:
        programs.stop(child, process)
