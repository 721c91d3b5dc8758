"""`/health/live` and `/health/ready` (running.md)."""

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.dispatch import Dispatcher
from api.requests import database
from projection import worker
from projection.database import DatabaseUnavailable

router = APIRouter(tags=["health"])

SIGN_OF_LIFE_S = 10.0


@router.get("/health/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "live"}


@router.get("/health/ready")
async def ready(request: Request) -> JSONResponse:
    """Postgres and Temporal answer, a worker gave a sign of life in the last 10 s, and none waits
    for room on a disk or for the store."""
    dispatcher: Dispatcher = request.app.state.dispatcher
    (workers, troubles), temporal = await asyncio.gather(_workers(request), dispatcher.answers())
    missing = []
    if workers is None:
        missing.append("postgres")
    if not temporal:
        missing.append("temporal")
    if not workers:
        missing.append("worker")
    missing += sorted({trouble.partition(":")[0] for trouble in troubles})
    if missing:
        said = {"status": "not ready", "missing": missing, "troubles": troubles}
        return JSONResponse(said, status_code=503)
    return JSONResponse({"status": "ready"})


async def _workers(request: Request) -> tuple[set[str] | None, list[str]]:
    """Task queues that are polled, None if the database is away; and what workers wait for."""
    try:
        async with database(request) as connection:
            polled = await worker.polled_queues(connection, SIGN_OF_LIFE_S)
            return polled, await worker.troubles(connection, SIGN_OF_LIFE_S)
    except DatabaseUnavailable:
        return None, []
