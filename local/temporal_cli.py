"""Finds the Temporal CLI, or gets it.

No package registry holds it for Linux, so it is looked for in what is cheap to ask first; the last
resort builds it once for each user of the machine.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from local.child import Process, command
from local.errors import TemporalMissing, last_lines
from local.notice import say

VERSION = "1.5.1"  # later versions carry a `replace`, and do not install with `go install`
MODULE = "github.com/temporalio/cli/cmd/temporal"
GO_PLACES = ("/usr/local/go/bin/go", "/usr/lib/go/bin/go", "/opt/homebrew/bin/go", "/snap/bin/go")
PROGRESS_S = 5.0
DOWNLOAD_STALL_S = 20.0
REMEDY = (
    f"install the Temporal CLI {VERSION} or newer so that `temporal` is on PATH, or set "
    "IIIFQ_TEMPORAL_CLI to it, or install Go, with which it is built here"
)


def temporal_cli(setting: Path | None = None) -> Path:
    """The Temporal CLI: `IIIFQ_TEMPORAL_CLI`, PATH, the cache, the SDK's download, a build by Go.

    Raises TemporalMissing, whose message gives the remedy.
    """
    if setting is not None:
        if not os.access(setting, os.X_OK):
            raise TemporalMissing(f"IIIFQ_TEMPORAL_CLI is {setting}, which is no program; {REMEDY}")
        return setting.resolve()
    if on_path := shutil.which("temporal"):
        return Path(on_path).resolve()
    kept = cache() / f"temporal-{VERSION}"
    if not kept.exists():
        _fill(kept)
    return kept


def cache() -> Path:
    """The user's folder of programs: `$XDG_CACHE_HOME/iiifq/bin`, else `~/.cache/iiifq/bin`."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "iiifq" / "bin"


def _fill(kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with _alone(kept.with_name(kept.name + ".lock")):
        if kept.exists():  # another process was faster
            return
        # Beside its place, so that the move there is atomic. A killed process may have left it.
        folder = kept.with_name(kept.name + ".part")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            got = _download(folder) or _build(folder)
            got.chmod(0o755)
            got.replace(kept)
        finally:
            shutil.rmtree(folder)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another process that is getting the Temporal CLI")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(folder: Path) -> Path | None:
    say(f"the Temporal CLI is neither on PATH nor in {cache()}; asking for the SDK's download")
    log = folder / "download.log"
    argv = (sys.executable, "-m", "local.sdk_download", str(folder), f"v{VERSION}")
    size, grown = 0, time.monotonic()

    def progress(process: Process, elapsed: float) -> None:
        nonlocal size, grown
        now = sum(file.stat().st_size for file in folder.iterdir())
        if now > size:
            size, grown = now, time.monotonic()
            say(f"downloading the Temporal CLI: {size / 1e6:.0f} MB after {elapsed:.0f} s")
        elif time.monotonic() - grown > DOWNLOAD_STALL_S:
            process.kill()

    _run(argv, {}, log, progress)
    # The SDK starts what it has downloaded; the file counts whether or not that went well.
    programs = [file for file in folder.iterdir() if os.access(file, os.X_OK)]
    if programs:
        return programs[0]
    reason = last_lines(log, 1) or ["no answer"]
    say(f"the SDK's download cannot be had ({reason[0][:200]})")
    return None


def _build(folder: Path) -> Path:
    go = shutil.which("go") or next((place for place in GO_PLACES if Path(place).exists()), None)
    if go is None:
        raise TemporalMissing(f"the Temporal CLI cannot be found, downloaded or built: {REMEDY}")
    say(f"building the Temporal CLI {VERSION} with {go}: 2 to 5 minutes, this once")
    log = folder / "build.log"

    def progress(_: Process, elapsed: float) -> None:
        doing = last_lines(log, 1) or ["starting"]
        say(f"building the Temporal CLI: {elapsed:.0f} s, {doing[0]}")

    argv = (go, "install", "-v", f"{MODULE}@v{VERSION}")
    code = _run(argv, {"GOBIN": str(folder)}, log, progress)
    if code:
        said = "\n".join(f"  {line}" for line in last_lines(log))
        raise TemporalMissing(f"the build of the Temporal CLI failed:\n{said}\n{REMEDY}")
    return folder / "temporal"


def _run(
    argv: tuple[str, ...],
    env: dict[str, str],
    log: Path,
    progress: Callable[[Process, float], None],
) -> int:
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
