"""An origin that closes, hangs or trickles: what others must not wait for."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.conftest import SAMPLES
from tests.stack import Json

TRICKLE_BYTES = 120
"""Sent by `/trickle…` every tenth of a second."""


@dataclass
class BadOrigin:
    """An origin: of `/closed…` it says 503 while `is_closed`, of `/hang…` nothing until let go, of
    `/trickle…` little at a time until let go; of all else it gives a picture."""

    url: str = ""
    is_closed: bool = True
    retry_after_s: int = 20
    asked: Counter[str] = field(default_factory=Counter)
    let_go: threading.Event = field(default_factory=threading.Event)

    def members(self, path: str, count: int) -> list[Json]:
        """Assets whose originals are below `path`."""
        return [
            {
                "id": f"{path}-{number}",
                "space": 1,
                "origin": f"{self.url}/{path}/{number}",
                "mediaType": "image/jpeg",
                "deliveryChannels": ["thumbs"],
            }
            for number in range(count)
        ]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """What is cancelled hangs up."""


@contextmanager
def bad_origin() -> Iterator[BadOrigin]:
    """One on loopback for as long as the `with` lasts."""
    bad = BadOrigin()
    body = (SAMPLES / "rocket.jpg").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind = self.path.split("/")[1]
            bad.asked[kind] += 1
            if kind == "hang":
                bad.let_go.wait(120)
            is_closed = kind == "closed" and bad.is_closed
            self.send_response(503 if is_closed else 200)
            if is_closed:
                self.send_header("Retry-After", str(bad.retry_after_s))
            self.send_header("Content-Length", "0" if is_closed else str(len(body)))
            self.end_headers()
            if kind == "trickle":
                self.trickle()
            elif not is_closed:
                self.wfile.write(body)

        def trickle(self) -> None:
            for start in range(0, len(body), TRICKLE_BYTES):
                self.wfile.write(body[start : start + TRICKLE_BYTES])
                if not bad.let_go.is_set():
                    time.sleep(0.1)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            return

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    bad.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield bad
    finally:
        bad.let_go.set()
        server.shutdown()
        server.server_close()
        thread.join()
