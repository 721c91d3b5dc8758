"""`iiifq api`, `worker`, `migrate`, `alive` and `doctor`: one process each.

Each imports what it runs when it runs it, so that every other command starts in a moment.
"""

import socket
from typing import Annotated

import typer
import uvloop

from cli.customer import in_database
from cli.target import Data, target_settings
from projection import worker as signs
from projection.migrate import migrate as bring_up_to_date

QUEUES = "batches,priority,main,av"


def api(host: str = "127.0.0.1", port: int = 8000, data: Data = None) -> None:
    """Serves the HTTP API."""
    from api.main import serve

    serve(target_settings(data), host, port)


def worker(
    queues: Annotated[str, typer.Option(help="task queues to poll")] = QUEUES,
    data: Data = None,
) -> None:
    """Polls task queues and processes assets."""
    from worker.main import run

    chosen = tuple(dict.fromkeys(name.strip() for name in queues.split(",") if name.strip()))
    unknown = [name for name in chosen if name not in QUEUES.split(",")]
    if unknown or not chosen:
        raise typer.BadParameter(f"'{queues}' must be of {QUEUES}")
    uvloop.run(run(target_settings(data), chosen))


def alive(data: Data = None) -> None:
    """Exit 0 if a worker on this host gave a sign of life in the last 10 s: a health check."""
    if not in_database(data, lambda c: signs.is_alive(c, socket.gethostname(), 10)):
        raise SystemExit("no worker on this host gave a sign of life in the last 10 s")


def migrate(data: Data = None) -> None:
    """Brings the database to the newest schema."""
    applied = bring_up_to_date(target_settings(data).database_url)
    print("\n".join(f"applied {name}" for name in applied) or "nothing to do")


def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="mend what is found")] = False,
    data: Data = None,
) -> None:
    """Compares Postgres, Temporal and the store; exit 1 when a disagreement is left."""
    from cli.doctor import examine

    examine(target_settings(data), fix)
