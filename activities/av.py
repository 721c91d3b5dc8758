"""Sound and film, made into what every browser plays, by ffmpeg in a confined process.

A preset is MP3, or H.264 and AAC in MP4 with its index in front. ffmpeg is told which containers to
read, so that no playlist makes it open another file, and may open nothing but files. What a file
says of itself is only checked for being too much; what was made is measured.
"""

import asyncio
import contextlib
import os
import re
import signal
import struct
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import imageio_ffmpeg  # type: ignore[import-untyped]

from activities.derived import Derived, Made
from activities.faults import AssetFault, DiskFull

CONTAINERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dv,eac3,flac,flv,matroska,mov,mp3,mpeg,mpegts,mxf,ogg,"
    "rm,tta,w64,wav,wv"
)
"""ffmpeg's names of what is read. It has others, such as HLS and concat, that name other files."""

MEMORY_BYTES, BLOCK_BYTES = 8 * 1024**3, 512 * 1024**2
"""In all, and in one piece: a few bytes can promise an index of a hundred million frames."""

MOST_PIXELS, MOST_SIDE = 8192 * 4320, 16384
"""Of a film: what H.264 knows at most (level 6.2), and its encoder along a side."""

LONGEST_S = 7 * 24 * 3600.0
NICE = 19
"""Transcoding gives way to everything else on the machine."""

SAID_BYTES = 4 * 1024**2
"""Kept of what ffmpeg says: it lists a file's metadata, lyrics and all, before its streams."""

PROBE_S = 60.0
MISSING_S = 0.5
"""What a container may promise beyond what decodes, in seconds, besides 2 % of it."""

CRASHES = 3
"""Processes that one file may cost: the first may have been killed for want of memory."""

CRASHED = "The file crashed its decoder"
DAMAGED = "The file is not sound or film that can be read: it is damaged or in an unknown format"
CUT_SHORT = "The file is not sound or film that can be read: it is cut short"
TOO_LONG = f"The file is too long: at most {LONGEST_S / 3600:g} hours are allowed"
TOO_LARGE = f"The film is too large: at most {MOST_PIXELS:,} pixels, {MOST_SIDE:,} along a side"
FAULTS = {
    b"Picture size": TOO_LARGE,
    b"Rematrix is needed": "The sound has more channels than can be mixed down to two",
    b"malloc of size": "The film is too large to process in the memory allowed",
}

SQUARE_PIXELS = "scale=w='max(2,trunc(iw*sar/2)*2)':h='max(2,trunc(ih/2)*2)',setsar=1"
LINES = ",scale=w='if(gt(iw,ih),-2,min({0},iw))':h='if(gt(iw,ih),min({0},ih),-2)'"
"""At most so many pixels along the shorter side, as 720p is understood."""

H264 = (
    *("-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "medium", "-crf", "23"),
    *("-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart", "-f", "mp4"),
)
BARE = ("-map_metadata", "-1", "-map_chapters", "-1")
SAID = ("-progress", "pipe:1", "-nostats", "-loglevel", "error")

_STREAM = re.compile(r"^  Stream #0:\d+.*?: (?P<kind>Video|Audio): (?P<rest>.*)$", re.MULTILINE)
_SIZE = re.compile(r", (\d{1,9})x(\d{1,9})\b")
_SHAPE = re.compile(r"\bSAR (\d{1,10}):(\d{1,10})\b")
_DURATION = re.compile(r"^  Duration: (\d{1,9}):(\d\d):(\d\d\.\d+)", re.MULTILINE)
Result = TypeVar("Result")


@dataclass(frozen=True)
class Streams:
    """What a file says is in it: a film's size in square pixels, and seconds, if it says them."""

    size: tuple[int, int] | None
    sound: bool
    seconds: float | None


class Transcoder:
    """`timeout_s` bounds the time one file may take, `file_bytes` what is made of it."""

    def __init__(self, timeout_s: float, file_bytes: int) -> None:
        self._timeout_s = timeout_s
        self._file_bytes = file_bytes

    async def transcode(self, source: Path, preset: str, say: Callable[[str], None]) -> Made:
        """Makes the derivative of a preset (`AV_PRESETS`) beside `source`; `say` is told how far
        it is.

        Raises:
            AssetFault: it cannot be read, has not what the preset needs, or takes too long.
            DiskFull: no room for the derivative.
        """
        film = preset.startswith("video-")
        into = source.with_name("film.mp4" if film else "sound.mp3")
        told = await self._probe(source)
        _refuse(told, film)
        if _promises_more(source):
            raise AssetFault(CUT_SHORT)
        words = (*SAID, *BARE, *_making(preset))
        decoded_s = await _surviving(lambda: self._make(source, into, words, say))
        made = await self._probe(into)
        _refuse(made, film)
        seconds = _seconds(told, made, decoded_s, film)
        width, height = (made.size if film else None) or (None, None)
        kind, size = "video/mp4" if film else "audio/mpeg", into.stat().st_size
        derived = Derived("iiif-av", into.name, into.suffix, size, width, height, kind)
        return Made((derived,), width, height, round(seconds * 1000))

    async def _probe(self, source: Path) -> Streams:
        """What ffmpeg finds in a file. Raises AssetFault."""

        async def say() -> bytes | None:
            async with self._run(source, (), min(PROBE_S, self._timeout_s)) as process:
                assert process.stderr is not None  # noqa: S101 - a pipe
                said = await _drained(process.stderr)
                return None if await process.wait() < 0 else said

        said = await _surviving(say)
        found = _streams(said.decode("utf-8", "replace"))
        if found.size or found.sound:
            return found
        raise AssetFault(_fault(said))

    async def _make(
        self, source: Path, into: Path, words: Sequence[str], say: Callable[[str], None]
    ) -> float | None:
        """Runs ffmpeg to its end; the seconds made, None if it crashed."""
        made_s = 0.0
        async with self._run(source, (*words, str(into)), self._timeout_s) as process:
            assert process.stdout is not None  # noqa: S101 - both are pipes
            assert process.stderr is not None  # noqa: S101
            errors = asyncio.ensure_future(_drained(process.stderr))
            async for line in process.stdout:
                name, _, value = line.decode("ascii", "replace").strip().partition("=")
                if name == "out_time_us" and value.isdigit():
                    made_s = int(value) / 1e6
                    say(f"{made_s:.0f} s are made")
            words_of_fault, code = await errors, await process.wait()
        if b"No space left" in words_of_fault:
            raise DiskFull("There is no room to process the file")
        if code == -signal.SIGXFSZ or b"File too large" in words_of_fault:
            raise AssetFault(f"What is made of the file is larger than {self._file_bytes:,} bytes")
        if code < 0:
            return None
        if code or made_s == 0:
            raise AssetFault(_fault(words_of_fault))
        return made_s

    @contextlib.asynccontextmanager
    async def _run(
        self, source: Path, words: Sequence[str], timeout_s: float
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """ffmpeg over the source; killed if it has not ended when the body has, or in time."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "activities.confine"),
            *(str(os.getpid()), str(NICE), str(MEMORY_BYTES), str(self._file_bytes)),
            *(imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-y"),
            *("-max_alloc", str(BLOCK_BYTES), "-max_pixels", str(MOST_PIXELS)),
            *("-protocol_whitelist", "file", "-format_whitelist", CONTAINERS),
            *("-i", f"file:{source}", *words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=source.parent,
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
        )
        try:
            async with asyncio.timeout(timeout_s):
                yield process
        except TimeoutError as late:
            raise AssetFault(f"The file took longer than {timeout_s:g} s to process") from late
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())


def _making(preset: str) -> tuple[str, ...]:
    """ffmpeg's words for a preset such as `audio-mp3-128k`, `video-mp4` or `video-mp4-720p`."""
    kind, _, *bound = preset.split("-")
    if kind == "audio":
        return ("-map", "0:a:0", "-c:a", "libmp3lame", "-b:a", *bound, "-f", "mp3")
    lines = "".join(LINES.format(each.removesuffix("p")) for each in bound)
    return ("-map", "0:V:0", "-map", "0:a:0?", "-vf", f"{SQUARE_PIXELS}{lines}", *H264)


async def _drained(stream: asyncio.StreamReader) -> bytes:
    """Its first `SAID_BYTES`; the rest is read and dropped, so that nobody waits on a full pipe."""
    said = bytearray()
    while part := await stream.read(65536):
        said += part[: SAID_BYTES - len(said)]
    return bytes(said)


async def _surviving(run: Callable[[], Awaitable[Result | None]]) -> Result:
    """What `run` comes to, and AssetFault if it crashes time after time, which it says by None."""
    for _ in range(CRASHES):
        if (result := await run()) is not None:
            return result
    raise AssetFault(CRASHED)


def _seconds(told: Streams, made: Streams, decoded_s: float, film: bool) -> float:
    """How long it is: as told, unless what was made is not. Raises AssetFault when cut short."""
    seconds = made.seconds or decoded_s
    if told.seconds is None or (told.size and not film):
        return seconds  # the sound of a film need not be as long as the film
    if decoded_s + MISSING_S < 0.98 * told.seconds:
        raise AssetFault(CUT_SHORT)
    as_told = abs(seconds - told.seconds) < 0.02 * told.seconds + MISSING_S
    return told.seconds if as_told else seconds


def _refuse(found: Streams, film: bool) -> None:
    """Raises AssetFault if a file has not what is to be made, or says that it has too much."""
    if film and found.size is None:
        raise AssetFault("There is no film in the file; sound needs a media type of audio")
    if not film and not found.sound:
        raise AssetFault("There is no sound in the file")
    if (found.seconds or 0) > LONGEST_S:
        raise AssetFault(TOO_LONG)
    width, height = found.size or (0, 0)
    if film and (width * height > MOST_PIXELS or max(width, height) > MOST_SIDE):
        raise AssetFault(TOO_LARGE)


def _promises_more(source: Path) -> bool:
    """Whether a WAV or AVI says it is larger than it is, which ffmpeg does not mind."""
    with source.open("rb") as file:
        name, says = struct.unpack("<4sI", file.read(8).ljust(8))
    unknown = (says + 4096) % 2**31 < 8192  # what programs say that write into a pipe
    return name == b"RIFF" and not unknown and source.stat().st_size < 0.98 * says


def _fault(said: bytes) -> str:
    """What ffmpeg's words mean to the customer. They may hold paths, so none is passed on."""
    return next((fault for words, fault in FAULTS.items() if words in said), DAMAGED)


def _streams(said: str) -> Streams:
    """What ffmpeg says is in a file: a hint, as the names of its metadata may pose as streams."""
    streams = [(each["kind"], each["rest"]) for each in _STREAM.finditer(said)]
    films = (rest for kind, rest in streams if kind == "Video" and "(attached pic)" not in rest)
    size = next(filter(None, map(_size, films)), None)
    sound = any(kind == "Audio" for kind, _ in streams)
    duration = None if "Estimating duration" in said else _DURATION.search(said)
    hours, minutes, seconds = map(float, duration.groups() if duration else (0, 0, 0))
    return Streams(size, sound, (hours * 3600 + minutes * 60 + seconds) or None)


def _size(stream: str) -> tuple[int, int] | None:
    found = _SIZE.search(stream)
    if found is None:
        return None
    width, height = int(found[1]), int(found[2])
    across, up = map(int, [(1, 1), *_SHAPE.findall(stream)][-1])  # the container's comes last
    return (round(width * across / up) if across and up else width), height
