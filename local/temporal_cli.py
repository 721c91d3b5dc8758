"""Finds the Temporal CLI, or gets it.

No package registry holds it for Linux, so it is looked for in what is cheap to ask first; the last
resort builds it once for each user of the machine.
"""

import os
import shutil
import sys
import time
from pathlib import Path

from local.child import Process
from local.errors import BuildFailed, TemporalMissing, last_lines
from local.notice import say
from local.programs import cache, go_install, go_program, kept, run

VERSION = "1.5.1"  # later versions carry a `replace`, and do not install with `go install`
MODULE = "github.com/temporalio/cli/cmd/temporal"
WHAT = "the Temporal CLI"
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
    return kept(f"temporal-{VERSION}", WHAT, lambda folder: _download(folder) or _build(folder))


def _download(folder: Path) -> Path | None:
    say(f"{WHAT} is neither on PATH nor in {cache()}; asking for the SDK's download")
    log = folder / "download.log"
    argv = (sys.executable, "-m", "local.sdk_download", str(folder), f"v{VERSION}")
    size, grown = 0, time.monotonic()

    def progress(process: Process, elapsed: float) -> None:
        nonlocal size, grown
        now = sum(file.stat().st_size for file in folder.iterdir())
        if now > size:
            size, grown = now, time.monotonic()
            say(f"downloading {WHAT}: {size / 1e6:.0f} MB after {elapsed:.0f} s")
        elif time.monotonic() - grown > DOWNLOAD_STALL_S:
            process.kill()

    run(argv, {}, log, progress)
    # The SDK starts what it has downloaded; the file counts whether or not that went well.
    programs = [file for file in folder.iterdir() if os.access(file, os.X_OK)]
    if programs:
        return programs[0]
    reason = last_lines(log, 1) or ["no answer"]
    say(f"the SDK's download cannot be had ({reason[0][:200]})")
    return None


def _build(folder: Path) -> Path:
    go = go_program()
    if go is None:
        raise TemporalMissing(f"{WHAT} cannot be found, downloaded or built: {REMEDY}")
    say(f"building {WHAT} {VERSION} with {go}: 2 to 5 minutes, this once")
    try:
        return go_install(go, f"{MODULE}@v{VERSION}", WHAT, folder)
    except BuildFailed as failed:
        raise TemporalMissing(f"{failed}\n{REMEDY}") from failed
