"""Sound and film: what becomes of each format, and what a hostile file costs."""

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg  # type: ignore[import-untyped]
import psutil  # type: ignore[import-untyped]
import pytest

from activities.av import CRASHES, Transcoder
from activities.derived import Made
from activities.faults import AssetFault

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
TONE = ("-f", "lavfi", "-i", "sine=frequency=440:duration=2")
BARS = ("-f", "lavfi", "-i", "testsrc=size=322x240:rate=10:duration=2")
COVER = (*TONE, "-i", "cover.jpg", "-map", "0", "-map", "1", "-disposition:v", "attached_pic")

# How ffmpeg makes each.
SOUND = {
    "tone.mp3": TONE,
    "tone.wav": TONE,
    "deep.wav": (*TONE, "-ar", "96000", "-ac", "6", "-c:a", "pcm_s24le"),
    "tone.flac": TONE,
    "tone.ogg": (*TONE, "-c:a", "libvorbis"),
    "tone.m4a": TONE,
    "tone.aiff": TONE,
    "cover.mp3": COVER,
    "film.mp4": (*BARS, *TONE),
}
FILM = {
    "film.mp4": (*BARS, *TONE),
    "film.mov": (*BARS, *TONE),
    "film.webm": (*BARS, *TONE, "-c:v", "libvpx", "-c:a", "libvorbis"),
    "film.avi": (*BARS, *TONE),
    "film.mkv": (*BARS, *TONE),
    "silent.mp4": BARS,
    "wide.mp4": (*BARS, "-vf", "setsar=2"),
}


def ffmpeg(*words: str, cwd: Path) -> str:
    """Runs it; what it says."""
    done = subprocess.run(
        [FFMPEG, "-hide_banner", "-nostdin", "-y", *words],
        cwd=cwd,
        check=False,
        capture_output=True,
        text=True,
    )
    return done.stderr


def made_by(name: str, words: tuple[str, ...], folder: Path) -> Path:
    if "cover.jpg" in words:
        ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x64", "-frames:v", "1", "cover.jpg", cwd=folder)
    said = ffmpeg(*words, name, cwd=folder)
    assert (folder / name).exists(), said
    return folder / name


async def transcoded(
    source: Path, policy: str, timeout_s: float = 60, file_bytes: int = 10**9
) -> Made:
    said: list[str] = []
    made = await Transcoder(1, timeout_s, file_bytes).transcode(source, policy, said.append)
    assert re.fullmatch(r"\d+ s are made", said[-1])
    return made


@pytest.mark.parametrize("name", SOUND)
async def test_sound_becomes_mp3(name: str, tmp_path: Path) -> None:
    made = await transcoded(made_by(name, SOUND[name], tmp_path), "default-audio")
    (derived,) = made.files
    assert (derived.channel, derived.suffix, derived.media_type) == (
        *("iiif-av", ".mp3"),
        "audio/mpeg",
    )
    assert made.duration == pytest.approx(2000, abs=100)
    assert (made.width, made.height) == (None, None)
    said = ffmpeg("-i", derived.name, cwd=tmp_path)
    assert "Audio: mp3" in said
    assert "Video" not in said
    assert derived.size_bytes == (tmp_path / derived.name).stat().st_size > 10_000


@pytest.mark.parametrize("name", FILM)
async def test_film_becomes_mp4(name: str, tmp_path: Path) -> None:
    made = await transcoded(made_by(name, FILM[name], tmp_path), "default-video")
    (derived,) = made.files
    wide = 644 if name == "wide.mp4" else 322
    assert (made.width, made.height) == (derived.width, derived.height) == (wide, 240)
    assert made.duration == pytest.approx(2000, abs=100)
    said = ffmpeg("-i", derived.name, cwd=tmp_path)
    assert re.search(rf"Video: h264 .*yuv420p.*, {wide}x240", said)
    assert ("Audio: aac" in said) == (name not in ("silent.mp4", "wide.mp4"))
    content = (tmp_path / derived.name).read_bytes()
    assert content.index(b"moov") < content.index(b"mdat"), "its index is in front"


async def test_a_turned_film_is_measured_as_displayed(tmp_path: Path) -> None:
    made_by("film.mp4", FILM["film.mp4"], tmp_path)
    ffmpeg("-display_rotation", "90", "-i", "film.mp4", "-c", "copy", "turned.mp4", cwd=tmp_path)
    made = await transcoded(tmp_path / "turned.mp4", "default-video")
    assert (made.width, made.height) == (240, 322)
    assert ", 240x322" in ffmpeg("-i", made.files[0].name, cwd=tmp_path)


async def test_what_is_missing_is_named(tmp_path: Path) -> None:
    sound = made_by("cover.mp3", SOUND["cover.mp3"], tmp_path)
    with pytest.raises(AssetFault, match="no film in the file"):
        await transcoded(sound, "default-video")
    film = made_by("silent.mp4", FILM["silent.mp4"], tmp_path)
    with pytest.raises(AssetFault, match="no sound in the file"):
        await transcoded(film, "default-audio")


def whole(folder: Path) -> bytes:
    return (folder / "whole.mp4").read_bytes()


BAD: dict[str, Callable[[Path], bytes]] = {
    "text": lambda _: b"This is no film.\n" * 100,
    "zero bytes": lambda _: b"",
    "nothing but zeros": lambda _: bytes(100_000),
    "cut short": lambda folder: whole(folder)[: len(whole(folder)) * 6 // 10],
    "its end alone": lambda folder: whole(folder)[len(whole(folder)) // 2 :],
    "a playlist": lambda folder: f"#EXTM3U\n#EXTINF:2,\n{folder}/whole.mp4\n".encode(),
    "a script": lambda folder: f"ffconcat version 1.0\nfile '{folder}/whole.mp4'\n".encode(),
    "a picture": lambda _: (Path(__file__).parents[2] / "cli/samples/rocket.jpg").read_bytes(),
    "its name as a stream": lambda _: b"  Stream #0:0: Video: h264, 10x10\n",
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("policy", ["default-audio", "default-video"])
async def test_a_bad_file_is_the_assets_own_fault(what: str, policy: str, tmp_path: Path) -> None:
    words = (*BARS, *TONE) if policy == "default-video" else TONE
    made_by("whole.mp4", (*words, "-movflags", "+faststart"), tmp_path)
    source = tmp_path / "original"
    source.write_bytes(BAD[what](tmp_path))
    with pytest.raises(AssetFault, match="that can be read: it is") as caught:
        await transcoded(source, policy)
    assert str(tmp_path) not in str(caught.value)


async def test_time_and_disk_are_bounded(tmp_path: Path) -> None:
    hours = ("-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono", "-t", "7200", "-c:a", "flac")
    bomb = made_by("hours.flac", hours, tmp_path)
    with pytest.raises(AssetFault, match="larger than 100,000 bytes"):
        await transcoded(bomb, "default-audio", file_bytes=100_000)
    assert (tmp_path / "sound.mp3").stat().st_size <= 100_000
    with pytest.raises(AssetFault, match=r"longer than 0\.5 s"):
        await transcoded(bomb, "default-audio", timeout_s=0.5)
    assert not children()


async def test_a_cancelled_job_takes_its_process_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    hours = ("-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono", "-t", "7200", "-c:a", "flac")
    working = asyncio.create_task(
        transcoded(made_by("hours.flac", hours, tmp_path), "default-audio")
    )
    while not (tmp_path / "sound.mp3").exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.01)
    (child,) = children()
    assert "AWS_SECRET_ACCESS_KEY" not in child.environ()
    assert child.nice() >= 10
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert not children()


async def test_a_crashed_decoder_costs_one_asset(tmp_path: Path) -> None:
    hours = ("-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono", "-t", "7200", "-c:a", "flac")
    source = made_by("hours.flac", hours, tmp_path)
    working = asyncio.create_task(transcoded(source, "default-audio"))
    for _ in range(CRASHES):
        while not (tmp_path / "sound.mp3").exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)
        (child,) = children()
        (tmp_path / "sound.mp3").unlink()
        os.kill(child.pid, signal.SIGSEGV)
    with pytest.raises(AssetFault, match="crashed its decoder"):
        await working


def children() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if child.name().startswith("ffmpeg")
    ]
