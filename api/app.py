"""The API process: resources, errors, and what they share for its lifetime."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api import assets, batches, health, queues, spaces
from api.dispatch import Dispatcher
from api.hydra import Problem, problem_response
from api.requests import VerifiedSecrets
from projection.database import DatabaseUnavailable, open_pool
from settings import Settings


def make_app(settings: Settings) -> FastAPI:
    """The API; connections are opened when it starts and closed when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_pool(settings.database_url, size=20, name="iiifq-api") as pool:
            app.state.settings = settings
            app.state.pool = pool
            app.state.verified = VerifiedSecrets()
            app.state.dispatcher = Dispatcher(settings, pool)
            yield
            await app.state.dispatcher.close()

    app = FastAPI(
        title="iiifq",
        description="A durable ingest queue for IIIF platforms.",
        lifespan=lifespan,
        redirect_slashes=False,
    )
    for module in (health, queues, batches, assets, spaces):
        app.include_router(module.router)
    app.add_exception_handler(Problem, _refused)
    app.add_exception_handler(HTTPException, _no_such_route)
    app.add_exception_handler(DatabaseUnavailable, _database_away)
    app.add_exception_handler(Exception, _bug)
    return app


def _answer(request: Request, problem: Problem) -> JSONResponse:
    return problem_response(problem, request.url.path)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)  # noqa: S101 - what it is registered for
    return _answer(request, error)


async def _no_such_route(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    known = {
        404: ("Not Found", "There is nothing at this address"),
        405: ("Method Not Allowed", f"{request.method} is not supported here"),
    }
    title, detail = known.get(error.status_code, (error.detail, error.detail))
    return _answer(request, Problem(error.status_code, title, detail, error.headers))


async def _database_away(request: Request, _: Exception) -> JSONResponse:
    return _answer(
        request,
        Problem(
            503,
            "Service Unavailable",
            "The database does not answer; nothing was changed, try again",
            {"Retry-After": "5"},
        ),
    )


async def _bug(request: Request, _: Exception) -> JSONResponse:
    return _answer(request, Problem(500, "Internal Server Error", "The platform failed"))
