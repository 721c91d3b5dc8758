"""Bodies of originals: too large, cut short and taken up again, silent, compressed."""

import asyncio
import gzip
import re
import time
import zlib
from pathlib import Path

import pytest

from activities.faults import AssetFault, OriginAway, OriginTooSlow
from tests.unit.http_origin import Script, fetch, reply, serving

pytestmark = pytest.mark.usefixtures("certificates")

BODY = bytes(range(256)) * 4000


def cut(etags: list[str], ranged: bool = True, **headers: str) -> Script:
    """Gives a third of what is left, and is cut; its ETag is the next of these each time."""
    answers = iter(etags)

    async def script(head: bytes, writer: asyncio.StreamWriter) -> None:
        etag = next(answers)
        found = re.search(rb"Range: bytes=([0-9]+)-\r\nIf-Range: (.*)\r\n", head)
        start = int(found[1]) if found and ranged and found[2].decode() == etag else 0
        left = BODY[start:]
        given: dict[str, str | int] = {"Content_Length": len(left), "ETag": etag, **headers}
        if start:
            given["Content_Range"] = f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"
        writer.write(reply("206 Partial Content" if start else "200 OK", b"", **given))
        writer.write(left if len(left) < 100_000 else left[: len(left) // 3])

    return script


async def test_a_cut_connection_is_taken_up(into: Path) -> None:
    async with serving(cut(['"a"'] * 9)) as server:
        fetched = await fetch(server.url, into)
    assert into.read_bytes() == BODY
    assert fetched.size_bytes == len(BODY)
    assert len(server.asked) == 7


async def test_what_has_changed_meanwhile_is_fetched_anew(into: Path) -> None:
    async with serving(cut(['"a"', '"b"', '"b"', *['"b"'] * 9])) as server:
        await fetch(server.url, into)
    assert into.read_bytes() == BODY
    assert b'If-Range: "b"' in server.asked[2]


@pytest.mark.parametrize(
    "script",
    [
        cut(['W/"a"'] * 9),
        cut([""] * 9),
        cut(['"a"'] * 9, Accept_Ranges="none"),
    ],
)
async def test_what_cannot_be_taken_up_is_asked_later(into: Path, script: Script) -> None:
    async with serving(script) as server:
        with pytest.raises(OriginAway, match="connection to the origin"):
            await fetch(server.url, into)
    assert len(server.asked) == 1
    assert not into.exists()


async def test_a_server_without_ranges_is_not_asked_for_ever(into: Path) -> None:
    async with serving(cut(['"a"'] * 99, ranged=False)) as server:
        with pytest.raises(OriginAway):
            await fetch(server.url, into)
    assert len(server.asked) < 30


async def test_too_large_by_its_header(into: Path) -> None:
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n") as server:
        with pytest.raises(AssetFault, match="larger than 1,000 bytes"):
            await fetch(server.url, into, origin_max_bytes=1000)


async def test_too_large_as_it_comes(into: Path) -> None:
    async def endless(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(bytes(65536))
            await writer.drain()

    async with serving(endless) as server:
        with pytest.raises(AssetFault, match="larger than 100,000 bytes"):
            await fetch(server.url, into, origin_max_bytes=100_000)


async def test_as_large_as_allowed(into: Path) -> None:
    async with serving(reply(body=bytes(1000))) as server:
        assert (await fetch(server.url, into, origin_max_bytes=1000)).size_bytes == 1000


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_an_empty_file(into: Path, encoding: str) -> None:
    body = gzip.compress(b"") if encoding == "gzip" else b""
    async with serving(reply(body=body, Content_Encoding=encoding)) as server:
        with pytest.raises(AssetFault, match="empty"):
            await fetch(server.url, into)


@pytest.mark.parametrize(
    "cut",
    [
        reply(Content_Length=100),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\noriginal\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\norig",
        reply(body=gzip.compress(bytes(range(250)))[:-9], Content_Encoding="gzip"),
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"",
    ],
)
async def test_an_answer_cut_short(into: Path, cut: bytes) -> None:
    async with serving(cut) as server:
        with pytest.raises(OriginAway, match="connection"):
            await fetch(server.url, into)


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-OpenSSH_9.2\r\n\r\n", reply(Content_Length="many"), bytes(200_000)]
)
async def test_what_is_not_http(into: Path, answer: bytes) -> None:
    async with serving(answer) as server:
        with pytest.raises(OriginAway, match="connection"):
            await fetch(server.url, into)


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n\r\n", reply(Content_Length=100)])
async def test_a_silent_server(into: Path, start: bytes) -> None:
    async def silent(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        await asyncio.sleep(30)

    async with serving(silent) as server:
        started = time.monotonic()
        with pytest.raises(OriginAway, match="in time"):
            await fetch(server.url, into, origin_timeout_s=0.2)
        assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("start", "words"), [(b"", "in time"), (b"HTTP/1.1 200 OK\r\n\r\n", "too slowly")]
)
async def test_a_server_that_drips(into: Path, start: bytes, words: str) -> None:
    async def drips(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        for byte in b"HTTP/1.1 200 OK\r\nX: " + bytes(1000):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.05)

    async with serving(drips) as server:
        with pytest.raises(OriginAway, match=words):
            await fetch(server.url, into, origin_timeout_s=0.5, origin_min_rate_window_s=0.5)


@pytest.mark.parametrize("settings", [{"origin_min_rate_window_s": 0.5}, {"origin_max_s": 0.5}])
async def test_an_origin_that_slows_down(into: Path, settings: dict[str, float]) -> None:
    async def slows_down(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(1_000_000))
        for _number in range(100):
            writer.write(bytes(10))
            await writer.drain()
            await asyncio.sleep(0.05)

    async with serving(slows_down) as server:
        with pytest.raises(OriginTooSlow, match=r"The origin 127\.0\.0\.1 sends too slowly"):
            await fetch(server.url, into, **settings)


async def test_a_resumed_original_has_the_same_time(into: Path) -> None:
    """Each connection is shorter than an original may take, and all of them together are not."""

    async def in_pieces(head: bytes, writer: asyncio.StreamWriter) -> None:
        found = re.search(rb"Range: bytes=([0-9]+)-", head)
        start = int(found[1]) if found else 0
        given: dict[str, str | int] = {"ETag": '"a"', "Content_Length": len(BODY) - start}
        if start:
            given["Content_Range"] = f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"
        writer.write(reply("206 Partial Content" if start else "200 OK", b"", **given))
        for number in range(4):
            await asyncio.sleep(0.1)
            at = start + 1000 * number
            writer.write(BODY[at : at + 1000])
            await writer.drain()

    async with serving(in_pieces) as server:
        with pytest.raises(OriginTooSlow):
            await fetch(server.url, into, origin_max_s=1.0)
    assert 2 <= len(server.asked) <= 4


async def test_a_cancelled_fetch_leaves_nothing(into: Path) -> None:
    received = asyncio.Event()

    async def half(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(Content_Length=100))
        await asyncio.sleep(0.1)
        received.set()
        await asyncio.sleep(30)

    async with serving(half) as server:
        fetching = asyncio.create_task(fetch(server.url, into))
        await received.wait()
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
    assert not into.exists()


PICTURE = bytes(range(256)) * 40_000


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(PICTURE)),
        ("GZip", gzip.compress(PICTURE[:100]) + gzip.compress(PICTURE[100:])),
        ("x-gzip", gzip.compress(PICTURE)),
        ("deflate", zlib.compress(PICTURE)),
        ("identity", PICTURE),
    ],
)
async def test_a_compressed_body_is_unpacked(into: Path, encoding: str, body: bytes) -> None:
    async with serving(reply(body=body, Content_Encoding=encoding)) as server:
        fetched = await fetch(server.url, into)
    assert b"Accept-Encoding: identity" in server.asked[0]
    assert fetched.size_bytes == len(PICTURE)
    assert into.read_bytes() == PICTURE


@pytest.mark.parametrize("size", [2**20 - 1, 2**20, 2**20 + 1, 2**21, 3 * 2**20])
async def test_no_byte_is_left_behind_in_unpacking(into: Path, size: int) -> None:
    body = gzip.compress(bytes(size))
    async with serving(reply(body=body, Content_Encoding="gzip")) as server:
        assert (await fetch(server.url, into)).size_bytes == size


async def test_a_bomb_is_too_large(into: Path) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    async with serving(reply(body=bomb, Content_Encoding="gzip")) as server:
        with pytest.raises(AssetFault, match="larger than 1,000,000 bytes"):
            await fetch(server.url, into, origin_max_bytes=1_000_000)


@pytest.mark.parametrize(
    ("encoding", "words"), [("br", "encoding"), ("gzip, gzip", "encoding"), ("gzip", "damaged")]
)
async def test_a_body_that_cannot_be_unpacked(into: Path, encoding: str, words: str) -> None:
    async with serving(reply(Content_Encoding=encoding)) as server:
        with pytest.raises(AssetFault, match=words):
            await fetch(server.url, into)
