"""The derivatives of an image, made with libvips; runs inside an image process, never in a worker.

One decode serves every derivative, and each thumbnail is made from the next larger one.
"""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyvips

from activities import jpeg2000
from activities.derived import Derived, Made
from activities.faults import AssetFault, DiskFull
from activities.image_job import ImageJob
from activities.keys import box, thumb_name

PYRAMID = {
    "tile": True,
    "tile_width": 256,
    "tile_height": 256,
    "pyramid": True,
    "compression": "jpeg",
    "Q": 85,
    "keep": "icc",
}
THUMB = {"Q": 80, "keep": "none"}

HELD_IN_MEMORY_BYTES = 512 * 1024 * 1024
"""Decoded images up to this size are held in memory, larger ones in a file of the job's folder."""

BIGTIFF_PIXELS = 1_000_000_000
"""From here a pyramid could pass the 4 GiB of a classic TIFF."""

CSS_DPI = 96
"""Dots per inch by which an SVG's millimetres become pixels (CSS Values and Units 4, 6.2)."""

LIBVIPS_DPI = 72
"""Dots per inch at which libvips leaves an SVG's pixels as they are."""

FORMATS = ("jpeg", "png", "tiff", "gif", "webp", "heif", "jp2k", "jxl", "svg")
"""The formats read, by the names of libvips' loaders. It has others, such as CSV, that are none."""

SAMPLE_BYTES = {"uchar": 1, "char": 1, "ushort": 2, "short": 2, "uint": 4, "int": 4, "float": 4}

NOT_ORIGINAL = (
    "The original is neither JPEG 2000 nor an upright tiled pyramid, so a pyramid was made of it"
)
DAMAGED = "The file is not an image that can be read: it is damaged or cut short"
UNKNOWN = "The file is not an image that can be read: it is not in a supported image format"
NO_DECODER = (
    "The file is not an image that can be read: it is a HEIC or HEIF of a coding that is not"
    " supported, such as HEVC; send it as AVIF, JPEG, PNG or TIFF"
)

pyvips.cache_set_max(0)
pyvips.block_untrusted_set(True)
# The SVG loader counts as untrusted too. It is given bytes, not a file, so that it has no folder
# from which a reference could be resolved.
pyvips.operation_block_set("VipsForeignLoadSvg", False)


def derive(job: ImageJob) -> Made:
    """Decode the original once, and write the derivatives that `job` asks for into its folder.

    Raises AssetFault if the original is no image that can be read or is too large, and DiskFull.
    """
    os.environ["TMPDIR"] = str(job.folder)  # where libvips puts what it does not hold in memory
    try:
        image = _decode(job)
        return Made(tuple(_derivatives(image, job)), image.width, image.height)
    except pyvips.Error as error:
        raise _fault(error) from error


def _decode(job: ImageJob) -> pyvips.Image:
    """The original as it is to be displayed: upright, 8 bits, sRGB or grey, without alpha, held."""
    image = _open(job)
    if _is_turned(image):
        image = _held(image).autorot()  # turning reads columns, and a decoder only gives rows
    return _held(_opaque(_display_colours(image)))


def _is_turned(image: pyvips.Image) -> bool:
    return bool(image.get_typeof("orientation") and image.get("orientation") not in (0, 1))


def _open(job: ImageJob) -> pyvips.Image:
    """The image with its header read and checked, and its pixels not yet decoded."""
    if job.source.stat().st_size == 0:
        raise AssetFault("The file is not an image that can be read: it is empty")
    check = partial(_check_pixels, job)
    if jpeg2000.is_jpeg2000(job.source):
        return jpeg2000.load(job.source, check, DAMAGED)
    loader = _loader(job.source)
    options: dict[str, Any] = {"access": "sequential", "fail_on": "error"}
    if loader == "svg":
        image = _drawing(job, options)
    else:
        image = getattr(pyvips.Image, f"{loader}load")(str(job.source), **options)
    check(image.width, image.height)
    return image


def _drawing(job: ImageJob, options: dict[str, Any]) -> pyvips.Image:
    content = job.source.read_bytes()
    load = partial(pyvips.Image.svgload_buffer, content, dpi=CSS_DPI, **options)
    image = load(scale=LIBVIPS_DPI / CSS_DPI)
    # libvips gives a side beyond what it can count as 1; it says so only of a larger scale.
    if 1 in (image.width, image.height):
        try:
            load(scale=1000)
        except pyvips.Error as error:
            raise AssetFault(
                "The image is too large: it is a drawing with a side of more pixels than can be"
                f" counted, and at most {job.max_pixels:,} in all are allowed"
            ) from error
    return image


def _check_pixels(job: ImageJob, width: int, height: int) -> None:
    if width * height > job.max_pixels:
        raise AssetFault(
            f"The image is too large: {width} x {height} pixels, "
            f"and at most {job.max_pixels:,} in all are allowed"
        )


def _loader(source: Path) -> str:
    found = pyvips.vips_lib.vips_foreign_find_load(str(source).encode())
    if found != pyvips.ffi.NULL:
        name = pyvips.nickname_find(pyvips.type_from_name(pyvips.ffi.string(found).decode()))
        for known in FORMATS:
            if name == f"{known}load":
                return known
    raise AssetFault(UNKNOWN)


def _held(image: pyvips.Image) -> pyvips.Image:
    """The image's pixels computed, once, and kept where they can be read in any order."""
    size = image.width * image.height * image.bands * SAMPLE_BYTES.get(image.format, 8)
    if size <= HELD_IN_MEMORY_BYTES:
        return image.copy_memory()
    held = pyvips.Image.new_temp_file("%s.v")
    image.write(held)
    return held


def _display_colours(image: pyvips.Image) -> pyvips.Image:
    """8 bits of sRGB or grey. A profile of RGB or grey is kept; CMYK is converted by its own."""
    if image.interpretation == "cmyk":
        return image.icc_transform("srgb", embedded=True, input_profile="cmyk")
    if image.interpretation in ("b-w", "srgb"):
        return image if image.format == "uchar" else image.cast("uchar")
    grey = image.bands < 3
    return image.colourspace("b-w" if grey else "srgb").cast("uchar")


def _opaque(image: pyvips.Image) -> pyvips.Image:
    return image.flatten(background=255) if image.hasalpha() else image


def _derivatives(image: pyvips.Image, job: ImageJob) -> Iterator[Derived]:
    if job.iiif_img is not None:
        yield _iiif_img(image, job)
    source = image
    made: set[tuple[int, int]] = set()
    wanted = sorted(((_fitting(image, size), size) for size in job.thumbs), reverse=True)
    for (width, height), size in wanted:
        # Each from the last: the smaller ones cost next to nothing.
        source = source.thumbnail_image(width, height=height, size="force").copy_memory()
        if (source.width, source.height) in made:
            continue  # the original is smaller than both
        made.add((source.width, source.height))
        called = thumb_name(size)
        name = f"thumb-{called}.jpg"
        picture = source
        if picture.get_typeof("icc-profile-data") and picture.bands > 2:
            picture = picture.icc_transform("srgb", embedded=True, input_profile="srgb")
        picture.jpegsave(str(job.folder / name), **THUMB)
        bytes_made = (job.folder / name).stat().st_size
        yield Derived("thumbs", name, f"/{called}.jpg", bytes_made, source.width, source.height)


def _iiif_img(image: pyvips.Image, job: ImageJob) -> Derived:
    """What image servers read: a pyramid made of the image, or the original if it is as good."""
    note = None
    if job.iiif_img == "use-original":
        suffix = _as_original(job.source)
        if suffix is not None:
            size = job.source.stat().st_size
            return Derived("iiif-img", job.source.name, suffix, size, image.width, image.height)
        note = NOT_ORIGINAL
    name = "iiif-img.tif"
    big = image.width * image.height >= BIGTIFF_PIXELS
    image.tiffsave(str(job.folder / name), bigtiff=big, **PYRAMID)
    size = (job.folder / name).stat().st_size
    return Derived("iiif-img", name, ".tif", size, image.width, image.height, note=note)


def _as_original(source: Path) -> str | None:
    """The suffix of an original that serves as it is: JPEG 2000, or an upright tiled pyramid."""
    if jpeg2000.is_jpeg2000(source):
        return ".jp2"
    if _loader(source) != "tiff":
        return None
    first = pyvips.Image.tiffload(str(source))
    if not first.get_typeof("tile-width") or _is_turned(first):
        return None
    if first.get_typeof("n-subifds"):
        return ".tif"
    if first.get("n-pages") == 1:
        return None
    second = pyvips.Image.tiffload(str(source), page=1)
    halved = (first.width // 2, -(-first.width // 2))
    return ".tif" if second.width in halved else None


def _fitting(image: pyvips.Image, size: str) -> tuple[int, int]:
    """The image's width and height at the size of a thumbnail, never larger than they are."""
    width, height = box(size)
    across = 1.0 if width is None else width / image.width
    up = 1.0 if height is None else height / image.height
    scale = min(across, up, 1)
    return max(1, round(image.width * scale)), max(1, round(image.height * scale))


def _fault(error: pyvips.Error) -> Exception:
    """What libvips' words mean to the customer. They may hold paths, so none is passed on."""
    words = error.detail.decode() if isinstance(error.detail, bytes) else str(error.detail)
    if "No space left" in words or "write error" in words:
        return DiskFull("There is no room to process the image")
    if "out of memory" in words.lower() or "Error creating thread" in words:  # no room for a stack
        return AssetFault("The image is too large to process in the memory allowed")
    if "has not been built in" in words:  # of libheif, which pyvips' wheel has with AV1 alone
        return AssetFault(NO_DECODER)
    return AssetFault(DAMAGED)
