"""TCP ports: choosing free ones, and finding out early that one is taken."""

import secrets
import socket
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass

from local.errors import PortTaken

# Below what Linux gives to outgoing connections (32768 and up), so that none of those sits on a
# chosen port when a child is restarted on it.
CHOICE = range(20_000, 32_000)


@dataclass(frozen=True)
class Wish:
    """A port that somebody asked for (0: any), and the option that changes it."""

    host: str
    port: int
    option: str


def claim(wishes: Iterable[Wish]) -> list[int]:
    """The ports to use, in order: those asked for, and free ones for 0.

    Raises PortTaken, which names the port and its option.
    """
    with ExitStack() as stack:
        sockets = [stack.enter_context(_listen(wish)) for wish in wishes]
        return [listener.getsockname()[1] for listener in sockets]


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    return claim([Wish("127.0.0.1", 0, "")])[0]


def _listen(wish: Wish) -> socket.socket:
    if wish.port:
        try:
            return _bound(wish.host, wish.port)
        except OSError as error:
            message = (
                f"port {wish.port} of {wish.host} cannot be used ({error.strerror}); "
                f"choose another with {wish.option}, 0 for any that is free"
            )
            raise PortTaken(message) from error
    for _ in range(100):
        try:
            return _bound(wish.host, secrets.choice(CHOICE))
        except OSError as error:
            reason = error.strerror
    raise PortTaken(f"no free port found on {wish.host} ({reason}) for {wish.option}")


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        # As servers do: a connection of the last run that lingers does not count as taken.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener
