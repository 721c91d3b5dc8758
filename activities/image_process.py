"""Processes that decode images: a crash or a hang in a decoder costs one asset an error.

Each is an interpreter of its own, without credentials in its environment, that reads one job a
line and answers with one line of JSON.
"""

import asyncio
import contextlib
import json
import os
import sys
import traceback
from types import TracebackType
from typing import Any

from activities.confine import confine
from activities.derived import Made
from activities.faults import AssetFault, DiskFull
from activities.image_job import ImageJob, made_from

MEMORY_BYTES = 8 * 1024**3
"""Address space of one image process; larger images are worked on in files."""

FILE_BYTES = 64 * 1024**3
"""What is held of an image of the most pixels, and more."""

LINE_BYTES = 1024 * 1024
START_S = 60.0
READY = b"ready\n"
CRASHED = "The image crashed its decoder"
CRASHES = 3
"""Processes that one image may cost: the first may have been killed for want of memory."""


class ImageProcesses:
    """As many image processes as told, started when first needed; an async context manager.

    `nice` lowers their priority in the eyes of the operating system; `memory_bytes` bounds the
    address space of each, `file_bytes` each file it writes.
    """

    def __init__(
        self,
        processes: int,
        nice: int,
        memory_bytes: int = MEMORY_BYTES,
        file_bytes: int = FILE_BYTES,
    ) -> None:
        self._nice = nice
        self._memory_bytes = memory_bytes
        self._file_bytes = file_bytes
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

    async def derive(self, job: ImageJob, timeout_s: float) -> Made:
        """Makes the derivatives of an image.

        Raises:
            AssetFault: it is no image, is too large, crashed its decoder thrice or took too long.
            DiskFull: no room for the derivatives.
            RuntimeError: image processes do not start, or have a bug; holds its traceback.
        """
        for _ in range(CRASHES):
            answer = await self._derived(job, timeout_s)
            if isinstance(answer, Exception):
                raise answer
            if answer is not None:
                return answer
        raise AssetFault(CRASHED)

    async def _derived(self, job: ImageJob, timeout_s: float) -> Made | Exception | None:
        """What an image process answers; None: it crashed."""
        async with self._free:
            process = await self._ready()
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
                return None
            try:
                answer = _answer(line)
            except (ValueError, KeyError, TypeError):
                await self._end(process)  # whatever talks there is no image process any more
                raise
            self._idle.append(process)
            return answer

    async def _ready(self) -> asyncio.subprocess.Process:
        """An image process that waits for a job; one that died while idle costs no asset."""
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
            await self._end(process)
        return await self._start()

    async def _start(self) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "activities.image_process",
            str(os.getpid()),
            str(self._nice),
            str(self._memory_bytes),
            str(self._file_bytes),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={
                "PATH": os.defpath,
                "LANG": "C.UTF-8",
                "VIPS_CONCURRENCY": "1",
                "VIPS_WARNING": "0",  # a damaged file's warnings would fill the worker's log
            },
            limit=LINE_BYTES,
        )
        self._all.add(process)
        assert process.stdout is not None  # noqa: S101 - a pipe
        try:
            async with asyncio.timeout(START_S):
                said = await process.stdout.readline()
        except BaseException:
            await self._end(process)
            raise
        if said != READY:
            await self._end(process)
            # Not the fault of an asset: without this each would be told that it crashed a decoder.
            raise RuntimeError("an image process does not start; its standard error says why")
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


def _answer(line: bytes) -> Made | Exception:
    """What the process said, a fault included. Raises ValueError, KeyError or TypeError."""
    said: dict[str, Any] = json.loads(line)
    if "asset_fault" in said:
        return AssetFault(str(said["asset_fault"]))
    if "disk_full" in said:
        return DiskFull(str(said["disk_full"]))
    if "bug" in said:
        return RuntimeError(str(said["bug"]))
    return made_from(said)


def main() -> None:
    """Works on the jobs on standard input until it closes."""
    confine(*map(int, sys.argv[1:]))
    from activities.image import derive

    # Answers alone go to the worker: what a library prints goes to standard error.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    answers.write(READY)
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
        answers.write(json.dumps(said).encode() + b"\n")


if __name__ == "__main__":
    main()
