"""What assets take in the store, and the quota that bounds it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Request

from api import spaces
from api.hydra import Problem, Resource, resource
from api.requests import Customer, MadeLinks, database
from projection import customer as customers
from projection import space
from projection.database import Connection

router = APIRouter(prefix="/customers/{customer_id}", tags=["storage"])


def _shown(url: str, assets: int, size_bytes: int, **more: int | None) -> Resource:
    return resource(
        "vocab:CustomerStorage",
        f"{url}/storage",
        numberOfStoredImages=assets,
        totalSizeOfStoredImages=size_bytes,
        **more,
    )


@router.get("/storage")
async def read_customer_storage(request: Request, customer: Customer, links: MadeLinks) -> Resource:
    """How many assets the customer has and the bytes of their derivatives, and their quota."""
    async with database(request) as connection:
        found = await space.stored(connection, customer)
    return _shown(
        links.customer(customer),
        found.assets,
        found.bytes,
        maximumNumberOfStoredImages=found.quota_assets,
        maximumTotalSizeOfStoredImages=found.quota_bytes,
    )


@router.get("/spaces/{space_id}/storage")
async def read_space_storage(
    request: Request, customer: Customer, space_id: str, links: MadeLinks
) -> Resource:
    """How many assets are in a space, and the bytes of their derivatives."""
    async with database(request) as connection:
        row = await spaces.found(connection, customer, space_id)
    return _shown(links.customer(customer, "spaces", row.id), row.assets, row.bytes)


@asynccontextmanager
async def within_quota(connection: Connection, customer_id: int) -> AsyncIterator[None]:
    """Assets are added inside; afterwards the customer's quota holds. Raises Problem 507."""
    await customers.lock_quota(connection, customer_id)
    yield
    found = await space.stored(connection, customer_id)
    if found.quota_assets is not None and found.assets > found.quota_assets:
        raise Problem(
            507,
            "Insufficient Storage",
            f"The quota is {found.quota_assets} assets, and these would make it {found.assets};"
            " delete assets or have it raised",
        )
    if found.quota_bytes is not None and found.bytes >= found.quota_bytes:
        raise Problem(
            507,
            "Insufficient Storage",
            f"The quota of {found.quota_bytes} bytes is used up; delete assets or have it raised",
        )
