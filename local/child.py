"""A program that the engine runs: how it is started, asked whether it lives, and stopped."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local import launch
from local.errors import ChildFailed

CHECK_INTERVAL_S = 0.1
LOG_LIMIT = 20 * 1024 * 1024

Process = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Child:
    """A program to keep running.

    `alive` asks it whether it lives: true when it answered, false when it did not within a few
    seconds; it must not answer for a stopped process. `before` runs before each start. `env` is
    added to this process's own. `grace` is what it has to stop, in seconds, before SIGKILL.
    """

    name: str
    argv: tuple[str, ...]
    log: Path
    alive: Callable[[], Awaitable[bool]]
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    before: Callable[[], None] = lambda: None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    grace: float = 2.0


def command(
    argv: tuple[str, ...], user: str = "", orphan_signal: signal.Signals = signal.SIGKILL
) -> list[str]:
    """What starts `argv` as `user` such that it ends with this process."""
    launcher = [sys.executable, "-I", "-S", launch.__file__]
    return [*launcher, str(int(orphan_signal)), str(os.getpid()), user, *argv]


def start(child: Child) -> Process:
    """Starts the program in a session of its own, with its output appended to its log.

    To be called from the main thread: Linux sends the orphan's signal when the thread that
    started it ends.
    """
    child.log.parent.mkdir(parents=True, exist_ok=True)
    if child.log.exists() and child.log.stat().st_size > LOG_LIMIT:
        child.log.replace(child.log.with_name(child.log.name + ".1"))
    with child.log.open("ab") as log:
        return subprocess.Popen(
            command(child.argv, child.user, child.orphan_signal),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **child.env},
            start_new_session=True,
        )


async def answer(child: Child, process: Process, seconds: float) -> None:
    """Returns at the child's first answer; ChildFailed if it ends before, or is too slow."""
    deadline = time.monotonic() + seconds
    while not await child.alive():
        if process.poll() is not None:
            raise ChildFailed(child.name, f"ended at its start ({ending(process)})", child.log)
        if time.monotonic() > deadline:
            raise ChildFailed(child.name, f"did not answer within {seconds:g} s", child.log)
        await asyncio.sleep(CHECK_INTERVAL_S)


def ending(process: Process) -> str:
    """How a process ended, in words."""
    code = process.returncode
    if code is None:
        return "still running"
    return f"exit {code}" if code >= 0 else signal.Signals(-code).name


def stop(child: Child, process: Process) -> None:
    """Stops the program: its signal, its grace, SIGKILL."""
    if process.poll() is not None:
        return
    process.send_signal(child.stop_signal)
    process.send_signal(signal.SIGCONT)  # what SIGSTOP holds cannot follow the signal
    try:
        process.wait(child.grace)
    except subprocess.TimeoutExpired:
        kill(process)
        process.wait()


def kill(process: Process) -> None:
    """Kills the program with all of its process group."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def run_once(
    name: str,
    argv: tuple[str, ...],
    log: Path,
    *,
    env: Mapping[str, str],
    user: str = "",
    given: bytes = b"",
) -> None:
    """Runs a program to its end, with `given` as its input. Raises ChildFailed."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        done = subprocess.run(
            command(argv, user),
            input=given,
            stdout=output,
            stderr=output,
            env={**os.environ, **env},
            start_new_session=True,
            check=False,
        )
    if done.returncode:
        raise ChildFailed(name, f"failed (exit {done.returncode})", log)
