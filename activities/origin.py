"""Fetches originals over http and https, and from folders and buckets that may be read."""

import asyncio
import errno
from pathlib import Path
from types import TracebackType

from activities import origin_file
from activities.faults import AssetFault, DiskFull
from activities.fetched import Fetched
from activities.origin_access import NO_ACCESS, Access
from activities.origin_bucket import BucketOrigins
from activities.origin_http import HttpOrigins
from activities.origin_url import OriginUrl
from activities.politeness import Politeness
from settings import Settings


class OriginClient:
    """Fetches originals; an async context manager that a worker opens once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        polite = Politeness(settings.origin_host_connections, settings.origin_host_rate)
        self._http = HttpOrigins(settings, polite)
        self._buckets = BucketOrigins(settings, polite)

    async def __aenter__(self) -> "OriginClient":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def fetch(self, url: str, into: Path, access: Access = NO_ACCESS) -> Fetched:
        """Fetches the original at `url` into the file `into`, which is removed on failure.

        Raises:
            AssetFault: the URL, what it answers (4xx) or the file itself is at fault.
            OriginAway: the origin does not answer, or not as it should, now.
            DiskFull: there is no room for it.
        """
        try:
            fetched = await self._fetch(url, into, access)
        except BaseException as error:
            into.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull("There is no room for the original") from error
            raise
        if fetched.size_bytes == 0:
            into.unlink()
            raise AssetFault("The file at the origin is empty")
        return fetched

    async def _fetch(self, url: str, into: Path, access: Access) -> Fetched:
        if url[:5].lower() == "file:":
            return await asyncio.to_thread(origin_file.copy, url, into, self._settings)
        if url[:5].lower() == "s3://":
            return await self._buckets.get(url, into, access.key)
        return await self._http.get(OriginUrl.parse(url), into, access.authorization)
