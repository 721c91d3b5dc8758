"""systemd's notify protocol: tells a supervisor that the event loop still turns."""

import asyncio
import os
import socket

BEAT_S = 2.0


def notify(message: str) -> None:
    """Sends a message such as `READY=1` to the socket in NOTIFY_SOCKET, if there is one."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.setblocking(False)
        try:
            channel.sendto(message.encode(), address)
        except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
            # The supervisor is gone or behind: it learns of us by the next message.
            return


async def beat() -> None:
    """`WATCHDOG=1` every two seconds, for ever."""
    notify("READY=1")
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(BEAT_S)
