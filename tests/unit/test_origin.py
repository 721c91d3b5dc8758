"""Asking for originals: answers, redirects, networks and URLs."""

import asyncio
import email.utils
import time
from pathlib import Path
from typing import Any

import pytest

from activities.faults import AssetFault, DiskFull, OriginAway, OriginBusy
from activities.fetched import Fetched
from activities.origin import OriginClient
from settings import Settings
from tests.unit.http_origin import Script, fetch, reply, serving

pytestmark = pytest.mark.usefixtures("certificates")
PUBLIC_ONLY: dict[str, Any] = {"origin_allow": []}


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
        writer.write(reply("503 Busy", Retry_After=2) if busy else reply())

    chosen: dict[str, Any] = {"origin_allow": "127.0.0.0/8", "origin_host_connections": 1}
    async with serving(script) as server, OriginClient(Settings(**chosen)) as origins:
        fetching = [origins.fetch(server.url, tmp_path / str(number)) for number in range(3)]
        ended = await asyncio.gather(*fetching, return_exceptions=True)
        assert [type(each) for each in ended] == [OriginAway, OriginBusy, OriginBusy]
        assert len(asked) == 1
        waits = [each.wait_s for each in ended if isinstance(each, OriginBusy)]
        assert all(1 < wait <= 2 for wait in waits)
        await asyncio.sleep(max(waits))
        assert isinstance(await origins.fetch(server.url, tmp_path / "later"), Fetched)
    assert asked[1] - asked[0] >= 2


async def test_requests_to_a_host_are_spaced(tmp_path: Path) -> None:
    asked: list[float] = []

    async def script(head: bytes, writer: asyncio.StreamWriter) -> None:
        asked.append(time.monotonic())
        moved = head.startswith(b"GET /moved ")
        writer.write(reply("302 Found", b"", Location="/") if moved else reply())

    chosen: dict[str, Any] = {"origin_allow": "127.0.0.0/8", "origin_host_rate": 20}
    async with serving(script) as server, OriginClient(Settings(**chosen)) as origins:
        paths = ("", "", "/moved", "")
        fetching = (
            origins.fetch(f"{server.url}{path}", tmp_path / str(n)) for n, path in enumerate(paths)
        )
        await asyncio.gather(*fetching)
    assert len(asked) == 5
    # Between the first and the last are four waits of 50 ms; what is noted may be late.
    assert asked[-1] - asked[0] >= 0.15


async def test_connections_to_a_host_are_few(tmp_path: Path) -> None:
    open_now: list[int] = [0, 0]  # and the most of it

    async def script(_: bytes, writer: asyncio.StreamWriter) -> None:
        open_now[0] += 1
        open_now[1] = max(open_now)
        await asyncio.sleep(0.05)
        open_now[0] -= 1
        writer.write(reply())

    chosen: dict[str, Any] = {
        "origin_allow": "127.0.0.0/8",
        "origin_host_connections": 3,
        "origin_host_rate": 1000,
    }
    async with serving(script) as server, OriginClient(Settings(**chosen)) as origins:
        await asyncio.gather(*(origins.fetch(server.url, tmp_path / str(n)) for n in range(12)))
    assert open_now[1] == 3


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
