"""Fetching originals, against a real server on loopback that sends exact bytes."""

import asyncio
import email.utils
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest

from activities.addresses import permitted
from activities.faults import AssetFault, OriginAway
from activities.origin import OriginClient
from settings import Settings

Answer = Callable[[str], bytes | None]


def answer(status: str = "200 OK", body: bytes = b"original", *headers: str) -> bytes:
    """One HTTP response, with the length of its body."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def origin(respond: Answer) -> AsyncIterator[str]:
    """A server whose answer to a path is what `respond` gives; after None it stays silent."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        said = respond(request.split()[1].decode())
        if said is None:
            await reader.read()
        else:
            writer.write(said)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def client(**settings: object) -> OriginClient:
    return OriginClient(
        Settings.model_validate(
            {"origin_allow": "127.0.0.0/8", "origin_timeout_s": 0.4, **settings}
        )
    )


async def fetched(respond: Answer, into: Path, path: str = "/a.jpg", **settings: object) -> bytes:
    async with origin(respond) as url, client(**settings) as origins:
        found = await origins.fetch(url + path, into / "original")
    assert found.size_bytes == (into / "original").stat().st_size
    return (into / "original").read_bytes()


async def test_an_original_is_fetched(tmp_path: Path) -> None:
    body = bytes(range(256)) * 8000
    assert await fetched(lambda _: answer("200 OK", body), tmp_path) == body


@pytest.mark.parametrize(
    "status", ["404 Not Found", "403 Forbidden", "410 Gone", "401 Unauthorized"]
)
async def test_a_refusal_is_the_assets_fault(tmp_path: Path, status: str) -> None:
    with pytest.raises(AssetFault, match=f"answered {status}"):
        await fetched(lambda _: answer(status), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [("7", 7), (email.utils.formatdate(time.time() + 60, usegmt=True), 60), ("soon", None)],
)
async def test_a_failing_origin_is_tried_again(
    tmp_path: Path, retry_after: str, seconds: float | None
) -> None:
    for status in ("503 Service Unavailable", "429 Too Many Requests"):
        with pytest.raises(OriginAway, match=status) as away:
            await fetched(
                lambda _, s=status: answer(s, b"", f"Retry-After: {retry_after}"),  # type: ignore[misc]
                tmp_path,
            )
        if seconds is None:
            assert away.value.retry_after_s is None
        else:
            assert away.value.retry_after_s == pytest.approx(seconds, abs=5)


async def test_redirects_are_followed_five_times(tmp_path: Path) -> None:
    def respond(path: str) -> bytes:
        left = int(path[1:])
        return answer("302 Found", b"", f"Location: /{left - 1}") if left else answer()

    assert await fetched(respond, tmp_path, "/5") == b"original"
    with pytest.raises(AssetFault, match="more than 5 times"):
        await fetched(respond, tmp_path, "/6")


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://10.1.2.3/a", "private network"),
        ("http://169.254.169.254/latest/meta-data", "private network"),
        ("http://[::1]/a", "private network"),
        ("file:///etc/passwd", "http or https"),
        ("gopher://127.0.0.1/a", "http or https"),
    ],
)
async def test_each_redirect_is_checked(tmp_path: Path, location: str, words: str) -> None:
    redirect = answer("301 Moved Permanently", b"", f"Location: {location}")
    with pytest.raises(AssetFault, match=words):
        await fetched(lambda _: redirect, tmp_path)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "169.254.169.254",
        "192.168.1.1",
        "100.64.0.1",
        "[fe80::1]",
        "[fd00::1]",
    ],
)
async def test_private_addresses_are_refused_in_every_spelling(tmp_path: Path, host: str) -> None:
    async with client(origin_allow="") as origins:
        with pytest.raises(AssetFault, match="private network"):
            await origins.fetch(f"http://{host}/a.jpg", tmp_path / "original")


def test_what_is_permitted() -> None:
    for public in ("8.8.8.8", "2001:4860:4860::8888"):
        assert permitted(ip_address(public), [])
    for private in (
        "10.0.0.1",
        "::ffff:10.0.0.1",
        "2002:0a00:0001::",
        "64:ff9b::a00:1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "::",
    ):
        assert not permitted(ip_address(private), []), private


async def test_an_origin_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    async with client() as origins:
        with pytest.raises(OriginAway, match="could not be found"):
            await origins.fetch("http://no-such-host.invalid/a.jpg", tmp_path / "original")
        with pytest.raises(OriginAway, match="failed"):
            await origins.fetch("http://127.0.0.1:1/a.jpg", tmp_path / "original")


async def test_what_is_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssetFault, match="larger than 100 bytes"):
        await fetched(lambda _: answer("200 OK", b"x" * 101), tmp_path, origin_max_bytes=100)
    endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 300_000
    with pytest.raises(AssetFault, match="larger than 1,000 bytes"):
        await fetched(lambda _: endless, tmp_path, origin_max_bytes=1000)
    assert not list(tmp_path.iterdir())


async def test_an_empty_file_is_the_assets_fault(tmp_path: Path) -> None:
    with pytest.raises(AssetFault, match="empty"):
        await fetched(lambda _: answer("200 OK", b""), tmp_path)


@pytest.mark.parametrize(
    "cut",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        b"HTTP/1.1 200 O",
        b"nonsense\r\n\r\n",
    ],
)
async def test_an_answer_that_is_cut_short_is_tried_again(tmp_path: Path, cut: bytes) -> None:
    with pytest.raises(OriginAway, match="failed"):
        await fetched(lambda _: cut, tmp_path)
    assert not list(tmp_path.iterdir())


async def test_a_silent_origin_is_tried_again(tmp_path: Path) -> None:
    with pytest.raises(OriginAway, match="did not answer in time"):
        await fetched(lambda _: None, tmp_path)


async def test_a_body_that_drips_is_given_up(tmp_path: Path) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            writer.write(b"x")
            await asyncio.sleep(0.05)
        writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server, client() as origins:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/a"
        with pytest.raises(OriginAway, match="too slowly"):
            await origins.fetch(url, tmp_path / "original")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://example.org/a", "http or https"),
        ("http://", "not a URL"),
        ("http://example.org:99999/a", "not a URL"),
        ("http://example.org:x/a", "not a URL"),
        ("http://user:secret@example.org/a", "credentials"),
        ("http://exa\nmple.org/", "not a URL"),
        ("http://example.org/" + "a" * 9000, "not a URL"),
        ("a.jpg", "http or https"),
        ("http://[::1/a", "not a URL"),
    ],
)
async def test_what_is_no_url_is_the_assets_fault(tmp_path: Path, url: str, words: str) -> None:
    async with client() as origins:
        with pytest.raises(AssetFault, match=words):
            await origins.fetch(url, tmp_path / "original")


async def test_addresses_as_people_write_them(tmp_path: Path) -> None:
    asked: list[str] = []

    def respond(path: str) -> bytes:
        asked.append(path)
        return answer()

    await fetched(respond, tmp_path, "/Bücher/Seite 1.jpg?größe=ä%20b")
    assert asked == ["/B%C3%BCcher/Seite%201.jpg?gr%C3%B6%C3%9Fe=%C3%A4%20b"]


async def test_files_are_read_inside_the_roots_alone(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a b.jpg").write_bytes(b"original")
    (tmp_path / "secret").write_bytes(b"secret")
    (root / "link").symlink_to(tmp_path / "secret")
    into = tmp_path / "original"
    async with client(origin_file_roots=str(root)) as origins:
        await origins.fetch((root / "a b.jpg").as_uri(), into)
        assert into.read_bytes() == b"original"
        for outside in ("secret", "root/link", "root/../secret", "root", "root/no"):
            with pytest.raises(AssetFault, match="outside the folders"):
                await origins.fetch(f"file://{tmp_path}/{outside}", into)
    async with client() as origins:
        with pytest.raises(AssetFault, match="outside the folders"):
            await origins.fetch((root / "a b.jpg").as_uri(), into)
