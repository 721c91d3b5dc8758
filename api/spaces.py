"""`/customers/{c}/spaces`."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from api.bodies import json_object
from api.hydra import (
    Links,
    Problem,
    Resource,
    bad_request,
    collection,
    date,
    not_found,
    resource,
    window,
)
from api.requests import Customer, MadeLinks, database, whole_number
from projection import space
from projection.database import Connection

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
        storage=f"{url}/storage",
        defaultDeliveryChannels=f"{url}/defaultDeliveryChannels",
    )


async def found(connection: Connection, customer_id: int, space_id: str) -> space.Space:
    """The customer's space. Raises Problem 404."""
    number = whole_number(space_id, "space", LARGEST)
    row = await space.get(connection, customer_id, number)
    if row is None:
        raise not_found(f"space {number}")
    return row


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
        row = await found(connection, customer, space_id)
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


@router.post("", status_code=201)
async def post_space(request: Request, customer: Customer, links: MadeLinks) -> JSONResponse:
    """Creates a space with the next free number."""
    name = _name(await json_object(request))
    async with database(request) as connection:
        row = await space.mint(connection, customer, name)
    answer = shown(links, customer, row)
    return JSONResponse(answer, status_code=201, headers={"Location": answer["@id"]})


@router.patch("/{space_id}")
async def patch_space(
    request: Request, customer: Customer, space_id: str, links: MadeLinks
) -> Resource:
    """Renames a space."""
    async with database(request) as connection:
        row = await found(connection, customer, space_id)
    body = await json_object(request)
    if "name" in body:
        name = _name(body)
        async with database(request) as connection:
            renamed = await space.rename(connection, customer, row.id, name)
        if renamed is None:
            raise not_found(f"space {row.id}")
        row = renamed
    return shown(links, customer, row)


@router.delete("/{space_id}", status_code=204)
async def delete_space(request: Request, customer: Customer, space_id: str) -> Response:
    """Deletes an empty space."""
    number = whole_number(space_id, "space", LARGEST)
    try:
        async with database(request) as connection:
            deleted = await space.delete(connection, customer, number)
    except space.SpaceNotEmpty as error:
        raise Problem(
            409, "Conflict", f"Space {number} has assets; delete them before it"
        ) from error
    if not deleted:
        raise not_found(f"space {number}")
    return Response(status_code=204)
