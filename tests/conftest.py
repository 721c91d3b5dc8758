"""What tests share: one stack for a session, an origin over HTTP, and pictures."""

import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.stack import Customer, Stack, running_stack

SAMPLES = Path(__file__).parent.parent / "cli" / "samples"


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
        return


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A worker that was killed leaves its connection: that is what some tests are about."""


@dataclass(frozen=True)
class Origin:
    """An HTTP server on loopback that gives the files of a folder."""

    url: str
    folder: Path

    def picture(self, name: str = "rocket.jpg") -> str:
        """The URL of a sample picture."""
        return f"{self.url}/{name}"

    def file(self, name: str, content: bytes) -> str:
        """The URL of a file with this content."""
        (self.folder / name).write_bytes(content)
        return f"{self.url}/{name}"


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    """An origin with the sample pictures."""
    folder = tmp_path_factory.mktemp("origin")
    for sample in SAMPLES.glob("*.[jp][pn]g"):
        shutil.copy(sample, folder)
    server = _Server(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Origin(f"http://127.0.0.1:{server.server_address[1]}", folder)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One running stack for the session; tests make customers of their own."""
    with running_stack(tmp_path_factory.mktemp("stack") / "data") as running:
        yield running


@pytest.fixture
def customer(stack: Stack) -> Customer:
    """A customer that no other test has."""
    return stack.customer()
