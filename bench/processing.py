"""Image processes alone: images a second and peak memory, against others of the same work.

A bare script makes the same derivatives by the same libvips calls, in a process for each core.
libvips' command line (Debian's, as pyvips' wheel has none) makes a pyramid and each thumbnail from
the original, for as many images at once as there are cores.
"""

import asyncio
import os
import resource
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import psutil  # type: ignore[import-untyped]

from activities.image_job import ImageJob
from activities.image_process import ImageProcesses
from bench.figure import Figure
from bench.scans import quiet, scans
from delivery_channels import THUMBS
from tests.debian import extracted

KIB = 1024
PYRAMID = "tile,tile-width=256,tile-height=256,pyramid,compression=jpeg,Q=85"


def _job(source: str, folder: str) -> ImageJob:
    return ImageJob(Path(source), Path(folder), "default", THUMBS, 10**9)


def bare(source: str) -> int:
    """One image; the most memory, in bytes, that its process has had."""
    from activities.image import derive

    with tempfile.TemporaryDirectory() as made:
        derive(_job(source, made))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB


class CommandLine:
    """libvips' own programs."""

    def __init__(self) -> None:
        found = extracted("vips", "libvips-tools")
        self._vips, self._thumbnail = (
            found.program(f"usr/bin/{name}") for name in ("vips", "vipsthumbnail")
        )
        self._env: Mapping[str, str] = {**os.environ, **found.env, "VIPS_CONCURRENCY": "1"}

    def derive(self, source: str) -> int:
        """One image; the most memory, in bytes, that one of its processes has had."""
        with tempfile.TemporaryDirectory() as made:
            pyramid = (f"{source}[access=sequential]", f"{made}/iiif-img.tif[{PYRAMID}]")
            commands = [[self._vips, "autorot", *pyramid]]
            for size in THUMBS:
                box = size.removeprefix("!").replace(",", "x")
                target = f"{made}/{box}.jpg[Q=80,strip]"
                commands.append([self._thumbnail, source, "--size", f"{box}>", "-o", target])
            return max(map(self._peak, commands))

    def _peak(self, command: list[str]) -> int:
        started = os.posix_spawn(command[0], command, self._env)
        _, status, used = os.wait4(started, 0)
        if status:
            raise RuntimeError(f"{command} failed with status {status}")
        return used.ru_maxrss * KIB


async def _ours(processes: ImageProcesses, source: str) -> None:
    with tempfile.TemporaryDirectory() as made:
        await processes.derive(_job(source, made), 600)


def _peak(process: psutil.Process) -> int:
    """The most memory, in bytes, that a process has had."""
    lines = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines()
    (line,) = (each for each in lines if each.startswith("VmHWM"))
    return int(line.split()[1]) * KIB


async def _run(sources: list[str], rounds: int) -> list[Figure]:
    cores = len(os.sched_getaffinity(0))
    rates: dict[str, list[float]] = {"ours": [], "bare": [], "command": []}
    peaks: dict[str, int] = {}
    command = CommandLine()
    with (
        ProcessPoolExecutor(cores, get_context("spawn"), quiet) as pool,
        ThreadPoolExecutor(cores) as threads,
    ):
        list(pool.map(bare, sources[:8]))
        async with ImageProcesses(cores, 0) as processes:
            known = set(psutil.Process().children())
            await asyncio.gather(*(_ours(processes, source) for source in sources[:8]))
            of_ours = set(psutil.Process().children()) - known
            for _ in range(rounds):
                started = time.perf_counter()
                peaks["bare"] = max(pool.map(bare, sources))
                rates["bare"].append(len(sources) / (time.perf_counter() - started))
                started = time.perf_counter()
                await asyncio.gather(*(_ours(processes, source) for source in sources))
                rates["ours"].append(len(sources) / (time.perf_counter() - started))
                started = time.perf_counter()
                peaks["command"] = max(threads.map(command.derive, sources))
                rates["command"].append(len(sources) / (time.perf_counter() - started))
            peaks["ours"] = max(map(_peak, of_ours))
    rate = {side: median(each) for side, each in rates.items()}
    mb = {side: peak / 1e6 for side, peak in peaks.items()}
    return [
        Figure(
            "images alone, against a bare script",
            rate["ours"],
            rate["bare"],
            "/s",
            0.95,
            "at least",
        ),
        Figure(
            "their peak memory, against the script's", mb["ours"], mb["bare"], "MB", 1.25, "at most"
        ),
        Figure(
            "images alone, against libvips' command line",
            rate["ours"],
            rate["command"],
            "/s",
            1.0,
            "at least",
        ),
        Figure(
            "their peak memory, against the command line's",
            mb["ours"],
            mb["command"],
            "MB",
            3.0,
            "at most",
        ),
    ]


def run(count: int, rounds: int) -> list[Figure]:
    """The figures for `count` scans a round."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        names = scans(folder)
        sources = [str((folder / names[n % len(names)]).resolve()) for n in range(count)]
        return asyncio.run(_run(sources, rounds))
