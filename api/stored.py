"""Files of the store as responses: whole or in part, and not again for who has them already."""

import re
from collections.abc import Mapping

import obstore
from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from api.hydra import Problem, not_found

CACHED = {"Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*"}

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")


async def etag_of(request: Request, key: str) -> tuple[str, int]:
    """The entity tag and the size in bytes of what is under a key. Raises Problem 404 or 503."""
    try:
        meta = await obstore.head_async(request.app.state.store, key)
    except FileNotFoundError as error:
        raise not_found("image here") from error
    except obstore.exceptions.BaseError as error:
        raise away() from error
    tag = (meta["e_tag"] or f"{meta['last_modified'].timestamp()}-{meta['size']}").strip('"')
    return f'"{tag}"', meta["size"]


def away() -> Problem:
    """The store cannot be read now."""
    return Problem(503, "Service Unavailable", "The store does not answer", {"Retry-After": "5"})


def is_known(request: Request, etag: str) -> bool:
    """Whether the client has what the tag stands for."""
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or etag in [
        each.strip().removeprefix("W/") for each in known.split(",")
    ]


async def stored(
    request: Request, key: str, media_type: str, more: Mapping[str, str] | None = None
) -> Response:
    """What is under a key: 200, 206 for a range of bytes, 304, 416. Raises Problem 404 or 503."""
    etag, size = await etag_of(request, key)
    headers = {**CACHED, **(more or {}), "ETag": etag, "Accept-Ranges": "bytes"}
    if is_known(request, etag):
        return Response(status_code=304, headers=headers)
    start, end, status = 0, size, 200
    asked = request.headers.get("range")
    if asked is not None and request.headers.get("if-range", etag) == etag:
        found = _RANGE.fullmatch(asked.strip())
        if found is not None and any(found.groups()):  # several ranges, say, are answered whole
            start, end = _span(found[1], found[2], size)
            if start >= end:
                headers["Content-Range"] = f"bytes */{size}"
                return Response(status_code=416, headers=headers)
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
            status = 206
    headers["Content-Length"] = str(end - start)
    if request.method == "HEAD" or size == 0:
        return Response(status_code=status, headers=headers, media_type=media_type)
    try:
        got = await obstore.get_async(request.app.state.store, key, options={"range": (start, end)})
    except FileNotFoundError as error:
        raise not_found("image here") from error
    except obstore.exceptions.BaseError as error:
        raise away() from error
    return StreamingResponse(
        got.stream(), status_code=status, headers=headers, media_type=media_type
    )


def _span(first: str, last: str, size: int) -> tuple[int, int]:
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1 if last else size)
