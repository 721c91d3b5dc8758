"""`/iiif-img/…`: IIIF Image API 3.0, level 2, over the pyramids in the store.

Public, as image services are: no credentials. A JPEG 2000 that was kept as it came is for an image
server of its own; here it has the sizes of its thumbnails alone, at level 0.
"""

import asyncio
import hashlib
from functools import partial
from typing import Any

import obstore
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from api.derivatives import (
    base,
    described,
    found,
    info_response,
    level_0,
    path_of,
    thumbnail,
)
from api.hydra import Problem, bad_request
from api.requests import MadeLinks
from api.stored import CACHED, etag_of, is_known
from image_api.parameters import FORMATS, BadRequest, Limits, Picture, parse
from image_api.render import Unreadable, render
from projection import asset
from settings import Settings

router = APIRouter(tags=["image services"])

CHANNEL = "iiif-img"
BELOW = f"/{CHANNEL}/{{customer_id}}/{{space_id}}/{{asset_id}}"
TILE = 256
WAIT_S = 10.0
READ_BYTES = 32 * 1024
"""Read at a time: about as much as a tile, or the directory of a pyramid, has."""

PROFILE = '<http://iiif.io/api/image/3/level2.json>;rel="profile"'


def _pyramid(row: asset.Asset) -> str | None:
    """The key of the pyramid, if there is one."""
    keys = (made["key"] for made in row.derivatives if made["channel"] == CHANNEL)
    return next((key for key in keys if key.endswith(".tif")), None)


def _limits(settings: Settings) -> Limits:
    return Limits(settings.service_max_side, settings.service_max_area)


async def info(request: Request, links: MadeLinks) -> JSONResponse:
    """What can be asked of the image."""
    row = await found(request, CHANNEL)
    if _pyramid(row) is None:
        return info_response(request, level_0(request, links, row))
    width, height = row.width or 1, row.height or 1
    factors = [1]
    while max(width, height) > TILE * factors[-1]:
        factors.append(2 * factors[-1])
    most = _limits(request.app.state.settings)
    sizes = [(-(-width // factor), -(-height // factor)) for factor in reversed(factors)]
    said = described(request, links, row) | {
        "profile": "level2",
        "maxWidth": most.side,
        "maxArea": most.area,
        "sizes": [
            {"width": across, "height": up}
            for across, up in sizes
            if max(across, up) <= most.side and across * up <= most.area
        ],
        "tiles": [{"width": TILE, "height": TILE, "scaleFactors": factors}],
        "extraQualities": ["color", "gray", "bitonal"],
        "extraFeatures": [
            *("canonicalLinkHeader", "mirroring", "profileLinkHeader", "sizeUpscaling"),
        ],
    }
    return info_response(request, said)


async def picture(
    request: Request, region: str, size: str, rotation: str, last: str, links: MadeLinks
) -> Response:
    """A region of the image at a size, mirrored, turned, and in a quality and a format."""
    row = await found(request, CHANNEL)
    key = _pyramid(row)
    if key is None:
        if (region, rotation, last) != ("full", "0", "default.jpg"):
            raise bad_request("This image has only the sizes of its info.json, whole")
        return await thumbnail(request, row, size)
    quality, _, kind = last.partition(".")
    full = (row.width or 1, row.height or 1)
    most = _limits(request.app.state.settings)
    try:
        wanted = parse(region, size, rotation, quality, kind, full, most)
    except BadRequest as error:
        raise bad_request(str(error)) from error
    tag, stored_bytes = await etag_of(request, key)
    canonical = wanted.canonical(full)
    etag = f'"{hashlib.sha256(f"{tag} {canonical}".encode()).hexdigest()[:32]}"'
    service = path_of(request).split("/")[1:5]
    address = links("/".join(service))
    headers = {
        **CACHED,
        "ETag": etag,
        "Link": f'<{address}/{canonical}>;rel="canonical",{PROFILE}',
    }
    if is_known(request, etag):
        return Response(status_code=304, headers=headers)
    made = await _rendered(request, key, stored_bytes, wanted)
    return Response(made, headers=headers, media_type=FORMATS[kind])


async def _rendered(request: Request, key: str, size: int, wanted: Picture) -> bytes:
    state: Any = request.app.state
    open_file = partial(obstore.open_reader, state.store, key, size=size, buffer_size=READ_BYTES)
    try:
        async with asyncio.timeout(WAIT_S):
            await state.renderers.acquire()
    except TimeoutError as late:
        busy = "Too many pictures are being made, try again"
        raise Problem(503, "Service Unavailable", busy, {"Retry-After": "2"}) from late
    try:
        return await asyncio.to_thread(render, open_file, wanted)
    except Unreadable as error:
        raise Problem(500, "Internal Server Error", "The stored image cannot be read") from error
    finally:
        state.renderers.release()


for path, endpoint in (
    ("", base),
    ("/info.json", info),
    ("/{region}/{size}/{rotation}/{last}", picture),
):
    # Described by IIIF's Image API, not by ours.
    router.add_api_route(
        BELOW + path, endpoint, methods=["GET", "HEAD"], name=BELOW + path, include_in_schema=False
    )
