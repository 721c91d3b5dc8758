"""A queue and what is below it, and the global `/queue`."""

import hashlib

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api import batches, bodies, submission
from api.assets import asset_page
from api.channels import defaults_of
from api.dispatch import Dispatcher
from api.hydra import Links, Problem, Resource, bad_request, collection, resource, window
from api.requests import MadeLinks, TheSettings, database
from api.scope import Scope, TheScope
from api.storage import within_quota
from projection import asset, batch, delivery_channel_policy, manifest, queue, space
from projection.batch import BatchView, IdempotencyConflict
from projection.database import Connection
from workflows.contracts import QueueKind

router = APIRouter(prefix="/queue", tags=["queue"])
global_router = APIRouter(tags=["queue"])

LONGEST_KEY = 255


@global_router.get("/queue")
async def read_global_queue(request: Request, links: MadeLinks) -> Resource:
    """Assets on the queues of all customers."""
    async with database(request) as connection:
        counters = await queue.everywhere(connection)
    return resource(
        "vocab:Queue",
        links("queue"),
        incoming=counters.incoming,
        priority=counters.priority,
        success=0,
        failed=0,
    )


@router.get("")
async def read_queue(request: Request, scope: TheScope) -> Resource:
    """The main queue, with how much of it waits."""
    async with database(request) as connection:
        counters = await queue.counters(connection, scope.customer, scope.manifest_key)
    return resource(
        "vocab:CustomerQueue",
        scope.url,
        size=counters.size,
        batchesWaiting=counters.batches_waiting,
        imagesWaiting=counters.images_waiting,
        batches=f"{scope.url}/batches",
        images=f"{scope.url}/images",
        active=f"{scope.url}/active",
        recent=f"{scope.url}/recent",
        priority=f"{scope.url}/priority",
    )


@router.post("", status_code=201)
async def post_queue(
    request: Request, scope: TheScope, links: MadeLinks, settings: TheSettings
) -> JSONResponse:
    """Submits a collection of assets to the main queue."""
    return await _submit(request, scope, links, QueueKind.MAIN, settings.max_batch_size)


@router.post("/priority", status_code=201)
async def post_priority(
    request: Request, scope: TheScope, links: MadeLinks, settings: TheSettings
) -> JSONResponse:
    """Submits a collection of images to be processed ahead of the main queue."""
    return await _submit(request, scope, links, QueueKind.PRIORITY, settings.max_batch_size)


async def _submit(
    request: Request, scope: Scope, links: Links, kind: QueueKind, most: int
) -> JSONResponse:
    body = await bodies.raw(request)
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        raise bad_request(f"An Idempotency-Key has 1 to {LONGEST_KEY} characters")
    async with database(request) as connection:
        earlier = await _earlier(connection, scope, key, kind, body)
        if earlier is not None:
            row = await batches.found(connection, scope, str(earlier))
            return _answer(links, row, 200)
        assets = submission.assets_of(
            bodies.parsed(body),
            most,
            await delivery_channel_policy.own(connection, scope.customer),
            priority=kind is QueueKind.PRIORITY,
            space=None if scope.manifest is None else submission.OWN_SPACE,
        )
        await _settle_spaces(connection, scope, assets)
        await _fill_in_channels(connection, scope.customer, assets)
        async with within_quota(connection, scope.customer):
            batch_id = await batch.submit(
                connection, scope.customer, scope.manifest_key, kind, assets
            )
        if key is not None:
            await batch.keep_key(connection, scope.customer, key, batch_id)
        row = await batches.found(connection, scope, str(batch_id))
    dispatcher: Dispatcher = request.app.state.dispatcher
    dispatcher.nudge()
    return _answer(links, row, 201)


async def _settle_spaces(
    connection: Connection, scope: Scope, assets: list[submission.Fields]
) -> None:
    """Gives members without a space the manifest's own. Raises Problem 400 for missing spaces."""
    named = {asset["space_id"] for asset in assets} - {submission.OWN_SPACE}
    if missing := await space.missing(connection, scope.customer, named):
        numbers = ", ".join(map(str, missing))
        raise bad_request(f"The following space(s) could not be found: {numbers}")
    unplaced = [asset for asset in assets if asset["space_id"] == submission.OWN_SPACE]
    if unplaced and scope.manifest is not None:
        own = await manifest.own_space(connection, scope.manifest)
        for each in unplaced:
            each["space_id"] = own
        submission.refuse_duplicates(assets)


async def _fill_in_channels(
    connection: Connection, customer_id: int, assets: list[submission.Fields]
) -> None:
    """Gives members that name no channel, or none of its policies, those of the defaults."""
    defaults = await defaults_of(connection, customer_id, {each["space_id"] for each in assets})
    for each in assets:
        each["delivery_channels"] = defaults.filled_in(
            each["delivery_channels"], each["space_id"], each["media_type"]
        )


async def _earlier(
    connection: Connection, scope: Scope, key: str | None, kind: QueueKind, body: bytes
) -> int | None:
    """The batch that an Idempotency-Key stands for. Raises Problem 422."""
    if key is None:
        return None
    sent_to = f"{kind} {scope.manifest_key}\n".encode()
    request_hash = hashlib.sha256(sent_to + body).digest()
    try:
        return await batch.use_key(connection, scope.customer, key, request_hash)
    except IdempotencyConflict as conflict:
        raise Problem(
            422,
            "Unprocessable Content",
            "This Idempotency-Key was used with another body; use a new one",
        ) from conflict


def _answer(links: Links, row: batch.Batch, status: int) -> JSONResponse:
    shown = batches.shown(links, row)
    return JSONResponse(shown, status_code=status, headers={"Location": shown["@id"]})


async def _batches(
    request: Request, scope: Scope, links: Links, name: str, view: BatchView
) -> Resource:
    wanted = window(request)
    async with database(request) as connection:
        page = await batch.page(connection, view, scope.customer, scope.manifest_key, wanted)
    url = f"{scope.url}/{name}"
    return collection(url, wanted, page, lambda row: batches.shown(links, row))


@router.get("/batches")
async def read_batches(request: Request, scope: TheScope, links: MadeLinks) -> Resource:
    """Every batch, most recent first."""
    return await _batches(request, scope, links, "batches", BatchView.ALL)


@router.get("/active")
async def read_active(request: Request, scope: TheScope, links: MadeLinks) -> Resource:
    """Batches that are being worked on, most recent first."""
    return await _batches(request, scope, links, "active", BatchView.ACTIVE)


@router.get("/recent")
async def read_recent(request: Request, scope: TheScope, links: MadeLinks) -> Resource:
    """Batches that have finished and are not superseded, last finished first."""
    return await _batches(request, scope, links, "recent", BatchView.RECENT)


@router.get("/images")
async def read_queue_images(request: Request, scope: TheScope, links: MadeLinks) -> Resource:
    """Assets on the main queue, front of the queue first."""
    async with database(request) as connection:
        counters = await queue.counters(connection, scope.customer, scope.manifest_key)
        view = asset.of_queue(scope.customer, scope.manifest_key, counters.size)
        return await asset_page(request, connection, links, f"{scope.url}/images", view)
