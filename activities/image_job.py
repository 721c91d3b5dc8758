"""What is asked of an image process, and what it answers; without libvips, so anyone may import it.

Both cross the pipe as one line of JSON. The answer comes from a process that has decoded a
stranger's file, so it is read field by field and nothing in it is run.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Channel = Literal["iiif-img", "thumbs"]


@dataclass(frozen=True)
class ImageJob:
    """Derive from the original `source`, writing into `folder`.

    `pyramid` asks for channel `iiif-img`; `thumbs` holds the sides in pixels of the squares that
    thumbnails are to fit. An image of more than `max_pixels`, width times height, is refused.
    """

    source: Path
    folder: Path
    pyramid: bool
    thumbs: tuple[int, ...]
    max_pixels: int

    def to_json(self) -> bytes:
        return json.dumps(vars(self), default=str).encode()

    @classmethod
    def from_json(cls, line: bytes) -> "ImageJob":
        said = json.loads(line)
        return cls(
            source=Path(said["source"]),
            folder=Path(said["folder"]),
            pyramid=said["pyramid"],
            thumbs=tuple(said["thumbs"]),
            max_pixels=said["max_pixels"],
        )


@dataclass(frozen=True)
class Derived:
    """One derivative: the file `name` in the job's folder, of `width` by `height` pixels.

    Its key in the store is the asset's key followed by `suffix`.
    """

    channel: Channel
    name: str
    suffix: str
    size_bytes: int
    width: int
    height: int


@dataclass(frozen=True)
class ImageResult:
    """The original's width and height in pixels, as displayed, and its derivatives."""

    width: int
    height: int
    files: tuple[Derived, ...]
