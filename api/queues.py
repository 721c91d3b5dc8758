"""`/customers/{c}/queue`, what is below it, and the global `/queue`."""

import hashlib
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api import batches, bodies, submission
from api.assets import asset_page
from api.dispatch import Dispatcher
from api.hydra import Links, Problem, Resource, bad_request, collection, resource, window
from api.requests import Customer, MadeLinks, TheSettings, database
from projection import asset, batch, queue, space
from projection.batch import BatchView, IdempotencyConflict
from projection.database import Connection
from workflows.contracts import QueueKind

router = APIRouter(tags=["queue"])

BELOW = "/customers/{customer_id}/queue"
LONGEST_KEY = 255


@router.get("/queue")
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


@router.get(BELOW)
async def read_queue(request: Request, customer: Customer, links: MadeLinks) -> Resource:
    """The customer's main queue."""
    async with database(request) as connection:
        counters = await queue.counters(connection, customer)
    url = links.customer(customer, "queue")
    return resource(
        "vocab:CustomerQueue",
        url,
        size=counters.size,
        batchesWaiting=counters.batches_waiting,
        imagesWaiting=counters.images_waiting,
        batches=f"{url}/batches",
        images=f"{url}/images",
        active=f"{url}/active",
        recent=f"{url}/recent",
        priority=f"{url}/priority",
    )


@router.post(BELOW)
async def post_queue(
    request: Request, customer: Customer, links: MadeLinks, settings: TheSettings
) -> JSONResponse:
    """Submits a collection of assets to the main queue."""
    return await _submit(request, customer, links, QueueKind.MAIN, settings.max_batch_size)


@router.post(f"{BELOW}/priority")
async def post_priority(
    request: Request, customer: Customer, links: MadeLinks, settings: TheSettings
) -> JSONResponse:
    """Submits a collection of images to be processed ahead of the main queue."""
    return await _submit(request, customer, links, QueueKind.PRIORITY, settings.max_batch_size)


async def _submit(
    request: Request, customer: int, links: Links, kind: QueueKind, most: int
) -> JSONResponse:
    body = await bodies.raw(request)
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        raise bad_request(f"An Idempotency-Key has 1 to {LONGEST_KEY} characters")
    async with database(request) as connection:
        earlier = await _earlier(connection, customer, key, kind, body)
        if earlier is not None:
            row = await batches.found(connection, customer, str(earlier))
            return _answer(links, row, 200)
        sent: dict[str, Any] = bodies.parsed(body)
        assets = submission.assets_of(sent, most, priority=kind is QueueKind.PRIORITY)
        missing = await space.missing(connection, customer, {a["space_id"] for a in assets})
        if missing:
            numbers = ", ".join(map(str, missing))
            raise bad_request(f"The following space(s) could not be found: {numbers}")
        batch_id = await batch.submit(connection, customer, queue.CUSTOMER_QUEUE, kind, assets)
        if key is not None:
            await batch.keep_key(connection, customer, key, batch_id)
        row = await batches.found(connection, customer, str(batch_id))
    dispatcher: Dispatcher = request.app.state.dispatcher
    dispatcher.batch(row)
    return _answer(links, row, 201)


async def _earlier(
    connection: Connection, customer: int, key: str | None, kind: QueueKind, body: bytes
) -> int | None:
    if key is None:
        return None
    request_hash = hashlib.sha256(kind.encode() + b"\n" + body).digest()
    try:
        return await batch.use_key(connection, customer, key, request_hash)
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
    request: Request, customer: int, links: Links, name: str, view: BatchView
) -> Resource:
    wanted = window(request)
    async with database(request) as connection:
        page = await batch.page(connection, view, customer, queue.CUSTOMER_QUEUE, wanted)
    url = links.customer(customer, "queue", name)
    return collection(url, wanted, page, lambda row: batches.shown(links, row))


@router.get(f"{BELOW}/batches")
async def read_batches(request: Request, customer: Customer, links: MadeLinks) -> Resource:
    """Every batch, most recent first."""
    return await _batches(request, customer, links, "batches", BatchView.ALL)


@router.get(f"{BELOW}/active")
async def read_active(request: Request, customer: Customer, links: MadeLinks) -> Resource:
    """Batches that are being worked on, most recent first."""
    return await _batches(request, customer, links, "active", BatchView.ACTIVE)


@router.get(f"{BELOW}/recent")
async def read_recent(request: Request, customer: Customer, links: MadeLinks) -> Resource:
    """Batches that have finished and are not superseded, last finished first."""
    return await _batches(request, customer, links, "recent", BatchView.RECENT)


@router.get(f"{BELOW}/images")
async def read_queue_images(request: Request, customer: Customer, links: MadeLinks) -> Resource:
    """Assets on the main queue, front of the queue first."""
    async with database(request) as connection:
        counters = await queue.counters(connection, customer)
        view = asset.of_queue(customer, queue.CUSTOMER_QUEUE, counters.size)
        url = links.customer(customer, "queue", "images")
        return await asset_page(request, connection, links, url, view)
