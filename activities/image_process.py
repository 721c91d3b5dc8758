"""Processes that decode images: a crash or a hang in a decoder costs one asset an error.

Each is an interpreter of its own, without credentials in its environment, that reads one job a
line and answers with one line of JSON.
"""

import asyncio
import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import traceback
from types import TracebackType
from typing import Any

from activities.faults import AssetFault, DiskFull
from activities.image_job import Derived, ImageJob, ImageResult

MEMORY_BYTES = 8 * 1024**3
"""Address space of one image process; larger images are worked on in files."""

LINE_BYTES = 1024 * 1024
PR_SET_PDEATHSIG = 1
CRASHED = "The image crashed its decoder"


class ImageProcesses:
    """As many image processes as told, started when first needed; an async context manager.

    `nice` lowers their priority in the eyes of the operating system.
    """

    def __init__(self, processes: int, nice: int) -> None:
        self._nice = nice
        self._all: set[asyncio.subprocess.Process] = set()
        self._idle: list[asyncio.subprocess.Process] = []
        self._free = asyncio.Semaphore(processes)

    async def __aenter__(self) -> "ImageProcesses":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in list(self._all):
            await self._end(process)

    async def derive(self, job: ImageJob, timeout_s: float) -> ImageResult:
        """Makes the derivatives of an image.

        Raises:
            AssetFault: it is no image, is too large, crashed its decoder or took too long.
            DiskFull: no room for the derivatives.
        """
        async with self._free:
            process = self._idle.pop() if self._idle else await self._start()
            try:
                async with asyncio.timeout(timeout_s):
                    line = await _ask(process, job)
            except TimeoutError as late:
                await self._end(process)
                raise AssetFault(f"The image took longer than {timeout_s:g} s to process") from late
            except BaseException:
                await self._end(process)
                raise
            if not line.endswith(b"\n"):
                await self._end(process)
                raise AssetFault(CRASHED)
            self._idle.append(process)
        return _answer(line)

    async def _start(self) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "activities.image_process",
            str(os.getpid()),
            str(self._nice),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "VIPS_CONCURRENCY": "1"},
            limit=LINE_BYTES,
        )
        self._all.add(process)
        return process

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await asyncio.shield(process.wait())
        if process.stdin is not None:
            process.stdin.close()
        self._all.discard(process)


async def _ask(process: asyncio.subprocess.Process, job: ImageJob) -> bytes:
    assert process.stdin is not None  # noqa: S101 - both are pipes
    assert process.stdout is not None  # noqa: S101
    try:
        process.stdin.write(job.to_json() + b"\n")
        await process.stdin.drain()
        return await process.stdout.readline()
    except (BrokenPipeError, ConnectionResetError):
        return b""


def _answer(line: bytes) -> ImageResult:
    said: dict[str, Any] = json.loads(line)
    if "asset_fault" in said:
        raise AssetFault(str(said["asset_fault"]))
    if "disk_full" in said:
        raise DiskFull(str(said["disk_full"]))
    if "bug" in said:
        raise RuntimeError(str(said["bug"]))
    return ImageResult(
        int(said["width"]), int(said["height"]), tuple(Derived(**made) for made in said["files"])
    )


def _confine(parent: int, nice: int) -> None:
    """Gives up what an image needs not, and dies with the worker."""
    os.nice(nice)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)


def main() -> None:
    """Works on the jobs on standard input until it closes."""
    _confine(int(sys.argv[1]), int(sys.argv[2]))
    from activities.image import derive

    for line in sys.stdin.buffer:
        said: dict[str, Any]
        try:
            result = derive(ImageJob.from_json(line))
            files = [vars(made) for made in result.files]
            said = {"width": result.width, "height": result.height, "files": files}
        except AssetFault as fault:
            said = {"asset_fault": str(fault)}
        except DiskFull as fault:
            said = {"disk_full": str(fault)}
        except MemoryError:
            said = {"asset_fault": "The image is too large to process in the memory allowed"}
        except Exception:  # noqa: BLE001 - raised again in the worker, with this traceback
            said = {"bug": traceback.format_exc()}
        sys.stdout.buffer.write(json.dumps(said).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
