"""What is asked of an image process, and what it answers; without libvips, so anyone may import it.

Both cross the pipe as one line of JSON. The answer comes from a process that has decoded a
stranger's file, so it is read field by field and nothing in it is run.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activities.derived import Derived, Made

_NAME = re.compile(r"[a-z0-9-]+\.(tif|jpg)|original")
_SUFFIX = re.compile(r"\.tif|\.jp2|/[0-9x]+\.jpg")


@dataclass(frozen=True)
class ImageJob:
    """Derive from the original `source`, writing into `folder`.

    `iiif_img` is the policy of that channel, None if it is not asked for; `thumbs` holds the sizes
    of thumbnails: `!w,h`, `w,` or `,h`, in pixels, never larger than the image. An image of more
    than `max_pixels`, width times height, is refused.
    """

    source: Path
    folder: Path
    iiif_img: str | None
    thumbs: tuple[str, ...]
    max_pixels: int

    def to_json(self) -> bytes:
        return json.dumps(vars(self), default=str).encode()

    @classmethod
    def from_json(cls, line: bytes) -> "ImageJob":
        said = json.loads(line)
        return cls(
            source=Path(said["source"]),
            folder=Path(said["folder"]),
            iiif_img=said["iiif_img"],
            thumbs=tuple(said["thumbs"]),
            max_pixels=said["max_pixels"],
        )


def made_from(said: dict[str, Any]) -> Made:
    """Reads what an image process says it made.

    Raises ValueError, KeyError or TypeError if it is not of this form, or names a file that is not
    directly in the job's folder.
    """
    files = tuple(map(_derived, said["files"]))
    return Made(files, int(said["width"]), int(said["height"]))


def _derived(said: dict[str, Any]) -> Derived:
    channel, name, suffix = said["channel"], str(said["name"]), str(said["suffix"])
    if channel not in ("iiif-img", "thumbs") or not _NAME.fullmatch(name):
        raise ValueError("no derivative of an image")
    if not _SUFFIX.fullmatch(suffix):
        raise ValueError("no key of a derivative")
    size, width, height = (int(said[each]) for each in ("size_bytes", "width", "height"))
    note = said.get("note")
    return Derived(
        channel, name, suffix, size, width, height, note=None if note is None else str(note)[:200]
    )
