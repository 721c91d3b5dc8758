"""Reads a request's body: its size, and that it is JSON."""

import json
from typing import Any

from fastapi import Request

from api.hydra import Problem, bad_request
from settings import Settings


async def raw(request: Request) -> bytes:
    """The body. Raises Problem 413 when it is larger than the setting `max_body_bytes`."""
    settings: Settings = request.app.state.settings
    most = settings.max_body_bytes
    declared = request.headers.get("content-length", "")
    parts: list[bytes] = []
    size = int(declared) if declared.isdigit() and int(declared) > most else 0
    if not size:
        async for part in request.stream():
            parts.append(part)
            size += len(part)
            if size > most:
                break
    if size > most:
        raise Problem(413, "Content Too Large", f"A body may be {most} bytes at most")
    return b"".join(parts)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def parsed(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises Problem 400."""
    try:
        value = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"The body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise bad_request("The body must be a JSON object")
    return value


async def json_object(request: Request) -> dict[str, Any]:
    """The JSON object that was sent. Raises Problem 400 or 413."""
    return parsed(await raw(request))
