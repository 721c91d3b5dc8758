"""Temporal on this machine: the CLI's development server on a SQLite file, with its Web UI."""

from pathlib import Path

from local.child import Child
from local.health import http_answers
from local.ports import free_port

HOST = "127.0.0.1"
# The design's table: WAL survives a killed process, and 405 to 475 activities a second, not 170.
SQLITE_PRAGMAS = ("journal_mode=wal", "synchronous=1")
# The design's table of fairness: 0.25 s for a small customer behind a large one, not 15.6 s.
DYNAMIC_CONFIGURATION = (
    "matching.useNewMatcher=true",
    "matching.enableFairness=true",
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
)


def temporal(data: Path, cli: Path, port: int, ui_port: int, namespace: str) -> Child:
    """Temporal's server for the data folder, on 127.0.0.1."""
    folder = data / "temporal"
    folder.mkdir(parents=True, exist_ok=True)
    http_port, metrics_port = free_port(), free_port()
    namespace_url = f"http://{HOST}:{http_port}/api/v1/namespaces/{namespace}"
    return Child(
        name="temporal",
        argv=(
            *(str(cli), "server", "start-dev", "--ip", HOST),
            *("--port", str(port), "--ui-port", str(ui_port)),
            *("--http-port", str(http_port), "--metrics-port", str(metrics_port)),
            *("--db-filename", str(folder / "temporal.db"), "--namespace", namespace),
            *("--log-format", "json", "--log-level", "warn", "--color", "never"),
            *(part for pragma in SQLITE_PRAGMAS for part in ("--sqlite-pragma", pragma)),
            *(
                part
                for value in DYNAMIC_CONFIGURATION
                for part in ("--dynamic-config-value", value)
            ),
        ),
        log=data / "logs" / "temporal.log",
        # A read of the namespace goes through the frontend to the database.
        alive=lambda: http_answers(namespace_url),
    )
