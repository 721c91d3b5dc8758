"""A child's signs of life, by systemd's notify protocol.

The child finds a Unix datagram socket's path in NOTIFY_SOCKET, sends `READY=1` to it when it works,
and `WATCHDOG=1` every few seconds from then on, from its event loop: what hangs falls silent.
"""

import asyncio
import socket
from contextlib import suppress
from pathlib import Path

TIMEOUT_S = 5
SIGNS = {b"READY=1", b"WATCHDOG=1"}


class Watchdog:
    """Hears one child, by a socket at `path`; each start of the child begins with `listen`."""

    def __init__(self, path: Path) -> None:
        self.env = {"NOTIFY_SOCKET": str(path)}
        self._path = path
        self._socket = _datagrams()

    def listen(self) -> None:
        """Listens anew, so that what a child of before sent is not heard."""
        self._socket.close()
        self._path.unlink(missing_ok=True)
        self._socket = _datagrams()
        self._socket.bind(str(self._path))

    async def alive(self) -> bool:
        """Whether a sign of life came, waiting for one for some seconds."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                while not SIGNS & set((await loop.sock_recv(self._socket, 4096)).splitlines()):
                    pass
        except TimeoutError:
            return False
        self._forget()
        return True

    def close(self) -> None:
        """Stops listening."""
        self._socket.close()

    def _forget(self) -> None:
        with suppress(BlockingIOError):
            while True:
                self._socket.recv(4096)


def _datagrams() -> socket.socket:
    datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    datagrams.setblocking(False)
    return datagrams
