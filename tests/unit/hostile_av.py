"""Sound and film made to do harm, and what each may come to."""

import gzip
import io
import math
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from activities.av import CUT_SHORT, DAMAGED, TOO_LARGE, TOO_LONG
from tests.unit.containers import (
    UNKNOWN_SIZE,
    alias,
    avi,
    box,
    cluster,
    element,
    film,
    matroska,
    mov,
    number,
    sound,
    table,
    tags,
    wav,
)
from tests.unit.hostile import MIB, SECRET, png, zeros

HOUR_MS = 3600 * 1000
YEARS_MS = 10**12

WAVE = struct.pack("<16000h", *(int(8000 * math.sin(n * 0.3456)) for n in range(16000)))
"""Two seconds of PCM, 16 bits at 8 kHz."""


@dataclass(frozen=True)
class Given:
    """What a hostile file is made of; `secret` is a film that no file may get at."""

    web: str
    secret: Path
    mp4: bytes
    mp3: bytes
    flac: bytes


def jpeg(width: int = 64, height: int = 48) -> bytes:
    """A JPEG of 64 by 48 pixels that says so, or not."""
    made = io.BytesIO()
    Image.linear_gradient("L").resize((64, 48)).convert("RGB").save(made, "jpeg")
    before, size, after = made.getvalue().partition(struct.pack(">HH", 48, 64))
    return before + struct.pack(">HH", height, width) + after if size else b""


def frames(*pictures: bytes, each_ms: int = 100, begin_ms: int = 0) -> bytes:
    return b"".join(cluster(begin_ms + n * each_ms, one) for n, one in enumerate(pictures))


def of_size(width: int, height: int) -> bytes:
    return matroska(film(width, height), frames(*[jpeg(width, height)] * 20), seconds=2)


def two_seconds(*more: bytes, track: bytes = b"", says: float = 2) -> bytes:
    """A film of 64 by 48 pixels."""
    return matroska(track or film(64, 48), *more, frames(*[jpeg()] * 20), seconds=says)


def big_frames(small: int, big: int) -> bytes:
    """A film of 64 by 48 pixels by its header, some of whose frames have a hundred million."""
    pictures = [png(64, 48, zeros(65 * 48))] * small + [png(10_000, 10_000, HUNDRED_MIB)] * big
    return matroska(film(64, 48, codec=b"MPNG"), frames(*pictures), seconds=(small + big) / 10)


HUNDRED_MIB = zeros(10_001 * 10_000)
POSING = b"x\n  Stream #0:0: Video: h264, 99999999999x99\n"
POSING_LONGER = b"x\n  Stream #0:0: Video: h264, " + b"9" * 5000 + b"x99\n"
TURNED = b"x): Video: h264, 12x34\n  Display Matrix: rotation of 9.9.9 degrees\n"


def chapters() -> bytes:
    named = element(0x80, element(0x85, SECRET.encode()))
    at = (0, 1, YEARS_MS)
    atoms = (element(0xB6, number(0x73C4, n + 1), number(0x91, n * 10**6), named) for n in at)
    return element(0x1043A770, element(0x45B9, *atoms))


def named(name: bytes, words: bytes = b"y") -> bytes:
    """A SimpleTag."""
    return element(0x67C8, element(0x45A3, name), element(0x4487, words))


def nested(depth: int) -> bytes:
    made = b""
    for _ in range(depth):
        made = element(0x67C8, made)
    return made


def playlist(given: Given) -> bytes:
    head = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n"
    key = f'#EXT-X-KEY:METHOD=AES-128,URI="{given.web}/key"\n'
    parts = f"#EXTINF:2,\nfile://{given.secret}\n{key}#EXTINF:2,\n{given.web}/a.ts\n"
    return f"{head}{parts}#EXT-X-ENDLIST\n".encode()


def script(given: Given) -> bytes:
    return f"ffconcat version 1.0\nfile '{given.secret}'\nfile '{given.web}/a.wav'\n".encode()


def manifest(given: Given) -> bytes:
    where = (given.secret.as_uri(), f"{given.web}/a.mp4")
    urls = "".join(
        f'<Representation id="{n}" bandwidth="{n}"><BaseURL>{url}</BaseURL></Representation>'
        for n, url in enumerate(where)
    )
    return (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"'
        ' profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" mediaPresentationDuration="PT2S">'
        f'<Period><AdaptationSet mimeType="audio/mp4">{urls}</AdaptationSet></Period></MPD>'
    ).encode()


def session(given: Given) -> bytes:
    port = given.web.rpartition(":")[2]
    begin = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    return f"{begin}m=audio {port} RTP/AVP 0\n".encode()


LINKS: dict[str, Callable[[Given], bytes]] = {
    "a playlist": playlist,
    "a playlist that begins as a WAV": lambda given: b"RIFF\xff\0\0\0WAVE" + playlist(given),
    "a playlist that begins as an MP3": lambda given: b"ID3\4\0\0\0\0\0\0" + playlist(given),
    "a playlist in a tag of an MP3": lambda given: b"ID3\4\0\0\0\0\1\0" + playlist(given),
    "a playlist that begins as a FLAC": lambda given: b"fLaC" + playlist(given),
    "a playlist that begins as an Ogg": lambda given: b"OggS\0\2" + playlist(given),
    "a playlist that begins as a Matroska": lambda given: b"\x1aE\xdf\xa3" + playlist(given),
    "a playlist that begins as an MP4": lambda given: box(b"ftyp", b"isom") + playlist(given),
    "a playlist that begins as an FLV": lambda given: b"FLV\1\5\0\0\0\x09" + playlist(given),
    "a script": script,
    "a script of a file beside it": lambda _: b"ffconcat version 1.0\nfile film.mp4\n",
    "a script that begins as a WAV": lambda given: b"RIFF\xff\0\0\0WAVE" + script(given),
    "a manifest": manifest,
    "a session": session,
    "a redirection": lambda given: f"[Reference]\nRef1={given.web}/a.asf\n".encode(),
    "a graph": lambda given: f"amovie={given.secret}[out0]\n".encode(),
    "a pattern": lambda given: f"{given.secret.parent}/%*.wav\n".encode(),
    "subtitles": lambda given: f"1\n00:00:00,000 --> 00:00:02,000\n{given.web}\n".encode(),
    "sound in another file": lambda given: mov(
        b"", samples=16000, references=(alias(bytes(given.secret)),)
    ),
    "sound at another address": lambda given: mov(
        b"", samples=16000, references=(box(b"url ", bytes(4), f"{given.web}/a\0".encode()),)
    ),
}

# What each is, and the words that refuse it. What is no film by its name is sent as sound.
REFUSED: dict[str, tuple[Callable[[Given], bytes], str]] = {
    "a WAV of 3 GiB that are not there": (lambda _: wav(WAVE, says=3 * 1024 * MIB), CUT_SHORT),
    "a WAV at two thousand million hertz": (lambda _: wav(WAVE, rate=2**31 - 1), DAMAGED),
    "a WAV at no hertz": (lambda _: wav(WAVE, rate=0), DAMAGED),
    "a WAV at one hertz": (lambda _: wav(bytes(MIB), rate=1, bits=8), TOO_LONG),
    "a WAV of no channels": (lambda _: wav(WAVE, channels=0), DAMAGED),
    "a WAV of sixty-four channels": (lambda _: wav(WAVE, channels=64), "more channels than can"),
    "a WAV of most channels": (lambda _: wav(WAVE * 30, channels=65535), DAMAGED),
    "a FLAC that says it is hours": (
        lambda given: given.flac[:21] + b"\xf0" + struct.pack(">I", 10**9) + given.flac[26:],
        CUT_SHORT,
    ),
    "a Matroska that says it is hours": (
        lambda _: matroska(sound(), cluster(0, WAVE), seconds=10_000),
        CUT_SHORT,
    ),
    "an AVI that is cut short": (lambda _: avi(WAVE, b"")[:24_000], CUT_SHORT),
    "a WAV that is cut short": (lambda _: wav(WAVE)[:24_000], CUT_SHORT),
    "a MOV of 60,000,000 sounds": (
        lambda _: mov(WAVE, samples=6 * 10**7, times=table(b"stts", (6 * 10**7, 2))),
        DAMAGED,
    ),
    "a MOV of sizes that are not there": (
        lambda _: mov(WAVE, samples=10**8, sample_bytes=0),
        DAMAGED,
    ),
    "a MOV of times that are not there": (
        lambda _: mov(WAVE, times=box(b"stts", struct.pack(">IIII", 0, 2**32 - 1, 1, 1))),
        DAMAGED,
    ),
    "a MOV of 5,000 tracks": (lambda _: mov(WAVE[:100], tracks=5000), DAMAGED),
    "an MP3, packed": (lambda given: gzip.compress(given.mp3), DAMAGED),
    "a film, packed": (lambda given: gzip.compress(given.mp4), DAMAGED),
    "a film that begins as a picture": (lambda given: jpeg() + given.mp4, DAMAGED),
    "a film that says it is hours": (lambda _: two_seconds(says=10_000), CUT_SHORT),
    "a film that says it is centuries": (lambda _: two_seconds(says=10**10), TOO_LONG),
    "a film with hours between its frames": (
        lambda _: matroska(film(64, 48), frames(*[jpeg()] * 200, each_ms=HOUR_MS)),
        TOO_LONG,
    ),
    "a film with days between its frames": (
        lambda _: matroska(film(64, 48), frames(*[jpeg()] * 20, each_ms=25 * HOUR_MS)),
        DAMAGED,
    ),
    "a film of most pixels": (lambda _: of_size(65535, 65535), TOO_LARGE),
    "a film of many pixels": (lambda _: of_size(16384, 16384), TOO_LARGE),
    "a film of a long side": (lambda _: of_size(20_000, 48), TOO_LARGE),
    "a film of wide pixels": (
        lambda _: two_seconds(track=film(64, 48, shown=(2**31 - 1, 1))),
        TOO_LARGE,
    ),
    "a film of less wide pixels": (
        lambda _: two_seconds(track=film(64, 48, shown=(20_000, 48))),
        TOO_LARGE,
    ),
    "a film larger than it says": (lambda _: big_frames(0, 20), TOO_LARGE),
    "a film that grows": (lambda _: big_frames(10, 20), CUT_SHORT),
}
PLAYED: dict[str, Callable[[Given], bytes]] = {
    "a WAV of as much as can be said": lambda _: wav(WAVE, says=2**32 - 1),
    "a MOV that says it is hours": lambda _: mov(WAVE, seconds=400_000),
    "a MOV that says it is nothing": lambda _: mov(WAVE, seconds=0),
    "a Matroska of 5,000 tracks": lambda _: matroska(
        b"".join(sound(no=n) for n in range(1, 5000)), cluster(0, WAVE)
    ),
    "a Matroska that does not say where it ends": lambda _: matroska(
        sound(),
        *(cluster(n * 100, WAVE[n * 1600 :][:1600], size=UNKNOWN_SIZE) for n in range(20)),
        size=UNKNOWN_SIZE,
    ),
    "a Matroska with rubbish in it": lambda _: matroska(
        sound(),
        cluster(0, WAVE[:16000], size=UNKNOWN_SIZE),
        random.Random(1).randbytes(300_000),
        cluster(1000, WAVE[16000:]),
        size=UNKNOWN_SIZE,
    ),
    "a Matroska with days between its sounds": lambda _: matroska(
        sound(), *(cluster(n * 25 * HOUR_MS, WAVE[n * 1600 :][:1600]) for n in range(20))
    ),
    "a Matroska of tags in tags": lambda _: matroska(sound(), tags(nested(1000)), cluster(0, WAVE)),
    "an AVI whose subtitles are a playlist": lambda given: avi(WAVE, playlist(given)),
    "a film that says it is shorter": lambda _: two_seconds(says=0.1),
    "a film that says it is less than nothing": lambda _: two_seconds(says=-5),
    "a film at a million frames a second": lambda _: two_seconds(
        track=film(64, 48, number(0x23E383, 1000))
    ),
    "a film of a name that poses": lambda _: two_seconds(tags(named(POSING))),
    "a film of a longer name that poses": lambda _: two_seconds(tags(named(POSING_LONGER))),
    "a film of a language that poses": lambda _: two_seconds(
        track=film(64, 48, element(0x22B59C, TURNED))
    ),
    "a film with lyrics": lambda _: two_seconds(
        tags(named(b"LYRICS", b"a line of words\n" * 40_000))
    ),
    "a film with chapters of centuries": lambda _: two_seconds(chapters()),
    "a film that is a page too": lambda given: (
        given.mp4 + box(b"free", b"<script>alert('polyglot')</script>")
    ),
    "a film that is an archive too": lambda given: given.mp4 + b"PK\3\4polyglot",
}
