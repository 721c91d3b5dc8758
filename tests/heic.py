"""A HEIC as phones make it: one picture in HEVC."""

import struct
from pathlib import Path

from tests.sound_and_film import made_by
from tests.unit.containers import box


def _full(name: bytes, *parts: bytes, version: int = 0) -> bytes:
    return box(name, struct.pack(">I", version << 24), *parts)


def _inner(content: bytes, name: bytes) -> bytes:
    """A box of an MP4, wherever it is in it."""
    at = content.index(name) - 4
    return content[at : at + int.from_bytes(content[at : at + 4], "big")]


def heic(folder: Path) -> bytes:
    """A picture of 128 by 96 pixels (ISO/IEC 23008-12): a frame of a film, in another container."""
    words = ("-f", "lavfi", "-i", "testsrc=size=128x96", "-frames:v", "1", "-c:v", "libx265")
    coded = made_by("frame.mp4", (*words, "-x265-params", "log-level=0"), folder).read_bytes()
    picture = _inner(coded, b"mdat")[8:]
    brands = box(b"ftyp", b"heic", bytes(4), b"mif1", b"heic")

    def meta(at: int) -> bytes:
        item = _full(b"infe", struct.pack(">HH", 1, 0), b"hvc1", b"\0", version=2)
        size = _full(b"ispe", struct.pack(">II", 128, 96))
        uses = _full(b"ipma", struct.pack(">IHBBB", 1, 1, 2, 0x81, 0x02))
        return _full(
            b"meta",
            _full(b"hdlr", bytes(4), b"pict", bytes(13)),
            _full(b"pitm", struct.pack(">H", 1)),
            _full(b"iloc", struct.pack(">BBHHHHII", 0x44, 0, 1, 1, 0, 1, at, len(picture))),
            _full(b"iinf", struct.pack(">H", 1), item),
            box(b"iprp", box(b"ipco", _inner(coded, b"hvcC"), size), uses),
        )

    return brands + meta(len(brands) + len(meta(0)) + 8) + box(b"mdat", picture)
