"""Containers of sound and film, written by hand: what their headers say need not be so."""

import struct

UNKNOWN_SIZE = b"\x01" + b"\xff" * 7
"""Of an element of Matroska that ends where its parent does."""


def wav(
    data: bytes,
    *,
    says: int | None = None,
    rate: int = 8000,
    channels: int = 1,
    bits: int = 16,
) -> bytes:
    """A WAV of PCM that says it holds `says` bytes; unset: as many as it does."""
    size = len(data) if says is None else says
    align = channels * bits // 8
    form = (1, channels, rate, rate * align % 2**32, align % 2**16, bits)
    riff = struct.pack("<4sI4s4sI", b"RIFF", min(size + 36, 2**32 - 1), b"WAVE", b"fmt ", 16)
    return riff + struct.pack("<HHIIHH4sI", *form, b"data", size) + data


def box(name: bytes, *parts: bytes) -> bytes:
    """One box of an MP4 (ISO/IEC 14496-12, 4.2)."""
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), name) + body


def table(name: bytes, *rows: tuple[int, ...]) -> bytes:
    """A box of a count and that many rows of 32-bit numbers."""
    return box(
        name, struct.pack(">II", 0, len(rows)), *(struct.pack(f">{len(r)}I", *r) for r in rows)
    )


def mov(
    data: bytes,
    *,
    sample_bytes: int = 2,
    samples: int | None = None,
    times: bytes | None = None,
    references: tuple[bytes, ...] = (box(b"url ", b"\0\0\0\1"),),
    seconds: int | None = None,
    tracks: int = 1,
) -> bytes:
    """A QuickTime film of tracks that all are the same PCM, 16 bits at 8 kHz.

    `samples` and `seconds` are what it says it has; `times` is its box of durations, `references`
    are where the data is said to be.
    """
    count = len(data) // 2 if samples is None else samples
    ticks = count % 2**32 if seconds is None else seconds * 8000
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    clock = struct.pack(">5I", 0, 0, 0, 8000, ticks)
    begin = box(b"ftyp", b"qt  ", bytes(4), b"qt  ") + box(b"mdat", data)
    sound = struct.pack(">6xHHH4xHH4xI", 1, 0, 0, 1, 16, 8000 << 16)
    stbl = box(
        b"stbl",
        box(b"stsd", struct.pack(">II", 0, 1), box(b"sowt", sound)),
        table(b"stts", (count, 1)) if times is None else times,
        table(b"stsc", (1, count, 1)),
        box(b"stsz", struct.pack(">III", 0, sample_bytes, count)),
        table(b"stco", (len(begin) - len(data),)),
    )
    dref = box(b"dref", struct.pack(">II", 0, len(references)), *references)
    minf = box(b"minf", box(b"smhd", bytes(8)), box(b"dinf", dref), stbl)
    hdlr = box(b"hdlr", struct.pack(">I4s4s12x1x", 0, b"mhlr", b"soun"))
    mdia = box(b"mdia", box(b"mdhd", clock, bytes(4)), hdlr, minf)
    traks = (
        box(
            b"trak",
            box(b"tkhd", struct.pack(">6I12xI", 3, 0, 0, n, 0, ticks, 0x0100), matrix, bytes(8)),
            mdia,
        )
        for n in range(1, tracks + 1)
    )
    mvhd = box(
        b"mvhd", clock, struct.pack(">IH10x", 0x10000, 0x100), matrix, bytes(24), b"\0\0\0\2"
    )
    return begin + box(b"moov", mvhd, *traks)


def alias(path: bytes) -> bytes:
    """A reference to the data of a track in another file, as a Macintosh writes it."""
    record = struct.pack(">10xB27s12xB63s16xHH16x", 1, b"v", 1, b"f", 1, 1)
    tail = struct.pack(">HH", 2, len(path)) + path + bytes(len(path) % 2)
    return box(b"alis", bytes(4), record, tail, b"\xff\xff\0\0", bytes(40))


def element(name: int, *parts: bytes, size: bytes | None = None) -> bytes:
    """One element of Matroska (RFC 8794, 4 to 6)."""
    body = b"".join(parts)
    known = struct.pack(">Q", len(body) | 1 << 56)
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + (size or known) + body


def number(name: int, value: int) -> bytes:
    """An element that is a number."""
    return element(name, value.to_bytes(8, "big"))


def track(
    kind: int,
    codec: bytes,
    *parts: bytes,
    no: int = 1,
) -> bytes:
    """A TrackEntry: film is kind 1, sound 2."""
    return element(
        0xAE, number(0xD7, no), number(0x73C5, no), number(0x83, kind), element(0x86, codec), *parts
    )


def film(
    width: int,
    height: int,
    *parts: bytes,
    shown: tuple[int, int] | None = None,
    codec: bytes = b"MJPG",
) -> bytes:
    """A TrackEntry of pictures one after another, by the name that AVI has for their codec.

    `shown` is the size that they are to be shown at, whatever their pixels.
    """
    size = number(0xB0, width) + number(0xBA, height)
    if shown is not None:
        size += number(0x54B0, shown[0]) + number(0x54BA, shown[1])
    form = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, codec, 0, 0, 0, 0, 0)
    return track(1, b"V_MS/VFW/FOURCC", element(0x63A2, form), element(0xE0, size), *parts)


def sound(*parts: bytes, no: int = 1) -> bytes:
    """A TrackEntry of PCM, 16 bits at 8 kHz."""
    form = element(
        0xE1, element(0xB5, struct.pack(">d", 8000)), number(0x9F, 1), number(0x6264, 16)
    )
    return track(2, b"A_PCM/INT/LIT", form, *parts, no=no)


def cluster(at_ms: int, *blocks: bytes, no: int = 1, size: bytes | None = None) -> bytes:
    """Blocks of a track, all at one time."""
    head = struct.pack(">BHB", 0x80 | no, 0, 0x80)
    return element(
        0x1F43B675, number(0xE7, at_ms), *(element(0xA3, head, each) for each in blocks), size=size
    )


def matroska(
    tracks: bytes, *parts: bytes, seconds: float | None = None, size: bytes | None = None
) -> bytes:
    """A Matroska file of tracks and whatever follows; `seconds` is what it says it lasts."""
    said = b"" if seconds is None else element(0x4489, struct.pack(">d", seconds * 1000))
    info = element(0x1549A966, number(0x2AD7B1, 1_000_000), said)
    head = element(0x1A45DFA3, element(0x4282, b"matroska"))
    return head + element(0x18538067, info, element(0x1654AE6B, tracks), *parts, size=size)


def tags(*parts: bytes) -> bytes:
    """What is said of a whole Matroska file."""
    return element(0x1254C367, element(0x7373, element(0x63C0), *parts))


def chunk(name: bytes, *parts: bytes) -> bytes:
    """One chunk of a RIFF file."""
    body = b"".join(parts)
    return struct.pack("<4sI", name, len(body)) + body + bytes(len(body) % 2)


def avi(data: bytes, subtitles: bytes) -> bytes:
    """An AVI of PCM, 16 bits at 8 kHz, and of subtitles that are a file in the file."""
    main = struct.pack("<14I", 125, 16000, 0, 0x10, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0)
    sound = struct.pack("<4s4sI2HI8I", b"auds", b"\0" * 4, 0, 0, 0, 0, 1, 8000, 0, 1, 0, 0, 2, 0)
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    text = struct.pack("<4s4sI2HI8I", b"txts", b"\0" * 4, 0, 0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0)
    gab2 = b"GAB2\0" + struct.pack("<HI", 2, 2) + b"s\0" + struct.pack("<HI", 4, len(subtitles))
    streams = (
        chunk(b"LIST", b"strl", chunk(b"strh", sound), chunk(b"strf", form)),
        chunk(b"LIST", b"strl", chunk(b"strh", text), chunk(b"strf")),
    )
    hdrl = chunk(b"LIST", b"hdrl", chunk(b"avih", main), *streams)
    movi = chunk(b"LIST", b"movi", chunk(b"01tx", gab2, subtitles), chunk(b"00wb", data))
    return chunk(b"RIFF", b"AVI ", hdrl, movi)
