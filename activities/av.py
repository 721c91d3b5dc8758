"""Sound and film, made into what every browser plays, by ffmpeg in a confined process.

`default-audio` is MP3, `default-video` H.264 and AAC in MP4 with its index in front. ffmpeg is told
which containers to read, so that no playlist makes it open another file, and may open nothing but
files.
"""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg  # type: ignore[import-untyped]

from activities.derived import Derived, Made
from activities.faults import AssetFault, DiskFull

CONTAINERS = (
    *("aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "dsf", "dv", "eac3", "flac"),
    *("flv", "matroska", "mov", "mp3", "mpeg", "mpegts", "mxf", "ogg", "rm", "tta", "w64", "wav"),
    "wv",
)
"""ffmpeg's names of what is read. It has others, such as HLS and concat, that name other files."""

MEMORY_BYTES = 8 * 1024**3
NICE = 10
"""Transcoding gives way to everything else on the machine."""

SAID_BYTES = 256 * 1024
PROBE_S = 60.0
MISSING_S = 0.5
"""What a container may promise beyond what decodes, in seconds, besides 2 % of it."""

CRASHES = 3
"""Processes that one file may cost: the first may have been killed for want of memory."""

CRASHED = "The file crashed its decoder"
DAMAGED = "The file is not sound or film that can be read: it is damaged or in an unknown format"
CUT_SHORT = "The file is not sound or film that can be read: it is cut short"

SQUARE_PIXELS = "scale=w='max(2,trunc(iw*sar/2)*2)':h='max(2,trunc(ih/2)*2)',setsar=1"
VIDEO = (
    *("-map", "0:V:0", "-map", "0:a:0?", "-vf", SQUARE_PIXELS, "-pix_fmt", "yuv420p"),
    *("-c:v", "libx264", "-preset", "medium", "-crf", "23", "-c:a", "aac", "-b:a", "128k"),
    *("-movflags", "+faststart", "-f", "mp4"),
)
AUDIO = ("-map", "0:a:0", "-c:a", "libmp3lame", "-b:a", "128k", "-f", "mp3")

_STREAM = re.compile(r"^  Stream #0:\d+.*?: (?P<kind>Video|Audio): (?P<rest>.*)$", re.MULTILINE)
_SIZE = re.compile(r", (?P<width>\d+)x(?P<height>\d+)\b(?: \[SAR (?P<sar>\d+:\d+))?")
_TURN = re.compile(r"^ +Display Matrix: rotation of (?P<degrees>-?[\d.]+) degrees$", re.MULTILINE)
_DURATION = re.compile(r"^  Duration: (\d+):(\d\d):(\d\d\.\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Streams:
    """What is in a file: size in pixels as displayed, if there is a picture; seconds, if told."""

    size: tuple[int, int] | None
    sound: bool
    seconds: float | None


class Transcoder:
    """At most `processes` at once; `file_bytes` bounds what is made of one original."""

    def __init__(self, processes: int, timeout_s: float, file_bytes: int) -> None:
        self._free = asyncio.Semaphore(processes)
        self._timeout_s = timeout_s
        self._file_bytes = file_bytes

    async def transcode(self, source: Path, policy: str, say: Callable[[str], None]) -> Made:
        """Makes the derivative beside `source`; `say` is told how far it is.

        Raises:
            AssetFault: it cannot be read, has not what the policy needs, or takes too long.
            DiskFull: no room for the derivative.
        """
        async with self._free:
            found = await self._probe(source)
            film = "video" in policy
            if film and found.size is None:
                raise AssetFault("There is no film in the file; sound needs a media type of audio")
            if not film and not found.sound:
                raise AssetFault("There is no sound in the file")
            into = source.with_name("film.mp4" if film else "sound.mp3")
            words = ("-progress", "pipe:1", "-nostats", "-loglevel", "error", "-map_metadata", "-1")
            making = (*words, *(VIDEO if film else AUDIO))
            for _ in range(CRASHES):
                made_s = await self._make(source, into, making, say)
                if made_s is not None:
                    break
            else:
                raise AssetFault(CRASHED)
        if film or found.size is None:
            seconds = found.seconds or made_s
            if made_s + MISSING_S < 0.98 * seconds:
                raise AssetFault(CUT_SHORT)
        else:
            seconds = made_s  # the sound of a film need not be as long as the film
        width, height = (found.size or (None, None)) if film else (None, None)
        media_type = "video/mp4" if film else "audio/mpeg"
        size = into.stat().st_size
        derived = Derived(
            "iiif-av", into.name, into.suffix, size, width, height, media_type=media_type
        )
        return Made((derived,), width, height, round(seconds * 1000))

    async def _probe(self, source: Path) -> Streams:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PROBE_S), self._run(source, ()) as process:
                assert process.stderr is not None  # noqa: S101 - a pipe
                said = (await _drained(process.stderr)).decode("utf-8", "replace")
                await process.wait()
            found = _streams(said)
            if found.size or found.sound:
                return found
        raise AssetFault(DAMAGED)

    async def _make(
        self, source: Path, into: Path, words: Sequence[str], say: Callable[[str], None]
    ) -> float | None:
        """Runs ffmpeg to its end; the seconds made, None if it crashed."""
        made_s = 0.0
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._run(source, (*words, str(into))) as process,
            ):
                assert process.stdout is not None  # noqa: S101 - both are pipes
                assert process.stderr is not None  # noqa: S101
                errors = asyncio.ensure_future(_drained(process.stderr))
                async for line in process.stdout:
                    name, _, value = line.decode("ascii", "replace").strip().partition("=")
                    if name == "out_time_us" and value.isdigit():
                        made_s = int(value) / 1e6
                        say(f"{made_s:.0f} s are made")
                words_of_fault = await errors
                code = await process.wait()
        except TimeoutError as late:
            raise AssetFault(
                f"The file took longer than {self._timeout_s:g} s to process"
            ) from late
        if b"No space left" in words_of_fault:
            raise DiskFull("There is no room to process the file")
        if code == -signal.SIGXFSZ or b"File too large" in words_of_fault:
            raise AssetFault(f"What is made of the file is larger than {self._file_bytes:,} bytes")
        if code < 0:
            return None
        if code or made_s == 0:
            raise AssetFault(DAMAGED)
        return made_s

    @contextlib.asynccontextmanager
    async def _run(
        self, source: Path, words: Sequence[str]
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        """ffmpeg over the source; killed if it has not ended when the body has."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "activities.confine"),
            *(str(os.getpid()), str(NICE), str(MEMORY_BYTES), str(self._file_bytes)),
            *(imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-y"),
            *("-protocol_whitelist", "file", "-format_whitelist", ",".join(CONTAINERS)),
            *("-i", f"file:{source}", *words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=source.parent,
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())


async def _drained(stream: asyncio.StreamReader) -> bytes:
    """Its first `SAID_BYTES`; the rest is read and dropped, so that nobody waits on a full pipe."""
    said = bytearray()
    while part := await stream.read(65536):
        said += part[: SAID_BYTES - len(said)]
    return bytes(said)


def _streams(said: str) -> Streams:
    """What ffmpeg says is in a file. Metadata is set off further, so it cannot pose as a stream."""
    size, sound = None, False
    streams = list(_STREAM.finditer(said))
    for number, found in enumerate(streams):
        end = streams[number + 1].start() if number + 1 < len(streams) else len(said)
        if found["kind"] == "Audio":
            sound = True
        elif size is None and "(attached pic)" not in found["rest"]:
            size = _displayed(found["rest"], said[found.end() : end])
    duration = _DURATION.search(said)
    if duration is None:
        return Streams(size, sound, None)
    hours, minutes, seconds = duration.groups()
    return Streams(size, sound, int(hours) * 3600 + int(minutes) * 60 + float(seconds))


def _displayed(stream: str, details: str) -> tuple[int, int] | None:
    found = _SIZE.search(stream)
    if found is None:
        return None
    width, height = int(found["width"]), int(found["height"])
    across, up = (int(part) for part in (found["sar"] or "1:1").split(":"))
    if across and up:
        width = round(width * across / up)
    turn = _TURN.search(details)
    if turn is not None and 45 < abs(float(turn["degrees"])) % 180 < 135:
        return height, width
    return width, height
