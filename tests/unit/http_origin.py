"""HTTP servers that send exact bytes, and a client that fetches from them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from activities.fetched import Fetched
from activities.origin import OriginClient
from settings import Settings

Script = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """An HTTP server on loopback; `asked` holds the head of each request."""

    port: int = 0
    asked: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def target(self) -> str:
        """The target of the last request."""
        return self.asked[-1].split(b" ")[1].decode()


@asynccontextmanager
async def serving(script: Script | bytes) -> AsyncIterator[Server]:
    """A server that answers each request by a script, or with these bytes, and closes."""
    server = Server()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            server.asked.append(head)
            if isinstance(script, bytes):
                writer.write(script)
            else:
                await script(head, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away: some tests are about that
        finally:
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listening:
        server.port = listening.sockets[0].getsockname()[1]
        yield server


def reply(status: str = "200 OK", body: bytes = b"original", **headers: str | int) -> bytes:
    """A response; a header's underscores are hyphens."""
    given = {"Content-Length": len(body)} | {k.replace("_", "-"): v for k, v in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


async def fetch(url: str, into: Path, **settings: Any) -> Fetched:
    chosen = {"origin_allow": "127.0.0.0/8", "origin_timeout_s": 5, **settings}
    async with OriginClient(Settings(**chosen)) as origins:
        try:
            return await origins.fetch(url, into)
        except BaseException:
            assert not into.exists(), "what was fetched in part is removed"
            raise
