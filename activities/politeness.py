"""How a worker treats hosts of origins: few connections, spaced requests, Retry-After obeyed.

No activity waits here for long: what a host may not be asked now is handed back, and its workflow
has the timer.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from activities.faults import OriginAway, OriginBusy

PATIENCE_S = 1.0
"""An asset keeps its slot for this long while its host may not be asked."""

MAX_CLOSED_S = 60.0
"""A Retry-After closes a host to every asset for no longer than this."""

MAX_HOSTS = 10_000
"""Remembered at once, besides those that are being asked."""


@dataclass
class _Host:
    """Free connections, when the next request may be sent (monotonic), and how many ask."""

    free: asyncio.Semaphore
    not_before: float = 0.0
    asking: int = 0


class Politeness:
    """All requests of a task queue to a host share its `connections` and requests a second."""

    def __init__(self, connections: int, rate: float) -> None:
        self._connections = connections
        self._interval_s = 1 / rate
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def towards(self, host: str) -> AsyncIterator[None]:
        """One of the connections to a host, once it may be asked.

        Raises:
            OriginBusy: it may not be within `PATIENCE_S`.
        """
        known = self._known(host)
        known.asking += 1
        try:
            await self._acquire(known, host)
            try:
                yield
            finally:
                known.free.release()
        except OriginAway as away:
            closed_s = min(away.retry_after_s or 0.0, MAX_CLOSED_S)
            known.not_before = max(known.not_before, time.monotonic() + closed_s)
            raise
        finally:
            known.asking -= 1

    async def _acquire(self, known: _Host, host: str) -> None:
        _refuse_if_closed(known, host)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await known.free.acquire()
        except TimeoutError as busy:
            raise OriginBusy(host, PATIENCE_S) from busy
        try:
            while (wait := known.not_before - time.monotonic()) > 0:
                _refuse_if_closed(known, host)
                await asyncio.sleep(wait)
            known.not_before = time.monotonic() + self._interval_s
        except BaseException:
            known.free.release()
            raise

    def _known(self, host: str) -> _Host:
        if host not in self._hosts:
            if len(self._hosts) >= MAX_HOSTS:
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


def _refuse_if_closed(known: _Host, host: str) -> None:
    wait = known.not_before - time.monotonic()
    if wait > PATIENCE_S:
        raise OriginBusy(host, wait)
