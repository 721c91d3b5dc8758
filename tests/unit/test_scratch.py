"""Scratch space: each worker's own, gone with it; work that finds no room waits."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from activities import scratch
from activities.faults import AssetFault, DiskFull
from activities.scratch import Scratch, own_folder

HOLD = """
import sys, time
from pathlib import Path
from activities.scratch import own_folder
with own_folder(Path(sys.argv[1])) as folder:
    (folder / "original").write_bytes(b"half")
    print(folder, flush=True)
    time.sleep(60)
"""


def holder(root: Path) -> tuple[subprocess.Popen[str], Path]:
    """Another worker, and its folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_what_dead_workers_left_is_removed_and_what_living_ones_have_stays(tmp_path: Path) -> None:
    living, kept = holder(tmp_path)
    dead, left = holder(tmp_path)
    dead.send_signal(signal.SIGKILL)
    dead.wait()
    unlocked = tmp_path / "worker-without-a-lock"
    unlocked.mkdir()
    try:
        assert (left / "original").exists()
        with own_folder(tmp_path) as own:
            assert sorted(tmp_path.iterdir()) == sorted([kept, own])
            assert (kept / "original").read_bytes() == b"half"
        assert list(tmp_path.iterdir()) == [kept]
    finally:
        living.kill()
        living.wait()
        assert living.stdout is not None
        assert dead.stdout is not None
        living.stdout.close()
        dead.stdout.close()


async def test_work_waits_for_room_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "FIRST_WAIT_S", 0.01)
    said: list[str] = []
    room, tries = asyncio.Event(), []
    own = Scratch(tmp_path, 0)

    async def step() -> str:
        tries.append(1)
        if not room.is_set():
            raise DiskFull("There is no room")
        return "done"

    working = asyncio.create_task(own.with_room(step, said.append))
    while len(tries) < 3:  # noqa: ASYNC110 - it is not told
        await asyncio.sleep(0.01)
    assert own.trouble == "disk: There is no room"
    assert said[-1] == "waiting: There is no room"
    room.set()
    assert await working == "done"
    assert own.trouble is None


async def test_other_faults_pass_and_a_cancelled_wait_leaves_no_trouble(tmp_path: Path) -> None:
    async def bad() -> None:
        raise AssetFault("bad")

    with pytest.raises(AssetFault):
        await Scratch(tmp_path, 0).with_room(bad, print)
    full = Scratch(tmp_path, 10**18)  # more than any disk has
    working = asyncio.create_task(full.with_room(full.folder, print))
    while full.trouble is None:  # noqa: ASYNC110 - it is not told
        await asyncio.sleep(0.01)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert full.trouble is None
