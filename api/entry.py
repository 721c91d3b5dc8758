"""The entry point, and the customer."""

from fastapi import APIRouter, Request

from api.hydra import Links, Resource, date, resource
from api.requests import Customer, MadeLinks, database, known_customer
from projection import customer as customers

router = APIRouter(tags=["entry point"])


@router.get("/")
async def read_entry_point(request: Request, links: MadeLinks) -> Resource:
    """Where everything starts; with credentials, it leads to their customer."""
    known = await known_customer(request)
    return resource(
        "vocab:EntryPoint",
        f"{links.base}/",
        queue=links("queue"),
        customer=None if known is None else links.customer(known),
        openapi=links("openapi.json"),
        documentation=links("docs"),
    )


@router.get("/customers/{customer_id}")
async def read_customer(request: Request, customer: Customer, links: MadeLinks) -> Resource:
    """The customer who calls."""
    async with database(request) as connection:
        row = await customers.get(connection, customer)
    assert row is not None  # noqa: S101 - a credential of theirs was just read
    return shown(links, row)


def shown(links: Links, row: customers.Customer) -> Resource:
    """A customer as they see themselves."""
    url = links.customer(row.id)
    return resource(
        "vocab:Customer",
        url,
        id=row.id,
        name=row.name,
        created=date(row.created),
        queue=f"{url}/queue",
        spaces=f"{url}/spaces",
        allImages=f"{url}/allImages",
        manifests=f"{url}/manifests",
        originStrategies=f"{url}/originStrategies",
        deliveryChannelPolicies=f"{url}/deliveryChannelPolicies",
        defaultDeliveryChannels=f"{url}/defaultDeliveryChannels",
        storage=f"{url}/storage",
    )
