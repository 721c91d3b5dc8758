"""Sound and film: what becomes of each format, and what a hostile file costs."""

import asyncio
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.av import CRASHES, Transcoder
from activities.derived import Made
from activities.faults import AssetFault
from delivery_channels import AV_PRESETS
from tests.sound_and_film import BARS, FILM, SOUND, TONE, ffmpeg, made_by
from tests.unit.hostile import processes


async def transcoded(
    source: Path, preset: str, timeout_s: float = 60, file_bytes: int = 10**9
) -> Made:
    said: list[str] = []
    original = source.with_name("original")
    if source.exists():
        source.replace(original)
    made = await Transcoder(timeout_s, file_bytes).transcode(original, preset, said.append)
    assert re.fullmatch(r"\d+ s are made", said[-1])
    return made


@pytest.mark.parametrize("name", SOUND)
async def test_sound_becomes_mp3(name: str, tmp_path: Path) -> None:
    made = await transcoded(made_by(name, SOUND[name], tmp_path), "audio-mp3-128k")
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
    made = await transcoded(made_by(name, FILM[name], tmp_path), "video-mp4")
    (derived,) = made.files
    width, height = {"wide": (644, 240), "odd": (320, 238)}.get(Path(name).stem, (322, 240))
    assert (made.width, made.height) == (derived.width, derived.height) == (width, height)
    assert made.duration == pytest.approx(2000, abs=100)
    said = ffmpeg("-i", derived.name, cwd=tmp_path)
    assert re.search(rf"Video: h264 .*yuv420p.*, {width}x{height}", said)
    assert ("Audio: aac" in said) == name.startswith("film")
    content = (tmp_path / derived.name).read_bytes()
    assert content.index(b"moov") < content.index(b"mdat"), "its index is in front"


@pytest.mark.parametrize(
    ("size", "preset", "wanted"),
    [
        ("1600x1200", "video-mp4-480p", (640, 480)),
        ("600x1100", "video-mp4-480p", (480, 880)),
        ("322x240", "video-mp4-480p", (322, 240)),
    ],
)
async def test_film_of_so_many_lines(
    size: str, preset: str, wanted: tuple[int, int], tmp_path: Path
) -> None:
    bars = ("-f", "lavfi", "-i", f"testsrc=size={size}:rate=5:duration=1")
    made = await transcoded(made_by("bars.mp4", bars, tmp_path), preset)
    assert (made.width, made.height) == wanted


@pytest.mark.parametrize("preset", [each for each in AV_PRESETS if each.startswith("audio-")])
async def test_sound_of_so_many_bits_a_second(preset: str, tmp_path: Path) -> None:
    made = await transcoded(made_by("tone.wav", SOUND["tone.wav"], tmp_path), preset)
    bits = int(preset.removesuffix("k").rpartition("-")[2])
    assert 8 * made.files[0].size_bytes / 2000 == pytest.approx(bits, rel=0.1)


async def test_a_turned_film_is_measured_as_displayed(tmp_path: Path) -> None:
    made_by("film.mp4", FILM["film.mp4"], tmp_path)
    ffmpeg("-display_rotation", "90", "-i", "film.mp4", "-c", "copy", "turned.mp4", cwd=tmp_path)
    made = await transcoded(tmp_path / "turned.mp4", "video-mp4")
    assert (made.width, made.height) == (240, 322)
    assert ", 240x322" in ffmpeg("-i", made.files[0].name, cwd=tmp_path)


async def test_what_is_missing_is_named(tmp_path: Path) -> None:
    sound = made_by("cover.mp3", SOUND["cover.mp3"], tmp_path)
    with pytest.raises(AssetFault, match="no film in the file"):
        await transcoded(sound, "video-mp4")
    film = made_by("silent.mp4", FILM["silent.mp4"], tmp_path)
    with pytest.raises(AssetFault, match="no sound in the file"):
        await transcoded(film, "audio-mp3-128k")


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
@pytest.mark.parametrize("preset", ["audio-mp3-128k", "video-mp4"])
async def test_a_bad_file_is_the_assets_own_fault(what: str, preset: str, tmp_path: Path) -> None:
    words = (*BARS, *TONE) if preset == "video-mp4" else TONE
    made_by("whole.mp4", (*words, "-movflags", "+faststart"), tmp_path)
    source = tmp_path / "original"
    source.write_bytes(BAD[what](tmp_path))
    with pytest.raises(AssetFault, match="that can be read: it is") as caught:
        await transcoded(source, preset)
    assert str(tmp_path) not in str(caught.value)


async def test_time_and_disk_are_bounded(tmp_path: Path) -> None:
    hours = ("-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono", "-t", "7200", "-c:a", "flac")
    bomb = made_by("hours.flac", hours, tmp_path)
    with pytest.raises(AssetFault, match="larger than 100,000 bytes"):
        await transcoded(bomb, "audio-mp3-128k", file_bytes=100_000)
    assert (tmp_path / "sound.mp3").stat().st_size <= 100_000
    with pytest.raises(AssetFault, match=r"longer than 0\.5 s"):
        await transcoded(bomb, "audio-mp3-128k", timeout_s=0.5)
    assert not processes(str(tmp_path))


async def test_a_cancelled_job_takes_its_process_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    hours = ("-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono", "-t", "7200", "-c:a", "flac")
    working = asyncio.create_task(
        transcoded(made_by("hours.flac", hours, tmp_path), "audio-mp3-128k")
    )
    while not (tmp_path / "sound.mp3").exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.01)
    (child,) = processes(str(tmp_path))
    assert "AWS_SECRET_ACCESS_KEY" not in child.environ()
    assert child.nice() >= 10
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert not processes(str(tmp_path))


async def test_a_crashed_decoder_costs_one_asset(tmp_path: Path) -> None:
    hours = ("-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono", "-t", "7200", "-c:a", "flac")
    source = made_by("hours.flac", hours, tmp_path)
    working = asyncio.create_task(transcoded(source, "audio-mp3-128k"))
    for _ in range(CRASHES):
        while not (tmp_path / "sound.mp3").exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)
        (child,) = processes(str(tmp_path))
        (tmp_path / "sound.mp3").unlink()
        os.kill(child.pid, signal.SIGSEGV)
    with pytest.raises(AssetFault, match="crashed its decoder"):
        await working
