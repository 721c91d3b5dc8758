"""What can go wrong with the embedded engine. The message of each is meant for the terminal.

EngineError
├── FolderInUse      another `iiifq up` holds the data folder
├── PortTaken        a port cannot be listened on
├── TemporalMissing  the Temporal CLI is nowhere, and could not be had
├── BuildFailed      Go could not build a program
└── ChildFailed      a program does not start, or does not stay up
"""

from pathlib import Path

LAST_LINES = 12


class EngineError(Exception):
    """The embedded engine cannot run; the message says why and what to do."""


class FolderInUse(EngineError):
    """Another `iiifq up` holds the data folder."""


class PortTaken(EngineError):
    """A port cannot be listened on."""


class TemporalMissing(EngineError):
    """The Temporal CLI is nowhere, and could not be had."""


class BuildFailed(EngineError):
    """Go could not build a program; quotes the end of its log."""

    def __init__(self, what: str, log: Path) -> None:
        said = "\n".join(f"  {line}" for line in last_lines(log))
        super().__init__(f"the build of {what} failed:\n{said}")


class ChildFailed(EngineError):
    """A program does not start, or does not stay up; quotes the end of its log."""

    def __init__(self, name: str, what: str, log: Path) -> None:
        lines = last_lines(log)
        quoted = "\n".join(f"  {line}" for line in lines) or "  (empty)"
        super().__init__(f"{name} {what}; the end of its log, {log}:\n{quoted}")
        self.name = name


def last_lines(log: Path, count: int = LAST_LINES) -> list[str]:
    """The last lines of a log, from at most its last 16 KiB; none if it does not exist."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 16 * 1024))
        return file.read().decode(errors="replace").splitlines()[-count:]
