"""Scratch space: a folder of each worker's own, gone when it is; and waiting for disk and store.

::

    {scratch folder}/worker-…/       locked by its worker for as long as that lives
    {scratch folder}/worker-…/asset-…/   one asset's original and derivatives, while in process
"""

import asyncio
import fcntl
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import structlog

from activities.faults import DiskFull, PlatformFault

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 30.0

Result = TypeVar("Result")
log = structlog.get_logger()


@contextmanager
def own_folder(root: Path) -> Iterator[Path]:
    """A new folder in `root`, removed at the end; what dead workers left there is removed first."""
    root.mkdir(parents=True, exist_ok=True)
    for left in root.glob("worker-*"):
        _remove_if_dead(left)
    while True:
        folder = Path(tempfile.mkdtemp(prefix="worker-", dir=root))
        try:
            lock = (folder / "lock").open("w")
        except FileNotFoundError:
            continue  # another worker, starting, took it for a dead one's
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "lock").exists():
                continue  # the same
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            return


def _remove_if_dead(folder: Path) -> None:
    try:
        with (folder / "lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return  # its worker lives
    except FileNotFoundError:
        shutil.rmtree(folder, ignore_errors=True)  # it died before it had a lock


class Scratch:
    """A worker's folder, and who waits for room in it, or for the store."""

    def __init__(self, folder: Path, min_free_bytes: int) -> None:
        self._folder = folder
        self._min_free_bytes = min_free_bytes
        self._waiting: dict[object, PlatformFault] = {}

    @property
    def trouble(self) -> str | None:
        """What work waits for, if it does: the part, and why, as `disk: there is no room`."""
        fault = next(iter(self._waiting.values()), None)
        return None if fault is None else f"{fault.part}: {fault}"

    async def with_room(
        self, step: Callable[[], Awaitable[Result]], say: Callable[[str], None]
    ) -> Result:
        """Takes a step, again and again while the platform fails it: that is no asset's error.

        `say` is told why it waits.
        """
        wait = FIRST_WAIT_S
        token = object()
        try:
            while True:
                try:
                    self._check()
                    return await step()
                except PlatformFault as fault:
                    if token not in self._waiting:
                        log.warning("waiting", part=fault.part, why=str(fault))
                    self._waiting[token] = fault
                    say(f"waiting: {fault}")
                await asyncio.sleep(wait)
                wait = min(2 * wait, LONGEST_WAIT_S)
        finally:
            self._waiting.pop(token, None)

    def _check(self) -> None:
        if shutil.disk_usage(self._folder).free < self._min_free_bytes:
            raise DiskFull("There is no room in the scratch folder")

    async def folder(self) -> "tempfile.TemporaryDirectory[str]":
        """A folder for one asset; a context manager. Raises DiskFull."""
        try:
            return tempfile.TemporaryDirectory(
                prefix="asset-", dir=self._folder, ignore_cleanup_errors=True
            )
        except OSError as error:
            raise DiskFull("There is no room in the scratch folder") from error
