"""Images made to do harm: each ends as its asset's error, or as a picture, within bounds on time,
memory and disk; none opens a connection, and no secret of this machine gets into a derivative."""

import io
import shutil
import struct
import sys
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from PIL import Image

from activities.faults import AssetFault
from activities.image_job import ImageJob
from activities.image_process import ImageProcesses
from tests.unit.hostile import (
    MIB,
    MOST_DISK,
    MOST_MEMORY,
    MOST_SECONDS,
    SECRET,
    disk_used,
    kept,
    listener,
    peak_memory,
    png,
    zeros,
)

SAMPLE = Path(__file__).parents[2] / "cli" / "samples" / "retina.jpg"
MAX_PIXELS = 10**8


def tiff(width: int, height: int, data: bytes, *, next_at: int = 0, strips: int = 1) -> bytes:
    """A little-endian grey TIFF of deflated strips that all are the same bytes."""
    count = 10
    values_at = 8 + 2 + 12 * count + 4
    data_at = values_at + 8 * strips
    rows = -(-height // strips)
    offsets = struct.pack(f"<{strips}I", *[data_at] * strips)
    sizes = struct.pack(f"<{strips}I", *[len(data)] * strips)
    one = strips == 1
    tags = (
        *((256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 8)),
        *((262, 3, 1, 1), (273, 4, strips, data_at if one else values_at), (277, 3, 1, 1)),
        (278, 4, 1, rows),
        (279, 4, strips, len(data) if one else values_at + 4 * strips),
        (284, 3, 1, 1),
    )
    return b"".join(
        (
            struct.pack("<2sHIH", b"II", 42, 8, count),
            *(struct.pack("<HHII", *tag) for tag in tags),
            struct.pack("<I", next_at),
            *(offsets, sizes, data),
        )
    )


def svg(body: str, *, doctype: str = "", size: str = 'width="120" height="80"') -> bytes:
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<?xml version="1.0"?>{doctype}<svg {names} {size}>{body}</svg>'.encode()


def laughs() -> str:
    entities = '<!ENTITY a0 "ha">' + "".join(
        f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 11)
    )
    return f"<!DOCTYPE svg [{entities}]>"


def archive() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("index.html", "<script>alert('polyglot')</script>")
    return packed.getvalue()


def animation(frames: int) -> bytes:
    made = io.BytesIO()
    pages = [Image.new("L", (40, 40), n % 256) for n in range(frames)]
    pages[0].save(made, "GIF", save_all=True, append_images=pages[1:])
    return made.getvalue()


ENTITY = '<!DOCTYPE svg [<!ENTITY x SYSTEM "{secret}">]>'
REMOTE = '<!DOCTYPE svg PUBLIC "x" "{web}/svg.dtd" [<!ENTITY x SYSTEM "{web}/x">]>'

# What `{secret}` and `{web}` stand for in a drawing is put in when it is made.
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "png of many pixels": (lambda: png(30_000, 30_000, zeros(900 * MIB)), "too large"),
    "png of most pixels": (lambda: png(2**31 - 1, 2**31 - 1, b""), "damaged"),
    "png with less than it says": (lambda: png(9000, 9000, zeros(100)), "damaged or cut short"),
    "tiff of many pixels": (lambda: tiff(30_000, 30_000, zeros(900 * MIB)), "too large"),
    "tiff of most pixels": (lambda: tiff(2**32 - 1, 2**32 - 1, b"x"), "supported"),
    "tiff with less than it says": (lambda: tiff(9000, 9000, zeros(100)), "damaged"),
    "gif of most pixels": (
        lambda: b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0),
        "damaged",
    ),
    "svg of most pixels": (lambda: svg("", size='width="1e9" height="1e9"'), "too large"),
    "svg of a long side": (lambda: svg("", size='width="1e9" height="80"'), "too large"),
    "svg of many pixels": (lambda: svg("", size='width="20000" height="20000"'), "too large"),
    "svg of laughs": (lambda: svg("<text>&a10;</text>", doctype=laughs()), "damaged"),
    "page with a picture's name": (lambda: b"<html><script>alert(1)</script></html>", "supported"),
    "script for an interpreter": (lambda: b"#!/bin/sh\nreboot\n", "supported"),
    "script for a picture program": (lambda: b"push graphic-context\nfill 'url(/x)'", "supported"),
    "playlist": (lambda: b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/\n", "supported"),
    "archive": (archive, "supported"),
}
HARMLESS: dict[str, Callable[[], bytes]] = {
    "svg of a point": lambda: svg("", size='width="1" height="0.5"'),
    "png that unpacks to much": lambda: png(9000, 9000, zeros(9000 * 9001)),
    "png with a text that unpacks to much": lambda: png(
        *(64, 64, zeros(64 * 65)), (b"zTXt", b"note\0\0" + zeros(1000 * MIB))
    ),
    "tiff of one strip many times": lambda: tiff(8192, 8192, zeros(8192 * 64), strips=128),
    "tiff in a circle": lambda: tiff(64, 64, zeros(64 * 64), next_at=8),
    "gif of many frames": lambda: animation(2000),
    "jpeg that is an archive too": lambda: SAMPLE.read_bytes() + archive(),
    "jpeg with a page in it": lambda: (
        SAMPLE.read_bytes()[:2]
        + b"\xff\xfe\0\x26<script>alert('polyglot')</script>"
        + SAMPLE.read_bytes()[2:]
    ),
    "svg that reads a file": lambda: svg("<text>&x;</text>", doctype=ENTITY),
    "svg that asks the web": lambda: svg(
        '<image xlink:href="{web}/a.png" width="9" height="9"/><style>@import "{web}/a.css";'
        '</style><use xlink:href="{web}/a.svg#a"/><script xlink:href="{web}/a.js"/>'
        '<include xmlns="http://www.w3.org/2001/XInclude" href="{secret}" parse="text"/>',
        doctype=REMOTE,
    ),
    "svg in itself": lambda: svg('<image xlink:href="original" width="9" height="9"/>'),
    "svg of uses of uses": lambda: svg(
        '<g id="u0"><rect width="1" height="1"/></g>'
        + "".join(
            f'<g id="u{n}">' + f'<use xlink:href="#u{n - 1}"/>' * 10 + "</g>" for n in range(1, 9)
        )
    ),
}


@pytest.fixture
async def processes() -> AsyncIterator[ImageProcesses]:
    async with ImageProcesses(1, 0) as running:
        yield running


def job(folder: Path, content: bytes, web: str = "") -> ImageJob:
    (folder / "secret.txt").write_text(SECRET)
    secret = shutil.move(folder / "secret.txt", folder.with_suffix(".secret"))
    if content.startswith(b"<?xml"):
        content = content.replace(b"{secret}", Path(secret).as_uri().encode())
        content = content.replace(b"{web}", web.encode())
    (folder / "original").write_bytes(content)
    return ImageJob(folder / "original", folder, "default", ("!100,100",), MAX_PIXELS)


@pytest.mark.parametrize("name", REFUSED)
async def test_refused(processes: ImageProcesses, tmp_path: Path, name: str) -> None:
    make, words = REFUSED[name]
    picture = job(tmp_path, make())
    with pytest.raises(AssetFault, match=words) as fault:
        await processes.derive(picture, MOST_SECONDS)
    assert str(tmp_path) not in str(fault.value)
    assert "longer than" not in str(fault.value)
    assert disk_used(tmp_path) < MOST_DISK
    if sys.platform == "linux":
        assert peak_memory("activities.image_process") < MOST_MEMORY


@pytest.mark.parametrize("name", HARMLESS)
async def test_harmless(processes: ImageProcesses, tmp_path: Path, name: str) -> None:
    with listener() as web:
        try:
            made = await processes.derive(job(tmp_path, HARMLESS[name](), web), MOST_SECONDS)
        except AssetFault as fault:
            assert "longer than" not in str(fault)  # noqa: PT017 - a refusal is as good
            assert SECRET not in str(fault)  # noqa: PT017
        else:
            assert made.width
        for path in kept(tmp_path):
            assert SECRET.encode() not in path.read_bytes()
            assert b"polyglot" not in path.read_bytes()
            assert b"index.html" not in path.read_bytes()
        assert disk_used(tmp_path) < MOST_DISK
        if sys.platform == "linux":
            assert peak_memory("activities.image_process") < MOST_MEMORY
