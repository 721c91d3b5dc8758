"""Whether an original comes fast enough: lately, and in all."""

import time
from collections import deque
from collections.abc import Callable

from settings import Settings

SLOTS = 60
"""A window is counted in this many parts, so that what is remembered of it stays small."""

BYTES_FOR_AN_HOUR = 10_000_000_000
"""An original may take an hour more for each of these that have come."""


class Pace:
    """The pace of one original, over all connections that it comes by.

    Only time spent on receiving counts: what passes between two connections is not the origin's.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._window_s = settings.origin_min_rate_window_s
        self._least = settings.origin_min_rate * self._window_s
        self._most_s = settings.origin_max_s
        self._clock = clock
        self._last = clock()
        self._spent_s = 0.0
        self._received = 0
        self._slots: deque[tuple[int, int]] = deque()
        self._in_window = 0

    def begin(self) -> None:
        """A connection begins to give the original, or the rest of it."""
        self._last = self._clock()

    def keeps_up(self, size: int) -> bool:
        """Counts bytes that have just come; whether the origin is still fast enough."""
        now = self._clock()
        self._spent_s += now - self._last
        self._last = now
        self._received += size
        self._count(size)
        if self._spent_s >= self._window_s and self._in_window < self._least:
            return False
        return self._spent_s <= self._most_s + 3600 * (self._received // BYTES_FOR_AN_HOUR)

    def _count(self, size: int) -> None:
        """Adds to the window, and drops the slots that it has left behind."""
        slot = int(self._spent_s / self._window_s * SLOTS)
        if self._slots and self._slots[-1][0] == slot:
            size_before = self._slots.pop()[1]
            self._slots.append((slot, size_before + size))
        else:
            self._slots.append((slot, size))
        self._in_window += size
        while self._slots[0][0] < slot - SLOTS:
            self._in_window -= self._slots.popleft()[1]
