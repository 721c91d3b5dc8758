"""Pictures out of a pyramidal TIFF, reading only the tiles that they need."""

from collections.abc import Callable
from math import ceil, log2
from typing import Protocol

import pyvips

from image_api.parameters import Picture

pyvips.cache_set_max(0)
pyvips.block_untrusted_set(True)


class Unreadable(Exception):
    """The pyramid cannot be read."""


class Reader(Protocol):
    """A file of the store."""

    def read(self, size: int, /) -> object: ...
    def seek(self, offset: int, whence: int, /) -> int: ...


Opener = Callable[[], Reader]
"""Opens the pyramid; each level is read by a reader of its own."""


def render(open_file: Opener, picture: Picture) -> bytes:
    """The picture as JPEG or PNG.

    Raises:
        Unreadable: the file is no TIFF that can be read.
    """
    pyramid = _Pyramid(open_file)
    try:
        return _encoded(_quality(_turned(_scaled(pyramid, picture), picture), picture), picture)
    except pyvips.Error as error:
        raise Unreadable from error


class _Pyramid:
    """Opens its levels, and keeps what they read from: libvips calls back into it until the end."""

    def __init__(self, open_file: Opener) -> None:
        self._open_file = open_file
        self._kept: list[pyvips.SourceCustom] = []

    def level(self, **options: int) -> pyvips.Image:
        reader = self._open_file()
        source = pyvips.SourceCustom()
        source.on_read(lambda size: bytes(memoryview(reader.read(size))))  # type: ignore[arg-type]
        source.on_seek(reader.seek)
        self._kept.append(source)
        return pyvips.Image.tiffload_source(source, **options)


def _scaled(pyramid: _Pyramid, picture: Picture) -> pyvips.Image:
    """The region from the smallest level that is not smaller than asked, scaled exactly."""
    level, factor = _level(pyramid, picture)
    left = min(round(picture.x / factor), level.width - 1)
    top = min(round(picture.y / factor), level.height - 1)
    region = level.crop(
        left,
        top,
        min(max(1, round(picture.region_width / factor)), level.width - left),
        min(max(1, round(picture.region_height / factor)), level.height - top),
    )
    if (region.width, region.height) == (picture.width, picture.height):
        return region
    return region.thumbnail_image(
        picture.width, height=picture.height, size="force", no_rotate=True
    )


def _level(pyramid: _Pyramid, picture: Picture) -> tuple[pyvips.Image, float]:
    """A level of the pyramid, and how many pixels of the full image one of its own is wide."""
    full = pyramid.level()
    by_subifd = bool(full.get_typeof("n-subifds"))
    levels = full.get("n-subifds") if by_subifd else full.get("n-pages") - 1
    shrink = max(picture.region_width / picture.width, picture.region_height / picture.height)
    # Opening one takes longer than a tile of it. Each is half of the last, or less.
    for number in range(min(levels, ceil(log2(max(1, shrink)))), 0, -1):
        level = pyramid.level(**({"subifd": number - 1} if by_subifd else {"page": number}))
        factor = full.width / level.width
        # Rounded, as a level of a side that does not halve lacks a part of a pixel.
        if (
            round(picture.region_width / factor) >= picture.width
            and round(picture.region_height / factor) >= picture.height
        ):
            return level, factor
    return full, 1.0


def _turned(image: pyvips.Image, picture: Picture) -> pyvips.Image:
    if picture.mirrored:
        image = image.fliphor()
    if picture.degrees:
        # Turning reads columns, and what is scaled comes in rows.
        image = image.copy_memory().rot(f"d{picture.degrees}")
    return image


def _quality(image: pyvips.Image, picture: Picture) -> pyvips.Image:
    if image.get_typeof("icc-profile-data") and image.bands > 2:
        image = image.icc_transform("srgb", embedded=True, input_profile="srgb")
    if picture.quality in ("gray", "bitonal"):
        image = image.colourspace("b-w")
    if picture.quality == "bitonal":
        image = (image >= 128).copy(interpretation="b-w")
    return image


def _encoded(image: pyvips.Image, picture: Picture) -> bytes:
    if picture.format == "png":
        made: bytes = image.pngsave_buffer(compression=6, keep="none")
    else:
        made = image.jpegsave_buffer(Q=85, keep="none")
    return made
