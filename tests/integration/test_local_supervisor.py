"""The supervisor over small programs that die, hang and stop as told."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest

from local import watchdog
from local.child import Child
from local.errors import ChildFailed
from local.supervisor import Limits, Supervisor
from local.watchdog import Watchdog

# Tells that it lives ten times a second; on SIGTERM adds its name to a file, at once or never.
PROGRAM = """
import os, signal, socket, sys, time
name, stops, stopped = sys.argv[1:]
def stop(*_):
    if stops == "stops":
        with open(stopped, "a") as file:
            file.write(name + " ")
        sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print(name, "begins", flush=True)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
    while True:
        notify.sendto(b"WATCHDOG=1", os.environ["NOTIFY_SOCKET"])
        time.sleep(0.1)
"""
QUICK = Limits(
    silence=1.0, check_interval=0.1, first_delay=0.05, longest_delay=0.2, settled=60, failures=4
)


@contextmanager
def lively(
    folder: Path, name: str = "lively", stops: str = "stops", grace: float = 5.0
) -> Iterator[Child]:
    with closing(Watchdog(folder / name)) as heard:
        yield Child(
            name=name,
            argv=(sys.executable, "-S", "-c", PROGRAM, name, stops, str(folder / "stopped")),
            env=heard.env,
            log=folder / f"{name}.log",
            alive=heard.alive,
            before=heard.listen,
            grace=grace,
        )


async def no_answer() -> bool:
    return False


def dying(folder: Path) -> Child:
    code = "import sys; print('the reason'); sys.exit(3)"
    argv = (sys.executable, "-S", "-c", code)
    return Child(name="dying", argv=argv, log=folder / "dying.log", alive=no_answer)


class Pids:
    """The process ids that a supervisor reports."""

    def __init__(self) -> None:
        self.of: list[Mapping[str, int]] = []

    async def until(self, there: Callable[[Mapping[str, int]], bool]) -> Mapping[str, int]:
        async with asyncio.timeout(30):
            while not there(self.of[-1]):  # noqa: ASYNC110 - told by a plain function
                await asyncio.sleep(0.02)
        return self.of[-1]


@asynccontextmanager
async def supervised(limits: Limits = QUICK) -> AsyncIterator[tuple[Supervisor, Pids]]:
    pids = Pids()
    supervisor = Supervisor(pids.of.append, limits)
    try:
        yield supervisor, pids
    finally:
        await supervisor.stop()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "TIMEOUT_S", 0.5)


async def test_what_dies_is_started_again(tmp_path: Path) -> None:
    with lively(tmp_path) as child:
        async with supervised() as (supervisor, pids):
            await supervisor.start(child)
            for _ in range(3):
                pid = pids.of[-1]["lively"]
                os.kill(pid, signal.SIGKILL)
                await pids.until(lambda now, old=pid: now["lively"] != old)  # type: ignore[misc]
            last = pids.of[-1]["lively"]
        assert gone(last)


async def test_what_is_stopped_is_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with lively(tmp_path) as child:
        async with supervised() as (supervisor, pids):
            await supervisor.start(child)
            pid = pids.of[-1]["lively"]
            began = time.monotonic()
            os.kill(pid, signal.SIGSTOP)
            await pids.until(lambda now: now["lively"] != pid)
            assert time.monotonic() - began >= QUICK.silence
            assert gone(pid)
    assert "lively has not answered for 1 s" in capsys.readouterr().err


async def test_a_child_that_never_starts_is_given_up_early(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with supervised() as (supervisor, pids):
        given_up = r"(?s)dying failed 3 times in a row .*exit 3.*dying\.log.*the reason"
        with pytest.raises(ChildFailed, match=given_up):
            await supervisor.start(dying(tmp_path))
        assert len(pids.of) == QUICK.first_failures
    said = capsys.readouterr().err
    assert "starting it again in 0.05 s" in said
    assert "starting it again in 0.1 s" in said


async def test_a_child_that_no_longer_starts_is_given_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoilt = tmp_path / "spoilt"
    with lively(tmp_path) as child:
        code = f"import os, sys; os.path.exists({str(spoilt)!r}) and sys.exit('spoilt')\n{PROGRAM}"
        argv = (*child.argv[:3], code, *child.argv[4:])
        spoilable = Child(**{**vars(child), "argv": argv})
        async with supervised() as (supervisor, pids):
            await supervisor.start(spoilable)
            spoilt.touch()
            os.kill(pids.of[-1]["lively"], signal.SIGKILL)
            with pytest.raises(ChildFailed, match=r"(?s)lively failed 4 times.*spoilt"):
                async with asyncio.timeout(30):
                    await supervisor.watch()
    assert "starting it again in 0.2 s" in capsys.readouterr().err


async def test_children_stop_last_one_first(tmp_path: Path) -> None:
    with lively(tmp_path, "a") as a, lively(tmp_path, "b") as b, lively(tmp_path, "c") as c:
        async with supervised() as (supervisor, _):
            await supervisor.start(a)
            await supervisor.start(b, c)
    assert (tmp_path / "stopped").read_text() == "c b a "


@pytest.mark.parametrize("held", [False, True])
async def test_what_does_not_stop_is_killed_after_its_grace(tmp_path: Path, held: bool) -> None:
    with lively(tmp_path, "deaf", "stays", grace=0.3) as child:
        async with supervised() as (supervisor, pids):
            await supervisor.start(child)
            pid = pids.of[-1]["deaf"]
            if held:
                os.kill(pid, signal.SIGSTOP)
            began = time.monotonic()
            await supervisor.stop()
            assert gone(pid)
            assert 0.3 <= time.monotonic() - began < 3


async def test_a_health_check_that_swallows_its_cancellation_does_not_hold_up_the_stop(
    tmp_path: Path,
) -> None:
    """As Python 3.11's asyncio.wait_for does when its answer comes at the same moment."""
    asked = asyncio.Event()

    with lively(tmp_path) as child:

        async def stubborn() -> bool:
            if await child.alive():
                asked.set()
            try:
                await asyncio.sleep(0.3)
            except asyncio.CancelledError:
                return True
            return True

        async with asyncio.timeout(10), supervised() as (supervisor, _):
            await supervisor.start(Child(**{**vars(child), "alive": stubborn}))
            asked.clear()
            await asked.wait()
