"""`iiifq up`: Postgres, Temporal, worker and API as one stack in a data folder."""

import asyncio
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from local.child import Child, run_once
from local.errors import EngineError
from local.health import http_answers
from local.notice import say
from local.ports import Wish, claim
from local.postgres import database_url, postgres, socket_folder
from local.run import Addresses, Run, own
from local.stack import run_stack
from local.supervisor import Limits, Supervisor
from local.temporal import HOST, temporal
from local.temporal_cli import temporal_cli
from local.watchdog import Watchdog
from sealed import new_key
from settings import Settings

Argv = tuple[str, ...]

# -P: packages in the folder a person stands in must not take the place of ours.
IIIFQ = (sys.executable, "-P", "-m", "cli.main")
ALL_INTERFACES = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what to call them by


def up(
    data: Path,
    settings: Settings,
    ready: Callable[[Run], None],
    *,
    host: str = HOST,
    port: int = 8000,
    temporal_port: int = 7233,
    ui_port: int = 8233,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    program: Argv = IIIFQ,
) -> int:
    """Runs the stack until a signal stops it; port 0 is any that is free.

    `ready` is called once, in a thread, when all parts have answered. `program` is what runs as
    `migrate`, `api` and `worker`. Returns the exit code, having said on stderr why it is 1: a
    folder in use, a port taken, no Temporal, a part that fails.
    """
    data = data.expanduser().resolve()
    wishes = (
        Wish(host, port, "--port"),
        Wish(HOST, temporal_port, "--temporal-port"),
        Wish(HOST, ui_port, "--ui-port"),
    )
    try:
        with own(data), closing(Watchdog(socket_folder(data) / "worker.notify")) as watchdog:
            port, temporal_port, ui_port = claim(wishes)
            namespace = settings.temporal_namespace
            addresses = Addresses(
                api_url=_api_url(host, port),
                ui_url=f"http://{HOST}:{ui_port}",
                temporal_address=f"{HOST}:{temporal_port}",
                temporal_namespace=namespace,
                database_url=database_url(data),
            )
            env = environment(data, settings, addresses)
            cli = temporal_cli(settings.temporal_cli)
            parts = _Parts(
                postgres=postgres(data),
                temporal=temporal(data, cli, temporal_port, ui_port, namespace),
                worker=_worker(data, program, env, watchdog),
                api=_api(data, program, env, host, port),
            )
            migrate = partial(_migrate, data, program, env)
            asyncio.run(run_stack(data, addresses, partial(_start, parts, migrate), ready, limits))
    except (EngineError, OSError) as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:  # before there was a stack to stop
        return 130
    return 0


@dataclass(frozen=True)
class _Parts:
    postgres: Child
    temporal: Child
    worker: Child
    api: Child


async def _start(parts: _Parts, migrate: Callable[[], None], supervisor: Supervisor) -> None:
    await supervisor.start(parts.postgres)
    await asyncio.to_thread(migrate)
    await supervisor.start(parts.temporal)
    await supervisor.start(parts.worker, parts.api)  # to be stopped the other way round


def _migrate(data: Path, program: Argv, env: Mapping[str, str]) -> None:
    run_once("migrate", (*program, "migrate"), data / "logs" / "migrate.log", env=env)


def environment(data: Path, settings: Settings, addresses: Addresses) -> dict[str, str]:
    """What tells our own programs where they are; storage and scratch as set, else in `data`."""
    told = settings.model_fields_set
    storage = settings.storage_url if "storage_url" in told else (data / "storage").as_uri()
    scratch = settings.scratch_folder or data / "scratch"
    return {
        "IIIFQ_DATABASE_URL": addresses.database_url,
        "IIIFQ_TEMPORAL_ADDRESS": addresses.temporal_address,
        "IIIFQ_TEMPORAL_NAMESPACE": addresses.temporal_namespace,
        "IIIFQ_TEMPORAL_UI_URL": addresses.ui_url,
        "IIIFQ_STORAGE_URL": storage,
        "IIIFQ_SCRATCH_FOLDER": str(scratch),
        "IIIFQ_SECRET_KEYS": ",".join(settings.secret_keys or [_kept_key(data)]),
    }


def _kept_key(data: Path) -> str:
    """The key that seals credentials of origins, made at the first start."""
    path = data / "secret.key"
    if not path.exists():
        new = path.with_name(f"{path.name}.new")  # moved whole: half a key would stop every start
        new.touch(mode=0o600)
        new.write_text(f"{new_key()}\n", encoding="ascii")
        new.replace(path)
    return path.read_text(encoding="ascii").strip()


def _api(data: Path, program: Argv, env: Mapping[str, str], host: str, port: int) -> Child:
    health = f"{_api_url(host, port)}/health/live"
    return Child(
        name="api",
        argv=(*program, "api", "--host", host, "--port", str(port)),
        env=env,
        log=data / "logs" / "api.log",
        alive=lambda: http_answers(health),
        grace=1.5,
    )


def _worker(data: Path, program: Argv, env: Mapping[str, str], watchdog: Watchdog) -> Child:
    return Child(
        name="worker",
        argv=(*program, "worker"),
        env={**env, **watchdog.env},
        log=data / "logs" / "worker.log",
        alive=watchdog.alive,
        before=watchdog.listen,
        grace=3.0,
    )


def _api_url(host: str, port: int) -> str:
    host = ALL_INTERFACES.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
