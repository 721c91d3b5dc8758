"""Image processes alone: images a second and peak memory, against a bare script.

The bare script makes the same derivatives by the same libvips calls, in a process for each core.
(pyvips' wheel has no `vips` command to compare with.)
"""

import asyncio
import os
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import psutil  # type: ignore[import-untyped]

from activities.image_job import ImageJob
from activities.image_process import ImageProcesses
from bench.figure import Figure
from bench.scans import THUMBS, quiet, scans

KIB = 1024


def _job(source: str, folder: str) -> ImageJob:
    return ImageJob(Path(source), Path(folder), "default", THUMBS, 10**9)


def bare(source: str) -> int:
    """One image; the most memory, in bytes, that its process has had."""
    from activities.image import derive

    with tempfile.TemporaryDirectory() as made:
        derive(_job(source, made))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB


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
    rates: dict[str, list[float]] = {"ours": [], "bare": []}
    with ProcessPoolExecutor(cores, get_context("spawn"), quiet) as pool:
        peak = max(pool.map(bare, sources[:8]))
        async with ImageProcesses(cores, 0) as processes:
            known = set(psutil.Process().children())
            await asyncio.gather(*(_ours(processes, source) for source in sources[:8]))
            of_ours = set(psutil.Process().children()) - known
            for _ in range(rounds):
                started = time.perf_counter()
                peak = max(peak, *pool.map(bare, sources))
                rates["bare"].append(len(sources) / (time.perf_counter() - started))
                started = time.perf_counter()
                await asyncio.gather(*(_ours(processes, source) for source in sources))
                rates["ours"].append(len(sources) / (time.perf_counter() - started))
            own = max(map(_peak, of_ours))
    ours, theirs = median(rates["ours"]), median(rates["bare"])
    speed = Figure("images processed alone", ours, theirs, "/s", 0.95, "at least")
    memory = Figure("peak memory of an image process", own / 1e6, peak / 1e6, "MB", 1.25, "at most")
    return [speed, memory]


def run(count: int, rounds: int) -> list[Figure]:
    """The figures for `count` scans a round."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        names = scans(folder)
        sources = [str((folder / names[n % len(names)]).resolve()) for n in range(count)]
        return asyncio.run(_run(sources, rounds))
