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
    """Postgres and Temporal answer, and a worker gave a sign of life in the last 10 s."""
    dispatcher: Dispatcher = request.app.state.dispatcher
    workers, temporal = await asyncio.gather(_workers(request), dispatcher.answers())
    missing = []
    if workers is None:
        missing.append("postgres")
    if not temporal:
        missing.append("temporal")
    if not workers:
        missing.append("worker")
    if missing:
        return JSONResponse({"status": "not ready", "missing": missing}, status_code=503)
    return JSONResponse({"status": "ready"})


async def _workers(request: Request) -> set[str] | None:
    try:
        async with database(request) as connection:
            return await worker.polled_queues(connection, SIGN_OF_LIFE_S)
    except DatabaseUnavailable:
        return None
