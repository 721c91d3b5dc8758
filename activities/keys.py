"""Where the derivatives of an asset are in the store: `{channel}/{customer}/{space}/{id}…`."""

import re

from delivery_channels import THUMBS


def box(size: str) -> tuple[int | None, int | None]:
    """The width and height in pixels that a thumbnail is to fit: of `!w,h`, `w,` or `,h`."""
    width, height = size.removeprefix("!").split(",")
    return int(width) if width else None, int(height) if height else None


def thumb_name(size: str) -> str:
    """What a thumbnail of a size is called: a square by its side."""
    width, height = box(size)
    return str(width) if width == height else f"{width or ''}x{height or ''}"


def place(customer_id: int, space_id: int, asset_id: str) -> str:
    """What follows the channel in every key of an asset."""
    return f"{customer_id}/{space_id}/{asset_id}"


def every_key(customer_id: int, space_id: int, asset_id: str) -> set[str]:
    """The keys that processing may have written, recorded or not; thumbnails by `default`."""
    below = place(customer_id, space_id, asset_id)
    thumbs = {f"thumbs/{below}/{thumb_name(size)}.jpg" for size in THUMBS}
    av = {f"iiif-av/{below}.mp3", f"iiif-av/{below}.mp4"}
    return {f"iiif-img/{below}.tif", f"iiif-img/{below}.jp2", f"file/{below}", *av, *thumbs}


_KEY = re.compile(
    r"(?:iiif-img/(?P<img>[0-9]+/[0-9]+/[^/]+)\.(?:tif|jp2)"
    r"|iiif-av/(?P<av>[0-9]+/[0-9]+/[^/]+)\.mp[34]"
    r"|thumbs/(?P<thumb>[0-9]+/[0-9]+/[^/]+)/[0-9x]+\.jpg"
    r"|file/(?P<file>[0-9]+/[0-9]+/[^/]+))"
)


def owner(key: str) -> tuple[int, int, str] | None:
    """Customer, space and id of the asset that a key is of; None for what is nobody's key."""
    found = _KEY.fullmatch(key)
    if found is None:
        return None
    customer, space, asset = next(filter(None, found.groups())).split("/")
    return int(customer), int(space), asset
