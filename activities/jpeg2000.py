"""JPEG 2000, which pyvips' wheel cannot read, by Pillow and OpenJPEG; in an image process alone."""

from collections.abc import Callable
from pathlib import Path

import pyvips
from PIL import Image

from activities.faults import AssetFault

SIGNATURES = (b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
"""Of a JP2 file, and of a bare codestream (ISO/IEC 15444-1, I.5.1 and A.4.1)."""

MODES = {"1": "L", "LA": "LA", "RGBA": "RGBA", "CMYK": "CMYK", "RGB": "RGB", "L": "L"}
"""How Pillow's pixels are read, by its mode; others become RGB."""

INTERPRETATIONS = {"L": "b-w", "LA": "b-w", "RGB": "srgb", "RGBA": "srgb", "CMYK": "cmyk"}

Image.MAX_IMAGE_PIXELS = None  # `check` bounds them, with a message of its own


def is_jpeg2000(source: Path) -> bool:
    """Whether a file begins as one."""
    with source.open("rb") as file:
        return file.read(12).startswith(SIGNATURES)


def load(source: Path, check: Callable[[int, int], None], damaged: str) -> pyvips.Image:
    """Its pixels, 8 bits each. `check` is given width and height before any is decoded.

    Raises:
        AssetFault: with the words `damaged`, if it cannot be decoded whole.
    """
    try:
        with Image.open(source, formats=["JPEG2000"]) as picture:
            check(*picture.size)
            if picture.mode.startswith("I"):
                # 16 bits of grey, which Pillow would clip and not scale.
                grey = pyvips.Image.new_from_memory(
                    picture.convert("I").tobytes(), *picture.size, 1, "int"
                )
                return (grey / 256).cast("uchar").copy(interpretation="b-w")
            mode = MODES.get(picture.mode, "RGB")
            shown = picture if picture.mode == mode else picture.convert(mode)
            image = pyvips.Image.new_from_memory(
                shown.tobytes(), *shown.size, len(shown.getbands()), "uchar"
            ).copy(interpretation=INTERPRETATIONS[mode])
            profile = picture.info.get("icc_profile")
    except (OSError, ValueError, SyntaxError) as error:
        raise AssetFault(damaged) from error
    if profile:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return image
