"""Image processes: what they make of pictures, and what a bad one costs.

libvips is never loaded into the test's own process: pictures are made and read by another.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from activities.derived import Made
from activities.faults import AssetFault, DiskFull
from activities.image_job import ImageJob
from activities.image_process import CRASHES, ImageProcesses

SAMPLES = Path(__file__).parents[2] / "cli" / "samples"
THUMBS = ("!1024,1024", "!400,400", "!200,200", "!100,100")

# Each makes a file at `path` with libvips.
PICTURES = {
    "colour.jpg": "picture(300, 200).jpegsave(path)",
    "grey.png": "picture(300, 200).colourspace('b-w').pngsave(path)",
    "bits.png": "(picture(300, 200).colourspace('b-w') > 128).pngsave(path, bitdepth=1)",
    "deep.png": "picture(300, 200).colourspace('rgb16').pngsave(path)",
    "clear.png": "picture(300, 200).bandjoin(0).pngsave(path)",
    "turned.jpg": "turned(picture(300, 200), 6).jpegsave(path)",
    "print.jpg": "picture(300, 200).icc_transform('cmyk', input_profile='srgb').jpegsave(path)",
    "film.gif": "pages([picture(300, 200), picture(300, 200).invert()]).gifsave(path)",
    "book.tif": "pages([picture(300, 200), picture(300, 200).invert()]).tiffsave(path)",
    "deep.tif": "picture(300, 200).colourspace('rgb16').tiffsave(path, compression='lzw')",
    "tiles.tif": "picture(300, 200).tiffsave(path, tile=True, pyramid=True)",
    "web.webp": "picture(300, 200).webpsave(path)",
    "dot.png": "picture(1, 1).pngsave(path)",
    "ribbon.png": "picture(3000, 2).pngsave(path)",
    "large.jpg": "picture(3000, 2000).jpegsave(path)",
}
MAKE = """
import sys, pyvips
def picture(w, h):
    x = pyvips.Image.xyz(w, h)
    return (x[0] * 255 / w).bandjoin([x[1] * 255 / h, 128]).cast("uchar").copy(
        interpretation="srgb")
def turned(image, orientation):
    image = image.copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return image
def pages(images):
    book = images[0].join(images[1], "vertical").copy()
    book.set_type(pyvips.GValue.gint_type, "page-height", images[0].height)
    return book
path = sys.argv[1]
"""
READ = """
import json, sys, pyvips
image = pyvips.Image.new_from_file(sys.argv[1])
fields = image.get_fields()
print(json.dumps({
    "size": [image.width, image.height], "bands": image.bands, "format": image.format,
    "interpretation": image.interpretation,
    "levels": image.get("n-subifds") if "n-subifds" in fields else
        (image.get("n-pages") - 1 if "n-pages" in fields else 0),
    "tile": image.get("tile-width") if "tile-width" in fields else None,
    "corners": [image.getpoint(1, 1), image.getpoint(image.width - 2, image.height - 2)]
        if min(image.width, image.height) > 2 else None,
}))
"""


def run(code: str, path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    lines = "\n".join(f"path = {str(folder / name)!r}\n{code}" for name, code in PICTURES.items())
    run(MAKE + lines, folder)
    (folder / "text.jpg").write_bytes(b"a letter\n" * 100)
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "table.csv").write_bytes(b"1,2,3\n4,5,6\n")
    (folder / "paper.pdf").write_bytes(b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF\n")
    jpeg = (folder / "large.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "noise.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    (folder / "drawing.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="31.75mm" height="80">'
        '<rect width="120" height="80" fill="#ff0000"/></svg>'
    )
    (folder / "reaching.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        'width="120" height="80"><rect width="120" height="80" fill="#ff0000"/>'
        f'<image width="120" height="80" xlink:href="{(folder / "grey.png").as_uri()}"/></svg>'
    )
    return folder


@pytest.fixture
async def processes() -> AsyncIterator[ImageProcesses]:
    async with ImageProcesses(1, 0) as running:
        yield running


def job(source: Path, folder: Path, **more: Any) -> ImageJob:
    known: dict[str, Any] = {"iiif_img": "default", "thumbs": THUMBS, "max_pixels": 10**8}
    return ImageJob(source=source, folder=folder, **{**known, **more})


async def derived(
    processes: ImageProcesses, source: Path, folder: Path
) -> tuple[Made, dict[str, Any]]:
    """The result, and what each derivative is when it is read again, by its suffix."""
    result = await processes.derive(job(source, folder), 60)
    read = {made.suffix: json.loads(run(READ, folder / made.name)) for made in result.files}
    for made in result.files:
        assert made.size_bytes == (folder / made.name).stat().st_size
        assert [made.width, made.height] == read[made.suffix]["size"]
    return result, read


def near(pixel: list[float], wanted: list[float], most: float = 12) -> bool:
    return all(abs(a - b) <= most for a, b in zip(pixel, wanted, strict=True))


@pytest.mark.parametrize(
    "name",
    [
        "colour.jpg",
        "deep.png",
        "turned.jpg",
        "print.jpg",
        "film.gif",
        "book.tif",
        "deep.tif",
        "tiles.tif",
        "web.webp",
    ],
)
async def test_each_format_is_shown_as_it_is(
    processes: ImageProcesses, pictures: Path, tmp_path: Path, name: str
) -> None:
    result, read = await derived(processes, pictures / name, tmp_path)
    turned = name == "turned.jpg"
    assert (result.width, result.height) == ((200, 300) if turned else (300, 200))
    shown = read[".tif"]
    assert (shown["bands"], shown["format"], shown["tile"]) == (3, "uchar", 256)
    first, last = shown["corners"]
    most = 45 if name == "print.jpg" else 16  # a printer has fewer colours
    if turned:  # a quarter to the right: what was below on the left is above on the left
        assert near(first, [0, 255, 128], most)
        assert near(last, [255, 0, 128], most)
    else:
        assert near(first, [0, 0, 128], most)
        assert near(last, [255, 255, 128], most)
    assert ".tif" in read
    assert "/100.jpg" in read


async def test_grey_stays_grey_and_clear_becomes_white(
    processes: ImageProcesses, pictures: Path, tmp_path: Path
) -> None:
    for name in ("grey.png", "bits.png"):
        _, read = await derived(processes, pictures / name, tmp_path)
        assert {each["bands"] for each in read.values()} == {1}
        assert read[".tif"]["format"] == "uchar"
    _, read = await derived(processes, pictures / "clear.png", tmp_path)
    assert near(read[".tif"]["corners"][0], [255, 255, 255])
    assert near(read["/200.jpg"]["corners"][1], [255, 255, 255])


async def test_sizes_of_a_large_image(
    processes: ImageProcesses, pictures: Path, tmp_path: Path
) -> None:
    result, read = await derived(processes, pictures / "large.jpg", tmp_path)
    assert (result.width, result.height) == (3000, 2000)
    assert read[".tif"]["levels"] >= 3
    assert {suffix: each["size"] for suffix, each in read.items() if suffix != ".tif"} == {
        "/1024.jpg": [1024, 683],
        "/400.jpg": [400, 267],
        "/200.jpg": [200, 133],
        "/100.jpg": [100, 67],
    }
    for each in read.values():
        assert near(each["corners"][0], [0, 0, 128])
        assert near(each["corners"][1], [255, 255, 128])


@pytest.mark.parametrize(("name", "size"), [("dot.png", (1, 1)), ("ribbon.png", (3000, 2))])
async def test_odd_sizes(
    processes: ImageProcesses, pictures: Path, tmp_path: Path, name: str, size: tuple[int, int]
) -> None:
    result, read = await derived(processes, pictures / name, tmp_path)
    assert (result.width, result.height) == size
    assert len(read) == len(result.files)


async def test_thumbnails_are_never_larger_than_the_original(
    processes: ImageProcesses, pictures: Path, tmp_path: Path
) -> None:
    result, _ = await derived(processes, pictures / "colour.jpg", tmp_path)
    thumbs = [(made.width, made.height) for made in result.files if made.channel == "thumbs"]
    assert thumbs == [(300, 200), (200, 133), (100, 67)]


async def test_a_drawing_has_its_own_size_and_reaches_nothing(
    processes: ImageProcesses, pictures: Path, tmp_path: Path
) -> None:
    for name in ("drawing.svg", "reaching.svg"):
        result, read = await derived(processes, pictures / name, tmp_path)
        assert (result.width, result.height) == (120, 80)
        assert near(read[".tif"]["corners"][0], [255, 0, 0])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("text.jpg", "not in a supported image format"),
        ("empty.jpg", "empty"),
        ("table.csv", "not in a supported image format"),
        ("paper.pdf", "not in a supported image format"),
        ("cut.jpg", "damaged or cut short"),
        ("noise.png", "damaged or cut short"),
    ],
)
async def test_what_is_no_image_is_named(
    processes: ImageProcesses, pictures: Path, tmp_path: Path, name: str, words: str
) -> None:
    with pytest.raises(AssetFault, match=words) as fault:
        await processes.derive(job(pictures / name, tmp_path), 60)
    assert str(pictures) not in str(fault.value)
    assert await processes.derive(job(pictures / "colour.jpg", tmp_path), 60)


async def test_too_many_pixels_are_refused_by_the_header(
    processes: ImageProcesses, pictures: Path, tmp_path: Path
) -> None:
    with pytest.raises(AssetFault, match=r"too large: 3000 x 2000 pixels"):
        await processes.derive(job(pictures / "large.jpg", tmp_path, max_pixels=10**6), 60)


def children() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children()
        if "activities.image_process" in child.cmdline()
    ]


async def crashing(
    processes: ImageProcesses, picture: ImageJob, number: signal.Signals, times: int
) -> Made:
    """What comes of an image whose process dies of a signal as it writes, so many times."""
    written = picture.folder / "iiif-img.tif"
    written.unlink(missing_ok=True)
    working = asyncio.create_task(processes.derive(picture, 60))
    for _ in range(times):
        while not written.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.005)
        (child,) = children()
        child.send_signal(number)
        child.wait(10)
        written.unlink()
    return await working


async def test_a_crash_or_a_hang_costs_one_asset(
    processes: ImageProcesses, pictures: Path, tmp_path: Path
) -> None:
    picture = job(pictures / "large.jpg", tmp_path)
    await processes.derive(picture, 60)
    (first,) = children()
    for number in (signal.SIGKILL, signal.SIGSEGV):
        assert await crashing(processes, picture, number, CRASHES - 1)
        with pytest.raises(AssetFault, match="crashed its decoder"):
            await crashing(processes, picture, number, CRASHES)
        assert await processes.derive(picture, 60)
    (child,) = children()
    child.suspend()
    with pytest.raises(AssetFault, match=r"longer than 0.3 s"):
        await processes.derive(picture, 0.3)
    assert await processes.derive(picture, 60)
    assert first not in children()


async def test_a_cancelled_job_takes_its_process_along(
    processes: ImageProcesses, pictures: Path, tmp_path: Path
) -> None:
    picture = job(pictures / "large.jpg", tmp_path)
    await processes.derive(picture, 60)
    (child,) = children()
    child.suspend()
    working = asyncio.create_task(processes.derive(picture, 60))
    await asyncio.sleep(0.1)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert not child.is_running()
    assert await processes.derive(picture, 60)


async def test_an_image_process_has_no_credentials(
    processes: ImageProcesses, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("IIIFQ_DATABASE_URL", "postgresql://secret")
    await processes.derive(job(pictures / "colour.jpg", tmp_path), 60)
    (child,) = children()
    assert "secret" not in str(child.environ())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no parent-death signal")
def test_image_processes_die_with_their_worker(pictures: Path, tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from activities.image_job import ImageJob\n"
        "from activities.image_process import ImageProcesses\n"
        "async def main():\n"
        "    async with ImageProcesses(1, 0) as running:\n"
        "        picture = ImageJob(Path(sys.argv[1]), Path(sys.argv[2]), None, ('!9,9',), 10**8)\n"
        "        await running.derive(picture, 60)\n"
        "        print('ready', flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    words = [sys.executable, "-c", code, str(pictures / "colour.jpg"), str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as worker:
        assert worker.stdout
        assert worker.stdout.readline() == b"ready\n"
        (child,) = psutil.Process(worker.pid).children()
        os.kill(worker.pid, signal.SIGKILL)
    psutil.wait_procs([child], timeout=10)
    assert not child.is_running()


async def test_a_process_that_died_idle_costs_no_asset(
    processes: ImageProcesses, pictures: Path, tmp_path: Path
) -> None:
    picture = job(pictures / "colour.jpg", tmp_path)
    await processes.derive(picture, 60)
    (child,) = children()
    child.kill()
    child.wait(10)
    async with asyncio.timeout(10):
        while processes._idle[0].returncode is None:  # noqa: ASYNC110 - the loop has yet to see it
            await asyncio.sleep(0.01)
    assert await processes.derive(picture, 60)


async def test_processes_that_do_not_start_are_no_fault_of_an_asset(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    async with ImageProcesses(1, 0) as running:
        with pytest.raises(RuntimeError, match="does not start"):
            await running.derive(job(pictures / "colour.jpg", tmp_path), 60)


async def test_a_full_disk_is_not_the_assets_fault(
    processes: ImageProcesses, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "iiif-img.tif").symlink_to("/dev/full")
    with pytest.raises((DiskFull, AssetFault)) as caught:
        await processes.derive(job(pictures / "colour.jpg", tmp_path, thumbs=()), 60)
    assert isinstance(caught.value, DiskFull), caught.value
