"""The API process: resources, errors, and what they share for its lifetime."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from api import (
    asset_changes,
    assets,
    batches,
    default_delivery_channels,
    delivery_channel_policies,
    derivatives,
    entry,
    health,
    image_service,
    manifests,
    origin_strategies,
    queues,
    spaces,
    storage,
)
from api.dispatch import Dispatcher
from api.hydra import Problem, not_found, problem_response
from api.openapi import describe
from api.requests import VerifiedSecrets
from api.scope import ALIASES, CUSTOMER_PREFIX, MANIFEST_PREFIX
from projection.database import DatabaseUnavailable, open_pool
from projection.manifest import ManifestGone
from sealed import Sealer
from settings import Settings
from storage import open_store


def make_app(settings: Settings) -> FastAPI:
    """The API; connections are opened when it starts and closed when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_pool(settings.database_url, size=20, name="iiifq-api") as pool:
            app.state.settings = settings
            app.state.pool = pool
            app.state.store = open_store(settings.storage_url)
            app.state.renderers = asyncio.Semaphore(settings.image_processes)
            app.state.sealer = Sealer(settings.secret_keys)
            app.state.verified = VerifiedSecrets()
            app.state.dispatcher = Dispatcher(settings, pool)
            async with app.state.dispatcher.running():
                yield

    app = FastAPI(
        title="iiifq",
        description="A durable ingest queue for IIIF platforms.",
        lifespan=lifespan,
        redirect_slashes=False,
    )
    for module in (
        *(entry, health, spaces, assets, asset_changes, manifests, origin_strategies),
        *(delivery_channel_policies, derivatives, image_service, storage),
    ):
        app.include_router(module.router)
    app.include_router(queues.global_router)
    for prefix in (
        default_delivery_channels.CUSTOMER_PREFIX,
        default_delivery_channels.SPACE_PREFIX,
    ):
        app.include_router(default_delivery_channels.router, prefix=prefix)
    for prefix in (CUSTOMER_PREFIX, MANIFEST_PREFIX, *ALIASES):
        for module in (queues, batches):
            shown = prefix not in ALIASES
            app.include_router(module.router, prefix=prefix, include_in_schema=shown)
    app.add_exception_handler(Problem, _refused)
    app.add_exception_handler(HTTPException, _no_such_route)
    app.add_exception_handler(DatabaseUnavailable, _database_away)
    app.add_exception_handler(ManifestGone, _manifest_gone)
    app.add_exception_handler(Exception, _bug)
    describe(app)
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
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_methods(request))
    return _answer(request, Problem(error.status_code, title, detail, headers))


def _methods(request: Request) -> list[str]:
    """The methods of every route at the request's path: the router names those of one alone."""
    return [
        method
        for method in ("DELETE", "GET", "PATCH", "POST", "PUT")
        for asked in ({**request.scope, "method": method},)
        if any(route.matches(asked)[0] is Match.FULL for route in request.app.routes)
    ]


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


async def _manifest_gone(request: Request, _: Exception) -> JSONResponse:
    return _answer(request, not_found("such manifest: it has just been deleted"))


async def _bug(request: Request, _: Exception) -> JSONResponse:
    return _answer(request, Problem(500, "Internal Server Error", "The platform failed"))
