"""`iiifq api`, `worker` and `migrate`: one process each."""

from typing import Annotated

import typer
import uvloop

from api.main import serve
from cli.target import Data, target_settings
from projection.migrate import migrate as bring_up_to_date
from worker.main import ALL_QUEUES, run


def api(host: str = "127.0.0.1", port: int = 8000, data: Data = None) -> None:
    """Serves the HTTP API."""
    serve(target_settings(data), host, port)


def worker(
    queues: Annotated[str, typer.Option(help="task queues to poll")] = ",".join(ALL_QUEUES),
    data: Data = None,
) -> None:
    """Polls task queues and processes assets."""
    chosen = tuple(dict.fromkeys(name.strip() for name in queues.split(",") if name.strip()))
    if not chosen or (unknown := set(chosen) - set(ALL_QUEUES)):
        known = ", ".join(ALL_QUEUES)
        raise typer.BadParameter(f"unknown task queue {', '.join(unknown)}; there are {known}")
    uvloop.run(run(target_settings(data), chosen))


def migrate(data: Data = None) -> None:
    """Brings the database to the newest schema."""
    applied = bring_up_to_date(target_settings(data).database_url)
    print("\n".join(f"applied {name}" for name in applied) or "nothing to do")
