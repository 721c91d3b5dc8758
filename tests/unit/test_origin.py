"""Fetching originals, from servers that send exact bytes."""

import asyncio
import email.utils
import gzip
import re
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from activities.faults import AssetFault, DiskFull, OriginAway
from activities.origin import Fetched, OriginClient
from settings import Settings

Script = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
PUBLIC_ONLY: dict[str, Any] = {"origin_allow": []}


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


@pytest.fixture(autouse=True)
def certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    """No certificates: every client would spend 45 ms on loading them."""
    monkeypatch.setattr(
        ssl, "create_default_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "original"


async def test_a_file_is_fetched(into: Path) -> None:
    body = bytes(range(256)) * 12_000
    async with serving(reply(body=body, Content_Type="image/tiff")) as server:
        fetched = await fetch(f"{server.url}/a;v=1/b.tif;p?q=1&r#f", into)
    assert fetched == Fetched(into, len(body), "image/tiff")
    assert into.read_bytes() == body
    assert server.target == "/a;v=1/b.tif;p?q=1&r"
    assert f"\r\nHost: 127.0.0.1:{server.port}\r\n".encode() in server.asked[0]


async def test_connections_are_kept(into: Path) -> None:
    ports = set()

    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ports.add(writer.get_extra_info("peername"))
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply())
        writer.close()

    async with await asyncio.start_server(twice, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        settings = Settings.model_validate({"origin_allow": "127.0.0.0/8"})
        async with OriginClient(settings) as origins:
            await origins.fetch(url, into)
            await origins.fetch(url, into)
    assert len(ports) == 1


@pytest.mark.parametrize(
    "status",
    ["404 Not Found", "403 Forbidden", "401 Unauthorized", "410 Gone", "204 No Content"],
)
async def test_a_refusal_is_the_assets_fault(into: Path, status: str) -> None:
    async with serving(reply(status, b"")) as server:
        with pytest.raises(AssetFault, match=rf"^The origin 127\.0\.0\.1 answered {status}$"):
            await fetch(server.url, into)


async def test_an_unheard_of_status_is_told_as_it_is(into: Path) -> None:
    async with serving(reply("499 Whatever <b>")) as server:
        with pytest.raises(AssetFault, match=r"answered 499$"):
            await fetch(server.url, into)


@pytest.mark.parametrize("status", ["500 Internal Server Error", "429 Too Many Requests"])
@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [
        ("7", 7, 7),
        ("999999", 3600, 3600),
        (100.0, 50, 100),
        (-100.0, 0, 0),
    ],
)
async def test_a_server_that_cannot_now_is_asked_later(
    into: Path, status: str, retry_after: str | float, least: float, most: float
) -> None:
    if isinstance(retry_after, float):  # seconds from now, sent as a date
        retry_after = email.utils.formatdate(time.time() + retry_after, usegmt=True)
    async with serving(reply(status, Retry_After=retry_after)) as server:
        with pytest.raises(OriginAway, match=f"answered {status}") as caught:
            await fetch(server.url, into)
    assert caught.value.retry_after_s is not None
    assert least <= caught.value.retry_after_s <= most


@pytest.mark.parametrize("retry_after", ["", "soon", "-1"])
async def test_a_server_that_does_not_say_when(into: Path, retry_after: str) -> None:
    async with serving(reply("503 Service Unavailable", Retry_After=retry_after)) as server:
        with pytest.raises(OriginAway) as caught:
            await fetch(server.url, into)
    assert caught.value.retry_after_s is None


def redirecting(times: int, location: str = "/{}") -> Script:
    """Redirects so many times, to a location that counts down."""

    async def script(head: bytes, writer: asyncio.StreamWriter) -> None:
        left = int(head.split(b" ")[1].lstrip(b"/") or times)
        if left == 0:
            writer.write(reply())
        else:
            writer.write(reply("302 Found", b"gone", Location=location.format(left - 1)))

    return script


async def test_five_redirects_are_followed(into: Path) -> None:
    async with serving(redirecting(5)) as server:
        await fetch(server.url, into)
    assert len(server.asked) == 6
    assert into.read_bytes() == b"original"


async def test_six_are_not(into: Path) -> None:
    async with serving(redirecting(6)) as server:
        with pytest.raises(AssetFault, match="more than 5 times"):
            await fetch(server.url, into)
    assert len(server.asked) == 6


async def test_a_host_that_asks_for_time_is_given_it_by_all(tmp_path: Path) -> None:
    asked: list[float] = []

    async def script(_: bytes, writer: asyncio.StreamWriter) -> None:
        asked.append(time.monotonic())
        busy = len(asked) == 1
        writer.write(reply("503 Busy", Retry_After=1) if busy else reply())

    chosen: dict[str, Any] = {"origin_allow": "127.0.0.0/8", "origin_host_connections": 1}
    async with serving(script) as server, OriginClient(Settings(**chosen)) as origins:
        fetching = [origins.fetch(server.url, tmp_path / str(number)) for number in range(3)]
        ended = await asyncio.gather(*fetching, return_exceptions=True)
    assert [type(each) for each in ended] == [OriginAway, Fetched, Fetched]
    assert asked[1] - asked[0] >= 1


async def test_connections_to_a_host_are_few(tmp_path: Path) -> None:
    open_now: list[int] = [0, 0]  # and the most of it

    async def script(_: bytes, writer: asyncio.StreamWriter) -> None:
        open_now[0] += 1
        open_now[1] = max(open_now)
        await asyncio.sleep(0.05)
        open_now[0] -= 1
        writer.write(reply())

    chosen: dict[str, Any] = {"origin_allow": "127.0.0.0/8", "origin_host_connections": 3}
    async with serving(script) as server, OriginClient(Settings(**chosen)) as origins:
        await asyncio.gather(*(origins.fetch(server.url, tmp_path / str(n)) for n in range(12)))
    assert open_now[1] == 3


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


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_loop_ends(into: Path, status: int) -> None:
    async with serving(reply(f"{status} Go", Location="/")) as server:
        with pytest.raises(AssetFault, match="more than 5 times"):
            await fetch(server.url, into)


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("next.jpg", "/shelf/next.jpg"),
        ("../next.jpg?x=1", "/next.jpg?x=1"),
        ("?page=2", "/shelf/first.jpg?page=2"),
        ("Bücher und Karten.jpg", "/shelf/B%C3%BCcher%20und%20Karten.jpg"),
    ],
)
async def test_a_location_is_relative(into: Path, location: str, target: str) -> None:
    async def script(head: bytes, writer: asyncio.StreamWriter) -> None:
        first = b"first.jpg HTTP" in head
        writer.write(reply("302 Found", Location=location) if first else reply())

    async with serving(script) as server:
        await fetch(f"{server.url}/shelf/first.jpg", into)
    assert server.target == target


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://10.0.0.1/", "private network"),
        ("//169.254.169.254/latest/meta-data/", "private network"),
        ("http://[::1]/", "private network"),
        ("ftp://example.org/x", "http or https"),
        ("gopher://127.0.0.1/a", "http or https"),
        ("file:///etc/passwd", "http or https"),
        ("http://user:pw@example.org/", "credentials"),
        ("http://[", "not a URL"),
    ],
)
async def test_a_redirect_is_checked(into: Path, location: str, words: str) -> None:
    async with serving(reply("302 Found", Location=location)) as server:
        with pytest.raises(AssetFault, match=words):
            await fetch(server.url, into, origin_file_roots="/etc")


async def test_a_redirect_that_leads_nowhere(into: Path) -> None:
    async with serving(reply("302 Found")) as server:
        with pytest.raises(AssetFault, match="302 Found"):
            await fetch(server.url, into)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0"),
        *("127.1", "192.168.1.1", "100.64.0.1", "[fe80::1]", "[fd00::1]"),
        *("[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "169.254.169.254", "127.0.0.1."),
        *("１２７.0.0.1", "127。0。0。1"),  # noqa: RUF001 - other spellings are the point
    ],
)
async def test_private_networks_are_refused(into: Path, host: str) -> None:
    async with serving(reply()) as server:
        with pytest.raises((AssetFault, OriginAway), match=r"private network|could not be found"):
            await fetch(f"http://{host}:{server.port}/", into, **PUBLIC_ONLY)
    assert not server.asked


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "LOCALHOST"])
async def test_unless_they_are_allowed(into: Path, host: str) -> None:
    async with serving(reply()) as server:
        await fetch(f"http://{host}:{server.port}/", into)


async def test_a_host_that_is_not_found(into: Path) -> None:
    with pytest.raises(OriginAway, match=r"nowhere\.invalid could not be found"):
        await fetch("http://nowhere.invalid/", into)


async def test_a_refused_connection(into: Path) -> None:
    async with serving(reply()) as server:
        pass
    with pytest.raises(OriginAway, match=r"connection to the origin 127\.0\.0\.1 failed"):
        await fetch(server.url, into)


async def test_a_server_without_tls(into: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        with pytest.raises(OriginAway, match="connection"):
            await fetch(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", into)


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
            await fetch(server.url, into, origin_timeout_s=0.5)


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


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("", "/"),
        ("?x", "/?x"),
        ("/two words.jpg", "/two%20words.jpg"),
        ("/Bücher/é.jpg?q=ä b", "/B%C3%BCcher/%C3%A9.jpg?q=%C3%A4%20b"),
        ("/100%.jpg", "/100%25.jpg"),
        ("/%C3%A9%2f+~!$&'()*,;=:@[]|.jpg?a=%20+/?b[]=c|d", None),  # as it is: may be signed
    ],
)
async def test_urls_as_people_write_them(into: Path, path: str, target: str | None) -> None:
    async with serving(reply()) as server:
        await fetch(server.url + path, into)
    assert server.target == (path if target is None else target)


async def test_a_host_in_any_script(into: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OriginAway, match=r"xn--bcher-kva\.invalid could not be found"):
        await fetch("http://Bücher.invalid/", into)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "http or https|not a URL"),
        ("scan.jpg", "http or https|not a URL"),
        ("http://", "not a URL"),
        ("http:///x", "not a URL"),
        ("http://[::1", "not a URL"),
        ("http://[fe80::1%25eth0]/", "not a URL"),
        ("http://127.0.0.1:99999/", "not a URL"),
        ("http://127.0.0.1:0/", "not a URL"),
        ("http://127.0.0.1:x/", "not a URL"),
        ("http://a..b/", "not a URL"),
        (f"http://{'a' * 64}.org/", "not a URL"),
        ("http://%31%32%37.0.0.1/", "not a URL"),
        ("http://127.0.0.1\\@example.org/", "credentials"),
        ("http://127.0.0.1\\x.example.org/", "not a URL"),
        ("http://127.0.0.1/\r\nX: y", "not a URL"),
        ("http://127.0.0.1/\0", "not a URL"),
        ("http://127.0.0.1/\ud800", "not a URL"),
        (f"http://127.0.0.1/{'a' * 8000}", "not a URL"),
        (f"http://127.0.0.1/{'é' * 2000}", "not a URL"),
        ("ftp://example.org/x", "http or https"),
        ("data:image/png;base64,AAAA", "http or https|not a URL"),
        ("http://user:secret@example.org/", "credentials"),
        ("http://user@example.org/", "credentials"),
    ],
)
async def test_what_is_not_a_url_to_fetch(into: Path, url: str, words: str) -> None:
    with pytest.raises(AssetFault, match=words) as caught:
        await fetch(url, into)
    assert "secret" not in str(caught.value)


async def test_a_full_disk(into: Path) -> None:
    into.symlink_to("/dev/full")
    async with serving(reply()) as server:
        with pytest.raises(DiskFull):
            await fetch(server.url, into)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that may be read, beside one that may not."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.jpg").write_bytes(b"secret")
    folder = tmp_path / "allowed"
    folder.mkdir()
    (folder / "a scan é.jpg").write_bytes(b"original")
    (folder / "out.jpg").symlink_to("../outside/secret.jpg")
    (folder / "in.jpg").symlink_to("a scan é.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    return folder


@pytest.mark.parametrize(
    "url",
    [
        "file://{}/a%20scan%20%C3%A9.jpg",
        "file://{}/a scan é.jpg",
        "FILE://localhost{}/in.jpg",
        "file:{}/in.jpg",
    ],
)
async def test_a_file_of_an_allowed_folder(into: Path, root: Path, url: str) -> None:
    fetched = await fetch(url.format(root), into, origin_file_roots=[root])
    assert fetched == Fetched(into, 8, None)
    assert into.read_bytes() == b"original"


@pytest.mark.parametrize(
    "url",
    [
        *("file://{}", "file://{}/", "file://{}/missing.jpg", "file://{}/out.jpg"),
        *("file://{}/../outside/secret.jpg", "file://{}/%2e%2e/outside/secret.jpg"),
        *("file://{}/loop.jpg", "file://{}/in.jpg%00", "file://example.org{}/in.jpg", "file:"),
        *("file:///etc/passwd", "file:///dev/zero", "file://[{}", "file://{}/%ff", "file:in.jpg"),
    ],
)
async def test_other_files_are_refused(into: Path, root: Path, url: str) -> None:
    with pytest.raises(AssetFault, match=r"^The origin is a file outside the folders that may be"):
        await fetch(url.format(root), into, origin_file_roots=[root])


async def test_a_folder_beside_with_a_longer_name(into: Path, root: Path) -> None:
    beside = root.with_name("allowed-not")
    beside.mkdir()
    (beside / "x.jpg").write_bytes(b"secret")
    with pytest.raises(AssetFault, match="outside"):
        await fetch(f"file://{beside}/x.jpg", into, origin_file_roots=[root])


async def test_no_file_by_default(into: Path, root: Path) -> None:
    with pytest.raises(AssetFault, match="outside"):
        await fetch(f"file://{root}/in.jpg", into)


async def test_a_file_that_is_too_large_or_empty(into: Path, root: Path) -> None:
    with pytest.raises(AssetFault, match="larger than 7 bytes"):
        await fetch(f"file://{root}/in.jpg", into, origin_file_roots=[root], origin_max_bytes=7)
    (root / "empty.jpg").touch()
    with pytest.raises(AssetFault, match="empty"):
        await fetch(f"file://{root}/empty.jpg", into, origin_file_roots=[root])
