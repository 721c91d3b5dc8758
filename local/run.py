"""The data folder's `run.json`, and the lock that makes one `iiifq up` its owner."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from local.errors import EngineError, FolderInUse

PARTS = frozenset({"postgres", "temporal", "worker", "api"})
KILL_S = 5.0
SAME_START_S = 1.0


@dataclass(frozen=True)
class Addresses:
    """Where the parts of a running stack are."""

    api_url: str
    ui_url: str
    temporal_address: str
    temporal_namespace: str
    database_url: str


@dataclass(frozen=True)
class Run(Addresses):
    """A running stack, as `run.json` holds it: addresses, and the id of each process.

    `started` gives when each process began, in seconds since 1970: an id that begins at another
    time has been given to another program.
    """

    supervisor: int
    postgres: int
    temporal: int
    worker: int
    api: int
    started: dict[str, float]


def read_run(data: Path) -> Run | None:
    """The stack that runs in the folder, or did until it was killed; None if it was stopped."""
    try:
        found = json.loads((data / "run.json").read_text())
        return Run(**{field.name: found[field.name] for field in fields(Run)})
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError(f"{data / 'run.json'} is not readable ({error!r}); remove it") from error


def write_run(data: Path, addresses: Addresses, pids: Mapping[str, int]) -> Run:
    """Replaces `run.json` in one step, readable by its owner alone."""
    processes = {**pids, "supervisor": os.getpid()}
    started = {name: began for name, pid in processes.items() if (began := _began(pid))}
    content: dict[str, object] = {**asdict(addresses), **processes, "started": started}
    new = data / "run.json.new"
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, indent=2)
        file.flush()
        os.fsync(file.fileno())  # a power cut must not leave an empty file behind
    new.replace(data / "run.json")
    return Run(**content)  # type: ignore[arg-type]


def remove_run(data: Path) -> None:
    """Removes `run.json`, at an orderly stop."""
    (data / "run.json").unlink(missing_ok=True)


@contextmanager
def own(data: Path) -> Iterator[None]:
    """Owns the data folder while it lasts; ends first what a killed owner left running.

    Raises FolderInUse, which names the owner.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            message = f"{data} is in use by `iiifq up`, process {file.read().strip()}"
            raise FolderInUse(message) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        _end_leftovers(data)
        yield


def _end_leftovers(data: Path) -> None:
    run = read_run(data)
    if run is None:
        return
    # All of these take a SIGKILL without loss. Postgres ends its own, see local.postgres.clear.
    pids = {"api": run.api, "worker": run.worker, "temporal": run.temporal}
    for name, pid in pids.items():
        if _same(pid, run.started.get(name)):
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                process.kill()
                process.wait(KILL_S)
    remove_run(data)


def _same(pid: int, started: float | None) -> bool:
    began = _began(pid)
    return bool(started and began and abs(began - started) < SAME_START_S)


def _began(pid: int) -> float | None:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None
