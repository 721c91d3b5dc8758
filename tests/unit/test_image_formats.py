"""Each format by Pillow, which made it, and by an image process: the same size and pixels."""

import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageFilter, ImageOps, ImageStat

from activities.derived import Derived, Made
from activities.image_job import ImageJob
from activities.image_process import ImageProcesses

SAMPLE = Path(__file__).parents[2] / "cli" / "samples" / "rocket.jpg"
ORIENTATION = 0x0112

Save = Callable[[Image.Image, Path], None]


def turned(orientation: int) -> Save:
    def save(picture: Image.Image, path: Path) -> None:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        picture.save(path, exif=exif, quality=95)

    return save


def plain(**options: Any) -> Save:
    return lambda picture, path: picture.save(path, **options)


def as_mode(mode: str, **options: Any) -> Save:
    return lambda picture, path: picture.convert(mode).save(path, **options)


def deep(picture: Image.Image, path: Path) -> None:
    picture.convert("L").convert("I").point(lambda value: value * 257).convert("I;16").save(path)


def clear(picture: Image.Image, path: Path) -> None:
    picture = picture.copy()
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    picture.save(path)


def pages(picture: Image.Image, path: Path) -> None:
    others = [ImageOps.invert(picture), ImageOps.mirror(picture)]
    picture.save(path, save_all=True, append_images=others)


def by_libvips(options: str) -> Save:
    def save(picture: Image.Image, path: Path) -> None:
        picture.save(path.with_suffix(".png"))
        code = f"import pyvips; i = pyvips.Image.new_from_file({str(path.with_suffix('.png'))!r})\n"
        code += f"i.tiffsave({str(path)!r}, {options})"
        subprocess.run([sys.executable, "-c", code], check=True)

    return save


FORMATS: dict[str, Save] = {
    "baseline.jpg": plain(quality=95),
    "progressive.jpg": plain(quality=95, progressive=True),
    "grey.jpg": as_mode("L", quality=95),
    **{f"turned-{number}.jpg": turned(number) for number in range(1, 9)},
    "bits.png": as_mode("1"),
    "eight.png": plain(),
    "palette.png": lambda picture, path: picture.quantize(256).save(path),
    "grey-16.png": deep,
    "clear.png": clear,
    "animated.gif": pages,
    "strip.tif": plain(),
    "lzw.tif": plain(compression="tiff_lzw"),
    "grey-16.tif": deep,
    "pages.tif": pages,
    "tiles.tif": by_libvips("tile=True"),
    "pyramid.tif": by_libvips("tile=True, pyramid=True"),
    "pyramid-subifd.tif": by_libvips("tile=True, pyramid=True, subifd=True"),
    "web.webp": plain(lossless=True),
    "clear.webp": clear,
    "book.jp2": plain(),
    "grey.jp2": as_mode("L"),
    "codestream.j2k": plain(),
    "photo.avif": plain(quality=95),
}


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    with Image.open(SAMPLE) as sample:
        smooth = sample.convert("RGB").filter(ImageFilter.GaussianBlur(2))
        picture = smooth.crop((170, 100, 471, 300))
    picture.info.clear()  # it has a profile of its own
    return picture


@pytest.fixture
async def processes() -> AsyncIterator[ImageProcesses]:
    async with ImageProcesses(1, 0) as running:
        yield running


async def derived(processes: ImageProcesses, path: Path, policy: str = "default") -> Made:
    shutil.copy(path, path.with_name("original"))
    job = ImageJob(path.with_name("original"), path.parent, policy, ("!100,100",), 10**8)
    return await processes.derive(job, 60)


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


def iiif_img(made: Made) -> Derived:
    return next(each for each in made.files if each.channel == "iiif-img")


@pytest.mark.parametrize("name", FORMATS)
async def test_it_is_what_another_decoder_sees(
    processes: ImageProcesses, picture: Image.Image, tmp_path: Path, name: str
) -> None:
    FORMATS[name](picture, tmp_path / name)
    made = await derived(processes, tmp_path / name)
    wanted = reference(tmp_path / name)
    assert (made.width, made.height) == wanted.size
    with Image.open(tmp_path / iiif_img(made).name) as pyramid:
        shown = pyramid.convert(wanted.mode)
        assert pyramid.mode in ("L", "RGB")
        pyramid.seek(1)
        assert pyramid.width < wanted.width, "it has levels"
    assert difference(shown, wanted) < (12 if name == "bits.png" else 4)
    with Image.open(tmp_path / "thumb-100.jpg") as thumb:
        assert max(thumb.size) == 100
        assert difference(thumb.convert(wanted.mode), wanted.resize(thumb.size)) < 12


async def test_cmyk_is_converted(
    processes: ImageProcesses, picture: Image.Image, tmp_path: Path
) -> None:
    picture.convert("CMYK").save(tmp_path / "print.jpg", quality=95)
    made = await derived(processes, tmp_path / "print.jpg")
    with Image.open(tmp_path / iiif_img(made).name) as pyramid:
        assert pyramid.mode == "RGB"
        assert difference(pyramid.convert("RGB"), picture) < 40  # a press has other colours


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("pyramid.tif", ".tif"),
        ("pyramid-subifd.tif", ".tif"),
        ("book.jp2", ".jp2"),
        ("codestream.j2k", ".jp2"),
    ],
)
async def test_what_serves_as_it_is_is_kept(
    processes: ImageProcesses, picture: Image.Image, tmp_path: Path, name: str, suffix: str
) -> None:
    FORMATS[name](picture, tmp_path / name)
    kept = iiif_img(await derived(processes, tmp_path / name, "use-original"))
    assert (kept.name, kept.suffix, kept.note) == ("original", suffix, None)
    assert kept.size_bytes == (tmp_path / name).stat().st_size
    assert (kept.width, kept.height) == picture.size


@pytest.mark.parametrize("name", ["baseline.jpg", "strip.tif", "tiles.tif", "pages.tif"])
async def test_what_does_not_serve_is_made_with_a_note(
    processes: ImageProcesses, picture: Image.Image, tmp_path: Path, name: str
) -> None:
    FORMATS[name](picture, tmp_path / name)
    made = iiif_img(await derived(processes, tmp_path / name, "use-original"))
    assert (made.name, made.suffix) == ("iiif-img.tif", ".tif")
    assert made.note is not None
    assert "a pyramid was made" in made.note


async def test_a_profile_is_kept_and_thumbnails_are_srgb(
    processes: ImageProcesses, tmp_path: Path
) -> None:
    with Image.open(SAMPLE) as sample:
        profile = sample.info["icc_profile"]
    made = await derived(processes, Path(shutil.copy(SAMPLE, tmp_path)))
    with Image.open(tmp_path / iiif_img(made).name) as pyramid:
        assert pyramid.info["icc_profile"] == profile
    with Image.open(tmp_path / "thumb-100.jpg") as thumb:
        assert "icc_profile" not in thumb.info
