"""How a worker treats hosts of origins: few connections, spaced requests, Retry-After obeyed."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from activities.faults import OriginAway

LONGEST_WAIT_S = 60.0
"""A Retry-After holds up every asset of its host, and their slots, no longer than this."""


MOST_HOSTS = 10_000
"""Remembered at once, besides those that are being asked."""


@dataclass
class _Host:
    """Places for connections, when the next request may be sent (monotonic), and how many ask."""

    free: asyncio.Semaphore
    not_before: float = 0.0
    asking: int = 0


class Politeness:
    """All of a worker's requests to a host share its `connections` and requests a second."""

    def __init__(self, connections: int, rate: float) -> None:
        self._connections = connections
        self._interval_s = 1 / rate
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def towards(self, host: str) -> AsyncIterator[None]:
        """A place among the connections to a host, once it may be asked again."""
        known = self._known(host)
        known.asking += 1
        try:
            async with known.free:
                while (wait := known.not_before - time.monotonic()) > 0:  # noqa: ASYNC110 - it moves
                    await asyncio.sleep(wait)
                known.not_before = time.monotonic() + self._interval_s
                yield
        except OriginAway as away:
            asked = min(away.retry_after_s or 0.0, LONGEST_WAIT_S)
            known.not_before = max(known.not_before, time.monotonic() + asked)
            raise
        finally:
            known.asking -= 1

    def _known(self, host: str) -> _Host:
        if host not in self._hosts:
            if len(self._hosts) >= MOST_HOSTS:
                self._forget()
            self._hosts[host] = _Host(asyncio.Semaphore(self._connections))
        return self._hosts[host]

    def _forget(self) -> None:
        """Drops hosts that nobody is asking, and that may be asked."""
        now = time.monotonic()
        idle = [
            name for name, host in self._hosts.items() if not host.asking and host.not_before < now
        ]
        for name in idle:
            del self._hosts[name]
