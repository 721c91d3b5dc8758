"""Runs the API process."""

import uvicorn

from api.app import make_app
from settings import Settings


def serve(settings: Settings, host: str, port: int) -> None:
    """Serves until SIGTERM or SIGINT."""
    uvicorn.run(
        make_app(settings),
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
        server_header=False,
    )
