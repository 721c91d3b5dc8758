"""Opens the store of derivatives that the settings name; for workers that write and for the API."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from obstore.store import LocalStore, ObjectStore, S3Store


def open_store(url: str) -> ObjectStore:
    """A store at `file:///folder`, made if missing, or at `s3://bucket/prefix`.

    S3's endpoint and credentials come from the usual `AWS_…` variables.

    Raises:
        ValueError: any other URL.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and not parts.netloc:
        folder = Path(unquote(parts.path))
        return LocalStore(str(folder), automatic_cleanup=True, mkdir=True)
    if parts.scheme == "s3" and parts.netloc:
        return S3Store(parts.netloc, prefix=parts.path.strip("/") or None)
    raise ValueError(f"the storage URL must be file:///folder or s3://bucket/prefix, not {url}")
