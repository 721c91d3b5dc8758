"""A full disk pauses work with a clear state and loses nothing."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.acceptance.test_first_light import picture
from tests.conftest import Origin
from tests.stack import running_stack, until

MIB = 1024 * 1024


@contextmanager
def disk(folder: Path) -> Iterator[Path]:
    """A disk of 16 MiB; the test is skipped where none may be mounted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=777", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a disk cannot be mounted here: {error}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("full", ["scratch", "store"])
def test_work_waits_for_room(tmp_path: Path, origin: Origin, full: str) -> None:
    with disk(tmp_path / "disk") as small:
        settings = (
            {"IIIFQ_SCRATCH_FOLDER": str(small / "scratch")}
            if full == "scratch"
            else {"IIIFQ_STORAGE_URL": (small / "store").as_uri()}
        )
        data = tmp_path / "data"
        with running_stack(
            data, **settings, IIIFQ_SCRATCH_MIN_FREE_BYTES=str(MIB), IIIFQ_ACTIVITY_ATTEMPTS="1"
        ) as stack:
            customer = stack.customer()
            filler = small / "filler"
            with filler.open("wb", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(bytes(4096))
            batch = customer.submit([picture(origin, name) for name in "abc"])
            ready = f"{stack.run['api_url']}/health/ready"
            said = until(
                "the state is shown",
                lambda: (
                    found
                    if "disk" in (found := stack.client.get(ready).json()).get("missing", [])
                    else None
                ),
            )
            assert "no room" in said["troubles"][0]
            assert customer.get(batch["@id"])["errors"] == 0
            gone = customer.url("/spaces/1/images/c")
            assert stack.client.delete(gone, auth=customer.auth).status_code == 204
            filler.unlink()
            finished = customer.finished(batch)
            assert (finished["completed"], finished["errors"]) == (3, 0)
            stack.wait_ready()
            worker = (small if full == "scratch" else data) / "scratch"
            until(
                "nothing is left in scratch",
                lambda: (
                    not any(
                        name.startswith("asset-")
                        for _, names, _ in os.walk(worker)
                        for name in names
                    )
                ),
            )
        assert not list(worker.glob("worker-*")), "nor of the worker that ended"
