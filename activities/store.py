"""The store of derivatives: a folder or a bucket, through obstore."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, S3Store

from activities.faults import DiskFull, StoreAway


class Store:
    """Keeps derivatives under their keys; a reader sees all of one, or nothing."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def from_url(cls, url: str) -> "Store":
        """A store at `file:///folder`, made if missing, or at `s3://bucket/prefix`.

        S3's endpoint and credentials come from the usual `AWS_…` variables.

        Raises:
            ValueError: any other URL.
        """
        parts = urlsplit(url)
        if parts.scheme == "file" and not parts.netloc:
            folder = Path(unquote(parts.path))
            return cls(LocalStore(str(folder), automatic_cleanup=True, mkdir=True))
        if parts.scheme == "s3" and parts.netloc:
            return cls(S3Store(parts.netloc, prefix=parts.path.strip("/") or None))
        raise ValueError(f"the storage URL must be file:///folder or s3://bucket/prefix, not {url}")

    async def put(self, key: str, path: Path) -> None:
        """Writes a file under a key, at once for every reader.

        Raises:
            StoreAway: the store cannot be written now.
            DiskFull: it has no room.
        """
        try:
            await obstore.put_async(self._store, key, path)
        except BaseError as error:
            if "No space left" in str(error):
                raise DiskFull("There is no room in the store") from error
            raise StoreAway("The store cannot be written") from error

    async def delete(self, keys: Sequence[str]) -> None:
        """Deletes what is there of these keys. Raises StoreAway."""
        for key in keys:
            try:
                await obstore.delete_async(self._store, key)
            except FileNotFoundError:
                continue
            except BaseError as error:
                raise StoreAway("The store cannot be written") from error
