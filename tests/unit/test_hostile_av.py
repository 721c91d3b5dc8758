"""Sound and film made to do harm: each ends as its asset's error, or as sound or film, within
bounds on time, memory and disk; none opens another file or a connection, and no process is left."""

import asyncio
import os
import random
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from activities.av import CUT_SHORT, DAMAGED, Transcoder
from activities.derived import Made
from activities.faults import AssetFault
from tests.sound_and_film import TONE, ffmpeg, made_by
from tests.unit.containers import wav
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
    processes,
)
from tests.unit.hostile_av import LINKS, PLAYED, REFUSED, Given

AUDIO, VIDEO = "audio-mp3-128k", "video-mp4"


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Given:
    folder = tmp_path_factory.mktemp("samples")
    bars = ("-f", "lavfi", "-i", "testsrc=size=96x64:rate=10:duration=2", *TONE)
    names = {"secret.mp4": bars, "tone.mp3": TONE, "tone.flac": TONE}
    made = [made_by(name, words, folder) for name, words in names.items()]
    return Given("", made[0], *(path.read_bytes() for path in made))


def preset_of(name: str) -> str:
    return VIDEO if name.startswith("a film") else AUDIO


@asynccontextmanager
async def bounds(folder: Path) -> AsyncIterator[None]:
    """That the body takes no more than is allowed, and leaves nothing but a derivative."""
    peaks = [0]

    async def watch() -> None:
        while True:
            peaks.append(peak_memory(str(folder)))
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    begun = time.monotonic()
    try:
        yield
    finally:
        watching.cancel()
    assert time.monotonic() - begun < MOST_SECONDS
    assert {path.name for path in kept(folder)} <= {"sound.mp3", "film.mp4"}
    assert disk_used(folder) < MOST_DISK
    assert not processes(str(folder))
    if sys.platform == "linux":
        assert max(peaks) < MOST_MEMORY


async def outcome(folder: Path, content: bytes, preset: str) -> Made | AssetFault:
    """What becomes of a file, within bounds; a fault gives nothing away."""
    source = folder / "original"
    source.write_bytes(content)
    async with bounds(folder):
        transcoder = Transcoder(MOST_SECONDS, MOST_DISK)
        try:
            made = await transcoder.transcode(source, preset, lambda _: None)
        except AssetFault as fault:
            said = str(fault)
            assert re.match("There is no (sound|film) in|The (sound|film|file) ", said)
            assert str(folder) not in said
            assert SECRET not in said
            assert "longer than" not in said
            return fault
    for path in kept(folder):
        derivative = path.read_bytes()
        for words in (SECRET.encode(), b"polyglot", str(folder).encode()):
            assert words not in derivative
    return made


@pytest.mark.parametrize("name", LINKS)
@pytest.mark.parametrize("preset", [AUDIO, VIDEO])
async def test_nothing_else_is_opened(
    samples: Given, tmp_path: Path, name: str, preset: str
) -> None:
    (tmp_path / "film.mp4").write_bytes(samples.mp4)
    with listener() as web:
        given = replace(samples, web=web)
        fault = await outcome(tmp_path, LINKS[name](given), preset)
    assert isinstance(fault, AssetFault)
    assert str(fault) in (DAMAGED, CUT_SHORT) or "There is no film" in str(fault)


@pytest.mark.parametrize("name", REFUSED)
async def test_refused(samples: Given, tmp_path: Path, name: str) -> None:
    make, words = REFUSED[name]
    fault = await outcome(tmp_path, make(samples), preset_of(name))
    assert isinstance(fault, AssetFault)
    assert words in str(fault)


@pytest.mark.parametrize("name", PLAYED)
async def test_played(samples: Given, tmp_path: Path, name: str) -> None:
    with listener() as web:
        given = replace(samples, web=web)
        made = await outcome(tmp_path, PLAYED[name](given), preset_of(name))
    assert isinstance(made, Made), str(made)
    assert made.duration == pytest.approx(2000, abs=100)
    size = {"a film that is": (96, 64)}.get(name[:14], (64, 48))
    assert (made.width, made.height) == (size if preset_of(name) == VIDEO else (None, None))
    said = ffmpeg("-i", made.files[0].name, cwd=tmp_path)
    assert "Chapter" not in said
    assert "Duration: 00:00:02" in said or "Duration: 00:00:01.9" in said


async def all_end(folder: Path, preset: str, contents: Iterable[bytes]) -> list[Made | AssetFault]:
    """The outcomes, two at a time."""
    two = asyncio.Semaphore(2)

    async def one(number: int, content: bytes) -> Made | AssetFault:
        async with two:
            (folder / f"{number:02}").mkdir()
            return await outcome(folder / f"{number:02}", content, preset)

    return await asyncio.gather(*(one(*each) for each in enumerate(contents)))


def flipped(content: bytes, seed: int) -> bytes:
    """With three bits changed at least, and one for every thousand bytes at most."""
    dice = random.Random(seed)
    changed = bytearray(content)
    for _ in range(3 + dice.randrange(len(content) // 1000)):
        changed[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    return bytes(changed)


async def test_films_with_bits_flipped(samples: Given, tmp_path: Path) -> None:
    ended = await all_end(tmp_path, VIDEO, (flipped(samples.mp4, seed) for seed in range(20)))
    assert {type(each) for each in ended} == {Made, AssetFault}, "some of both, or it tests little"


async def test_films_cut_short(samples: Given, tmp_path: Path) -> None:
    whole = samples.mp4
    cuts = [1, 4, 8, 20, 40, len(whole) // 4, len(whole) // 2, len(whole) * 3 // 4]
    for ended in await all_end(tmp_path, VIDEO, (whole[:cut] for cut in cuts)):
        assert str(ended) == DAMAGED


async def test_sound_cut_short(samples: Given, tmp_path: Path) -> None:
    cuts = [each[: len(each) * n // 8] for each in (samples.mp3, samples.flac) for n in (2, 5)]
    for ended in await all_end(tmp_path, AUDIO, cuts):
        assert str(ended) == CUT_SHORT


async def test_the_name_of_a_folder_is_no_pattern(samples: Given, tmp_path: Path) -> None:
    folder = tmp_path / "%03d *?[a-z]:'\"|&"
    folder.mkdir()
    made = await outcome(folder, samples.mp4, VIDEO)
    assert isinstance(made, Made)


async def appeared(folder: Path, working: asyncio.Task[Made]) -> int:
    """The process id of an ffmpeg that works on a file of a folder."""
    while not working.done():
        for process in processes(str(folder)):
            if "-m" not in process.cmdline():  # it has been started under its limits
                return int(process.pid)
        await asyncio.sleep(0.01)
    raise AssertionError("it has ended")


async def test_a_file_whose_reading_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.av.PROBE_S", 1.5)
    os.mkfifo(tmp_path / "original")  # whoever opens it waits for a writer
    async with bounds(tmp_path):
        transcoder = Transcoder(MOST_SECONDS, MOST_DISK)
        transcoding = transcoder.transcode(tmp_path / "original", AUDIO, lambda _: None)
        working = asyncio.create_task(transcoding)
        os.kill(await appeared(tmp_path, working), signal.SIGSTOP)
        with pytest.raises(AssetFault, match=re.escape("longer than 1.5 s to process")):
            await working


async def test_a_file_whose_decoding_hangs(tmp_path: Path) -> None:
    (tmp_path / "original").write_bytes(wav(bytes(MIB // 4), rate=1, bits=8))  # three days
    async with bounds(tmp_path):
        transcoder = Transcoder(2, MOST_DISK)
        transcoding = transcoder.transcode(tmp_path / "original", AUDIO, lambda _: None)
        working = asyncio.create_task(transcoding)
        while not (tmp_path / "sound.mp3").exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)
        os.kill(await appeared(tmp_path, working), signal.SIGSTOP)
        with pytest.raises(AssetFault, match="longer than 2 s to process"):
            await working
