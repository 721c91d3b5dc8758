"""What tests of hostile files share: how what they cost is measured, and files of many zeros."""

import socket
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

MIB = 1024 * 1024
MOST_SECONDS = 30
MOST_MEMORY = 700 * MIB
MOST_DISK = 64 * MIB
SECRET = "the secret of this machine"


@contextmanager
def listener() -> Iterator[str]:
    """The URL of a server on loopback, to which no connection may be tried."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(BlockingIOError):
            server.accept()  # one that was tried would wait to be accepted


def processes(word: str) -> list[psutil.Process]:
    """The child processes that have a word in their command."""
    found = []
    for child in psutil.Process().children():
        try:
            if any(word in each for each in child.cmdline()):
                found.append(child)
        except psutil.NoSuchProcess:
            continue  # it has ended since
    return found


def peak_memory(word: str) -> int:
    """The most that a process with a word in its command has had until now, in bytes (Linux)."""
    peaks = [0]
    for child in processes(word):
        try:
            status = Path(f"/proc/{child.pid}/status").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended since
        peaks += [int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM")]
    return max(peaks)


def kept(folder: Path) -> list[Path]:
    """What is in a job's folder besides the original."""
    return [path for path in folder.iterdir() if path.name != "original"]


def disk_used(folder: Path) -> int:
    """Bytes of what was kept."""
    return sum(path.stat().st_size for path in kept(folder))


def png(width: int, height: int, data: bytes, *extra: tuple[bytes, bytes], bits: int = 8) -> bytes:
    """A grey PNG whose header and contents need not agree."""
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), *extra, (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def zeros(count: int) -> bytes:
    """That many zeros, deflated."""
    packer = zlib.compressobj(9)
    block = bytes(MIB)
    parts = [packer.compress(block) for _ in range(count // MIB)]
    return b"".join((*parts, packer.compress(bytes(count % MIB)), packer.flush()))
