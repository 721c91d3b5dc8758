"""`/customers/{c}/spaces`."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.bodies import json_object
from api.hydra import Links, Resource, bad_request, collection, date, not_found, resource, window
from api.requests import Customer, MadeLinks, database, whole_number
from projection import space

router = APIRouter(prefix="/customers/{customer_id}/spaces", tags=["spaces"])

LARGEST = 2**31 - 1


def shown(links: Links, customer_id: int, row: space.Space) -> Resource:
    """A space as clients see it."""
    url = links.customer(customer_id, "spaces", row.id)
    return resource(
        "vocab:Space",
        url,
        id=row.id,
        name=row.name,
        created=date(row.created),
        approximateNumberOfImages=row.assets,
        images=f"{url}/images",
    )


def _name(body: Resource) -> str:
    name = body.get("name")
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        raise bad_request("'name' must be a text that is not empty")
    return name


@router.get("")
async def read_spaces(request: Request, customer: Customer, links: MadeLinks) -> Resource:
    """The customer's spaces, by number."""
    wanted = window(request)
    async with database(request) as connection:
        page = await space.page(connection, customer, wanted)
    url = links.customer(customer, "spaces")
    return collection(url, wanted, page, lambda row: shown(links, customer, row))


@router.get("/{space_id}")
async def read_space(
    request: Request, customer: Customer, space_id: str, links: MadeLinks
) -> Resource:
    """A space."""
    async with database(request) as connection:
        row = await space.get(connection, customer, whole_number(space_id, "space", LARGEST))
    if row is None:
        raise not_found(f"space {space_id}")
    return shown(links, customer, row)


@router.put("/{space_id}")
async def put_space(
    request: Request, customer: Customer, space_id: str, links: MadeLinks
) -> JSONResponse:
    """Creates a space (201) or renames it (200)."""
    number = whole_number(space_id, "space", LARGEST)
    name = _name(await json_object(request))
    async with database(request) as connection:
        row = await space.put(connection, customer, number, name)
    return JSONResponse(shown(links, customer, row), status_code=201 if row.is_new else 200)
