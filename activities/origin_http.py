"""Originals over http and https: redirects, encodings, and connections that are cut."""

import asyncio
import email.utils
import ssl
import time
import zlib
from dataclasses import dataclass
from datetime import UTC
from http import HTTPStatus
from pathlib import Path

import httpcore

from activities.addresses import GuardedBackend
from activities.content_encoding import decoder
from activities.faults import AssetFault, OriginAway, OriginTooSlow
from activities.fetched import WRITE_BYTES, Fetched, too_large
from activities.origin_url import OriginUrl
from activities.pace import Pace
from activities.politeness import Politeness
from settings import Settings

REDIRECTS = 5
CONNECTIONS = 64
RESUMES = 10
"""Times that a cut connection is taken up where it ended, within one try at an original."""

TRY_AGAIN = {408, 425, 429}
LONGEST_WAIT_S = 3600.0


@dataclass
class _Kept:
    """What a connection that was cut has left: so many bytes of what `validator` stands for."""

    pace: Pace
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


class HttpOrigins:
    """Connections to hosts at permitted addresses; one for all of a worker."""

    def __init__(self, settings: Settings, politeness: Politeness) -> None:
        self._settings = settings
        self._politeness = politeness
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=CONNECTIONS,
            max_keepalive_connections=CONNECTIONS,
            keepalive_expiry=15,
            network_backend=GuardedBackend(settings.origin_allow),
        )

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._pool.aclose()

    async def get(self, url: OriginUrl, into: Path, authorization: str | None) -> Fetched:
        """Fetches the original at `url` into the file `into`.

        Raises:
            AssetFault: the URL, what it answers (4xx) or the file itself is at fault.
            OriginAway: the origin does not answer, or not as it should, now.
            OSError: `into` cannot be written.
        """
        known, redirects, kept = url.place, 0, _Kept(Pace(self._settings))
        while True:
            allowed = authorization if url.place == known else None
            async with self._politeness.towards(url.netloc):
                there = await self._step(url, into, allowed, kept)
            if isinstance(there, Fetched):
                return there
            if there is not None:
                redirects += 1
                if redirects > REDIRECTS:
                    raise AssetFault(f"The origin redirects more than {REDIRECTS} times")
                url = url.join(there)

    async def _step(
        self, url: OriginUrl, into: Path, authorization: str | None, kept: _Kept
    ) -> Fetched | bytes | None:
        """One request: the original, or where it is, or None to ask again for what is missing."""
        try:
            response = await self._answer(url, authorization, kept)
            try:
                location = _header(response, b"location")
                if response.status in (301, 302, 303, 307, 308) and location:
                    return location
                if kept.size and not kept.goes_on_with(response):
                    kept.start_over()
                    if response.status in (206, 416):  # another part, or none
                        return None
                if not kept.size:
                    _check_status(response, url.host)
                return await self._save(response, url.host, into, kept)
            finally:
                await response.aclose()
        except (TimeoutError, httpcore.TimeoutException) as error:
            if not kept.may_go_on():
                raise OriginAway(f"The origin {url.host} did not answer in time") from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            if not kept.may_go_on():
                raise OriginAway(_failure(error, url.host)) from error
        return None

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
            raise too_large(most)
        decoding = decoder((_header(response, b"content-encoding") or b"").decode("latin-1"))
        if decoding is None:
            raise AssetFault(f"The origin {host} sends the file in an encoding that is not read")
        if not kept.size:
            kept.begin(response)
        size, part = kept.size, bytearray()
        kept.pace.begin()
        with into.open("ab" if kept.size else "wb", buffering=0) as file:
            try:
                async for chunk in response.aiter_stream():
                    if not kept.pace.keeps_up(len(chunk)):
                        raise OriginTooSlow(f"The origin {host} sends too slowly")
                    for piece in decoding.feed(chunk):
                        part += piece
                        size += len(piece)
                        if size > most:
                            raise too_large(most)
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
