"""Originals in S3 buckets, with the credentials of this platform or of a customer's own."""

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from activities.faults import AssetFault, OriginAway, OriginTooSlow
from activities.fetched import WRITE_BYTES, Fetched, too_large
from activities.origin_access import AccessKey
from activities.pace import Pace
from activities.politeness import Politeness
from settings import Settings

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Credential  # not there at run time

MOST_STORES = 64
"""Kept open, each with its connections."""

PART_BYTES = 64 * 1024
"""Each must come within the time-out, so large ones would ask for more than the least rate."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class BucketOrigins:
    """Buckets at the S3 that the `AWS_…` variables name; one for all of a worker.

    With this platform's own credentials, those of the setting `origin_s3_buckets` alone.
    """

    def __init__(self, settings: Settings, politeness: Politeness) -> None:
        self._settings = settings
        self._politeness = politeness
        self._stores: dict[tuple[str, AccessKey | None], S3Store] = {}

    async def get(self, url: str, into: Path, key: AccessKey | None) -> Fetched:
        """Fetches the object at an `s3://` URL into the file `into`.

        Raises:
            AssetFault: the bucket may not be read, or does not give the object, or it is too large.
            OriginAway: the bucket does not answer, or not as it should, now.
            OSError: `into` cannot be written.
        """
        bucket, _, name = url[5:].partition("/")
        allowed = key is not None or bucket in self._settings.origin_s3_buckets
        if not allowed or not _BUCKET.fullmatch(bucket):
            raise AssetFault("The origin is in a bucket that may not be read")
        if not name:
            raise AssetFault("The origin names a bucket, and no object in it")
        try:
            async with self._politeness.towards(f"s3://{bucket}"):
                return await self._read(self._store(bucket, key), name, into)
        except TimeoutError as error:
            raise OriginAway("The bucket of the origin did not answer in time") from error
        except FileNotFoundError as error:
            raise AssetFault("There is no such object in the origin's bucket") from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise AssetFault("The origin's bucket does not give this object") from error
        except BaseError as error:
            raise OriginAway("The bucket of the origin cannot be read now") from error

    def _store(self, bucket: str, key: AccessKey | None) -> S3Store:
        found = self._stores.get((bucket, key))
        if found is None:
            if len(self._stores) >= MOST_STORES:
                self._stores.clear()
            found = S3Store(bucket) if key is None else _with_key(bucket, key)
            self._stores[bucket, key] = found
        return found

    async def _read(self, store: S3Store, name: str, into: Path) -> Fetched:
        patience, most = self._settings.origin_timeout_s, self._settings.origin_max_bytes
        async with asyncio.timeout(2 * patience):
            found = await obstore.get_async(store, name)
        if found.meta["size"] > most:
            raise too_large(most)
        parts = found.stream(min_chunk_size=PART_BYTES).__aiter__()
        pace = Pace(self._settings)
        with into.open("wb", buffering=WRITE_BYTES) as file:
            while True:
                async with asyncio.timeout(patience):
                    part = await anext(parts, None)
                if part is None:
                    break
                if not pace.keeps_up(len(part)):
                    raise OriginTooSlow("The bucket of the origin sends too slowly")
                file.write(part)
            size = file.tell()
        if size != found.meta["size"]:
            raise OriginAway("The connection to the bucket of the origin failed")
        return Fetched(into, size, None)


def _with_key(bucket: str, key: AccessKey) -> S3Store:
    """A store that knows nothing of this platform's own credentials."""

    def given() -> "S3Credential":
        return {
            "access_key_id": key.access_key_id,
            "secret_access_key": key.secret_access_key,
            "token": key.session_token,
            "expires_at": None,
        }

    config: S3Config = {} if key.region is None else {"region": key.region}
    return S3Store(bucket, config=config, credential_provider=given)
