"""Each format by Pillow, which made it, and by an image process: the same size and pixels."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from activities.derived import Derived, Made
from activities.image_job import ImageJob
from activities.image_process import ImageProcesses
from tests.pictures import FORMATS, SAMPLE, difference, off, reference, smooth


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return smooth()


@pytest.fixture
async def processes() -> AsyncIterator[ImageProcesses]:
    async with ImageProcesses(1, 0) as running:
        yield running


async def derived(processes: ImageProcesses, path: Path, policy: str = "default") -> Made:
    shutil.copy(path, path.with_name("original"))
    job = ImageJob(path.with_name("original"), path.parent, policy, ("!100,100",), 10**8)
    return await processes.derive(job, 60)


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
    assert difference(shown, wanted) < off(name)
    with Image.open(tmp_path / "thumb-100.jpg") as thumb:
        assert max(thumb.size) == 100
        assert difference(thumb.convert(wanted.mode), wanted.resize(thumb.size)) < max(
            12, off(name)
        )


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
