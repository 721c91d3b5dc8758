"""Programs that this machine lacks: got once for each of its users, and kept."""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local.child import Process, command
from local.errors import BuildFailed, last_lines
from local.notice import say

GO_PLACES = ("/usr/local/go/bin/go", "/usr/lib/go/bin/go", "/opt/homebrew/bin/go", "/snap/bin/go")
PROGRESS_S = 5.0


def cache() -> Path:
    """The user's folder of programs: `$XDG_CACHE_HOME/iiifq/bin`, else `~/.cache/iiifq/bin`."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "iiifq" / "bin"


def kept(file: str, what: str, get: Callable[[Path], Path]) -> Path:
    """The program `file` of the cache, or a folder of some; `get` makes what is missing in the
    folder it is given."""
    place = cache() / file
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with _alone(place.with_name(place.name + ".lock"), what):
        if place.exists():  # another process was faster
            return place
        # Beside its place, so that the move there is atomic. A killed process may have left it.
        folder = place.with_name(place.name + ".part")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            got = get(folder)
            got.chmod(0o755)
            got.replace(place)
        finally:
            shutil.rmtree(folder)
    return place


def go_program() -> str | None:
    """Go, on PATH or where it is usually installed; None if it is not."""
    return shutil.which("go") or next((place for place in GO_PLACES if Path(place).exists()), None)


def go_install(go: str, package: str, what: str, folder: Path) -> Path:
    """Builds a `module/path@version` into the folder. Raises BuildFailed."""
    log = folder / "build.log"

    def progress(_: Process, elapsed: float) -> None:
        doing = last_lines(log, 1) or ["starting"]
        say(f"building {what}: {elapsed:.0f} s, {doing[0]}")

    if run((go, "install", "-v", package), {"GOBIN": str(folder)}, log, progress):
        raise BuildFailed(what, log)
    return folder / package.partition("@")[0].rpartition("/")[2]


def run(
    argv: tuple[str, ...],
    env: Mapping[str, str],
    log: Path,
    progress: Callable[[Process, float], None],
) -> int:
    """Runs a program to its end, with a word on its progress now and then; its exit code."""
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **env},
        )
    with process:
        try:
            while True:
                try:
                    return process.wait(PROGRESS_S)
                except subprocess.TimeoutExpired:
                    progress(process, time.monotonic() - began)
        finally:
            process.kill()


@contextmanager
def _alone(lock: Path, what: str) -> Iterator[None]:
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that is getting {what}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
