"""The store of derivatives: a folder or a bucket, through obstore."""

from collections.abc import Sequence
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from activities.faults import AssetFault, DiskFull, StoreAway
from storage import open_store

FOR_STAGING = "Filenames containing trailing"
"""How obstore refuses names that end in `#` and digits in a folder: it stages what it writes there
under such names."""


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
            AssetFault: the store cannot hold this key.
            StoreAway: the store cannot be written now.
            DiskFull: it has no room.
        """
        unusable = AssetFault("The asset's id cannot be used as a name in the store")
        if not _is_key(key):
            raise unusable
        try:
            await obstore.put_async(self._store, key, path)
        except BaseError as error:
            if FOR_STAGING in str(error):
                raise unusable from error
            if "No space left" in str(error):
                raise DiskFull("There is no room in the store") from error
            raise StoreAway("The store cannot be written") from error

    async def delete(self, keys: Sequence[str]) -> None:
        """Deletes what is there of these keys. Raises StoreAway."""
        for key in filter(_is_key, keys):
            try:
                await obstore.delete_async(self._store, key)
            except FileNotFoundError:
                continue
            except BaseError as error:
                if FOR_STAGING not in str(error):
                    raise StoreAway("The store cannot be written") from error

    async def under(self, key: str) -> set[str]:
        """The keys that begin with this one and a slash. Raises StoreAway."""
        if not _is_key(key):
            return set()
        try:
            pages = obstore.list(self._store, prefix=key)
            return {meta["path"] async for page in pages for meta in page}
        except BaseError as error:
            raise StoreAway("The store cannot be read") from error


def _is_key(key: str) -> bool:
    """Whether a store can hold this key: one with an id of a single dot is a path to elsewhere."""
    return not {"", ".", ".."} & set(key.split("/"))
