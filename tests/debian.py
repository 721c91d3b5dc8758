"""Programs of Debian, extracted into the user's cache and not installed: that would start some."""

import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.child import Process
from local.errors import BuildFailed, last_lines
from local.notice import say
from local.programs import kept, run

DOWNLOAD: tuple[str, ...] = ("apt-get", "install", "--download-only", "--no-install-recommends")
# What is installed is wanted here too, though what it depends on is not.
DOWNLOAD += ("--reinstall", "--yes")
OPTIONS: tuple[str, ...] = ("-o", "DPkg::Lock::Timeout=300", "-o", "APT::Sandbox::User=root")
QUIET = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}


@dataclass(frozen=True)
class Extracted:
    """A folder with a part of `/` below it, and what a program of it needs in its environment."""

    folder: Path
    env: Mapping[str, str]

    def program(self, path: str) -> str:
        """Where the program is that would be installed at `/path`."""
        return str(self.folder / path)


def extracted(name: str, *packages: str) -> Extracted:
    """Packages, such as `nginx` or `nginx=1.22.1-9`, and what they need and the machine lacks.

    Got at the first use of `name`, and kept under it. The test is skipped where apt-get is not, or
    is not allowed. Raises BuildFailed.
    """

    def get(folder: Path) -> Path:
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            pytest.skip(f"{name} is not in the cache, and only root of a Debian could get it")
        return _extract(name, packages, folder)

    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    root = kept(f"debian-{release}-{name}", name, get)
    libraries = [*root.glob("lib/*-linux-gnu*"), *root.glob("usr/lib/*-linux-gnu*")]
    return Extracted(root, {"LD_LIBRARY_PATH": ":".join(str(each) for each in libraries)})


def _extract(name: str, packages: tuple[str, ...], folder: Path) -> Path:
    archives, root, log = folder / "archives", folder / "root", folder / "apt.log"
    download = (*DOWNLOAD, *OPTIONS, "-o", f"Dir::Cache::archives={archives}", *packages)

    def progress(_: Process, elapsed: float) -> None:
        say(f"getting {name}: {elapsed:.0f} s, {(last_lines(log, 1) or ['starting'])[0]}")

    (archives / "partial").mkdir(parents=True)
    # Without lists, or with old ones, it knows of no such package: then they are fetched.
    if run(download, QUIET, log, progress) and (
        run(("apt-get", "update", *OPTIONS), QUIET, log, progress)
        or run(download, QUIET, log, progress)
    ):
        raise BuildFailed(name, log)
    root.mkdir()
    for archive in sorted(archives.glob("*.deb")):
        if run(("dpkg", "-x", str(archive), str(root)), QUIET, log, progress):
            raise BuildFailed(name, log)
    return root
