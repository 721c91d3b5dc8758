"""Originals in folders that may be read."""

import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from activities.faults import AssetFault
from activities.fetched import WRITE_BYTES, Fetched, too_large
from settings import Settings


def copy(url: str, into: Path, settings: Settings) -> Fetched:
    """Copies the file at a `file://` URL inside the setting `origin_file_roots`.

    Raises:
        AssetFault: it is outside of them, cannot be read or is too large.
        OSError: `into` cannot be written.
    """
    source = _allowed_file(url, settings.origin_file_roots)
    try:
        # Not following a link, nor waiting on a pipe, that took the file's place since.
        opened = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise AssetFault("The file at the origin cannot be read") from error
    with open(opened, "rb") as reader:  # noqa: PTH123 - a descriptor
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode):
            raise AssetFault("The file at the origin cannot be read")
        if found.st_size > settings.origin_max_bytes:
            raise too_large(settings.origin_max_bytes)
        with into.open("wb") as writer:
            shutil.copyfileobj(reader, writer, WRITE_BYTES)
            return Fetched(into, writer.tell(), None)


def _allowed_file(url: str, roots: Sequence[Path]) -> Path:
    """The file of a file URL, symbolic links resolved. Says no more of one outside the roots
    than of one that does not exist."""
    outside = AssetFault("The origin is a file outside the folders that may be read")
    try:
        parts = urlsplit(url)
        source = Path(unquote(parts.path, errors="strict")).resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise outside from error
    if (
        parts.netloc not in ("", "localhost")
        or not any(source.is_relative_to(root) for root in roots)
        or not source.is_file()
    ):
        raise outside
    return source
