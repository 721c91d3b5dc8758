"""The services `front` and `image-server` of docker-compose.yml, as processes of this machine."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from local.child import Child
from local.engine import running
from local.health import http_answers
from local.ports import free_port
from tests import compose
from tests.debian import Extracted, extracted

DOCKER = compose.PATH.parent / "docker"
SERVICES = compose.services(compose.GIVEN)


def front_programs() -> Extracted:
    """nginx, IIPImage and what their health checks ask with; got at their first use."""
    names = ("iipimage-server", "libfcgi-bin", "nginx", "libnginx-mod-http-js")
    return extracted("image-server", *names)


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


@contextmanager
def image_server(pictures: Path, folder: Path) -> Iterator[str]:
    """The service `image-server` over a folder; gives its address."""
    service = SERVICES["image-server"]
    debian, port = front_programs(), free_port()
    here = {"FILESYSTEM_PREFIX": f"{pictures}/", "LOGFILE": str(folder / "iipsrv.log")}
    child = Child(
        name="iipsrv",
        argv=(
            debian.program("usr/lib/iipimage-server/iipsrv.fcgi"),
            *(word.replace(":9000", f"127.0.0.1:{port}") for word in service["command"]),
        ),
        env={**debian.env, **service["environment"], **here},
        log=folder / "iipsrv.out",
        alive=lambda: _accepts(port),
    )
    with running(child):
        yield f"127.0.0.1:{port}"


@contextmanager
def front(pictures: Path, folder: Path, api_url: str, address: str) -> Iterator[str]:
    """The service `front` with the addresses and the folders of here; gives its URL."""
    debian, port, health = front_programs(), free_port(), f"127.0.0.1:{free_port()}"
    folder.mkdir()
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    kept = "".join(f" {kind}_temp_path {folder / kind};" for kind in kinds)
    said = (DOCKER / "front.conf").read_text()
    for there, here in {
        "user nginx;": "user root;",
        " modules/": f" {debian.program('usr/lib/nginx/modules')}/",
        "/etc/nginx/front.js": str(DOCKER / "front.js"),
        "http {\n": f"http {{{kept}\n",
        "listen 8000;": f"listen 127.0.0.1:{port};",
        "listen 127.0.0.1:8001;": f"listen {health};",
        "api:8000": urlsplit(api_url).netloc,
        "image-server:9000": address,
        "/data/iiifq/iiif-img/": f"{pictures}/",
    }.items():
        assert said.count(there) == 1, there
        said = said.replace(there, here)
    (folder / "nginx.conf").write_text(said)
    url = f"http://127.0.0.1:{port}"
    child = Child(
        name="nginx",
        argv=(
            *(debian.program("usr/sbin/nginx"), "-p", str(folder), "-e", str(folder / "error.log")),
            *("-c", str(folder / "nginx.conf"), "-g", f"daemon off; pid {folder}/nginx.pid;"),
        ),
        env={**debian.env, **SERVICES["front"]["environment"], "IIIFQ_PUBLIC_URL": url},
        log=folder / "nginx.out",
        alive=lambda: http_answers(f"http://{health}/"),
    )
    with running(child):
        yield url


def is_healthy(address: str) -> bool:
    """What the health check of `image-server` says of the one at an address."""
    _, check = SERVICES["image-server"]["healthcheck"]["test"]
    debian = front_programs()
    path = {"PATH": f"{debian.program('usr/bin')}:{os.environ['PATH']}"}
    told = ("sh", "-c", check.replace("127.0.0.1:9000", address))
    return subprocess.run(told, check=False, env={**debian.env, **path}).returncode == 0
