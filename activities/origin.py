"""Fetches originals over http and https, and from folders and buckets that are allowed."""

import asyncio
import email.utils
import errno
import os
import shutil
import ssl
import stat
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote, urlsplit

import httpcore
import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from activities.addresses import GuardedBackend
from activities.content_encoding import decoder
from activities.faults import AssetFault, DiskFull, OriginAway
from activities.origin_url import OriginUrl
from settings import Settings

REDIRECTS = 5
CONNECTIONS = 64
SLOWEST_BYTES_S = 1024
"""A body that comes slower than this on average is given up, after the first time-out period."""

RESUMES = 10
"""Times that a cut connection is taken up where it ended, within one try at an original."""

WRITE_BYTES = 1024 * 1024
TRY_AGAIN = {408, 425, 429}
LONGEST_WAIT_S = 3600.0
LONGEST_HOST_WAIT_S = 60.0
"""A Retry-After holds up every asset of its host, and their slots, no longer than this."""


@dataclass(frozen=True)
class Fetched:
    """An original in a file: its size in bytes, and the media type that the origin gave it."""

    path: Path
    size_bytes: int
    media_type: str | None


@dataclass
class _Kept:
    """What a connection that was cut has left: so many bytes of what `validator` stands for."""

    size: int = 0
    validator: bytes = b""
    goes: int = 0
    size_before: int = 0

    def begin(self, response: httpcore.Response) -> None:
        """Notes how the origin will know whether it has changed (RFC 9110, 13.1.5)."""
        etag = _header(response, b"etag") or b""
        strong = etag if etag.startswith(b'"') else _header(response, b"last-modified")
        encoded = _header(response, b"content-encoding") not in (None, b"", b"identity")
        whole = _header(response, b"accept-ranges") == b"none"
        self.validator = b"" if encoded or whole else strong or b""

    def may_go_on(self) -> bool:
        """Whether to ask for the rest: each time only after more has come than the time before."""
        if not self.validator or self.goes >= RESUMES or self.size <= self.size_before:
            return False
        self.goes += 1
        self.size_before = self.size
        return True

    def goes_on_with(self, response: httpcore.Response) -> bool:
        """Whether an answer is the rest of what is kept."""
        start = f"bytes {self.size}-".encode()
        etag = _header(response, b"etag")
        return (
            response.status == HTTPStatus.PARTIAL_CONTENT
            and (_header(response, b"content-range") or b"").startswith(start)
            and (etag is None or not self.validator.startswith(b'"') or etag == self.validator)
        )

    def start_over(self) -> None:
        """The original has changed, or the origin does not give a part of it."""
        self.size, self.size_before, self.validator = 0, 0, b""


@dataclass
class _Host:
    """A host of origins: places for connections, and when it may be asked again (monotonic)."""

    free: asyncio.Semaphore
    not_before: float = 0.0


class OriginClient:
    """Fetches originals; an async context manager that a worker opens once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._hosts: dict[str, _Host] = {}
        self._buckets: dict[str, S3Store] = {}
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

    async def fetch(self, url: str, into: Path, authorization: str | None = None) -> Fetched:
        """Fetches the original at `url` into the file `into`, which is removed on failure.

        `authorization` is sent to the host of `url` alone, never where that redirects to.

        Raises:
            AssetFault: the URL, what it answers (4xx) or the file itself is at fault.
            OriginAway: the origin does not answer, or not as it should, now.
            DiskFull: there is no room for it.
        """
        try:
            if url[:5].lower() == "file:":
                fetched = await asyncio.to_thread(self._copy, url, into)
            elif url[:5].lower() == "s3://":
                fetched = await self._object(url, into)
            else:
                parsed = OriginUrl.parse(url)
                async with self._politely(parsed.host):
                    fetched = await self._get(parsed, into, authorization)
        except BaseException as error:
            into.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull("There is no room for the original") from error
            raise
        if fetched.size_bytes == 0:
            into.unlink()
            raise AssetFault("The file at the origin is empty")
        return fetched

    @asynccontextmanager
    async def _politely(self, host: str) -> AsyncIterator[None]:
        """A place among the connections to a host, once it is not to be left alone any more."""
        known = self._hosts.setdefault(
            host, _Host(asyncio.Semaphore(self._settings.origin_host_connections))
        )
        async with known.free:
            while (wait := known.not_before - time.monotonic()) > 0:  # noqa: ASYNC110 - it moves
                await asyncio.sleep(wait)
            try:
                yield
            except OriginAway as away:
                asked = min(away.retry_after_s or 0.0, LONGEST_HOST_WAIT_S)
                known.not_before = max(known.not_before, time.monotonic() + asked)
                raise

    async def _get(self, url: OriginUrl, into: Path, authorization: str | None) -> Fetched:
        known, redirects, kept = url.place, 0, _Kept()
        while True:
            allowed = authorization if url.place == known else None
            try:
                response = await self._answer(url, allowed, kept)
                try:
                    location = _header(response, b"location")
                    if response.status in (301, 302, 303, 307, 308) and location:
                        redirects += 1
                        if redirects > REDIRECTS:
                            raise AssetFault(f"The origin redirects more than {REDIRECTS} times")
                        url = url.join(location)
                        continue
                    if kept.size and not kept.goes_on_with(response):
                        kept.start_over()
                        if response.status in (206, 416):  # another part, or none
                            continue
                    if not kept.size:
                        _check_status(response, url.host)
                    return await self._save(response, url.host, into, kept)
                finally:
                    await response.aclose()
            except (TimeoutError, httpcore.TimeoutException) as error:
                away = OriginAway(f"The origin {url.host} did not answer in time")
                if not kept.may_go_on():
                    raise away from error
            except (httpcore.NetworkError, httpcore.ProtocolError) as error:
                if not kept.may_go_on():
                    raise OriginAway(_failure(error, url.host)) from error

    async def _answer(
        self, url: OriginUrl, authorization: str | None, kept: _Kept
    ) -> httpcore.Response:
        """Connects, asks, and reads the answer's headers."""
        more: dict[bytes | str, bytes | str] = (
            {} if authorization is None else {"Authorization": authorization}
        )
        if kept.size:
            more |= {"Range": f"bytes={kept.size}-", "If-Range": kept.validator}
        patience = self._settings.origin_timeout_s
        request = httpcore.Request(
            "GET",
            url.for_request(),
            headers={
                "Host": url.netloc,
                "Accept": "*/*",
                "Accept-Encoding": "identity",
                "User-Agent": "iiifq",
                **more,
            },
            extensions={"timeout": {"connect": patience, "read": patience, "write": patience}},
        )
        # One time-out to find and reach the host, one for its answer: those of httpcore begin
        # anew with every address tried and every byte received.
        async with asyncio.timeout(2 * patience):
            return await self._pool.handle_async_request(request)

    async def _save(
        self, response: httpcore.Response, host: str, into: Path, kept: _Kept
    ) -> Fetched:
        most = self._settings.origin_max_bytes
        if int(_header(response, b"content-length") or 0) + kept.size > most:
            raise self._too_large()
        decoding = decoder((_header(response, b"content-encoding") or b"").decode("latin-1"))
        if decoding is None:
            raise AssetFault(f"The origin {host} sends the file in an encoding that is not read")
        if not kept.size:
            kept.begin(response)
        received, size, started, part = 0, kept.size, time.monotonic(), bytearray()
        with into.open("ab" if kept.size else "wb", buffering=0) as file:
            try:
                async for chunk in response.aiter_stream():
                    received += len(chunk)
                    self._check_pace(received, time.monotonic() - started, host)
                    for piece in decoding.feed(chunk):
                        part += piece
                        size += len(piece)
                        if size > most:
                            raise self._too_large()
                        if len(part) >= WRITE_BYTES:
                            file.write(part)
                            part.clear()
                            kept.size = size
                            await asyncio.sleep(0)  # heartbeats go on while a bomb unfolds
            except zlib.error as error:
                raise AssetFault(f"The origin {host} sends a damaged file") from error
            finally:
                file.write(part)
                kept.size = size
        if not decoding.whole:
            raise OriginAway(f"The connection to the origin {host} failed")
        media_type = _header(response, b"content-type")
        return Fetched(into, size, media_type.decode("latin-1") if media_type else None)

    def _check_pace(self, received: int, spent_s: float, host: str) -> None:
        if spent_s > self._settings.origin_timeout_s and received < spent_s * SLOWEST_BYTES_S:
            raise OriginAway(f"The origin {host} sends too slowly")

    def _too_large(self) -> AssetFault:
        return AssetFault(f"The original is larger than {self._settings.origin_max_bytes:,} bytes")

    async def _object(self, url: str, into: Path) -> Fetched:
        bucket, _, key = url[5:].partition("/")
        if bucket not in self._settings.origin_s3_buckets:
            raise AssetFault("The origin is in a bucket that may not be read")
        if not key:
            raise AssetFault("The origin names a bucket, and no object in it")
        patience = self._settings.origin_timeout_s
        try:
            store = self._buckets.setdefault(bucket, S3Store(bucket))
            async with asyncio.timeout(2 * patience):
                found = await obstore.get_async(store, key)
            if found.meta["size"] > self._settings.origin_max_bytes:
                raise self._too_large()
            parts = found.stream(min_chunk_size=WRITE_BYTES).__aiter__()
            with into.open("wb", buffering=0) as file:
                while True:
                    async with asyncio.timeout(patience):
                        part = await anext(parts, None)
                    if part is None:
                        break
                    file.write(part)
                size = file.tell()
        except TimeoutError as error:
            raise OriginAway("The bucket of the origin did not answer in time") from error
        except FileNotFoundError as error:
            raise AssetFault("There is no such object in the origin's bucket") from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise AssetFault("The origin's bucket does not give this object") from error
        except BaseError as error:
            raise OriginAway("The bucket of the origin cannot be read now") from error
        if size != found.meta["size"]:
            raise OriginAway("The connection to the bucket of the origin failed")
        return Fetched(into, size, None)

    def _copy(self, url: str, into: Path) -> Fetched:
        source = self._allowed_file(url)
        try:
            # Not following a link, nor waiting on a pipe, that took the file's place since.
            opened = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise AssetFault("The file at the origin cannot be read") from error
        with open(opened, "rb") as reader:  # noqa: PTH123 - a descriptor
            found = os.fstat(opened)
            if not stat.S_ISREG(found.st_mode):
                raise AssetFault("The file at the origin cannot be read")
            if found.st_size > self._settings.origin_max_bytes:
                raise self._too_large()
            with into.open("wb") as writer:
                shutil.copyfileobj(reader, writer, WRITE_BYTES)
                return Fetched(into, writer.tell(), None)

    def _allowed_file(self, url: str) -> Path:
        """The file of a file URL, symbolic links resolved. Says no more of one outside the roots
        than of one that does not exist."""
        outside = AssetFault("The origin is a file outside the folders that may be read")
        try:
            parts = urlsplit(url)
            source = Path(unquote(parts.path, errors="strict")).resolve(strict=True)
        except (OSError, RuntimeError, ValueError) as error:
            raise outside from error
        roots = self._settings.origin_file_roots
        if (
            parts.netloc not in ("", "localhost")
            or not any(source.is_relative_to(root) for root in roots)
            or not source.is_file()
        ):
            raise outside
        return source


def _header(response: httpcore.Response, name: bytes) -> bytes | None:
    for key, value in response.headers:
        if key.lower() == name:
            return value
    return None


def _failure(error: BaseException, host: str) -> str:
    """The message for a connection that failed with `error`."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"The origin {host} shows no valid certificate"
        cause = cause.__cause__
    return f"The connection to the origin {host} failed"


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


def _seconds(retry_after: bytes | None) -> float | None:
    """The wait in a Retry-After: seconds, or a date; an hour at most."""
    if retry_after is None:
        return None
    said = retry_after.decode("latin-1")
    if said.isascii() and said.isdigit():
        return min(float(said), LONGEST_WAIT_S)
    try:
        until = email.utils.parsedate_to_datetime(said)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max(until.timestamp() - time.time(), 0.0), LONGEST_WAIT_S)
