"""Where the derivatives of an asset are in the store: `{channel}/{customer}/{space}/{id}…`."""

THUMBS = (1024, 400, 200, 100)
"""Sides in pixels of the squares that thumbnails fit, by the policy `default`."""


def place(customer_id: int, space_id: int, asset_id: str) -> str:
    """What follows the channel in every key of an asset."""
    return f"{customer_id}/{space_id}/{asset_id}"


def every_key(customer_id: int, space_id: int, asset_id: str) -> set[str]:
    """The keys that processing may have written, recorded or not."""
    below = place(customer_id, space_id, asset_id)
    thumbs = {f"thumbs/{below}/{side}.jpg" for side in THUMBS}
    return {f"iiif-img/{below}.tif", f"file/{below}", *thumbs}
