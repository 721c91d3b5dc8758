"""What every way to fetch an original gives, and refuses."""

from dataclasses import dataclass
from pathlib import Path

from activities.faults import AssetFault

WRITE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Fetched:
    """An original in a file: its size in bytes, and the media type that the origin gave it."""

    path: Path
    size_bytes: int
    media_type: str | None


def too_large(max_bytes: int) -> AssetFault:
    """The fault of an original of more bytes than are allowed."""
    return AssetFault(f"The original is larger than {max_bytes:,} bytes")
