"""Pictures in every format that tests are about, and what another decoder sees in them."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageFilter, ImageOps, ImageStat

SAMPLE = Path(__file__).parent.parent / "cli" / "samples" / "rocket.jpg"
ORIENTATION = 0x0112

Save = Callable[[Image.Image, Path], None]


def turned(orientation: int, **options: Any) -> Save:
    """As it is, with word that it is to be shown turned."""

    def save(picture: Image.Image, path: Path) -> None:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        picture.save(path, exif=exif, **options)

    return save


def plain(**options: Any) -> Save:
    """As Pillow saves it."""
    return lambda picture, path: picture.save(path, **options)


def as_mode(mode: str, **options: Any) -> Save:
    """In other colours."""
    return lambda picture, path: picture.convert(mode).save(path, **options)


def deep_grey(picture: Image.Image, path: Path) -> None:
    """In grey of 16 bits."""
    picture.convert("L").convert("I").point(lambda value: value * 257).convert("I;16").save(path)


def clear(picture: Image.Image, path: Path) -> None:
    """Above clear, below opaque."""
    picture = picture.copy()
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    picture.save(path)


def pages(picture: Image.Image, path: Path) -> None:
    """The first of three."""
    others = [ImageOps.invert(picture), ImageOps.mirror(picture)]
    picture.save(path, save_all=True, append_images=others)


def by_libvips(call: str) -> Save:
    """As a call of pyvips saves the image to a path, in a process of its own."""

    def save(picture: Image.Image, path: Path) -> None:
        plain_one = path.with_suffix(".plain.png")
        picture.save(plain_one)
        code = (
            "import sys, pyvips\nimage, path = pyvips.Image.new_from_file(sys.argv[1]), sys.argv[2]"
        )
        words = ["-c", f"{code}\n{call}", str(plain_one), str(path)]
        subprocess.run([sys.executable, *words], check=True)

    return save


FORMATS: dict[str, Save] = {
    "baseline.jpg": plain(quality=95),
    "progressive.jpg": plain(quality=95, progressive=True),
    "grey.jpg": as_mode("L", quality=95),
    "print.jpg": as_mode("CMYK", quality=95),
    **{f"turned-{number}.jpg": turned(number, quality=95) for number in range(1, 9)},
    "bits.png": as_mode("1"),
    "eight.png": plain(),
    "sixteen.png": by_libvips("image.colourspace('rgb16').pngsave(path, bitdepth=16)"),
    "palette.png": lambda picture, path: picture.quantize(256).save(path),
    "grey-16.png": deep_grey,
    "clear.png": clear,
    "turned.png": turned(6),
    "animated.gif": pages,
    "strip.tif": plain(),
    "lzw.tif": plain(compression="tiff_lzw"),
    "jpeg.tif": plain(compression="jpeg", quality=95),
    "fax.tif": as_mode("1", compression="group4"),
    "big.tif": plain(big_tiff=True),
    "turned.tif": turned(6),
    "grey-16.tif": deep_grey,
    "sixteen.tif": by_libvips("image.colourspace('rgb16').tiffsave(path)"),
    "pages.tif": pages,
    "tiles.tif": by_libvips("image.tiffsave(path, tile=True)"),
    "pyramid.tif": by_libvips("image.tiffsave(path, tile=True, pyramid=True)"),
    "pyramid-subifd.tif": by_libvips("image.tiffsave(path, tile=True, pyramid=True, subifd=True)"),
    "web.webp": plain(lossless=True),
    "clear.webp": clear,
    "turned.webp": turned(6, quality=95),
    "animated.webp": pages,
    "book.jp2": plain(),
    "grey.jp2": as_mode("L"),
    "grey-16.jp2": deep_grey,
    "clear.jp2": clear,
    "codestream.j2k": plain(),
    "photo.avif": plain(quality=95),
    "clear.avif": clear,
    "turned.avif": turned(6, quality=95),
}
"""How each is made of a picture."""


def smooth() -> Image.Image:
    """A photograph of 301 by 200 pixels, without noise that formats would treat differently."""
    with Image.open(SAMPLE) as sample:
        blurred = sample.convert("RGB").filter(ImageFilter.GaussianBlur(2))
        picture = blurred.crop((170, 100, 471, 300))
    picture.info.clear()  # it has a profile of its own
    return picture


def reference(path: Path) -> Image.Image:
    """What Pillow sees: the first page, upright, on white, 8 bits of RGB or grey."""
    with Image.open(path) as opened:
        shown = ImageOps.exif_transpose(opened)
        if shown.mode.startswith("I"):
            shown = shown.convert("I").point(lambda value: value / 257).convert("L")
        if "A" in shown.mode or "transparency" in shown.info:
            shown = shown.convert("RGBA")
            white = Image.new("RGBA", shown.size, "white")
            shown = Image.alpha_composite(white, shown)
        return shown.convert("L" if shown.mode in ("1", "L") else "RGB")


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean over pixels and bands, of 255."""
    assert (one.size, one.mode) == (other.size, other.mode)
    return max(ImageStat.Stat(ImageChops.difference(one, other)).mean)


def off(name: str) -> float:
    """How far a picture of a format may be from what another decoder sees, of 255."""
    if name == "print.jpg":
        return 40  # a press has other colours
    return 12 if name in ("bits.png", "fax.tif") else 4
