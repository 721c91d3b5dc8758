"""`/thumbs/…` and `/iiif-img/…`: the sizes made of an image, as IIIF Image API 3 services, level 0.

Public, as image services are: no credentials.
"""

from typing import Any

import obstore
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse, StreamingResponse

from api.assets import LARGEST_SPACE
from api.hydra import Problem, not_found
from api.requests import MadeLinks, database, whole_number
from projection import asset

router = APIRouter(tags=["image services"])

CHANNELS = ("thumbs", "iiif-img")
BELOW = "/{customer_id}/{space_id}/{asset_id}"
CACHED = {"Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*"}
IIIF = 'application/ld+json;profile="http://iiif.io/api/image/3/context.json"'


def _path(request: Request) -> str:
    """The path as it was sent: decoded, `a%2Fb` and `a/b` would be the same."""
    raw: bytes = request.scope["raw_path"]
    return raw.decode("ascii").partition("?")[0]


async def _found(request: Request, channel: str) -> asset.Asset:
    """The asset, if it has a derivative of the channel. Raises Problem 404."""
    path = request.path_params
    row = None
    if "\0" not in path["asset_id"]:
        customer_id = whole_number(path["customer_id"], "customer", LARGEST_SPACE)
        space_id = whole_number(path["space_id"], "space", LARGEST_SPACE)
        async with database(request) as connection:
            row = await asset.get(connection, customer_id, space_id, path["asset_id"])
    if row is None or not any(made["channel"] == channel for made in row.derivatives):
        raise not_found("image here")
    return row


def _thumbs(row: asset.Asset) -> list[dict[str, Any]]:
    """The thumbnails of an image, smallest first."""
    made = [each for each in row.derivatives if each["channel"] == "thumbs"]
    return sorted(made, key=lambda each: int(each["width"]))


def _add(channel: str) -> None:
    async def base(request: Request) -> RedirectResponse:
        """The service's address leads to its description."""
        return RedirectResponse(f"{_path(request)}/info.json", status_code=303)

    async def info(request: Request, links: MadeLinks) -> JSONResponse:
        """What there is of the image: IIIF Image API 3, level 0, with its sizes."""
        row = await _found(request, channel)
        sizes = [{"width": made["width"], "height": made["height"]} for made in _thumbs(row)]
        described = {
            "@context": "http://iiif.io/api/image/3/context.json",
            "id": links(_path(request).removesuffix("/info.json").lstrip("/")),
            "type": "ImageService3",
            "protocol": "http://iiif.io/api/image",
            "profile": "level0",
            "width": row.width,
            "height": row.height,
            "sizes": sizes,
        }
        return JSONResponse(described, headers=CACHED, media_type=IIIF)

    async def picture(request: Request, size: str) -> Response:
        """One of the sizes that info.json names."""
        row = await _found(request, channel)
        for made in _thumbs(row):
            if size in (f"{made['width']},{made['height']}", f"{made['width']},"):
                return await _stored(request, made["key"])
        raise not_found(f"size {size[:40]} of this image; info.json has those there are")

    for path, endpoint in (
        ("", base),
        ("/info.json", info),
        ("/full/{size}/0/default.jpg", picture),
    ):
        name = f"{channel}{path}"
        # Described by IIIF's Image API, not by ours.
        route = f"/{channel}{BELOW}{path}"
        router.add_api_route(route, endpoint, name=name, include_in_schema=False)


async def _stored(request: Request, key: str) -> Response:
    try:
        found = await obstore.get_async(request.app.state.store, key)
    except FileNotFoundError as error:
        raise not_found("image here") from error
    except obstore.exceptions.BaseError as error:
        raise Problem(503, "Service Unavailable", "The store does not answer") from error
    etag = f'"{found.meta["e_tag"]}"' if found.meta["e_tag"] else None
    headers = {**CACHED, "Content-Length": str(found.meta["size"])}
    if etag is not None:
        headers["ETag"] = etag
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={**CACHED, "ETag": etag})
    return StreamingResponse(found.stream(), headers=headers, media_type="image/jpeg")


for each in CHANNELS:
    _add(each)
