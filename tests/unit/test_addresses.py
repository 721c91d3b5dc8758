"""Which addresses an origin may be at, in every spelling."""

import socket
from ipaddress import ip_address, ip_network

import pytest

from activities.addresses import GuardedBackend, permitted
from activities.faults import AssetFault, OriginAway

LOOPBACK = [ip_network("127.0.0.0/8")]


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are_permitted(address: str) -> None:
    assert permitted(ip_address(address), [])


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1"),
        *("192.168.0.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("100.100.100.200", "168.63.129.16", "192.0.0.192"),  # metadata: Alibaba, Azure, Oracle
        *("::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::127.0.0.1", "2002:7f00:1::", "2001:0:7f00:1::", "4000::1"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1"),
    ],
)
def test_other_addresses_are_not(address: str) -> None:
    assert not permitted(ip_address(address), [])


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("127.0.0.1", "127.0.0.0/8"),
        ("::ffff:127.0.0.1", "127.0.0.0/8"),
        ("64:ff9b::7f00:1", "127.0.0.0/8"),
        ("::1", "::1/128"),
        ("168.63.129.16", "168.63.129.16/32"),
    ],
)
def test_what_is_allowed_is_permitted(address: str, network: str) -> None:
    assert permitted(ip_address(address), [ip_network(network)])
    assert not permitted(ip_address(address), [ip_network("10.0.0.0/8"), ip_network("fc00::/7")])


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0"),
        *("::1", "::ffff:127.0.0.1", "169.254.169.254", "0", "0x7f.1"),
    ],
)
async def test_no_connection_leaves_to_a_private_host(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        with pytest.raises(AssetFault, match="private network"):
            await GuardedBackend([]).connect_tcp(host, server.getsockname()[1], 1)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001"])
async def test_every_spelling_of_what_is_allowed_connects(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        stream = await GuardedBackend(LOOPBACK).connect_tcp(host, port, 5)
        await stream.aclose()


async def test_every_address_of_a_host_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        resolves_to(monkeypatch, "10.0.0.1", "127.0.0.2", "127.0.0.1")
        stream = await GuardedBackend(LOOPBACK).connect_tcp("two.example", port, 5)
        assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"
        await stream.aclose()


async def test_a_host_that_changes_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that was checked is the one connected to: there is no second look-up between."""
    with socket.create_server(("127.0.0.1", 0)) as public:
        port = public.getsockname()[1]
        with socket.create_server(("127.0.0.2", port)) as private:
            private.settimeout(0)
            answers = iter(["127.0.0.1", "127.0.0.2", "127.0.0.2"])

            def resolved(_: str, port: int, *__: object, **___: object) -> list[object]:
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

            monkeypatch.setattr(socket, "getaddrinfo", resolved)
            guarded = GuardedBackend([ip_network("127.0.0.1/32")])
            stream = await guarded.connect_tcp("rebinding.example", port, 5)
            assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"
            await stream.aclose()
            with pytest.raises(AssetFault, match="private network"):
                await guarded.connect_tcp("rebinding.example", port, 5)
            with pytest.raises(BlockingIOError):
                private.accept()
            assert next(answers) == "127.0.0.2", "each connection has looked it up once"


async def test_an_unknown_host_may_be_known_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(OriginAway, match=r"nowhere\.example could not be found"):
        await GuardedBackend([]).connect_tcp("nowhere.example", 80, 1)


async def test_no_unix_socket() -> None:
    with pytest.raises(AssetFault):
        await GuardedBackend([]).connect_unix_socket("/run/docker.sock")


def resolves_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Makes every host resolve to these IPv4 addresses."""

    def resolved(_: str, port: int, *__: object, **___: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
