"""The store of derivatives: a folder or a bucket, through obstore."""

from collections.abc import Sequence
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from activities.faults import DiskFull, StoreAway
from storage import open_store


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
        return cls(open_store(url))

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
