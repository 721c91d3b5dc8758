"""Fetches originals over http and https, and from folders that are allowed."""

import asyncio
import email.utils
import os
import ssl
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote, urljoin, urlsplit

import httpcore

from activities.addresses import GuardedBackend
from activities.faults import AssetFault, DiskFull, OriginAway
from settings import Settings

REDIRECTS = 5
CONNECTIONS = 64
SLOWEST_BYTES_S = 1024
"""A body that comes slower than this on average is given up, after the first time-out period."""

WRITE_BYTES = 1024 * 1024
LONGEST_URL = 8000
TRY_AGAIN = {408, 425, 429}


@dataclass(frozen=True)
class Fetched:
    """An original in a file: its size in bytes, and the media type that the origin gave it."""

    path: Path
    size_bytes: int
    media_type: str | None


class OriginClient:
    """Fetches originals; an async context manager that a worker opens once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=CONNECTIONS,
            max_keepalive_connections=CONNECTIONS,
            keepalive_expiry=15,
            network_backend=GuardedBackend(settings.origin_allow),
        )

    async def __aenter__(self) -> "OriginClient":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._pool.aclose()

    async def fetch(self, url: str, into: Path) -> Fetched:
        """Fetches the original at `url` into the file `into`, which is removed on failure.

        Raises:
            AssetFault: the URL, what it answers (4xx) or the file itself is at fault.
            OriginAway: the origin does not answer, or not as it should, now.
            DiskFull: there is no room for it.
        """
        try:
            if url[:5].lower() == "file:":
                fetched = await asyncio.to_thread(self._copy, url, into)
            else:
                fetched = await self._get(url, into)
        except BaseException as error:
            into.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno in (28, 122):
                raise DiskFull("There is no room for the original") from error
            raise
        if fetched.size_bytes == 0:
            into.unlink(missing_ok=True)
            raise AssetFault("The file at the origin is empty")
        return fetched

    async def _get(self, url: str, into: Path) -> Fetched:
        patience = self._settings.origin_timeout_s
        timeouts = {"connect": patience, "read": patience, "write": patience, "pool": None}
        for _ in range(REDIRECTS + 1):
            host = _checked(url)
            request = httpcore.Request(
                "GET",
                url,
                headers={
                    "Host": urlsplit(url).netloc,
                    "Accept": "*/*",
                    "Accept-Encoding": "identity",
                    "User-Agent": "iiifq",
                },
                extensions={"timeout": timeouts},
            )
            try:
                response = await self._pool.handle_async_request(request)
                try:
                    location = _header(response, b"location")
                    if response.status in (301, 302, 303, 307, 308) and location:
                        url = urljoin(url, location)
                        continue
                    _check_status(response, host)
                    return await self._save(response, host, into)
                finally:
                    await response.aclose()
            except httpcore.TimeoutException as error:
                raise OriginAway(f"The origin {host} did not answer in time") from error
            except (httpcore.NetworkError, httpcore.ProtocolError) as error:
                raise OriginAway(f"The connection to the origin {host} failed") from error
            except httpcore.UnsupportedProtocol as error:
                raise AssetFault("The origin must be an http or https URL") from error
        raise AssetFault(f"The origin redirects more than {REDIRECTS} times")

    async def _save(self, response: httpcore.Response, host: str, into: Path) -> Fetched:
        most = self._settings.origin_max_bytes
        too_large = AssetFault(f"The original is larger than {most:,} bytes")
        declared = _header(response, b"content-length")
        if declared and declared.isdigit() and int(declared) > most:
            raise too_large
        if (_header(response, b"content-encoding") or "identity").lower() != "identity":
            raise AssetFault(f"The origin {host} sends the file compressed, though asked not to")
        size, started, part = 0, time.monotonic(), bytearray()
        with into.open("wb", buffering=0) as file:
            async for chunk in response.aiter_stream():
                part += chunk
                size += len(chunk)
                if size > most:
                    raise too_large
                if len(part) >= WRITE_BYTES:
                    file.write(part)
                    part.clear()
                spent = time.monotonic() - started
                if spent > self._settings.origin_timeout_s and size < spent * SLOWEST_BYTES_S:
                    raise OriginAway(f"The origin {host} sends too slowly")
            file.write(part)
        return Fetched(into, size, _header(response, b"content-type"))

    def _copy(self, url: str, into: Path) -> Fetched:
        parts = urlsplit(url)
        outside = AssetFault("The origin is a file outside the folders that may be read")
        if parts.netloc not in ("", "localhost") or "\0" in unquote(parts.path):
            raise outside
        try:
            source = Path(unquote(parts.path)).resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise outside from error
        roots = self._settings.origin_file_roots
        if not any(source.is_relative_to(root) for root in roots) or not source.is_file():
            raise outside
        size = source.stat().st_size
        if size > self._settings.origin_max_bytes:
            raise AssetFault(
                f"The original is larger than {self._settings.origin_max_bytes:,} bytes"
            )
        with source.open("rb") as reader, into.open("wb") as writer:
            copied = 0
            while copied < size:
                sent = os.sendfile(writer.fileno(), reader.fileno(), copied, size - copied)
                if sent == 0:
                    break
                copied += sent
        return Fetched(into, copied, None)


def _checked(url: str) -> str:
    """The host of a URL that can be fetched. Raises AssetFault."""
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise AssetFault("The origin is not a URL that can be fetched")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AssetFault("The origin is not a URL that can be fetched") from error
    if parts.scheme.lower() not in ("http", "https"):
        raise AssetFault("The origin must be an http or https URL")
    if not parts.hostname or port == 0:
        raise AssetFault("The origin is not a URL that can be fetched")
    if parts.username or parts.password:
        raise AssetFault("The origin's URL must not hold credentials")
    return parts.hostname


def _header(response: httpcore.Response, name: bytes) -> str | None:
    for key, value in response.headers:
        if key.lower() == name:
            return value.decode("latin-1")
    return None


def _check_status(response: httpcore.Response, host: str) -> None:
    status = response.status
    if status == HTTPStatus.OK:
        return
    try:
        words = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        words = str(status)
    if status >= 500 or status in TRY_AGAIN:
        raise OriginAway(
            f"The origin {host} answered {words}", _seconds(_header(response, b"retry-after"))
        )
    raise AssetFault(f"The origin {host} answered {words}")


def _seconds(retry_after: str | None) -> float | None:
    """The wait in a Retry-After: seconds, or a date; an hour at most."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), 3600.0)
    try:
        until = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return min(max(until.timestamp() - time.time(), 0.0), 3600.0)
