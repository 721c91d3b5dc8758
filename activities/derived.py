"""What processing makes of an original."""

from dataclasses import dataclass
from typing import Literal

Channel = Literal["iiif-img", "thumbs", "iiif-av", "file"]


@dataclass(frozen=True)
class Derived:
    """One derivative: the file `name` in the job's folder, pictures of `width` by `height` pixels.

    Its key in the store is the asset's key followed by `suffix`. `note` says why it is not what its
    policy asked for.
    """

    channel: Channel
    name: str
    suffix: str
    size_bytes: int
    width: int | None = None
    height: int | None = None
    media_type: str | None = None
    sha256: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Made:
    """All of it: the original's size in pixels as displayed, and its duration in milliseconds."""

    files: tuple[Derived, ...] = ()
    width: int | None = None
    height: int | None = None
    duration: int | None = None
