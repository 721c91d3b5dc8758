"""`/customers/{c}/queue/batches/{id}`."""

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request

from api.assets import asset_page
from api.hydra import Links, Resource, date, not_found, resource
from api.requests import Customer, MadeLinks, database, whole_number
from projection import asset, batch
from projection.database import Connection

router = APIRouter(prefix="/customers/{customer_id}/queue/batches/{batch_id}", tags=["batches"])


def _expected_end(row: batch.Batch) -> datetime | None:
    """When the batch will have finished, at the rate measured since work on it started."""
    ended = row.completed - row.completed_before
    if row.state != "processing" or row.started is None or ended < 1:
        return None
    now = datetime.now(UTC)
    each = max((now - row.started).total_seconds(), 0.001) / ended
    left = min(each * (row.count - row.completed), 10 * 365 * 86400)
    return now + timedelta(seconds=left)


def shown(links: Links, row: batch.Batch) -> Resource:
    """A batch as clients see it."""
    url = links.customer(row.customer_id, "queue", "batches", row.id)
    return resource(
        "vocab:Batch",
        url,
        id=row.id,
        submitted=date(row.submitted),
        count=row.count,
        completed=row.completed,
        errors=row.errors,
        finished=date(row.finished),
        superseded=row.superseded,
        estCompletion=date(_expected_end(row)),
        images=f"{url}/images",
        assets=f"{url}/assets",
        completedImages=f"{url}/completedImages",
        errorImages=f"{url}/errorImages",
        test=f"{url}/test",
        retry=f"{url}/retry",
    )


async def found(connection: Connection, customer_id: int, batch_id: str) -> batch.Batch:
    """The customer's batch. Raises Problem 404."""
    row = await batch.get(connection, customer_id, whole_number(batch_id, "batch"))
    if row is None:
        raise not_found(f"batch {batch_id}")
    return row


@router.get("")
async def read_batch(
    request: Request, customer: Customer, batch_id: str, links: MadeLinks
) -> Resource:
    """A batch with its counts."""
    async with database(request) as connection:
        return shown(links, await found(connection, customer, batch_id))


@router.get("/images")
async def read_images(
    request: Request, customer: Customer, batch_id: str, links: MadeLinks
) -> Resource:
    """Assets whose newest batch this is, as they were sent."""
    async with database(request) as connection:
        row = await found(connection, customer, batch_id)
        view = asset.of_batch(row.id, row.owned)
        return await asset_page(request, connection, links, f"{_url(links, row)}/images", view)


@router.get("/assets")
async def read_assets(
    request: Request, customer: Customer, batch_id: str, links: MadeLinks
) -> Resource:
    """All that the batch was created with and that still exist."""
    async with database(request) as connection:
        row = await found(connection, customer, batch_id)
        view = asset.of_batch_entries(row.id)
        return await asset_page(request, connection, links, f"{_url(links, row)}/assets", view)


@router.get("/completedImages")
async def read_completed(
    request: Request, customer: Customer, batch_id: str, links: MadeLinks
) -> Resource:
    """Those of `images` that ended without error."""
    async with database(request) as connection:
        row = await found(connection, customer, batch_id)
        url = f"{_url(links, row)}/completedImages"
        view = asset.of_batch_by_state(row.id, "completed")
        return await asset_page(request, connection, links, url, view)


@router.get("/errorImages")
async def read_failed(
    request: Request, customer: Customer, batch_id: str, links: MadeLinks
) -> Resource:
    """Those of `images` that ended with an error."""
    async with database(request) as connection:
        row = await found(connection, customer, batch_id)
        url = f"{_url(links, row)}/errorImages"
        view = asset.of_batch_by_state(row.id, "error")
        return await asset_page(request, connection, links, url, view)


def _url(links: Links, row: batch.Batch) -> str:
    return links.customer(row.customer_id, "queue", "batches", row.id)
