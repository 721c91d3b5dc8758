"""Keeps requests out of private networks: the address really connected to is the one checked."""

import asyncio
import socket
import ssl
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

import httpcore

from activities.faults import AssetFault, OriginAway
from settings import Network

Address = IPv4Address | IPv6Address

READ_BYTES = 1024 * 1024

_TRANSLATED = IPv6Network("64:ff9b::/96")
"""NAT64 (RFC 6052): another spelling of any IPv4 address, and the only one in IPv6-only networks.
"""

_UNICAST = IPv6Network("2000::/3")
"""All of IPv6 that is given out (RFC 4291, section 2.4): what lies outside has a use of its own."""

_REFUSED = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments (RFC 6890), metadata of Oracle's cloud
    IPv4Network("168.63.129.16/32"),  # the host below a machine in Azure
)
"""Networks that `ipaddress` holds to be global, and that are not the Internet."""


def permitted(address: Address, allowed: Sequence[Network]) -> bool:
    """Whether an origin may be at this address: a public one, or in a network that is allowed."""
    if isinstance(address, IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return permitted(inner, allowed)
    if _within(address, allowed):
        return True
    if _within(address, _REFUSED) or (address.version == 6 and address not in _UNICAST):
        return False
    return address.is_global and not address.is_multicast


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address spells."""
    if address in _TRANSLATED:
        return IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to permitted addresses alone, and to the very address that was checked."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as inherited
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolves, checks and connects; tries each permitted address in turn.

        Raises:
            AssetFault: no address of the host is permitted.
            OriginAway: the host cannot be resolved.
        """
        addresses = [a for a in await _resolved(host, port) if permitted(a, self._allowed)]
        if not addresses:
            raise AssetFault(
                f"The origin {host} is in a private network, which this platform may not read"
            )
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in addresses:
            try:
                stream = await self._inner.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _LargeReads(stream)
        assert failure is not None  # noqa: S101 - there was an address
        raise failure

    async def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002 - as inherited
        timeout: float | None = None,  # noqa: ASYNC109, ARG002
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """Refused: no origin is behind one."""
        raise AssetFault("The origin's address cannot be used")

    async def sleep(self, seconds: float) -> None:
        """Sleeps."""
        await asyncio.sleep(seconds)


class _LargeReads(httpcore.AsyncNetworkStream):
    """Reads as much at a time as there is: httpcore asks for 64 KiB, which costs a scan of 2 MB
    twice the processor time."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return await self._inner.read(max(max_bytes, READ_BYTES), timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as inherited
    ) -> httpcore.AsyncNetworkStream:
        return _LargeReads(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


async def _resolved(host: str, port: int) -> list[Address]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
    except (OSError, UnicodeError) as error:
        raise OriginAway(f"The origin's host {host} could not be found") from error
    return list(dict.fromkeys(ip_address(str(each[4][0]).partition("%")[0]) for each in found))
