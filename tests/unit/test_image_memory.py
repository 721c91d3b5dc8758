"""What the largest images take: an image process's memory is bounded, and they fit in it."""

from pathlib import Path

import pytest

from activities.faults import AssetFault
from activities.image_process import MEMORY_BYTES, ImageProcesses
from tests.unit.test_image_process import MAKE, job, run


async def test_memory_is_bounded_and_144_megapixels_fit(tmp_path: Path) -> None:
    source = tmp_path / "huge.png"
    make = "pyvips.Image.black(12000, 12000, bands=3).copy(interpretation='srgb').pngsave(path)"
    run(MAKE + make, source)
    huge = job(source, tmp_path, thumbs=("!100,100",), max_pixels=12_000**2)
    async with ImageProcesses(1, 0, memory_bytes=400 * 1024**2) as small:
        with pytest.raises(AssetFault, match=r"memory allowed|crashed its decoder"):
            await small.derive(huge, 120)
    async with ImageProcesses(1, 0) as processes:
        result = await processes.derive(huge, 120)
    assert (result.width, result.height) == (12_000, 12_000)


LARGEST = {
    "large.jpg": (20_000, "jpegsave(path, Q=60)"),  # 400 megapixels
    "large.tif": (32_000, "tiffsave(path, tile=True, compression='jpeg', Q=50, bigtiff=True)"),
}
"""A side in pixels, and how each is written."""


@pytest.mark.parametrize("name", LARGEST)
async def test_a_gigapixel_fits_in_half_the_memory(tmp_path: Path, name: str) -> None:
    side, save = LARGEST[name]
    source = tmp_path / name
    tile = "pyvips.Image.gaussnoise(1000, 1000, mean=128, sigma=9, seed=1).cast('uchar')"
    rgb = f"{tile}.bandjoin([90, 60]).copy(interpretation='srgb').copy_memory()"
    run(f"{MAKE}{rgb}.replicate({side // 1000}, {side // 1000}).{save}", source)
    large = job(source, tmp_path, thumbs=("!100,100",), max_pixels=1_500_000_000)
    async with ImageProcesses(1, 0, memory_bytes=MEMORY_BYTES // 2) as half:
        result = await half.derive(large, 300)
    assert (result.width, result.height) == (side, side)
    assert result.files[1].width == 100
