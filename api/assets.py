"""`/customers/{c}/spaces/{s}/images`: assets, and pages of them."""

import json
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request

from api import spaces
from api.hydra import Links, Resource, bad_request, collection, date, not_found, resource, window
from api.requests import Customer, MadeLinks, database, whole_number
from delivery_channels import family
from projection import asset
from projection.database import Connection

router = APIRouter(prefix="/customers/{customer_id}", tags=["assets"])

NUMBERS = ("number1", "number2", "number3", "space")


def asset_url(links: Links, row: asset.Asset) -> str:
    """The address of an asset."""
    identity = quote(row.id, safe="")
    return links.customer(row.customer_id, "spaces", row.space_id, "images", identity)


def shown(links: Links, row: asset.Asset) -> Resource:
    """An asset as clients see it."""
    url = asset_url(links, row)
    made = {derivative["channel"] for derivative in row.derivatives}
    named = {channel["channel"] for channel in row.delivery_channels}
    ready = made & named
    place = (row.customer_id, row.space_id, quote(row.id, safe=""))
    return resource(
        "vocab:Image",
        url,
        id=row.id,
        space=row.space_id,
        mediaType=row.media_type,
        family=family(row.media_type),
        origin=row.origin,
        deliveryChannels=row.delivery_channels,
        string1=row.string1,
        string2=row.string2,
        string3=row.string3,
        number1=row.number1,
        number2=row.number2,
        number3=row.number3,
        tags=row.tags,
        roles=row.roles,
        maxUnauthorised=row.max_unauthorised,
        created=date(row.created),
        batch=None
        if row.batch_id is None
        else links.customer(row.customer_id, "queue", "batches", row.batch_id),
        ingesting=row.ingesting,
        finished=date(row.finished),
        error=row.error,
        attempts=row.attempts if row.next_attempt else None,
        lastFault=row.last_fault if row.next_attempt else None,
        nextAttempt=date(row.next_attempt),
        width=row.width,
        height=row.height,
        duration=row.duration,
        manifests=[
            links.customer(row.customer_id, "manifests", quote(manifest, safe=""))
            for manifest in row.manifests
        ]
        or None,
        imageService=links("iiif-img", *place) if "iiif-img" in ready else None,
        thumbnailImageService=links("thumbs", *place) if "thumbs" in ready else None,
        metadata=f"{url}/metadata",
        storage=f"{url}/storage",
    )


def _filters(request: Request) -> dict[str, Any]:
    """The asset query: `?q=` as JSON, and the same fields as plain parameters."""
    params = request.query_params
    asked: dict[str, Any] = {name: params[name] for name in asset.FILTERS if name in params}
    if "q" in params:
        try:
            query = json.loads(params["q"])
        except (ValueError, RecursionError) as error:
            raise bad_request(f"'q' is not JSON: {error}") from error
        if not isinstance(query, dict):
            raise bad_request("'q' must be a JSON object")
        if unknown := [name for name in query if name not in asset.FILTERS]:
            raise bad_request(f"'q' cannot have {', '.join(unknown)}; {_KNOWN_FILTERS}")
        asked |= query
    return {name: _filter_value(name, value) for name, value in asked.items()}


_KNOWN_FILTERS = f"it can have {', '.join(asset.FILTERS)}"


def _filter_value(name: str, value: object) -> object:
    if name in NUMBERS:
        try:
            number = int(value) if isinstance(value, int | str) else None
        except ValueError:
            number = None
        if number is None or isinstance(value, bool) or not -(2**63) <= number < 2**63:
            raise bad_request(f"'{name}' must be a whole number")
        return number
    if not isinstance(value, str) or "\0" in value:
        raise bad_request(f"'{name}' must be a text")
    return value


async def asset_page(
    request: Request, connection: Connection, links: Links, url: str, view: asset.AssetView
) -> Resource:
    """One page of a view of assets, narrowed and ordered as the request asks."""
    wanted = window(request)
    filters = _filters(request)
    params = request.query_params
    for named in (*params.getlist("orderBy"), *params.getlist("orderByDescending")):
        if named not in asset.ORDERS:
            raise bad_request(f"Assets cannot be ordered by '{named}', only by {_KNOWN_ORDERS}")
    descending = "orderByDescending" in params
    order_by = params.get("orderByDescending" if descending else "orderBy")
    page = await asset.page(connection, view, wanted, filters, order_by, descending)
    asked = [
        (name, value)
        for name, value in params.multi_items()
        if name in ("q", "orderBy", "orderByDescending", *asset.FILTERS)
    ]
    return collection(url, wanted, page, lambda row: shown(links, row), asked)


_KNOWN_ORDERS = ", ".join(asset.ORDERS)


@router.get("/allImages")
async def read_all_images(request: Request, customer: Customer, links: MadeLinks) -> Resource:
    """All assets of the customer, by space and id."""
    url = links.customer(customer, "allImages")
    async with database(request) as connection:
        view = await asset.of_customer(connection, customer)
        return await asset_page(request, connection, links, url, view)


@router.get("/spaces/{space_id}/images")
async def read_space_images(
    request: Request, customer: Customer, space_id: str, links: MadeLinks
) -> Resource:
    """The assets of a space."""
    async with database(request) as connection:
        row = await spaces.found(connection, customer, space_id)
        url = links.customer(customer, "spaces", row.id, "images")
        view = asset.of_space(customer, row.id, row.assets)
        return await asset_page(request, connection, links, url, view)


async def found(
    connection: Connection, customer_id: int, space_id: str, asset_id: str
) -> asset.Asset:
    """The customer's asset. Raises Problem 404."""
    number = whole_number(space_id, "space", spaces.LARGEST)
    row = None
    if "\0" not in asset_id:
        row = await asset.get(connection, customer_id, number, asset_id)
    if row is None:
        raise not_found(f"asset {asset_id} in space {number}")
    return row


@router.get("/spaces/{space_id}/images/{asset_id}")
async def read_asset(
    request: Request, customer: Customer, space_id: str, asset_id: str, links: MadeLinks
) -> Resource:
    """An asset."""
    async with database(request) as connection:
        return shown(links, await found(connection, customer, space_id, asset_id))


@router.get("/spaces/{space_id}/images/{asset_id}/storage")
async def read_storage(
    request: Request, customer: Customer, space_id: str, asset_id: str, links: MadeLinks
) -> Resource:
    """The bytes that an asset's derivatives take in the store, by delivery channel."""
    async with database(request) as connection:
        row = await found(connection, customer, space_id, asset_id)
    channels: dict[str, int] = {}
    for made in row.derivatives:
        channels[made["channel"]] = channels.get(made["channel"], 0) + made["bytes"]
    url = f"{asset_url(links, row)}/storage"
    return resource("vocab:ImageStorage", url, size=sum(channels.values()), channels=channels)


@router.get("/spaces/{space_id}/images/{asset_id}/metadata")
async def read_metadata(
    request: Request, customer: Customer, space_id: str, asset_id: str, links: MadeLinks
) -> Resource:
    """What is known of an asset's original and of each derivative, sizes in pixels and bytes."""
    async with database(request) as connection:
        row = await found(connection, customer, space_id, asset_id)
    return resource(
        "vocab:ImageMetadata",
        f"{asset_url(links, row)}/metadata",
        mediaType=row.media_type,
        width=row.width,
        height=row.height,
        duration=row.duration,
        derivatives=[
            {name: value for name, value in made.items() if name != "key"}
            for made in row.derivatives
        ],
    )
