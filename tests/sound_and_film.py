"""Sound and film in every container that tests are about, made by ffmpeg."""

import subprocess
from pathlib import Path

import imageio_ffmpeg  # type: ignore[import-untyped]

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
TONE = ("-f", "lavfi", "-i", "sine=frequency=440:duration=2")
BARS = ("-f", "lavfi", "-i", "testsrc=size=322x240:rate=10:duration=2")
COVER = (*TONE, "-i", "cover.jpg", "-map", "0", "-map", "1", "-disposition:v", "attached_pic")
LATE = "volume='if(lt(t,1),0,1)':eval=frame"
"""Silence first, so that the bitrate of the beginning says nothing of the rest."""

# How ffmpeg makes each.
SOUND = {
    "tone.mp3": TONE,
    "late.mp3": (*TONE, "-af", LATE, "-q:a", "2", "-write_xing", "0"),
    "late.aac": (*TONE, "-af", LATE),
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
    "wide.webm": (*BARS, "-vf", "setsar=2", "-c:v", "libvpx"),
    "odd.webm": (*BARS, "-vf", "crop=321:239", "-c:v", "libvpx"),
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
    """The file that ffmpeg makes so."""
    if "cover.jpg" in words:
        ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x64", "-frames:v", "1", "cover.jpg", cwd=folder)
    said = ffmpeg(*words, name, cwd=folder)
    assert (folder / name).exists(), said
    return folder / name
