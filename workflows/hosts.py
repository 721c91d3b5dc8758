"""The hosts of origins as a batch's workflow knows them: how busy, and which are closed.

A host that says "later" is closed until then: nothing of it is tried, and no attempt is used up.
Then one entry is tried, the probe; its outcome opens the host, or closes it for longer. A host that
has been closed as often as an asset is tried is given up: what waits for it is tried once, each.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass
class _Closed:
    until: datetime
    times: int = 1
    is_probed: bool = False


@dataclass
class Hosts:
    """`connections` entries of a host may be in flight at once; 0: any number.

    `attempts`: how often a host is closed in a row before it is given up.
    """

    connections: int
    attempts: int
    _busy: Counter[str] = field(default_factory=Counter)
    _closed: dict[str, _Closed] = field(default_factory=dict)

    def may_be_asked(self, host: str, now: datetime) -> bool:
        """Whether another entry of the host may be begun."""
        if not host:
            return True
        if self.connections and self._busy[host] >= self.connections:
            return False
        closed = self._closed.get(host)
        if closed is None or self.is_given_up(host):
            return True
        return now >= closed.until and not closed.is_probed

    def is_given_up(self, host: str) -> bool:
        """Whether a fault of the host is to be the error of what is tried."""
        closed = self._closed.get(host)
        return closed is not None and closed.times >= self.attempts

    def is_closed(self, host: str) -> bool:
        """Whether the host has been closed, and not answered well since."""
        return host in self._closed

    def begin(self, host: str) -> None:
        """An entry of the host is in flight."""
        self._busy[host] += 1
        if host in self._closed:
            self._closed[host].is_probed = True

    def end(self, host: str) -> None:
        """An entry of the host is in flight no more."""
        self._busy[host] -= 1
        if not self._busy[host]:
            del self._busy[host]

    def open(self, host: str) -> None:
        """The host has answered."""
        self._closed.pop(host, None)

    def release_probe(self, host: str) -> None:
        """What was in flight has not come to ask the host; another may."""
        if host in self._closed:
            self._closed[host].is_probed = False

    def close(self, host: str, now: datetime, wait: timedelta) -> None:
        """The host says that it is not to be asked for a while."""
        closed = self._closed.get(host)
        if closed is None:
            self._closed[host] = _Closed(now + wait)
        else:
            closed.times += now >= closed.until  # else it answers what was in flight before
            closed.until = max(closed.until, now + wait)
            closed.is_probed = False

    def closed(self, now: datetime) -> dict[str, datetime]:
        """The hosts that are closed, and until when."""
        return {host: each.until for host, each in self._closed.items() if each.until > now}
