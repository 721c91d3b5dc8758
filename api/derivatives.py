"""`/thumbs/…`: the thumbnails of an image, as an IIIF Image API 3.0 service of level 0.

Public, as image services are: no credentials.
"""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from api.hydra import Links, not_found
from api.requests import MadeLinks, database, whole_number
from api.spaces import LARGEST
from api.stored import CACHED, stored
from projection import asset

router = APIRouter(tags=["image services"])

CHANNEL = "thumbs"
BELOW = f"/{CHANNEL}/{{customer_id}}/{{space_id}}/{{asset_id}}"
CONTEXT = "http://iiif.io/api/image/3/context.json"
JSON_LD = f'application/ld+json;profile="{CONTEXT}"'


def path_of(request: Request) -> str:
    """The path as it was sent: decoded, `a%2Fb` and `a/b` would be the same."""
    raw: bytes = request.scope["raw_path"]
    return raw.decode("ascii").partition("?")[0]


async def found(request: Request, channel: str) -> asset.Asset:
    """The asset, if it has a derivative of the channel. Raises Problem 404."""
    path = request.path_params
    row = None
    if "\0" not in path["asset_id"]:
        customer_id = whole_number(path["customer_id"], "customer", LARGEST)
        space_id = whole_number(path["space_id"], "space", LARGEST)
        async with database(request) as connection:
            row = await asset.get(connection, customer_id, space_id, path["asset_id"])
    if row is None or not any(made["channel"] == channel for made in row.derivatives):
        raise not_found("image here")
    return row


def described(request: Request, links: Links, row: asset.Asset) -> dict[str, Any]:
    """What the info.json of every level holds."""
    return {
        "@context": CONTEXT,
        "id": links(path_of(request).removesuffix("/info.json").lstrip("/")),
        "type": "ImageService3",
        "protocol": "http://iiif.io/api/image",
        "width": row.width,
        "height": row.height,
    }


def level_0(request: Request, links: Links, row: asset.Asset) -> dict[str, Any]:
    """An info.json with the thumbnails' sizes alone."""
    sizes = [{"width": made["width"], "height": made["height"]} for made in _thumbs(row)]
    return described(request, links, row) | {"profile": "level0", "sizes": sizes}


def info_response(request: Request, said: dict[str, Any]) -> JSONResponse:
    """JSON-LD, unless the client asks for plain JSON."""
    accepted = request.headers.get("accept", "")
    plain = "application/json" in accepted and "ld+json" not in accepted
    media_type = "application/json" if plain else JSON_LD
    return JSONResponse(said, headers={**CACHED, "Vary": "Accept"}, media_type=media_type)


def _thumbs(row: asset.Asset) -> list[dict[str, Any]]:
    """The thumbnails of an image, smallest first."""
    made = [each for each in row.derivatives if each["channel"] == CHANNEL]
    return sorted(made, key=lambda each: int(each["width"]))


async def base(request: Request) -> RedirectResponse:
    """A service's address leads to its description."""
    return RedirectResponse(f"{path_of(request)}/info.json", status_code=303, headers=CACHED)


async def info(request: Request, links: MadeLinks) -> JSONResponse:
    """The sizes that there are."""
    return info_response(request, level_0(request, links, await found(request, CHANNEL)))


async def thumbnail(request: Request, row: asset.Asset, size: str) -> Response:
    """One of the sizes that an info.json of level 0 names. Raises Problem 404."""
    for made in _thumbs(row):
        if size in (f"{made['width']},{made['height']}", f"{made['width']},"):
            return await stored(request, made["key"], "image/jpeg")
    raise not_found(f"size {size[:40]} of this image; info.json has those there are")


async def picture(request: Request, size: str) -> Response:
    """One of the sizes that there are."""
    return await thumbnail(request, await found(request, CHANNEL), size)


for path, endpoint in (
    ("", base),
    ("/info.json", info),
    ("/full/{size}/0/default.jpg", picture),
):
    # Described by IIIF's Image API, not by ours.
    router.add_api_route(
        BELOW + path, endpoint, methods=["GET", "HEAD"], name=BELOW + path, include_in_schema=False
    )
